"""A process under measurement: started on one core, watched, and stopped by the id that was recorded."""

import ctypes
import os
import signal
import socket
import subprocess
import time

PROXY_CORE, LOAD_CORE = 1, 0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_started = []


class Process:
    """A program on one core, with its children (nginx has a master and a worker; both count)."""

    def __init__(self, argv, core, log, env=None):
        self.log = log

        def pin():
            os.sched_setaffinity(0, {core} if os.cpu_count() > core else {0})
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        with open(log, "wb") as out:
            self._child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=pin,
                env={**os.environ, **(env or {})},
            )
        self.pid = self._child.pid
        _started.append(self)

    def pids(self):
        """Its own id and those of its children."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as children:
            return [self.pid, *map(int, children.read().split())]

    def cpu_ns(self):
        """CPU time of all its threads since its start, user and system, in nanoseconds, as the scheduler counts it."""
        return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in self.pids())

    def rss_kib(self):
        """`VmRSS`, summed over its processes, in KiB."""
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/status") as status:
                total += sum(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        return total

    def wait_for(self, port, seconds=20):
        """Waits until it accepts connections."""
        end = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self._child.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{self._child.args[0]} does not listen on {port}:\n{self.tail()}") from None
                time.sleep(0.02)

    def tail(self):
        """The end of what it printed."""
        with open(self.log, errors="replace") as log:
            return log.read()[-3000:]

    def stop(self):
        """Ends it, and waits until it has ended."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()


def stop_all():
    """Ends everything that was started and still runs, the youngest first."""
    while _started:
        _started.pop().stop()


def free_port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
