"""Table: what a request costs the proxy, beside nginx and Envoy."""

import statistics

from countersign import Countersign
from envoy import Envoy
from load import credential, wrk
from markdown import limit, note, ratios, table
from nginx import Nginx
from upstream import StaticUpstream

TO_NGINX, TO_ENVOY = 1.1, 0.5


def measure(bench):
    """Everybody in turn, once a round, under the same load."""
    upstream = StaticUpstream(bench.tools, bench.folder).port
    ours = [Countersign(bench.countersign, bench.folder, upstream, access) for access in bench.accesses]
    token = credential(ours[0]).removeprefix("Bearer ") if ours else bench.token
    proxies = [
        Nginx(bench.tools, bench.folder, upstream, token), Envoy(bench.tools, bench.folder, upstream, token), *ours]
    for proxy in proxies:
        credential(proxy)
    samples = rounds(bench, [(proxy, proxy.name, ("/orders/4711",)) for proxy in proxies])
    nginx, envoy = ([sample.cpu_us for sample in each] for each in samples[:2])
    rows = []
    for place, (proxy, each) in enumerate(zip(proxies, samples, strict=True)):
        cpu = [sample.cpu_us for sample in each]
        to_nginx, least, most = ratios(cpu, nginx)
        to_envoy = ratios(cpu, envoy)[0]
        gated = place >= 2
        rows.append([
            proxy.name,
            f"{to_nginx:.2f}", f"{least:.2f}–{most:.2f}", limit(to_nginx, TO_NGINX, TO_NGINX) if gated else "",
            f"{to_envoy:.2f}", limit(to_envoy, TO_ENVOY, TO_ENVOY) if gated else "",
            *figures(each),
        ])
    table(
        f"CPU per request, 64 connections, a bearer of {len(token)} bytes",
        ["proxy", "× nginx", "min–max", "limit", "× Envoy", "limit", *FIGURES], rows)
    bench.stop()


FIGURES = ("CPU µs", "requests/s", "p50 µs", "p99 µs")


def rounds(bench, subjects):
    """One unrecorded round, then the recorded ones: for each subject (proxy, name, paths) its samples."""
    samples = [[] for _ in subjects]
    for turn in range(bench.rounds + 1):
        for each, (proxy, name, paths) in zip(samples, subjects, strict=True):
            sample = wrk(bench.tools, proxy, bench.seconds if turn else 1, paths=paths)
            note(f"round {turn}: {name}: {sample.cpu_us:.2f} µs, {sample.rps:.0f}/s")
            if turn:
                each.append(sample)
    return samples


def figures(samples):
    """The medians of what a row shows of its samples."""
    def median(what):
        return statistics.median(getattr(sample, what) for sample in samples)
    return [f"{median('cpu_us'):.1f}", f"{median('rps'):.0f}", f"{median('p50_us'):.0f}", f"{median('p99_us'):.0f}"]
