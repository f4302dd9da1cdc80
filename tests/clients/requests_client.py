"""The itinerary of tests/tests/proxy_clients.rs with Python's requests.

usage: requests_client.py URL PAYLOAD: URL is a connector's at the proxy, PAYLOAD a file of 5 MB.
"""
import hashlib
import sys

import requests

url, payload = sys.argv[1:]
session = requests.Session()
session.trust_env = False
session.headers["X-User"] = "ada"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def call(method, path, **more):
    answer = session.request(method, url + path, timeout=30, **more)
    answer.raise_for_status()
    return answer


def pieces():
    with open(payload, "rb") as file:
        while piece := file.read(50_000):
            yield piece


print("get", call("GET", "/echo", params={"q": "a b", "x": "1"}).text.replace("q=a+b", "q=a%20b"))
print("post", call("POST", "/echo", data='{"n":1}', headers={"Content-Type": "application/json"}).text)
binary = {"Content-Type": "application/octet-stream"}
print("put", call("PUT", "/echo", data=pieces(), headers=binary).text)
with open(payload, "rb") as file:
    print("upload", call("POST", "/echo", data=file, headers=binary).text)
print("download", digest(call("GET", "/payload").content))
raw = call("GET", "/gzip", headers={"Accept-Encoding": "gzip"}, stream=True)
print("gzip", raw.headers["Content-Encoding"], digest(raw.raw.read(decode_content=False)))
head = call("HEAD", "/payload")
print("head", head.status_code, head.headers["Content-Length"])
landed = call("GET", "/go")
print("redirect", landed.url, landed.text)
pools = session.get_adapter(url).poolmanager.pools
print("connections", sum(pools[key].num_connections for key in pools.keys()))
