"""Measures and prints; `bench/proxy/run` sets everything up and calls this."""

import argparse
import os
import secrets
import shutil
import subprocess
import tempfile
import time

import connectors
import cost
import memory
import process
import stream

TABLES = {"cost": cost, "connectors": connectors, "memory": memory, "stream": stream}


def main():
    """Reads the arguments and makes the tables that are wanted."""
    parser = argparse.ArgumentParser(prog="bench/proxy/run")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=" ".join(TABLES) + " (default: all)")
    parser.add_argument("--tools", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--countersign", default="", help="the program to measure; empty: only its peers")
    parser.add_argument("--rounds", type=int, default=9, help="of each table with load")
    parser.add_argument("--seconds", type=int, default=3, help="of load for each in a round")
    parser.add_argument("--requests", type=int, default=5_000_000, help="over which memory must be flat")
    parser.add_argument("--gib", type=float, default=10, help="that are streamed")
    parser.add_argument("--streams", type=int, default=3, help="of each in each direction")
    arguments = parser.parse_args()
    unknown = set(arguments.tables) - set(TABLES)
    if unknown:
        parser.error(f"no such table: {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")

    # The load and the upstream run on one core, the proxies on the other; so do the clients in this process.
    os.sched_setaffinity(0, {process.LOAD_CORE})
    bench = Bench(arguments)
    heading(bench)
    try:
        for name in arguments.tables or TABLES:
            TABLES[name].measure(bench)
    finally:
        bench.stop()
        shutil.rmtree(bench.folder)


class Bench:
    """What all tables are made with."""

    def __init__(self, arguments):
        vars(self).update(vars(arguments))
        self.tools = os.path.abspath(self.tools)
        self.folder = tempfile.mkdtemp(prefix="countersign-bench-")
        self.countersign = os.path.abspath(self.countersign) if self.countersign else ""
        self.accesses = ("any-local-process", "token") if self.countersign else ()
        # 220 bytes, as the benchmark of the hot path has it.
        self.token = secrets.token_urlsafe(165)

    def stop(self):
        """Ends every process that was started."""
        process.stop_all()


def heading(bench):
    """The machine, the programs and the day."""
    def first_line(argv, pattern=""):
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
        lines = [line for line in (run.stdout + run.stderr).splitlines() if pattern in line]
        return lines[0].strip() if lines else "unknown"

    with open("/proc/cpuinfo") as info:
        cpu = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")
    root = os.path.join(bench.tools, "root/usr")
    versions = [
        first_line([f"{root}/sbin/nginx", "-v"]),
        first_line([f"{bench.tools}/envoy/bin/envoy", "--version"], "version"),
        first_line(["dpkg-query", "-W", "libc6"]).replace("\t", " "),
    ]
    if bench.countersign:
        versions.append(first_line([bench.countersign, "--version"]))
    print(f"- {cpu}, {os.cpu_count()} cores, Linux {os.uname().release}")
    print(f"- {'; '.join(versions)}")
    print(f"- {time.strftime('%F %R', time.gmtime())} UTC, load before the run {os.getloadavg()[0]:.1f}\n", flush=True)


if __name__ == "__main__":
    main()
