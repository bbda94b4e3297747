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
from dataclasses import dataclass
from pathlib import Path



@dataclass(frozen=True)
class Family:
    """Addresses of one IP version."""

    linux: str
    handfast: str
    prefix_length: int
    sources: str  # more addresses of Handfast's, for load
    bracketed: bool

    def at(self, address, port):
        return f"[{address}]:{port}" if self.bracketed else f"{address}:{port}"


FAMILIES = {
    "ipv4": Family("198.19.0.1", "198.19.0.2", 16, "198.18.0.0/16", False),
    "ipv6": Family("2001:db8:19::1", "2001:db8:19::2", 64, "2001:db8:18::/112", True),
}
LINUX = FAMILIES["ipv4"].linux
HANDFAST = FAMILIES["ipv4"].handfast
LINK = "hf0"  # Linux's interface
KINDS = ("af_packet", "tap")
# Counters of Linux's that tell of segments it did not like: bad checksums, timestamps out of order,
# numbers out of the window, resets and connections given up.
UNWANTED = (
    "TcpInErrs", "TcpInCsumErrors", "IpInHdrErrors", "IpInAddrErrors", "Ip6InHdrErrors",
    "Ip6InAddrErrors", "TcpAttemptFails", "TcpEstabResets", "TcpOutRsts", "TcpExtEmbryonicRsts",
    "TcpExtPAWSActive", "TcpExtPAWSEstab", "TcpExtTSEcrRejected", "TcpExtBeyondWindow",
    "TcpExtTCPAbortOnData", "TcpExtTCPAbortOnClose", "TcpExtTCPAbortOnMemory",
    "TcpExtTCPAbortOnTimeout", "TcpExtTCPAbortOnLinger", "TcpExtTCPAbortFailed",
    "TcpExtTCPChallengeACK", "TcpExtTCPSYNChallenge", "TcpExtTCPZeroWindowDrop",
    "TcpExtListenOverflows", "TcpExtListenDrops", "TcpExtTCPReqQFullDrop",
    "TcpExtTCPTimeWaitOverflow",
)
SKIPPED = 77  # Meson's exit code for a skipped test
TOOLS = ("ip", "ethtool", "curl", "wrk", "nginx", "tcpdump", "nstat", "ss")


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

    def __init__(self, kind, build, family="ipv4"):
        self.kind = kind
        self.family = FAMILIES[family]
        self.build = Path(build)
        self.linux = namespace_name("linux")
        self.ours = namespace_name("dpdk") if kind == "af_packet" else self.linux
        self.processes = []
        self.lasting = []  # of them: those that stop_all() leaves running
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
            self.without_ipv6(namespace)
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
        self.set_address(self.linux, self.family.linux)
        run("ip", "-n", self.linux, "route", "add", self.family.sources, "via",
            self.family.handfast)

    def without_ipv6(self, namespace):
        for setting in ("all", "default"):
            self.sysctl(namespace, f"net.ipv6.conf.{setting}.disable_ipv6=1")

    def set_address(self, namespace, address):
        """Brings LINK up with this address, at once: without duplicate address detection."""
        if self.family.bracketed:
            self.sysctl(namespace, f"net.ipv6.conf.{LINK}.disable_ipv6=0")
            for setting in ("accept_dad", "accept_ra", "router_solicitations"):
                self.sysctl(namespace, f"net.ipv6.conf.{LINK}.{setting}=0")
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "-n", namespace, "address", "add", f"{address}/{self.family.prefix_length}",
            "dev", LINK, *(["nodad"] if self.family.bracketed else []))
        run("ip", "-n", namespace, "link", "set", LINK, "up")
        # The kernel may take a second to notice a carrier, and sends nothing before.
        state = ["ip", "netns", "exec", namespace, "cat", f"/sys/class/net/{LINK}/operstate"]
        if self.kind == "af_packet" and not eventually(lambda: run(*state).strip() == "up"):
            raise RuntimeError(f"{LINK} does not come up")

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

    def stop_all(self):
        """Ends the programs of one part of a test, so that the next can have their ports."""
        for process in self.processes:
            if process not in self.lasting:
                self.stop(process)

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
        return ["--port", f"net_{self.kind}0",
                "--address", f"{self.family.handfast}/{self.family.prefix_length}"]

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

    def check_counters(self, before, *expected):
        """That Linux has counted nothing since `before` that tells of a bad or unwanted segment."""
        after = self.nstat()
        gained = {name: after[name] - before.get(name, 0) for name in UNWANTED if name in after}
        wrong = {name: count for name, count in gained.items() if count and name not in expected}
        assert not wrong, f"Linux counted {wrong}"

    def wait_for_listener(self, port, seconds=20):
        """Until a Linux program listens on `port`."""
        if not eventually(lambda: self.in_linux("ss", "-tlnH", f"sport = :{port}").strip(),
                          seconds):
            raise RuntimeError(f"nobody listens on port {port} after {seconds} s")

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


def main(*tests, make=Testbed):
    """Runs `tests`, each a function of a testbed, in a fresh one.

    SCRIPT KIND FAMILY BUILD_DIRECTORY [TEST...]; the names of tests leave out the others.
    """
    kind, family, build, *wanted = sys.argv[1:]
    if kind not in KINDS or family not in FAMILIES:
        sys.exit(f"'{kind} {family}' is not one of {', '.join(KINDS)} and one of "
                 f"{', '.join(FAMILIES)}")
    skip_unless_possible()
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        begin = time.monotonic()
        with make(kind, build, family) as bed:
            test(bed)
        print(f"{test.__name__}: passed in {time.monotonic() - begin:.1f} s", flush=True)
