"""Table: resident memory, idle, under connections, and over millions of requests."""

import threading
import time

from countersign import Countersign
from envoy import Envoy
from load import credential, wrk
from markdown import limit, note, table
from nginx import Nginx
from upstream import StaticUpstream

IDLE, LOADED, GROWTH = 15, 60, 1
CONNECTIONS = 512


def measure(bench):
    """Each proxy by itself: started, loaded; ours loaded on and on."""
    rows, series = [], None
    upstream = StaticUpstream(bench.tools, bench.folder).port
    makers = [
        lambda: Nginx(bench.tools, bench.folder, upstream, bench.token),
        lambda: Envoy(bench.tools, bench.folder, upstream, bench.token),
        *([lambda: Countersign(bench.countersign, bench.folder, upstream)] if bench.countersign else []),
    ]
    for make in makers:
        proxy = make()
        gated = isinstance(proxy, Countersign)
        time.sleep(2)
        idle = mib(proxy)
        credential(proxy)
        with Watch(proxy) as watch:
            wrk(bench.tools, proxy, 5, CONNECTIONS)
        rows.append([
            proxy.name,
            f"{idle:.1f}", limit(idle, IDLE, IDLE) if gated else "",
            f"{watch.most:.1f}", limit(watch.most, LOADED, LOADED) if gated else "",
        ])
        if gated and bench.requests:
            series = steady(bench, proxy)
        proxy.process.stop()
    table(
        f"Resident memory, MiB: idle, and the most under {CONNECTIONS} busy connections",
        ["proxy", "idle", "limit", "loaded", "limit"], rows)
    if series:
        growth = series[-1][1] - series[0][1]
        table(
            "Countersign's resident memory, MiB, as requests go by (64 connections)",
            [f"requests (grown by {growth:.2f} MiB: {limit(growth, GROWTH, f'{GROWTH} MiB')})", "MiB"],
            [[f"{count:,}", f"{value:.2f}"] for count, value in series])
    bench.stop()


def steady(bench, proxy):
    """Memory after each million requests or so; the first entry is after a tenth of that."""
    series, done, target = [], 0, bench.requests // 50
    while done < bench.requests:
        while done < target:
            sample = wrk(bench.tools, proxy, bench.seconds)
            done += sample.requests
        note(f"{done} requests: {mib(proxy):.2f} MiB")
        series.append((done, mib(proxy)))
        target = done + bench.requests // 5
    return series


class Watch:
    """The most memory that a proxy had meanwhile, looked at 20 times a second."""

    def __init__(self, proxy):
        self.most = 0.0
        self._proxy, self._over = proxy, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.wait(0.05):
            self.most = max(self.most, mib(self._proxy))


def mib(proxy):
    """Its resident memory in MiB."""
    return proxy.process.rss_kib() / 1024
