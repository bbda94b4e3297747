"""What bench/compare and bench/throughput set up on the machine, and put back: the kernel's paths
between two of its sockets (loopback, and a veth pair between two namespaces) and huge pages."""

import contextlib
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "interop"))
from testbed import namespace_name, remove_namespace, run  # noqa: E402

HUGE_PAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


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


@contextlib.contextmanager
def huge_pages(megabytes):
    """Sets up 2 MiB pages for the block and puts their number back."""
    if not HUGE_PAGES.exists() or not os.access(HUGE_PAGES, os.W_OK):
        raise Skipped("needs root, and a kernel with 2 MiB pages")
    before = HUGE_PAGES.read_text()
    wanted = max(int(before), megabytes // 2)
    try:
        HUGE_PAGES.write_text(str(wanted))
        got = int(HUGE_PAGES.read_text())
        if got < wanted:
            raise Skipped(f"only {got} of {wanted} huge pages could be had")
        yield
    finally:
        HUGE_PAGES.write_text(before)


def stop(number, _frame):
    """For signal.signal(): an exception, so that all of the above is put back."""
    sys.exit(128 + number)
