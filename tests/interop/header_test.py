"""The DSCP and the hop limit that handfast-serve is told to send, as they arrive at Linux."""

import socket

from testbed import LINK, Testbed, inside, main

DSCP, HOP_LIMIT = 46, 9
ETH_P_ALL = 0x0003
IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"


class MarkingTestbed(Testbed):
    def port_options(self):
        return [*super().port_options(), "--dscp", str(DSCP), "--hop-limit", str(HOP_LIMIT)]


def marks_of(frame):
    """(DSCP, hop limit) of a TCP segment's frame, or None of another."""
    if frame[12:14] == IPV6 and frame[20] == socket.IPPROTO_TCP:
        return (frame[14] << 4 & 0xf0 | frame[15] >> 4) >> 2, frame[21]
    if frame[12:14] == IPV4 and frame[23] == socket.IPPROTO_TCP:
        return frame[15] >> 2, frame[22]
    return None


def what_we_send_is_marked(bed):
    with inside(bed.linux):
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    seen = []
    with link:
        link.bind((LINK, 0))
        link.settimeout(0.2)
        bed.serve("--listen", "http:80")
        bed.in_linux("curl", "-sS", "--fail", "--max-time", "10", "-o", "/dev/null",
                     f"http://{bed.family.at(bed.family.handfast, 80)}/")
        try:
            while True:
                frame, address = link.recvfrom(2000)
                if address[2] != socket.PACKET_OUTGOING and (marks := marks_of(frame)):
                    seen.append(marks)
        except TimeoutError:
            pass
    # A SYN-ACK, an acknowledgement or the page, a FIN.
    assert len(seen) >= 3 and set(seen) == {(DSCP, HOP_LIMIT)}, seen


main(what_we_send_is_marked, make=MarkingTestbed)
