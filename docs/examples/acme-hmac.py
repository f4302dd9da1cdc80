#!/usr/bin/env python3
"""Acme's request signature as a Countersign profile type: an HMAC-SHA256 over method, path and query, time and body."""
import base64
import hashlib
import hmac
import json
import sys

PLUGIN = {"name": "acme-hmac", "version": "1.0.0", "description": "Acme's request signature, in Python"}
TYPE = {
    "type": "acme-hmac",
    "summary": "Acme's request signature: an HMAC-SHA256 over each request",
    "schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "secret": {
                "description": "The secret that Acme gave out; at least 32 bytes (RFC 2104 §3).",
                "type": "string",
                "writeOnly": True,
            },
        },
        "required": ["secret"],
        "additionalProperties": False,
    },
}


def create(settings):
    if len(settings["secret"].encode()) < 32:
        raise Failure("config", "is shorter than the hash; use at least 32 bytes", field="secret")
    return settings["secret"].encode()


def sign(secret, request, now):
    time = str(now // 1000)
    query = "?" + request["query"] if request.get("query") is not None else ""
    body = hashlib.sha256(octets(request.get("body") or "")).hexdigest()
    text = f"{request['method']}\n{request['path']}{query}\n{time}\n{body}"
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return [header("x-acme-timestamp", time), header("x-acme-signature", signature)]


def octets(body):
    """Bytes are a string where they are UTF-8, else their base64."""
    return base64.b64decode(body["base64"]) if isinstance(body, dict) else body.encode()


def header(name, value):
    return {"place": "header", "name": name, "value": value}


# From here on: the protocol, the same for every type that signs and asks nobody.


class Failure(Exception):
    def __init__(self, kind, message, **more):
        self.error = {"kind": kind, "message": message, **more}


def answer(message, ask):
    if message == "manifest":
        return "types", {"types": [TYPE]}
    if message == "create":
        profiles[ask["profile"]] = create(ask["settings"])
        return "created", {"inputs": {"body": True}}
    if message == "start":
        profiles[ask["profile"]]  # it must be there
        return "step", {"step": {"done": {"material": "null", "lifetime": "until-rejected"}}}
    if message == "signer":
        signers[ask["signer"]] = ask["profile"], profiles[ask["profile"]]
        return "ready", {}
    if message == "sign":
        return "signed", {"edits": sign(signers[ask["signer"]][1], ask["request"], ask["now"])}
    raise Failure("unsupported", "this plugin does not know the message")


def forget(profile=None, signer=None):
    profiles.pop(profile, None)
    for number in [number for number, (of, _) in signers.items() if of == profile or number == signer]:
        del signers[number]


profiles, signers = {}, {}
for line in sys.stdin:
    [(message, ask)] = json.loads(line).items()
    if message == "hello":
        say = {"hello": {"protocol": "1.0", **PLUGIN}}
    elif message == "forget":
        forget(ask.get("profile"), ask.get("signer"))
        continue
    elif not isinstance(ask, dict) or "id" not in ask:
        continue
    else:
        try:
            name, fields = answer(message, ask)
        except Failure as failure:
            name, fields = "error", {"error": failure.error}
        except Exception as wrong:  # its text may hold a secret
            name, fields = "error", {"error": {"kind": "internal", "message": f"raised {type(wrong).__name__}"}}
        say = {name: {"id": ask["id"], **fields}}
    print(json.dumps(say), flush=True)
