"""What stands behind the proxies: an nginx that answers a fixed text, and a source and sink of zeros."""

import os
import sys

from nginx import nginx
from process import LOAD_CORE, Process, free_port

ANSWER = '{"order":4711,"status":"shipped","customer":"c-2048","items":[{"sku":"a-17","quantity":2}],"total":"49.90"}'


class StaticUpstream:
    """One nginx worker: `/api/…` answers a text of some hundred bytes, `/api/credential` the credential it was sent."""

    def __init__(self, tools, folder):
        self.port = free_port()
        self.process = nginx(tools, os.path.join(folder, f"upstream-{self.port}"), LOAD_CORE, f"""
            server {{
                listen 127.0.0.1:{self.port} backlog=4096;
                default_type application/json;
                location /api/ {{ return 200 '{ANSWER}'; }}
                location = /api/credential {{ return 200 "$http_authorization"; }}
            }}""")
        self.process.wait_for(self.port)


class ZeroUpstream:
    """`GET /api/zeros` streams zeros, `POST` takes any body and throws it away; both with their length in the head."""

    def __init__(self, folder, size):
        self.port = free_port()
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "zeros.py")
        self.process = Process(
            [sys.executable, "-B", script, str(self.port), str(size)], LOAD_CORE, os.path.join(folder, "zeros.log"))
        self.process.wait_for(self.port)
