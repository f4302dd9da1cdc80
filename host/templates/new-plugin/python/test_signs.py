"""Speaks to the plugin as the host does: a line of JSON there, a line of JSON back."""
import json
import pathlib
import subprocess
import sys
import unittest

FILE = pathlib.Path(__file__).with_name("acme-hmac.py")
SETTINGS = {"secret": "throw-away-throw-away-throw-away"}
NOW = 1767225600000


class Host:
    """A host as the plugin sees it."""

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
        return self.ask("create", profile=1, type="acme-hmac", settings=settings)

    def sign(self, method="POST", path="/orders", query=None, body="{}"):
        _, answer = self.ask("start", profile=1, conversation=1, input={"now": NOW, "caller": {}})
        self.ask("signer", profile=1, signer=1, credential=answer["step"]["done"])
        request = {"method": method, "scheme": "https", "authority": "acme.example", "path": path, "headers": []}
        request.update({key: value for key, value in {"query": query, "body": body}.items() if value is not None})
        name, answer = self.ask("sign", signer=1, now=NOW, request=request)
        assert name == "signed", answer
        return {edit["name"]: edit["value"] for edit in answer["edits"]}


class AcmeHmac(unittest.TestCase):
    def setUp(self):
        self.host = Host().__enter__()
        self.addCleanup(self.host.__exit__)
        self.assertEqual(self.host.create(SETTINGS)[0], "created")

    def test_it_says_what_it_is(self):
        self.assertEqual(self.host.hello["name"], "acme-hmac")
        name, answer = self.host.ask("manifest")
        self.assertEqual((name, answer["types"][0]["type"]), ("types", "acme-hmac"))

    def test_the_signature_is_what_openssl_says(self):
        # printf 'POST\n/orders?page=2\n1767225600\n%s' "$(printf '{}' | sha256sum | cut -c-64)" |
        #     openssl dgst -sha256 -hmac throw-away-throw-away-throw-away
        edits = self.host.sign(query="page=2")
        signature = "7d67eaef883b8ea4e3f2f5a83f0948e53e6e6f57a48430786eabd112a06bfbfb"
        self.assertEqual(edits, {"x-acme-timestamp": "1767225600", "x-acme-signature": signature})

    def test_method_path_query_and_body_all_count(self):
        others = [{"method": "PUT"}, {"path": "/order"}, {"query": "page=2"}, {"body": None}, {}]
        self.assertEqual(len({self.host.sign(**other)["x-acme-signature"] for other in others}), 5)

    def test_a_short_secret_is_refused(self):
        name, answer = self.host.create({"secret": "short"})
        self.assertEqual((name, answer["error"]["field"]), ("error", "secret"))


if __name__ == "__main__":
    unittest.main()
