"""handfast-wire between two of Linux's own TCPs: does the weather reach them, and is it counted?

    wire_test.py KIND BUILD_DIRECTORY

Linux in one namespace, Linux in another, the wire in a third between them. "af_packet": both ends
are veth pairs. "tap": Linux's end B is a TAP device that the wire makes, a port of another kind; it
is moved to where that Linux is, or the kernel beside the wire would answer for it.
Time is only ever bounded from below: a loaded machine may be late as it likes.
"""

import contextlib
import hashlib
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from testbed import (KINDS, Testbed, eventually, inside, namespace_name,  # noqa: E402
                     remove_namespace, run, skip_unless_possible)

A4, B4 = "198.18.0.1", "198.18.0.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
END = "eth0"
SERVICE = 5001
# So many frames of a sender's are in flight at most, that no packet socket's ring overflows.
SEND_BUFFER = 256 * 1024
RING = "framecnt=4096"


class Joined(Testbed):
    """Namespaces a and b, and that of the wire. The wire itself is started by each test."""

    def __init__(self, kind, build):
        super().__init__(kind, build)
        self.a = namespace_name("a")
        self.wire = namespace_name("wire")
        self.b = namespace_name("b")
        self.linux, self.ours = self.a, self.wire  # what Testbed removes
        self.started = None

    def _make(self):
        for namespace in (self.a, self.b, self.wire):
            run("ip", "netns", "add", namespace)
            # No neighbour discovery or reports of the wire's own interfaces.
            self.sysctl(namespace, "net.ipv6.conf.default.disable_ipv6=1")
            self.sysctl(namespace, "net.ipv6.conf.default.accept_dad=0")
        self._join(self.a, "wa")
        if self.kind == "af_packet":
            self._join(self.b, "wb")

    def _join(self, namespace, name):
        run("ip", "-n", self.wire, "link", "add", name, "type", "veth",
            "peer", "name", END, "netns", namespace)
        run("ip", "-n", self.wire, "link", "set", name, "up")
        run("ip", "netns", "exec", namespace, "ethtool", "-K", END,
            "tx", "off", "tso", "off", "gso", "off", "gro", "off")

    def _configure(self, namespace, interface, ip4, ip6):
        self.sysctl(namespace, f"net.ipv6.conf.{interface}.disable_ipv6=0")
        run("ip", "-n", namespace, "address", "replace", f"{ip4}/24", "dev", interface)
        run("ip", "-n", namespace, "address", "replace", f"{ip6}/64", "dev", interface, "nodad")
        run("ip", "-n", namespace, "link", "set", interface, "up")

    def _remove(self, show=False):
        super()._remove(show)
        remove_namespace(self.b)

    def join(self, *options):
        """Starts the wire, and the ends when it carries: so it sees every frame of theirs."""
        ring_b = f"net_af_packet1,iface=wb,{RING}"
        port_b = ring_b if self.kind == "af_packet" else f"net_tap1,iface={END}"
        self.report = self.folder / "wire.json"
        self.report.unlink(missing_ok=True)
        self.started = self.start(self.wire, self.program("handfast-wire"),
                                  f"net_af_packet0,iface=wa,{RING}", port_b, *options,
                                  "--json", str(self.report))
        self.wait_for_output(self.started, "joined")
        if self.kind == "tap":
            run("ip", "-n", self.wire, "link", "set", END, "netns", self.b)
        self._configure(self.a, END, A4, A6)
        self._configure(self.b, END, B4, B6)
        return self.started

    def part(self):
        """Ends the wire; its report."""
        code = self.stop(self.started)
        assert code == 0, f"handfast-wire: exit code {code}"
        return json.loads(self.report.read_text())

    def packets(self, end, which):
        """Frames that Linux's interface at this end has counted."""
        namespace = {"a": self.a, "b": self.b}[end]
        links = json.loads(run("ip", "-n", namespace, "-s", "-j", "link", "show", END))
        return links[0]["stats64"][which]["packets"]

    def kernel(self, namespace):
        return json.loads(run("ip", "netns", "exec", namespace,
                              "nstat", "--json", "-a", "-s", "-z"))["kernel"]


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ping(bed, count, seconds=10):
    """Round trip times in seconds of ICMP echoes from A to B, None for one without an answer."""
    with inside(bed.a):
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    times = []
    with sock:
        for sequence in range(count):
            body = struct.pack("!HH", os.getpid() & 0xffff, sequence) + b"handfast"
            begin = time.monotonic()
            sock.sendto(struct.pack("!BBH", 8, 0, checksum(b"\x08\0\0\0" + body)) + body, (B4, 0))
            times.append(None)
            while (left := begin + seconds - time.monotonic()) > 0:
                sock.settimeout(left)
                with contextlib.suppress(TimeoutError):
                    answer = sock.recv(2048)
                    if answer[20] == 0 and answer[24:] == body:
                        times[-1] = time.monotonic() - begin
                        break
    return times


def transfer(bed, size, address=B4):
    """Sends `size` random bytes from A to B over TCP, checks them there; seconds it took."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    data, received = os.urandom(size), hashlib.sha256()
    with inside(bed.b):
        listener = socket.create_server((address, SERVICE), family=family)
    with inside(bed.a):
        sender = socket.socket(family)

    def receive():
        connection, _ = listener.accept()
        with connection:
            while part := connection.recv(1 << 18):
                received.update(part)

    with listener, sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        sender.settimeout(120)
        listener.settimeout(120)
        receiver = threading.Thread(target=receive)
        receiver.start()
        begin = time.monotonic()
        try:
            sender.connect((address, SERVICE))
            sender.sendall(data)
            sender.shutdown(socket.SHUT_WR)
            assert sender.recv(1) == b""
        finally:
            receiver.join(120)
        took = time.monotonic() - begin
    assert received.digest() == hashlib.sha256(data).digest(), "other bytes than were sent"
    return took


def settled(bed):
    """Waits until no frame is on its way: neither end has sent or received one for a while."""
    def counts():
        return [bed.packets(end, which) for end in "ab" for which in ("tx", "rx")]

    def is_still():
        before = counts()
        time.sleep(0.3)
        return counts() == before

    assert eventually(is_still, 20), "frames keep coming"


def check_books(report, bed=None):
    """What came in went out or is accounted for; and Linux's interfaces have counted the same."""
    for direction in ("a_to_b", "b_to_a"):
        c = report[direction]
        gone = sum(c[f"dropped_{why}"] for why in ("loss", "queue", "pool"))
        assert c["frames"] + c["duplicated"] == c["forwarded"] + gone + c["held"], c
        assert c["dropped_full"] == 0 and c["held"] == 0, c
    if bed:
        sent = {"a_to_b": bed.packets("a", "tx"), "b_to_a": bed.packets("b", "tx")}
        received = {"a_to_b": bed.packets("b", "rx"), "b_to_a": bed.packets("a", "rx")}
        for direction in sent:
            c = report[direction]
            assert c["frames"] == sent[direction], (direction, c, sent)
            assert c["forwarded"] == received[direction], (direction, c, received)


def delay_is_felt(bed):
    bed.join("--ab-delay", "30ms", "--ba-delay", "10ms")
    times = ping(bed, 10)
    assert None not in times, times
    # The two clocks may differ a little in their rates.
    assert min(times) >= 0.040 * 0.999, times
    report = bed.part()
    assert report["weather"]["a_to_b"]["delay_ns"] == 30_000_000, report["weather"]
    assert min(report[direction]["forwarded"] for direction in ("a_to_b", "b_to_a")) >= 10, report


def bytes_survive_bad_weather(bed):
    bed.join("--delay", "2ms", "--jitter", "1ms", "--loss", "1%", "--burst-loss", "0.3%,40%",
             "--reorder", "1%", "--reorder-by", "3ms", "--duplicate", "1%", "--corrupt", "0.2%",
             "--seed", "7")
    for address in (B4, B6):
        transfer(bed, 4_000_000, address)
    settled(bed)
    # While the wire is there: a TAP device ends with it.
    linux = {end: {which: bed.packets(end, which) for which in ("tx", "rx")} for end in "ab"}
    retransmitted = bed.kernel(bed.a)["TcpRetransSegs"]
    report = bed.part()
    bed.packets = lambda end, which: linux[end][which]
    check_books(report, bed)
    c = report["a_to_b"]
    assert c["frames"] >= 2 * 4_000_000 / 1460 and c["bytes"] >= 8_000_000, c
    for what in ("dropped_loss", "duplicated", "reordered", "corrupted"):
        assert c[what] > 0, (what, c)
    assert retransmitted > 0, "frames were lost, and Linux sent none again"


def rate_limits(bed):
    bed.join("--ab-rate", "40M", "--ab-queue", "200kB")
    # 1 MB over 40 Mbit/s takes 0.2 s, headers not counted.
    took = transfer(bed, 1_000_000)
    assert took >= 0.2 * 0.999, f"{took} s"
    report = bed.part()
    c = report["a_to_b"]
    assert 0 < c["queue_bytes_max"] <= 200_000, c
    assert report["b_to_a"]["queue_bytes_max"] == 0, report["b_to_a"]


def congestion_is_marked(bed):
    bed.join("--rate", "20M", "--queue", "400frames", "--ecn", "20kB")
    for namespace in (bed.a, bed.b):
        bed.sysctl(namespace, "net.ipv4.tcp_ecn=1")
    transfer(bed, 3_000_000, B4)
    before = bed.kernel(bed.b)
    transfer(bed, 1_000_000, B6)
    linux = bed.kernel(bed.b)
    report = bed.part()
    c = report["a_to_b"]
    assert before["IpExtInCEPkts"] > 0, "IPv4: Linux saw no mark"
    assert linux["Ip6InCEPkts"] > 0, "IPv6: Linux saw no mark"
    assert c["ce_marked"] == linux["IpExtInCEPkts"] + linux["Ip6InCEPkts"], (c, linux)
    assert linux["IpInHdrErrors"] == 0 and linux["IpExtInCsumErrors"] == 0, "a header is wrong"
    assert linux["TcpInCsumErrors"] == 0, linux["TcpInCsumErrors"]


def one_direction_can_be_cut(bed):
    bed.join("--ba-loss", "100%")
    assert ping(bed, 2, seconds=0.3) == [None, None]
    c = bed.part()["b_to_a"]
    assert c["frames"] > 0 and c["dropped_loss"] == c["frames"] and c["forwarded"] == 0, c


def ends_as_asked(bed):
    for end in (signal.SIGINT, signal.SIGTERM):
        wire = bed.join("--delay", "100ms")
        wire.send_signal(end)  # `ip netns exec` becomes the program
        assert wire.wait(20) == 0, f"exit code {wire.returncode} after {end.name}"
        assert json.loads(bed.report.read_text())["run_time_seconds"] > 0
    begin = time.monotonic()
    wire = bed.join("--duration", "300ms")
    assert wire.wait(20) == 0, wire.returncode
    assert time.monotonic() - begin >= 0.3
    assert json.loads(bed.report.read_text())["run_time_seconds"] >= 0.3
    assert "A to B" in wire.output.read_text()


def main(*tests):
    kind, build = sys.argv[1:]
    if kind not in KINDS:
        sys.exit(f"'{kind}' is none of {', '.join(KINDS)}")
    skip_unless_possible()
    for test in tests:
        begin = time.monotonic()
        with Joined(kind, build) as bed:
            test(bed)
        print(f"{test.__name__}: passed in {time.monotonic() - begin:.1f} s", flush=True)


main(delay_is_felt, bytes_survive_bad_weather, rate_limits, congestion_is_marked,
     one_direction_can_be_cut, ends_as_asked)
