"""What bench/compare, bench/throughput and bench/marks set up on the machine, and put back: the
kernel's paths between two of its sockets (loopback, and a veth pair between two namespaces) and work over them,
a server of ours over memif, and huge pages."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "interop"))
from testbed import namespace_name, remove_namespace, run  # noqa: E402

HUGE_PAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
FIRST_PORT = 8000
ENDLESS = 1 << 62


class Skipped(Exception):
    """This path cannot be measured here; the text says why."""


def program(build, name):
    found = [path for path in Path(build).rglob(name) if path.is_file()
             and os.access(path, os.X_OK)]
    if not found:
        sys.exit(f"{sys.argv[0]}: {name} is not in {build}; build it: meson compile -C {build}")
    return str(found[0])


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


@contextlib.contextmanager
def loopback():
    """(server's prefix, client's prefix, server's address, source range)"""
    if os.geteuid() != 0:
        yield [], [], "127.0.0.1", "127.1.0.0/16"
        return
    name = namespace_name("loopback")
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        roomy(name)
        prefix = ["ip", "netns", "exec", name]
        yield prefix, prefix, "127.0.0.1", "127.1.0.0/16"
    finally:
        remove_namespace(name)


@contextlib.contextmanager
def veth(mtu=1500, offloads=True):
    """The same. Without offloads every packet is made, as a wire would need it."""
    if os.geteuid() != 0:
        raise Skipped("needs root for network namespaces")
    server, client = namespace_name("server"), namespace_name("client")
    try:
        for name in (server, client):
            run("ip", "netns", "add", name)
            roomy(name)
        run("ip", "-n", server, "link", "add", "hf0", "type", "veth",
            "peer", "name", "hf0", "netns", client)
        for name, address in ((server, "198.19.0.1/16"), (client, "198.19.0.2/16")):
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "address", "add", address, "dev", "hf0")
            run("ip", "-n", name, "link", "set", "hf0", "mtu", str(mtu))
            run("ip", "-n", name, "link", "set", "hf0", "up")
            if not offloads:
                run("ip", "netns", "exec", name, "ethtool", "-K", "hf0",
                    "tx", "off", "tso", "off", "gso", "off", "gro", "off")
        run("ip", "-n", server, "route", "add", "198.18.0.0/16", "via", "198.19.0.2")
        run("ip", "-n", client, "route", "add", "local", "198.18.0.0/16", "dev", "lo")
        yield (["ip", "netns", "exec", server], ["ip", "netns", "exec", client],
               "198.19.0.1", "198.18.0.0/16")
    finally:
        remove_namespace(server)
        remove_namespace(client)


def roomy(namespace):
    """Every TIME-WAIT is kept for its 60 s and the accept queue holds what is asked for."""
    for setting in ("net.ipv4.tcp_max_tw_buckets=4000000", "net.ipv4.tcp_tw_reuse=0",
                    "net.core.somaxconn=65535"):
        run("ip", "netns", "exec", namespace, "sysctl", "-q", "-w", setting)


def kernel_load(network, build, mode, seconds, cpus, concurrency):
    """kernel-load's report of `mode` against kernel-serve; `network` is one of the above."""
    with network as (server_prefix, client_prefix, address, sources):
        endpoint = f"{address}:{FIRST_PORT}"
        server = subprocess.Popen(
            [*server_prefix, program(build, "kernel-serve"), "--listen", endpoint,
             "--cpu", str(cpus[0])], stdout=subprocess.PIPE, text=True)
        try:
            server.stdout.readline()  # "listening on ..."
            report = last_json(run(
                *client_prefix, program(build, "kernel-load"), "--mode", mode,
                "--server", endpoint, "--source", sources, "--concurrency", str(concurrency),
                "--seconds", str(seconds), "--cpu", str(cpus[-1])))
        finally:
            end(server)
    if report["failed"]:
        print(f"  kernel, {mode}: {report['failed']}", file=sys.stderr)
    return report


def kernel_stream(network, build, streams, seconds, cpus):
    """Gbit/s of kernel-stream's pairs together, as their receivers saw it."""
    stream = program(build, "kernel-stream")
    receivers, senders = [], []
    with network as (server_prefix, client_prefix, address, _sources):
        try:
            for i in range(streams):
                receivers.append(subprocess.Popen(
                    [*server_prefix, stream, "receive", "--no-hash", "--listen",
                     f"{address}:{FIRST_PORT + i}", "--cpu", str(cpus[0])],
                    stdout=subprocess.PIPE, text=True))
            for receiver in receivers:
                receiver.stdout.readline()  # "listening on ..."
            for i in range(streams):
                senders.append(subprocess.Popen(
                    [*client_prefix, stream, "send", "--connect", f"{address}:{FIRST_PORT + i}",
                     "--bytes", str(ENDLESS), "--seconds", str(seconds),
                     "--cpu", str(cpus[-1])], stdout=subprocess.DEVNULL))
            reports = [last_json(receiver.communicate(timeout=60 + seconds)[0])
                       for receiver in receivers]
        finally:
            for process in (*senders, *receivers):
                end(process)
    return sum(report["bytes"] * 8 / report["seconds"] for report in reports) / 1e9


@contextlib.contextmanager
def huge_pages(megabytes):
    """Sets up so many free 2 MiB pages for the block and puts their number back."""
    if not HUGE_PAGES.exists() or not os.access(HUGE_PAGES, os.W_OK):
        raise Skipped("needs root, and a kernel with 2 MiB pages")
    before = int(HUGE_PAGES.read_text())
    used = before - int(HUGE_PAGES.with_name("free_hugepages").read_text())
    wanted = max(before, used + megabytes // 2)
    try:
        HUGE_PAGES.write_text(str(wanted))
        got = int(HUGE_PAGES.read_text())
        if got < wanted:
            raise Skipped(f"only {got} of {wanted} huge pages could be had")
        yield
    finally:
        HUGE_PAGES.write_text(str(before))


SERVER = "198.19.0.1"
CLIENT = "198.19.0.2"
SOURCES = "198.18.0.0/16"


class MemifServer:
    """A handfast-serve that answers over memif, and what its client has to be told."""

    def __init__(self, process, folder, port, client_port):
        self.process = process
        self.folder = folder
        self.client = ["--server", f"{SERVER}:{port}", "--address", f"{CLIENT}/24", *client_port]


@contextlib.contextmanager
def memif_server(build, service, cpu, pages, mtu=1500, extra=()):
    """`service` is handfast-serve's SERVICE:PORT; `extra` are more of its options."""
    with tempfile.TemporaryDirectory(prefix="handfast-bench-") as folder:
        def port(role):
            # A buffer of the ring holds a whole frame of the MTU.
            size = 2048 if mtu <= 1500 else 10240
            return ["--port", "net_memif0", *pages, "--",
                    f"--vdev=net_memif0,role={role},id=0,socket={folder}/memif.sock,"
                    f"socket-abstract=no,bsize={size},rsize=11"]
        process = subprocess.Popen(
            [program(build, "handfast-serve"), "--listen", service, "--address", f"{SERVER}/24",
             "--route", SOURCES, "via", CLIENT, "--mtu", str(mtu), "--cores", str(cpu), *extra,
             *port("server")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            said = []
            while "listening" not in (line := process.stdout.readline()):
                said.append(line.strip())
                if not line:
                    raise Skipped(f"handfast-serve did not start: {' '.join(said)}")
            yield MemifServer(process, folder, service.rpartition(":")[2], port("client"))
        finally:
            end(process)


def end(process):
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def stop(number, _frame):
    """For signal.signal(): an exception, so that all of the above is put back."""
    sys.exit(128 + number)
