"""An API that lets signed requests in, and verifies them with libraries that others wrote; on a free port of 127.0.0.1.

usage: verify.py CONFIG.json
Prints its address as the first line. CONFIG (see verifier.rs, which writes it):
  with           "requests-http-signature", "http-message-signatures", "mohawk" or "standardwebhooks"
  key_id         the one key that it knows
  key            its public half as PEM, or the secret
  algorithm      of an HTTP message signature: the class in http_message_signatures.algorithms
  components     those that an HTTP message signature must cover
  max_age        in seconds
Answers 200 and what the library says of a good request, 401 and the library's word otherwise.
"""
import datetime
import http.server
import json
import sys

with open(sys.argv[1]) as file:
    config = json.load(file)
max_age = config.get("max_age", 60)
key = config["key"].encode()
seen = set()


def http_signature(library):
    from http_message_signatures import HTTPMessageVerifier, MappingKeyResolver, algorithms

    known = {
        "signature_algorithm": getattr(algorithms, config["algorithm"]),
        "key_resolver": MappingKeyResolver(public_keys={config["key_id"]: key}, private_keys={}),
    }
    rules = {"require_components": config["components"], "max_age": datetime.timedelta(seconds=max_age)}

    def told(result):
        if result.nonce is not None:
            if result.nonce in seen:
                raise ValueError("the nonce was seen before")
            seen.add(result.nonce)
        return " ".join(result.covered_components)

    def by_requests(request, url, body):
        import requests
        from requests_http_signature import HTTPSignatureAuth

        # As it arrived: prepare() would write the URL and the headers anew.
        message = requests.Request(request.command, url, data=body).prepare()
        message.url, message.headers = url, requests.structures.CaseInsensitiveDict(request.headers.items())
        return told(HTTPSignatureAuth.verify(message, **known, **rules))

    def by_itself(request, url, body):
        class Message:
            method, headers = request.command, request.headers

        Message.url = url
        (result,) = HTTPMessageVerifier(**known).verify(Message(), body=body, **rules)
        return told(result)

    return by_requests if library == "requests-http-signature" else by_itself


def hawk():
    import mohawk

    def credentials(key_id):
        if key_id != config["key_id"]:
            raise LookupError(key_id)
        return {"id": key_id, "key": config["key"], "algorithm": "sha256"}

    def is_replay(key_id, nonce, timestamp):
        before = (key_id, nonce, timestamp) in seen
        seen.add((key_id, nonce, timestamp))
        return before

    def verify(request, url, body):
        # A request without a body has no hash of it, which its library calls untrusted.
        receiver = mohawk.Receiver(
            credentials,
            request.headers.get("Authorization"),
            url,
            request.command,
            content=body or mohawk.base.EmptyValue,
            content_type=request.headers.get("Content-Type") or mohawk.base.EmptyValue,
            accept_untrusted_content=not body,
            seen_nonce=is_replay,
            timestamp_skew_in_seconds=max_age,
        )
        return receiver.parsed_header["id"]

    return verify


def webhook():
    from standardwebhooks.webhooks import Webhook

    def verify(request, url, body):
        return json.dumps(Webhook(config["key"]).verify(body, dict(request.headers)))

    return verify


library = config["with"]
verify = hawk() if library == "mohawk" else webhook() if library == "standardwebhooks" else http_signature(library)


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = f"http://{self.headers['Host']}{self.path}"
        try:
            status, words = 200, verify(self, url, body)
        except Exception as refusal:
            status, words = 401, f"{type(refusal).__name__}: {refusal}"
        words = words.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
