#!/usr/bin/env python3
"""Acme's login endpoint as a Countersign profile type: a user and a password for a session, which each request carries."""
import json
import sys
import urllib.parse

PLUGIN = {"name": "acme-login", "version": "1.0.0", "description": "Acme's login endpoint, in Python"}
TYPE = {
    "type": "acme-login",
    "summary": "Acme's login endpoint: a user and a password for a session",
    "schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "login_url": {"description": "Acme's login endpoint.", "type": "string"},
            "user": {"description": "The technical user.", "type": "string"},
            "password": {"description": "Its password.", "type": "string", "writeOnly": True},
        },
        "required": ["login_url", "user", "password"],
        "additionalProperties": False,
    },
}


def create(settings):
    """Checks what can be known without a network; the host has checked the settings against the schema already."""
    if settings["user"] == "":
        raise Failure("config", "is empty; name Acme's technical user", field="user")
    try:
        url = urllib.parse.urlsplit(settings["login_url"])
        scheme, host, user = url.scheme, url.hostname, url.username
    except ValueError:
        scheme = host = user = None
    if scheme not in ("https", "http") or not host or user is not None:
        raise Failure("config", "is not a URL: https://, a host without a user, a path", field="login_url")
    if scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        why = "is not https, so the password would travel in clear; plain http is for loopback"
        raise Failure("config", why, field="login_url")


def acquire(settings, start):
    """A conversation: yields what it needs, is sent what came of it, and returns the credential."""
    # A session that is about to end is prolonged; only if Acme refuses that, the password is sent again.
    if "previous" in start:
        answer = yield http("PUT", settings["login_url"], {"x-acme-session": start["previous"]})
        if 200 <= answer["status"] < 300:
            return credential(answer)
    login = {"password": settings["password"], "user": settings["user"]}
    body = json.dumps(login, separators=(",", ":"), ensure_ascii=False)
    return credential((yield http("POST", settings["login_url"], {"content-type": "application/json"}, body)))


def credential(answer):
    if not 200 <= answer["status"] < 300:
        raise refusal(answer)
    try:
        session = json.loads(answer.get("body", ""))
        placement = {"place": "header", "name": "x-acme-session", "value": str(session["session"])}
        lifetime = {"for": int(session["ttl_seconds"]) * 1000}
    except (ValueError, TypeError, KeyError):
        raise Failure("unavailable", "the answer's body is not a session") from None  # and nothing of it is told
    return {"placements": [placement], "lifetime": lifetime, "renewal": placement["value"]}


def refusal(answer):
    status = answer["status"]
    unwell = status in range(300, 400) or status == 408 or status >= 500
    kind = "rate-limited" if status == 429 else "unavailable" if unwell else "denied"
    wait = next((field["value"] for field in answer["headers"] if field["name"] == "retry-after"), "")
    more = {"retry_after_ms": int(wait) * 1000} if wait.isdigit() else {}
    return Failure(kind, f"answered with status {status}", **more)


# From here on: the protocol, the same for every type.


class Failure(Exception):
    def __init__(self, kind, message, **more):
        self.error = {"kind": kind, "message": message, **more}


def http(method, url, headers, body=""):
    fields = [{"name": name, "value": value} for name, value in headers.items()]
    return {"http": {"method": method, "url": url, "headers": fields, "body": body}}


def advance(conversation, step):
    """Takes a conversation to its next need or to its end."""
    try:
        return {"need": step()}
    except StopIteration as end:
        conversations.pop(conversation, None)
        return {"done": end.value}
    except Failure as failure:
        conversations.pop(conversation, None)
        return {"failed": failure.error}


def answer(message, ask):
    if message == "manifest":
        return "types", {"types": [TYPE]}
    if message == "create":
        create(ask["settings"])
        profiles[ask["profile"]] = ask["settings"]
        return "created", {"inputs": {}}
    if message == "start":
        talk = acquire(profiles[ask["profile"]], ask["input"])
        conversations[ask["conversation"]] = talk
        return "step", {"step": advance(ask["conversation"], lambda: next(talk))}
    if message == "resume":
        talk, event = conversations[ask["conversation"]], ask["input"]["event"]
        if "failed" in event:  # no answer came: that is the error
            conversations.pop(ask["conversation"])
            return "step", {"step": {"failed": event["failed"]}}
        return "step", {"step": advance(ask["conversation"], lambda: talk.send({"headers": [], **event["http"]}))}
    raise Failure("unsupported", "this plugin does not know the message")


profiles, conversations = {}, {}
for line in sys.stdin:
    [(message, ask)] = json.loads(line).items()
    if message == "hello":
        say = {"hello": {"protocol": "1.0", **PLUGIN}}
    elif message == "cancel":
        conversations.pop(ask["conversation"], None)
        continue
    elif message == "forget":
        profiles.pop(ask.get("profile"), None)
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
