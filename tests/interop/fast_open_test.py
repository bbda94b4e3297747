"""TCP Fast Open (RFC 7413): a Linux client gets its request into the SYN from the second time on."""

import socket
import struct

from testbed import inside, main

PORT = 7
MSG_FASTOPEN = 0x20000000
TCPI_OPTIONS_AT = 5  # struct tcp_info: after state, ca_state, retransmits, probes, backoff
TCPI_OPT_SYN_DATA = 32  # the SYN-ACK acknowledged text of the SYN


def echo_once(bed, text):
    """Returns whether the text went with the SYN."""
    with inside(bed.linux):
        version = socket.AF_INET6 if bed.family.bracketed else socket.AF_INET
        client = socket.socket(version, socket.SOCK_STREAM)
    with client:
        # A timeout of Python's would make the socket non-blocking, and the call end unfinished.
        for direction in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            client.setsockopt(socket.SOL_SOCKET, direction, struct.pack("ll", 10, 0))
        client.sendto(text, MSG_FASTOPEN, (bed.family.handfast, PORT))
        got = b""
        while len(got) < len(text):
            more = client.recv(65536)
            assert more, f"closed after {got!r}"
            got += more
        assert got == text, got
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b"", "more than was sent"
    return bool(struct.unpack_from("B", info, TCPI_OPTIONS_AT)[0] & TCPI_OPT_SYN_DATA)


def linux_sends_text_in_the_syn(bed):
    bed.in_linux("sysctl", "-q", "-w", "net.ipv4.tcp_fastopen=1")
    server = bed.serve("--listen", f"echo:{PORT}", "--fast-open")
    went_along = [echo_once(bed, f"request {i}".encode()) for i in range(5)]
    assert went_along == [False, True, True, True, True], went_along
    assert bed.stop(server) == 0, "handfast-serve did not end well on SIGINT"


def without_the_option_the_handshake_comes_first(bed):
    bed.in_linux("sysctl", "-q", "-w", "net.ipv4.tcp_fastopen=1")
    bed.serve("--listen", f"echo:{PORT}")
    assert not any(echo_once(bed, f"request {i}".encode()) for i in range(3))


main(linux_sends_text_in_the_syn, without_the_option_the_handshake_comes_first)
