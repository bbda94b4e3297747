"""Two ends joined by handfast-wire: a network with delay, loss and a line rate in between.

    end A: hf0 --veth-- w0 : handfast-wire : w1 --veth-- hf0 : end B

Each end and the wire have a namespace of their own. An end is "linux", with an address and its
offloads off, so that every frame is a real one; or "handfast", a device without an address that
our programs attach to. Weather is a list of handfast-wire's options.
"""

import contextlib
import json

from testbed import HANDFAST, LINK, LINUX, PREFIX_LENGTH, Testbed, namespace_name, run

OFFLOADS = ("tx", "rx", "sg", "tso", "gso", "gro")
# Frames of a packet socket's ring, 2 KiB each: what arrives while the reader is off the CPU.
RING = "framecnt=4096,framesz=2048,blocksz=8192"
ADDRESSES = {"a": LINUX, "b": HANDFAST}
LINUX_BUFFER_BYTES = 16 * 1024 * 1024  # far above any bandwidth-delay product here


class WiredTestbed(Testbed):
    """`ends` names the kinds of A and B. With one of each, Linux is A, and Testbed's methods work."""

    def __init__(self, build, weather, ends=("linux", "handfast"), wire_cpu=None):
        super().__init__("af_packet", build)
        self.weather = [str(word) for word in weather]
        self.kinds = dict(zip(ADDRESSES, ends))
        self.namespaces = {side: namespace_name(side) for side in ADDRESSES}
        self.linux, self.ours = self.namespaces["a"], self.namespaces["b"]
        self.between = namespace_name("wire")
        self.wire_cpu = wire_cpu
        self.wire = None

    def _make(self):
        run("ip", "netns", "add", self.between)
        for number, side in enumerate(ADDRESSES):
            self._make_end(side, f"w{number}")
        wire_json = self.folder / "wire.json"
        cpu = [] if self.wire_cpu is None else ["--cpu", str(self.wire_cpu)]
        ports = [f"net_af_packet{number},iface=w{number},{RING}" for number in (0, 1)]
        self.wire = self.start(self.between, self.program("handfast-wire"), *ports, *self.weather,
                               "--json", str(wire_json), *cpu)
        self.wire_json = wire_json
        self.wait_for_output(self.wire, "joined")

    def _make_end(self, side, peer):
        namespace = self.namespaces[side]
        run("ip", "netns", "add", namespace)
        for place in (namespace, self.between):
            for setting in ("all", "default"):
                self.sysctl(place, f"net.ipv6.conf.{setting}.disable_ipv6=1")
        run("ip", "-n", namespace, "link", "add", LINK, "type", "veth",
            "peer", "name", peer, "netns", self.between)
        for place, interface in ((namespace, LINK), (self.between, peer)):
            inside = ["ip", "netns", "exec", place]
            for offload in OFFLOADS:
                with contextlib.suppress(RuntimeError):  # veth lacks some
                    run(*inside, "ethtool", "-K", interface, offload, "off")
            # Frames of one sender's CPUs meet in one queue, or they would overtake each other.
            run(*inside, "sh", "-c", f"echo 1 > /sys/class/net/{interface}/queues/rx-0/rps_cpus")
        if self.kinds[side] == "linux":
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            run("ip", "-n", namespace, "address", "add", f"{ADDRESSES[side]}/{PREFIX_LENGTH}",
                "dev", LINK)
            for name, least in (("rmem", 131072), ("wmem", 65536)):
                self.sysctl(namespace,
                            f"net.ipv4.tcp_{name}=4096 {least} {LINUX_BUFFER_BYTES}")
            # What one connection learnt of the path is not for the next.
            self.sysctl(namespace, "net.ipv4.tcp_no_metrics_save=1")
        for place, interface in ((namespace, LINK), (self.between, peer)):
            run("ip", "-n", place, "link", "set", interface, "up")

    def all_namespaces(self):
        return {self.linux, self.ours, self.between}

    def wire_counters(self):
        """Ends the wire; its counters."""
        self.stop(self.wire)
        return json.loads(self.wire_json.read_text())

    def port_options(self, side="b"):
        return ["--port", "net_af_packet0", "--address", f"{ADDRESSES[side]}/{PREFIX_LENGTH}"]

    def eal_options(self):
        return ["--", f"--vdev=net_af_packet0,iface={LINK},{RING}"]
