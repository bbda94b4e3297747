"""TCP Fast Open (RFC 7413): from the second time on the client gets its request into the SYN.

Linux is the client of handfast-serve, and the server of handfast-load.
"""

import json
import socket
import struct
import threading

from testbed import inside, main

PORT = 7
REQUEST = 64  # bytes there and back, handfast-load's default
TCP_FASTOPEN = 23
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
    report = bed.folder / "serve.json"
    server = bed.serve("--listen", f"echo:{PORT}", "--fast-open", "--json", str(report))
    went_along = [echo_once(bed, f"request {i}".encode()) for i in range(5)]
    assert went_along == [False, True, True, True, True], went_along
    assert bed.stop(server) == 0, "handfast-serve did not end well on SIGINT"
    assert "requests that came in the SYN 4," in server.output.read_text()
    assert json.loads(report.read_text())["counters"]["fast_open_accepted"] == 4


def without_the_option_the_handshake_comes_first(bed):
    bed.in_linux("sysctl", "-q", "-w", "net.ipv4.tcp_fastopen=1")
    bed.serve("--listen", f"echo:{PORT}")
    assert not any(echo_once(bed, f"request {i}".encode()) for i in range(3))


def answer_requests(listener, count):
    """A server that answers `count` connections, one after the other, and closes after the client."""
    for _ in range(count):
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            request = connection.recv(REQUEST, socket.MSG_WAITALL)
            connection.sendall(request)
            connection.recv(1)


def we_send_requests_to_linux(bed, count, *options):
    """handfast-load's report, and what Linux counted of Fast Open."""
    bed.in_linux("sysctl", "-q", "-w", "net.ipv4.tcp_fastopen=3")
    before = bed.nstat()
    with inside(bed.linux):
        version = socket.AF_INET6 if bed.family.bracketed else socket.AF_INET
        listener = socket.create_server((bed.family.linux, PORT), family=version, backlog=64)
    listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 64)
    with listener:
        listener.settimeout(20)
        server = threading.Thread(target=answer_requests, args=(listener, count), daemon=True)
        server.start()
        report = bed.load("request", "--connections", str(count), "--concurrency", "4", *options,
                          "--server", bed.family.at(bed.family.linux, PORT))
        server.join(20)
    assert report["went_well"], report
    assert report["client"]["completed"] == count, report["client"]
    bed.check_counters(before)
    after = bed.nstat()
    return report, {name: after[name] - before[name] for name in after if "FastOpen" in name}


def we_send_text_in_the_syn(bed):
    count = 50
    report, linux = we_send_requests_to_linux(bed, count, "--fast-open")
    # All but the first, which is alone until it has brought the cookie.
    assert report["fast_open"]["text_in_syn"] == count - 1, report["fast_open"]
    assert report["fast_open"]["acknowledged"] == count - 1, report["fast_open"]
    assert linux["TcpExtTCPFastOpenCookieReqd"] == 1, linux
    assert linux["TcpExtTCPFastOpenPassive"] == count - 1, linux


def we_do_not_unless_asked_to(bed):
    report, linux = we_send_requests_to_linux(bed, 5)
    assert report["client"]["counters"]["fast_open_sent"] == 0
    assert not any(linux.values()), linux


main(linux_sends_text_in_the_syn, without_the_option_the_handshake_comes_first,
     we_send_text_in_the_syn, we_do_not_unless_asked_to)
