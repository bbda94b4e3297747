"""Linux's end is a VLAN of its interface, and ours has its tag; with a DSCP and a hop limit of ours."""

import socket
import time

from testbed import LINK, Testbed, inside, main, run
from transfers import curl_downloads, linux_receives

VLAN, DSCP, HOP_LIMIT = 7, 46, 9
TAGGED = f"{LINK}.{VLAN}"
SIZE = 2_000_000
ETH_P_ALL = 0x0003
OPTIONS = ("--vlan", str(VLAN), "--dscp", str(DSCP), "--hop-limit", str(HOP_LIMIT))


class TaggedTestbed(Testbed):
    def _make(self):
        super()._make()
        family = ["-6"] if self.family.bracketed else []
        run("ip", "-n", self.linux, *family, "address", "flush", "dev", LINK, "scope", "global")
        run("ip", "-n", self.linux, "link", "add", "link", LINK, "name", TAGGED, "type", "vlan",
            "id", str(VLAN))
        self.set_address(self.linux, self.family.linux, TAGGED)

    def port_options(self):
        return [*super().port_options(), *OPTIONS]


def headers_of_ours(bed):
    """(class, hop limit) of the IP packets from us while Linux gets a page."""
    with inside(bed.linux):
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    seen = set()
    with link:
        link.bind((TAGGED, 0))
        link.settimeout(0.2)
        bed.serve("--listen", "http:80")
        bed.in_linux("curl", "-sS", "--fail", "--max-time", "10", "-o", "/dev/null",
                     f"http://{bed.family.at(bed.family.handfast, 80)}/")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                frame, address = link.recvfrom(2000)
            except TimeoutError:
                break
            if address[2] == socket.PACKET_OUTGOING or frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
                continue
            v6 = frame[14] >> 4 == 6
            if frame[14 + (6 if v6 else 9)] == socket.IPPROTO_TCP:
                seen.add(((frame[14] << 4 & 0xf0 | frame[15] >> 4) if v6 else frame[15],
                          frame[14 + (7 if v6 else 8)]))
    return seen


def what_we_send_is_marked(bed):
    seen = headers_of_ours(bed)
    # The class has ECN's two bits below the DSCP.
    assert {(octet >> 2, hops) for octet, hops in seen} == {(DSCP, HOP_LIMIT)}, seen


def both_ways(bed):
    linux_receives(bed, SIZE)
    curl_downloads(bed, SIZE)


def without_the_tag_nobody_is_heard(bed):
    bed.port_options = lambda: Testbed.port_options(bed)
    bed.serve("--listen", "http:80")
    try:
        bed.in_linux("curl", "-sS", "--max-time", "2", f"http://{bed.family.at(bed.family.handfast, 80)}/")
    except RuntimeError:
        return
    raise AssertionError("an answer from outside of the VLAN")


main(what_we_send_is_marked, both_ways, without_the_tag_nobody_is_heard, make=TaggedTestbed)
