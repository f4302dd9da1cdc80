"""`countersign serve` with a `jwt-bearer` profile for each connector."""

import contextlib
import os
import subprocess
import time

from process import PROXY_CORE, Process, free_port


class Countersign:
    """One worker thread. `access` decides whether clients send a token of their own."""

    def __init__(self, program, folder, upstream, access="any-local-process", connectors=("orders",)):
        self.name = f'Countersign, ES256 JWT, `access = "{access}"`'
        self.port = free_port()
        folder = os.path.join(folder, f"countersign-{self.port}")
        os.makedirs(folder)
        key = os.path.join(folder, "orders.pem")
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key],
            check=True, stderr=subprocess.DEVNULL)
        config = os.path.join(folder, "countersign.toml")
        with open(config, "w") as out:
            out.write(_serve(self.port, access) + "".join(_connector(name, upstream) for name in connectors))
        self.process = Process([program, "serve", "--config", config], PROXY_CORE, os.path.join(folder, "log"))
        self.process.wait_for(self.port)
        self.headers = ()
        if access == "token":
            self.headers = (f"Authorization: Bearer {_token(os.path.join(folder, 'countersign.token'))}",)


def _token(path):
    """The token that clients send; written at start, perhaps a moment after the port is open."""
    for _ in range(100):
        with contextlib.suppress(FileNotFoundError), open(path) as file:
            token = file.read().strip()
            if token:
                return token
        time.sleep(0.05)
    raise SystemExit(f"no token in {path}")


def _serve(port, access):
    return f"""
[serve]
listen  = "127.0.0.1:{port}"
access  = "{access}"
threads = 1
"""


def _connector(name, upstream):
    return f"""
[profiles.{name}-jwt]
type     = "jwt-bearer"
issuer   = "https://erp.example"
audience = "orders-api"
subject  = "erp"
key      = "${{file:orders.pem}}"

[connectors.{name}]
base_url = "http://127.0.0.1:{upstream}/api"
profile  = "{name}-jwt"
"""
