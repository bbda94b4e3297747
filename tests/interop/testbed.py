"""A network of two ends for one test: Linux's TCP on one, a DPDK port for Handfast on the other.

Two ways to join them. "af_packet": a veth pair, each end in a namespace of its own; DPDK's end has
no IP address, or the kernel there would answer with RST, and Linux's end computes its checksums
itself, because af_packet hands over partial ones. "tap": a TAP device in Linux's namespace that
the net_tap driver attaches to.

Everything is made under names of this run and removed when the testbed closes, on failure and on
SIGTERM too. Needs root; skip_unless_possible() says so and ends the test as skipped.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINUX = "198.19.0.1"
HANDFAST = "198.19.0.2"
PREFIX_LENGTH = 16
SOURCES = "198.18.0.0/16"  # more addresses of Handfast's, for load
LINK = "hf0"  # Linux's interface
KINDS = ("af_packet", "tap")
SKIPPED = 77  # Meson's exit code for a skipped test
TOOLS = ("ip", "ethtool", "curl", "wrk", "tcpdump", "nstat", "ss")


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False,
                            stdin=subprocess.DEVNULL, **options)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit code {result.returncode}\n"
                           f"{result.stdout}{result.stderr}")
    return result.stdout


def skip_unless_possible():
    if os.geteuid() != 0:
        skip("not root: network namespaces and packet sockets need it")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        skip(f"not installed: {' '.join(missing)}; scripts/setup installs them")
    if not os.path.exists("/dev/net/tun"):
        skip("no /dev/net/tun in this kernel or container")
    probe = namespace_name("probe")
    try:
        run("ip", "netns", "add", probe)
        remove_namespace(probe)
    except RuntimeError as error:
        skip(f"no network namespace can be made here: {error}")


def namespace_name(role):
    run_id = os.environ.get("HANDFAST_TEST_RUN", "alone")
    return f"handfast-{run_id}-{os.getpid()}-{role}"


def namespaces_of_run(run_id):
    if shutil.which("ip") is None:
        return []
    names = [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line]
    return [name for name in names if name.startswith(f"handfast-{run_id}-")]


def remove_namespace(name):
    """Ends what runs in it, all of which the test started there, and removes it."""
    for pid in subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True,
                              check=False).stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "delete", name], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def inside(namespace):
    """Sockets made in this block belong to `namespace`, for as long as they live."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, clone_newnet) != 0:
            raise OSError(ctypes.get_errno(), f"setns({namespace})")
        yield
    finally:
        libc.setns(home, clone_newnet)
        os.close(there)
        os.close(home)


class Testbed:
    """Use as a context manager: namespaces are made on entry, and all is removed on exit."""

    def __init__(self, kind, build):
        self.kind = kind
        self.build = Path(build)
        self.linux = namespace_name("linux")
        self.ours = namespace_name("dpdk") if kind == "af_packet" else self.linux
        self.processes = []
        self.outputs = []
        self.folder = None

    def __enter__(self):
        def stop(number, _frame):
            sys.exit(128 + number)

        signal.signal(signal.SIGTERM, stop)
        self.folder = Path(tempfile.mkdtemp(prefix="handfast-test-"))
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind, _value, _trace):
        self._remove(show=kind is not None)

    def _make(self):
        for namespace in {self.linux, self.ours}:
            run("ip", "netns", "add", namespace)
            for setting in ("all", "default"):
                self.sysctl(namespace, f"net.ipv6.conf.{setting}.disable_ipv6=1")
        if self.kind == "af_packet":
            run("ip", "-n", self.linux, "link", "add", LINK, "type", "veth",
                "peer", "name", "hf1", "netns", self.ours)
            run("ip", "-n", self.ours, "link", "set", "hf1", "up")
            self.in_linux("ethtool", "-K", LINK, "tx", "off")
            # Linux answers on whichever CPU it happens to be; one queue keeps its segments in order.
            run("ip", "netns", "exec", self.ours, "sh", "-c",
                "echo 1 > /sys/class/net/hf1/queues/rx-0/rps_cpus")
        else:
            run("ip", "-n", self.linux, "tuntap", "add", "dev", LINK, "mode", "tap", "multi_queue")
        # Ports close slowly on purpose: a TIME-WAIT of the kernel's lasts its 60 s.
        self.sysctl(self.linux, "net.ipv4.tcp_tw_reuse=0")
        self.sysctl(self.linux, "net.core.somaxconn=65535")
        run("ip", "-n", self.linux, "link", "set", "lo", "up")
        run("ip", "-n", self.linux, "address", "add", f"{LINUX}/{PREFIX_LENGTH}", "dev", LINK)
        run("ip", "-n", self.linux, "link", "set", LINK, "up")
        run("ip", "-n", self.linux, "route", "add", SOURCES, "via", HANDFAST)

    def all_namespaces(self):
        return {self.linux, self.ours}

    def _remove(self, show=False):
        for process in self.processes:
            self.stop(process)
        if show:
            for name, file in self.outputs:
                print(f"--- {name} said:\n{file.read_text()}")
        for namespace in self.all_namespaces():
            remove_namespace(namespace)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def sysctl(namespace, setting):
        run("ip", "netns", "exec", namespace, "sysctl", "-q", "-w", setting)

    def in_linux(self, *command, **options):
        """Runs a command to its end beside Linux's TCP; its output."""
        return run("ip", "netns", "exec", self.linux, *command, **options)

    def start(self, namespace, *command):
        """Starts a program in a namespace; its output goes to a file, shown if the test fails."""
        output = self.folder / f"{len(self.outputs)}.log"
        self.outputs.append((Path(command[0]).name, output))
        with output.open("w") as file:
            process = subprocess.Popen(["ip", "netns", "exec", namespace, *command], stdout=file,
                                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        process.output = output
        self.processes.append(process)
        return process

    def stop(self, process, seconds=10):
        """Ends a program of ours with SIGINT, as a person would; its exit code."""
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return None
        return process.returncode

    def wait_for_output(self, process, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in process.output.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no '{text}' from a program within {seconds} s, exit code "
                                   f"{process.returncode}: {process.output.read_text()}")
            time.sleep(0.02)

    def program(self, name):
        found = [path for path in self.build.rglob(name) if os.access(path, os.X_OK)
                 and path.is_file()]
        if not found:
            raise RuntimeError(f"{name} is not built in {self.build}")
        return str(found[0])

    # Handfast's programs, on the DPDK end.

    def port_options(self):
        return ["--port", f"net_{self.kind}0", "--address", f"{HANDFAST}/{PREFIX_LENGTH}"]

    def eal_options(self):
        interface = "hf1" if self.kind == "af_packet" else LINK
        return ["--", f"--vdev=net_{self.kind}0,iface={interface}"]

    def serve(self, *options):
        """Starts handfast-serve with these options and waits until it serves."""
        process = self.start(self.ours, self.program("handfast-serve"), *self.port_options(),
                             *options, *self.eal_options())
        self.wait_for_output(process, "listening")
        return process

    def dial(self, endpoint):
        return self.start(self.ours, self.program("handfast-serve"), *self.port_options(),
                          "--dial", endpoint, *self.eal_options())

    def load(self, *options, seconds=300):
        """Runs handfast-load to its end; its report as read from its JSON."""
        report = self.folder / "load.json"
        process = self.start(self.ours, self.program("handfast-load"), *options,
                             *self.port_options(), "--json", str(report), *self.eal_options())
        if process.wait(seconds) != 0:
            raise RuntimeError(f"handfast-load: exit code {process.returncode}")
        return json.loads(report.read_text())

    # Linux's own view.

    def nstat(self):
        """Linux's absolute counters since the namespace was made, by name."""
        return json.loads(self.in_linux("nstat", "--json", "-a", "-s", "-z"))["kernel"]

    def sockets(self, port):
        """States of Linux's TCP sockets with this port at either end, listeners left out."""
        lines = self.in_linux("ss", "-tanH", f"( sport = :{port} or dport = :{port} )")
        states = [line.split()[0] for line in lines.splitlines() if line]
        return [state for state in states if state != "LISTEN"]


def eventually(condition, seconds=5):
    """Polls until `condition()` holds; whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def main(*tests):
    """Runs `tests`, each a function of a testbed, in a fresh one: SCRIPT KIND BUILD_DIRECTORY."""
    kind, build = sys.argv[1:]
    if kind not in KINDS:
        sys.exit(f"'{kind}' is none of {', '.join(KINDS)}")
    skip_unless_possible()
    for test in tests:
        begin = time.monotonic()
        with Testbed(kind, build) as bed:
            test(bed)
        print(f"{test.__name__}: passed in {time.monotonic() - begin:.1f} s", flush=True)
