"""Single runs of our programs for bench/marks and bench/growth: what is started, on which pages, what
it said, and what memory and time it took while it ran. Runs with the same arguments are made once a
round, so that rows which need the same figure share it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import (SOURCES, Skipped, end, huge_pages, kernel_load, kernel_stream, last_json,
                     loopback, memif_server, program, veth)

HUGE_MEGABYTES = 1024
SERVICE_PORT = 8000
SAMPLE_EVERY = 0.1
FRAMES_ASIDE_MAX = 0.2  # what a few acknowledgements more or less make
GRACE_SECONDS = 20  # for a run to start and to end
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A run that ended badly, or that did not do what it was to do; the text says how."""


class NotYet(Exception):
    """The programs lack an option that this figure needs."""


class Sample:
    """What a process had at a time: bytes of memory, huge pages included, and seconds of CPU."""

    def __init__(self, process, begin):
        self.seconds = time.monotonic() - begin
        status = Path(f"/proc/{process.pid}/status").read_text()
        self.bytes = sum(int(kilobytes) * 1024 for kilobytes in re.findall(
            r"^(?:VmRSS|HugetlbPages):\s+(\d+) kB", status, re.MULTILINE))
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        self.cpu_seconds = (int(fields[11]) + int(fields[12])) / TICKS


class Outcome:
    """A finished run of handfast-load: its report, its output, and samples of both ends."""

    def __init__(self, report, output, samples, peak_bytes):
        self.report = report
        self.output = output
        self.samples = samples  # one list for the client, and one for the server over memif
        self.peak_bytes = peak_bytes  # of the client; huge pages are not in it

    def between(self, first, last):
        """The samples of each end from `first` to `last` seconds after the client's start."""
        return [[sample for sample in of_one if first <= sample.seconds <= last]
                for of_one in self.samples]


class Bench:
    def __init__(self, build, seconds):
        self.build = build
        self.seconds = seconds
        self.cpus = sorted(os.sched_getaffinity(0))[:2]
        self.this_round = {}
        self.helps = {}
        self.limit = None  # of the run that is made, in seconds
        self.frames = {}  # of a connection, by kind of work
        self.troubles = []  # what did not go well in the row being measured

    def once(self, key, measure):
        if key not in self.this_round:
            self.this_round[key] = measure()
        return self.this_round[key]

    def require(self, *words):
        """NotYet unless both programs know the options among `words`, and the load the modes."""
        for name in ("handfast-load", "handfast-serve"):
            if name not in self.helps:
                self.helps[name] = subprocess.run(
                    [program(self.build, name), "--help"], capture_output=True, text=True,
                    check=True).stdout
        for word in words:
            names = ("handfast-load", "handfast-serve") if word == "--idle" else ("handfast-load",)
            for name in names:
                if not re.search(rf"(?<![\w-]){word}(?![\w-])", self.helps[name]):
                    raise NotYet(f"{name} knows no {word}")

    def duration(self, seconds=None):
        return ["--duration", f"{int((seconds or self.seconds) * 1000)}ms"]

    def ours(self, link, *arguments, huge=True, service="echo", serve=(), cpus=None, limit=None):
        """The Outcome of handfast-load with these arguments, the server's options being `serve`.
        After `limit` seconds it has failed."""
        key = ("ours", link, arguments, huge, service, tuple(serve), cpus)
        self.limit = limit or GRACE_SECONDS + 4 * self.seconds
        return self.once(key, lambda: self._run(link, arguments, huge, service, serve,
                                                cpus or self.cpus))

    def _run(self, link, arguments, huge, service, serve, cpus):
        pages = ["--huge-pages"] if huge else []
        with contextlib.ExitStack() as stack:
            if huge:
                stack.enter_context(huge_pages(HUGE_MEGABYTES))
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="handfast-bench-"))
            command = [program(self.build, "handfast-load"), *arguments, "--json",
                       f"{folder}/report.json"]
            if link == "ring":
                return self._load([*command, "--cores", ",".join(map(str, cpus)), *pages], folder)
            server = stack.enter_context(memif_server(
                self.build, f"{service}:{SERVICE_PORT}", cpus[0], pages, extra=serve))
            return self._load([*command, "--cores", str(cpus[-1]), "--source", SOURCES,
                               *server.client], folder, server.process)

    def _load(self, command, folder, server=None):
        begin = time.monotonic()
        with open(f"{folder}/output", "w+", encoding="utf-8") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT)
            watched = [process, server] if server else [process]
            samples = [[] for _ in watched]
            try:
                peak_bytes = self._watch(process, watched, samples, begin)
            finally:
                if process.returncode is None:
                    end(process)
            output.seek(0)
            text = output.read()
        file = Path(folder) / "report.json"
        if not file.exists() or not file.read_text():
            raise Failed(f"handfast-load {command[1]}: {text.strip()[-300:]}")
        report = json.loads(file.read_text())
        if not report["went_well"]:
            self.troubles.append(f"handfast-load {command[1]} did not go well: "
                                 f"{report['client']['failed']} failed, drained "
                                 f"{report['drained']}, {report['disagreements']}")
        return Outcome(report, text, samples, peak_bytes)

    def _watch(self, process, watched, samples, begin):
        """Samples until the process ends; its peak of resident memory in bytes."""
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid != 0:
                process.returncode = os.waitstatus_to_exitcode(status)
                return usage.ru_maxrss * 1024
            for one, of_one in zip(watched, samples):
                with contextlib.suppress(OSError, IndexError):  # it has just ended
                    of_one.append(Sample(one, begin))
            if time.monotonic() - begin > self.limit:
                raise Failed(f"handfast-load was still running after {self.limit:g} s")
            time.sleep(SAMPLE_EVERY)

    def kernel(self, mode, concurrency=256):
        """kernel-load's report over loopback, the faster of the kernel's two paths for this."""
        return self.once(("kernel", mode, concurrency), lambda: kernel_load(
            loopback(), self.build, mode, self.seconds, self.cpus, concurrency))

    def kernel_stream(self, streams):
        """Gbit/s over veth, MTU 1500, as it comes."""
        return self.once(("kernel stream", streams), lambda: kernel_stream(
            veth(), self.build, streams, self.seconds, self.cpus))

    def bare(self, link, kind, in_flight=512):
        """bare-link's report."""
        def measure():
            # Its socket goes with the folder, also when it is interrupted.
            with huge_pages(HUGE_MEGABYTES), tempfile.TemporaryDirectory(
                    prefix="handfast-bench-") as folder:
                done = subprocess.run(
                    [program(self.build, "bare-link"), "--link", link, "--kind", kind,
                     "--in-flight", str(in_flight), "--seconds", str(self.seconds), "--cores",
                     ",".join(map(str, self.cpus)), "--huge-pages", "--json"],
                    capture_output=True, text=True, check=False,
                    env={**os.environ, "TMPDIR": folder})
            if done.returncode != 0:
                raise Failed(done.stderr.strip() or f"bare-link: exit code {done.returncode}")
            report = last_json(done.stdout)
            ours = self.frames.get(kind, report["frames_each"])
            if abs(ours - report["frames_each"]) > FRAMES_ASIDE_MAX:
                say(f"  {kind}: a connection has {ours:.2f} frames, the bare link's "
                    f"{report['frames_each']:g}: not the same work")
            return report
        return self.once(("bare", link, kind, in_flight), measure)

    def pauses(self):
        """What the machine itself makes arrivals wait, as `pauses` reports it."""
        def measure():
            done = subprocess.run(
                [program(self.build, "pauses"), "--seconds", str(self.seconds), "--cores",
                 ",".join(map(str, self.cpus)), "--json"],
                capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Failed(done.stderr.strip() or f"pauses: exit code {done.returncode}")
            return last_json(done.stdout)
        return self.once(("pauses",), measure)


def memory_available():
    """Bytes."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024


def need_memory(gigabytes):
    got = memory_available() / 1e9
    if got < gigabytes:
        raise Skipped(f"needs {gigabytes:.0f} GB of memory, {got:.0f} GB are available")


def say(text):
    print(text, file=sys.stderr, flush=True)
