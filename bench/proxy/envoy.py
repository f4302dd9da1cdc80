"""Envoy with its `credential_injector`: a generic credential, given inline."""

import json
import os

from process import PROXY_CORE, Process, free_port

_TYPES = "type.googleapis.com/envoy.extensions"


class Envoy:
    """One worker thread, no access log, no request ids, no deadline: nothing that the others do not do either."""

    name = "Envoy 1.40, `credential_injector`"
    headers = ()

    def __init__(self, tools, folder, upstream, token):
        self.port = free_port()
        config = os.path.join(folder, f"envoy-{self.port}.json")
        with open(config, "w") as out:
            json.dump(_config(self.port, upstream, token), out, indent=1)
        self.process = Process(
            [f"{tools}/envoy/bin/envoy", "-c", config, "--concurrency", "1", "--disable-hot-restart",
             "--log-level", "warning"],
            PROXY_CORE, config + ".log")
        self.process.wait_for(self.port)


def _address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _config(port, upstream, token):
    injector = {
        "@type": f"{_TYPES}.filters.http.credential_injector.v3.CredentialInjector",
        "overwrite": True,
        "credential": {
            "name": "envoy.http.injected_credentials.generic",
            "typed_config": {
                "@type": f"{_TYPES}.http.injected_credentials.generic.v3.Generic",
                "credential": {"name": "orders"},
            },
        },
    }
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "orders",
        "codec_type": "HTTP1",
        "generate_request_id": False,
        "stream_idle_timeout": "0s",
        "http_filters": [
            {"name": "envoy.filters.http.credential_injector", "typed_config": injector},
            {"name": "envoy.filters.http.router",
             "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}},
        ],
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{
                "match": {"prefix": "/orders/"},
                "route": {"cluster": "orders", "prefix_rewrite": "/api/", "timeout": "0s"},
            }],
        }]},
    }
    return {"static_resources": {
        "secrets": [{"name": "orders", "generic_secret": {"secret": {"inline_string": f"Bearer {token}"}}}],
        "listeners": [{
            "name": "in",
            "address": _address(port),
            "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
        }],
        "clusters": [{
            "name": "orders",
            "type": "STATIC",
            "load_assignment": {"cluster_name": "orders", "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}]},
        }],
    }}
