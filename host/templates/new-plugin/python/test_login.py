"""Speaks to the plugin as the host does: a line of JSON there, a line of JSON back. No network, no waiting."""
import json
import pathlib
import subprocess
import sys
import unittest

FILE = pathlib.Path(__file__).with_name("acme-login.py")
SETTINGS = {"login_url": "https://acme.example/login", "user": "erp", "password": "canary"}
NOW = 1767225600000


class Host:
    """A host that sends nothing anywhere: the test plays the issuer."""

    def __enter__(self):
        pipe = subprocess.PIPE
        self.plugin = subprocess.Popen([sys.executable, FILE], stdin=pipe, stdout=pipe, text=True, encoding="utf-8")
        self.number = 0
        self.hello = self.say({"hello": {"protocol": "1.0", "host": "test"}})["hello"]
        return self

    def __exit__(self, *_):
        self.plugin.stdin.close()
        self.plugin.wait(timeout=10)
        self.plugin.stdout.close()

    def say(self, line):
        print(json.dumps(line), file=self.plugin.stdin, flush=True)
        return json.loads(self.plugin.stdout.readline())

    def ask(self, message, **fields):
        self.number += 1
        [(name, answer)] = self.say({message: {"id": self.number, **fields}}).items()
        assert answer["id"] == self.number
        return name, answer

    def create(self, settings):
        return self.ask("create", profile=1, type="acme-login", settings=settings)

    def acquire(self, answers, **start):
        """Plays a conversation with these answers of the issuer; what was sent, and how it ended."""
        name, answer = self.ask("start", profile=1, conversation=1, input={"now": NOW, "caller": {}, **start})
        sent = []
        while name == "step" and "need" in answer["step"]:
            sent.append(answer["step"]["need"]["http"])
            status, body = answers[len(sent) - 1]
            event = {"http": {"status": status, "headers": [], "body": json.dumps(body)}}
            name, answer = self.ask("resume", conversation=1, input={"now": NOW, "event": event})
        return sent, answer["step"]


def session(name):
    return 200, {"session": name, "ttl_seconds": 900}


class AcmeLogin(unittest.TestCase):
    def setUp(self):
        self.host = Host().__enter__()
        self.addCleanup(self.host.__exit__)
        self.assertEqual(self.host.create(SETTINGS)[0], "created")

    def test_it_says_what_it_is(self):
        self.assertEqual(self.host.hello["name"], "acme-login")
        name, answer = self.host.ask("manifest")
        self.assertEqual((name, answer["types"][0]["type"]), ("types", "acme-login"))

    def test_a_login_gives_a_session_for_as_long_as_the_issuer_says(self):
        sent, step = self.host.acquire([session("s1")])
        placement = {"place": "header", "name": "x-acme-session", "value": "s1"}
        self.assertEqual(step["done"], {"placements": [placement], "lifetime": {"for": 900000}, "renewal": "s1"})
        self.assertEqual(json.loads(sent[0]["body"]), {"user": "erp", "password": "canary"})

    def test_a_session_is_prolonged_without_the_password(self):
        sent, step = self.host.acquire([session("s2")], previous="s1")
        self.assertEqual([request["method"] for request in sent], ["PUT"])
        self.assertNotIn("canary", json.dumps(sent))
        self.assertIn("done", step)

    def test_a_session_that_is_not_prolonged_is_replaced(self):
        sent, _ = self.host.acquire([(410, {}), session("s2")], previous="s1")
        self.assertEqual([request["method"] for request in sent], ["PUT", "POST"])

    def test_a_refused_password_is_denied_and_named_nowhere(self):
        _, step = self.host.acquire([(403, {"why": "canary"})])
        self.assertEqual(step["failed"]["kind"], "denied")
        self.assertNotIn("canary", json.dumps(step))

    def test_an_empty_user_is_found_before_anything_is_sent(self):
        name, answer = self.host.create({**SETTINGS, "user": ""})
        self.assertEqual((name, answer["error"]["field"]), ("error", "user"))

    def test_a_url_that_no_password_may_go_to_is_found_before_anything_is_sent(self):
        for url in ["login", "ftp://acme.example/login", "http://acme.example/login", "https://u:p@acme.example/"]:
            name, answer = self.host.create({**SETTINGS, "login_url": url})
            self.assertEqual((name, answer["error"]["field"]), ("error", "login_url"), url)


if __name__ == "__main__":
    unittest.main()
