"""Table: 10 GiB streamed through, down and up."""

import socket
import statistics
import struct
import time

from countersign import Countersign
from envoy import Envoy
from load import credential
from markdown import limit, note, ratios, table
from memory import Watch, mib
from nginx import Nginx
from upstream import StaticUpstream, ZeroUpstream
from zeros import discard, head, send, zeros

GROWTH = 5
_ZEROS = zeros()


def measure(bench):
    """One connection and one body at a time, everybody in turn, once a round."""
    size = int(bench.gib * (1 << 30))
    upstream = ZeroUpstream(bench.folder, size).port
    proxies = [
        Nginx(bench.tools, bench.folder, upstream, bench.token),
        Envoy(bench.tools, bench.folder, upstream, bench.token),
        *([Countersign(bench.countersign, bench.folder, upstream)] if bench.countersign else []),
    ]
    for direction, transfer in (("down", download), ("up", upload)):
        samples = [[] for _ in proxies]
        for turn in range(bench.streams):
            for proxy, each in zip(proxies, samples, strict=True):
                each.append(sample(proxy, transfer, size))
                note(f"{direction} {turn}: {proxy.name}: {each[-1]}")
        rows = []
        for proxy, each in zip(proxies, samples, strict=True):
            ratio, least, most = ratios([speed for speed, _, _ in each], [speed for speed, _, _ in samples[0]])
            cpu = ratios([cpu for _, cpu, _ in each], [cpu for _, cpu, _ in samples[0]])[0]
            growth = max(growth for _, _, growth in each)
            rows.append([
                proxy.name, f"{growth:.2f}", limit(growth, GROWTH, GROWTH) if isinstance(proxy, Countersign) else "",
                f"{ratio:.2f}", f"{least:.2f}–{most:.2f}",
                f"{statistics.median(speed for speed, _, _ in each):.2f}",
                f"{cpu:.2f}", f"{statistics.median(cpu for _, cpu, _ in each):.2f}",
            ])
        table(
            f"{bench.gib:g} GiB {direction} through the proxy, {bench.streams} times",
            ["proxy", "memory grown, MiB", "limit", "speed × nginx", "min–max", "GiB/s", "CPU × nginx", "CPU s/GiB"], rows)
    bench.stop()


def sample(proxy, transfer, size):
    """Speed in GiB/s, CPU seconds for a GiB, and by how much memory grew above what it was before."""
    memory, cpu, start = mib(proxy), proxy.process.cpu_ns(), time.monotonic()
    with Watch(proxy) as watch:
        transfer(proxy, size)
    gib = size / (1 << 30)
    return gib / (time.monotonic() - start), (proxy.process.cpu_ns() - cpu) / 1e9 / gib, max(watch.most, mib(proxy)) - memory


def download(proxy, size):
    """Gets zeros."""
    exchange(proxy, "GET", 0, size)


def upload(proxy, size):
    """Posts zeros."""
    exchange(proxy, "POST", size, 0)


def exchange(proxy, method, up, down):
    """One request with a body of that size, and an answer with one of that size."""
    with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        # Not `settimeout`: that would make the socket non-blocking, which `sendfile` would notice.
        for side in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            connection.setsockopt(socket.SOL_SOCKET, side, struct.pack("ll", 60, 0))
        lines = [f"{method} /orders/zeros HTTP/1.1", f"Host: 127.0.0.1:{proxy.port}", *proxy.headers]
        if up:
            lines.append(f"Content-Length: {up}")
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        send(connection, _ZEROS, up)
        first, length = head(connection.makefile("rb", buffering=0))
        if " 200 " not in first or length != down:
            raise SystemExit(f"{proxy.name}: {first!r}, {length} bytes\n{proxy.process.tail()}")
        discard(connection, length)
