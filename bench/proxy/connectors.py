"""Table: a thousand connectors cost a request what one does."""

from cost import FIGURES, figures, rounds
from countersign import Countersign
from load import credential
from markdown import note, ratios, table
from nginx import Nginx
from upstream import StaticUpstream

MANY = 1000


def measure(bench):
    """One connector; a thousand of which one is called; a thousand, called in turn. nginx beside it as the control."""
    upstream = StaticUpstream(bench.tools, bench.folder).port
    names = [f"orders-{number}" for number in range(MANY)]
    one, many = names[:1], names

    def nginx(connectors):
        return Nginx(bench.tools, bench.folder, upstream, bench.token, connectors)

    def countersign(connectors):
        return Countersign(bench.countersign, bench.folder, upstream, connectors=connectors)

    rows = []
    for kind, make in [("nginx", nginx), *([("Countersign", countersign)] if bench.countersign else [])]:
        single, thousand = make(one), make(many)
        subjects = [
            (single, f"{kind}: one connector", paths(one)),
            (thousand, f"{kind}: 1,000 connectors, one of them called", paths(one)),
            (thousand, f"{kind}: 1,000 connectors, called in turn", paths(many)),
        ]
        note(f"{kind}: every connector's first call")
        for proxy in (single, thousand):
            for name in many if proxy is thousand else one:
                credential(proxy, f"/{name}/credential")
        samples = rounds(bench, subjects)
        base = [sample.cpu_us for sample in samples[0]]
        for (_, name, _), each in zip(subjects, samples, strict=True):
            ratio, least, most = ratios([sample.cpu_us for sample in each], base)
            rows.append([name, f"{ratio:.2f}", f"{least:.2f}–{most:.2f}", *figures(each)])
        single.process.stop()
        thousand.process.stop()
    table(
        "CPU per request with 1,000 connectors, a profile each, and with one",
        ["what is configured, what is called", "× one", "min–max", *FIGURES], rows)
    bench.stop()


def paths(names):
    """The paths that are called in turn; one path is called by all."""
    return tuple(f"/{name}/4711" for name in names)
