"""An API behind OAuth 1.0, which oauthlib verifies, on a free port of 127.0.0.1.

usage: oauth1.py CONSUMERS
Prints its address as the first line. CONSUMERS is a JSON file: {"KEY": {"secret": …, "rsa": PEM, "tokens": {"TOKEN": "SECRET"}}}.
Whoever gets in is answered with what was verified; who does not, with 401 and why. Nonces and timestamps are remembered, and
clocks may differ by 600 s. A body hash is compared, where there is one, for oauthlib leaves that to its user.
"""

import base64
import hashlib
import json
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from oauthlib.oauth1 import RequestValidator, ResourceEndpoint, SignatureOnlyEndpoint

with open(sys.argv[1], encoding="utf-8") as file:
    CONSUMERS = json.load(file)
logging.basicConfig(stream=sys.stderr, level=logging.INFO)


class Validator(RequestValidator):
    enforce_ssl = False
    allowed_signature_methods = (
        "HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "RSA-SHA1", "RSA-SHA256", "RSA-SHA512", "PLAINTEXT",
    )
    dummy_client = "dummydummydummydummydummy"
    dummy_access_token = "dummydummydummydummydummy"

    def __init__(self):
        super().__init__()
        self.seen = set()
        self.lock = threading.Lock()

    def check_access_token(self, token):
        return True

    def validate_timestamp_and_nonce(self, client_key, timestamp, nonce, request, request_token=None, access_token=None):
        use = (client_key, access_token, timestamp, nonce)
        with self.lock:
            fresh = use not in self.seen
            self.seen.add(use)
        return fresh

    def validate_client_key(self, client_key, request):
        return client_key in CONSUMERS

    def validate_access_token(self, client_key, token, request):
        return token in CONSUMERS.get(client_key, {}).get("tokens", {})

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return request.realm in (None, "Photos")

    def get_client_secret(self, client_key, request):
        return CONSUMERS.get(client_key, {}).get("secret", "no secret")

    def get_access_token_secret(self, client_key, token, request):
        return CONSUMERS.get(client_key, {}).get("tokens", {}).get(token, "no secret")

    def get_rsa_key(self, client_key, request):
        return CONSUMERS.get(client_key, {}).get("rsa", "")


VALIDATOR = Validator()
WITH_TOKEN, WITHOUT = ResourceEndpoint(VALIDATOR), SignatureOnlyEndpoint(VALIDATOR)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'OAuth realm="Photos"')
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/.ready":
            return self.answer(200, "ready")
        uri = f"http://{self.headers['Host']}{self.path}"
        text = body.decode("latin-1")
        endpoint = WITH_TOKEN if "oauth_token" in self.headers.get("Authorization", self.path) else WITHOUT
        check = endpoint.validate_protected_resource_request if endpoint is WITH_TOKEN else endpoint.validate_request
        valid, request = check(uri, self.command, text, dict(self.headers.items()))
        if not valid:
            return self.answer(401, {"log": request.validator_log if request else None})
        given = request.oauth_params.get("oauth_body_hash")
        name = {"256": "sha256", "512": "sha512"}.get(request.signature_method[-3:], "sha1")
        if given is not None and given != base64.b64encode(hashlib.new(name, body).digest()).decode():
            return self.answer(401, {"log": "the body is not the one that was hashed"})
        return self.answer(200, {
            "consumer": request.client_key, "token": request.resource_owner_key, "realm": request.realm,
            "method": request.signature_method, "uri": uri, "body_hash": given,
        })

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
