"""Load by wrk: what it did, and what that cost the proxy."""

import http.client
import os
import subprocess
from dataclasses import dataclass

from process import LOAD_CORE

# What a REST client sends beside `Host`.
HEADERS = ("User-Agent: orders-sync/4.2", "Accept: application/json", "Accept-Encoding: gzip, deflate")


@dataclass
class Sample:
    """One run of wrk against one proxy."""

    requests: int
    cpu_us: float
    rps: float
    p50_us: int
    p99_us: int


def credential(proxy, path="/orders/credential"):
    """The credential that reaches the upstream through a proxy; that there is one is checked before measuring."""
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    client.request("GET", path, headers=dict(header.split(": ", 1) for header in proxy.headers))
    answer = client.getresponse()
    body = answer.read().decode()
    client.close()
    if answer.status != 200 or not body.startswith("Bearer "):
        raise SystemExit(f"{proxy.name}: {answer.status} {body!r}\n{proxy.process.tail()}")
    return body


def wrk(tools, proxy, seconds, connections=64, paths=("/orders/4711",)):
    """Loads a proxy from one thread of wrk, without pause on all connections. Any answer that is no success ends it all."""
    root = os.path.join(tools, "root")
    headers = [word for header in (*HEADERS, *proxy.headers) for word in ("-H", header)]
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "load.lua")
    before = proxy.process.cpu_ns()
    run = subprocess.run(
        ["taskset", "-c", str(LOAD_CORE), f"{root}/usr/bin/wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
         "--timeout", "10s", "-s", script, *headers, f"http://127.0.0.1:{proxy.port}{paths[0]}", "--", *paths],
        capture_output=True, text=True, timeout=seconds + 60,
        env={**os.environ, "LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu"})
    cpu = proxy.process.cpu_ns() - before
    result = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    if run.returncode or not result:
        raise SystemExit(f"wrk failed:\n{run.stdout}{run.stderr}")
    requests, micros, errors, p50, p99 = map(int, result[0])
    if errors or not requests:
        raise SystemExit(f"{proxy.name}: {errors} errors in {requests} requests\n{proxy.process.tail()}")
    return Sample(requests, cpu / 1000 / requests, requests / (micros / 1e6), p50, p99)
