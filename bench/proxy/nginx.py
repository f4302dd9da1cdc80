"""nginx: as the static upstream, and as the proxy that everybody is compared with."""

import os

from process import PROXY_CORE, Process, free_port

FOREVER = 1_000_000_000


def nginx(tools, folder, core, servers):
    """Starts nginx with one worker. Connections are kept: what is measured is requests, not connects."""
    os.makedirs(folder)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w") as out:
        out.write(f"""
            user root;
            daemon off;
            worker_processes 1;
            worker_rlimit_nofile 16384;
            pid {folder}/pid;
            error_log stderr warn;
            events {{ worker_connections 8192; }}
            http {{
                access_log off;
                sendfile on;
                keepalive_requests {FOREVER};
                keepalive_timeout 1h;
                {temporary}
                {servers}
            }}""")
    root = os.path.join(tools, "root")
    return Process(
        [f"{root}/usr/sbin/nginx", "-e", "stderr", "-p", folder, "-c", config], core, os.path.join(folder, "log"))


class Nginx:
    """nginx as a proxy with a static `proxy_set_header Authorization`, and connections to the upstream kept."""

    name = "nginx, static `proxy_set_header Authorization`"
    headers = ()

    def __init__(self, tools, folder, upstream, token, connectors=("orders",)):
        self.port = free_port()
        pools = "\n".join(f"""
            upstream {name} {{
                server 127.0.0.1:{upstream};
                keepalive 512;
                keepalive_requests {FOREVER};
                keepalive_timeout 1h;
            }}""" for name in connectors)
        locations = "\n".join(f"""
            location /{name}/ {{
                proxy_pass http://{name}/api/;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_set_header Authorization "Bearer {token}";
                proxy_request_buffering off;
                proxy_max_temp_file_size 0;
            }}""" for name in connectors)
        self.process = nginx(tools, os.path.join(folder, f"nginx-{self.port}"), PROXY_CORE, f"""
            client_max_body_size 0;
            {pools}
            server {{
                listen 127.0.0.1:{self.port} backlog=4096;
                {locations}
            }}""")
        self.process.wait_for(self.port)
