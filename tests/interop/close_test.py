"""Every way a connection ends between Linux and Handfast, as tcpdump and ss see it."""

import socket
import struct
import time

from capture import (ACK, FIN, RST, SYN, TCP, Capture, acknowledged, address_bytes, check_orderly,
                     of_kind)
from testbed import LINK, eventually, inside, main

ECHO, CLOSE_FIRST, SHUT_FIRST, ABORT_FIRST = 7, 8, 9, 10
SERVICES = (f"echo:{ECHO}", f"close-first:{CLOSE_FIRST}", f"shut-first:{SHUT_FIRST}",
            f"abort-first:{ABORT_FIRST}")


def start_services(bed):
    return bed.serve(*(word for service in SERVICES for word in ("--listen", service)))


def connect(bed, port, source_port=0):
    with inside(bed.linux):
        connection = socket.create_connection((bed.family.handfast, port), timeout=10,
                                              source_address=(bed.family.linux, source_port))
    return connection


def read_to_end(connection):
    data = b""
    while part := connection.recv(65536):
        data += part
    return data


def both_finished(segments):
    fins = [segment for segment in segments if segment.flags & FIN]
    return len(fins) >= 2 and all(acknowledged(segments, fin) for fin in fins)


def linux_closes_first(bed):
    start_services(bed)
    with Capture(bed, ECHO) as capture:
        with connect(bed, ECHO) as connection:
            assert bed.sockets(ECHO) == ["ESTAB"]
            connection.sendall(b"hello")
            assert connection.recv(5) == b"hello"
            connection.shutdown(socket.SHUT_WR)
            assert read_to_end(connection) == b""
        check_orderly(capture.wait_for(both_finished), opener="linux", first_closer="linux")
    assert bed.sockets(ECHO) == ["TIME-WAIT"], bed.sockets(ECHO)


def linux_half_closes_with_data_on_the_way(bed):
    start_services(bed)
    sent = bytes(range(256)) * 4096
    with Capture(bed, ECHO) as capture:
        with connect(bed, ECHO) as connection:
            # Its echo fits our receive buffer only in part: it still flows after our FIN.
            connection.sendall(sent[:65536])
            connection.shutdown(socket.SHUT_WR)
            assert read_to_end(connection) == sent[:65536], "the echo after the FIN is not whole"
        check_orderly(capture.wait_for(both_finished), opener="linux", first_closer="linux")


def handfast_closes_first(bed):
    start_services(bed)
    with Capture(bed, CLOSE_FIRST) as capture:
        with connect(bed, CLOSE_FIRST) as connection:
            source_port = connection.getsockname()[1]
            connection.sendall(b"x")
            assert read_to_end(connection) == b"x"
            assert bed.sockets(CLOSE_FIRST) == ["CLOSE-WAIT"], bed.sockets(CLOSE_FIRST)
        segments = capture.wait_for(both_finished)
        check_orderly(segments, opener="linux", first_closer="handfast")
        assert eventually(lambda: not bed.sockets(CLOSE_FIRST)), "Linux keeps a TIME-WAIT"
        time_wait_answers(bed, capture, of_kind(segments, "linux", FIN)[0])
        # RFC 6191: a new SYN with a later timestamp may reuse the pair of ports.
        time.sleep(0.05)
        with connect(bed, CLOSE_FIRST, source_port) as connection:
            connection.sendall(b"again")
            assert read_to_end(connection) == b"again"


def time_wait_answers(bed, capture, fin):
    """Linux's FIN a second time, as if Handfast's last ACK were lost: it is acknowledged again."""
    before = len(of_kind(capture.segments(), "handfast", ACK))
    with inside(bed.linux):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with raw:
        raw.bind((LINK, 0))
        raw.send(with_tcp_checksum(fin.frame))
    assert eventually(lambda: len(of_kind(capture.segments(), "handfast", ACK)) > before), \
        "a retransmitted FIN was not answered: Handfast holds no TIME-WAIT"
    answer = of_kind(capture.segments(), "handfast", ACK)[-1]
    assert answer.ack == fin.end() and not answer.flags & (SYN | FIN | RST), answer.kind()


def with_tcp_checksum(frame):
    """A TAP device leaves the checksum to whoever reads it, and tcpdump reads before that."""
    header = 14 + (frame[14] & 15) * 4 if frame[14] >> 4 == 4 else 54
    tcp = bytearray(frame[header:])
    tcp[16:18] = b"\0\0"
    summed = (address_bytes(frame) + struct.pack("!HH", TCP, len(tcp)) + tcp
              + b"\0" * (len(tcp) % 2))
    total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    tcp[16:18] = struct.pack("!H", ~total & 0xffff)
    return frame[:header] + bytes(tcp)


def handfast_half_closes_first(bed):
    start_services(bed)
    with Capture(bed, SHUT_FIRST) as capture:
        with connect(bed, SHUT_FIRST) as connection:
            connection.sendall(b"x")
            assert read_to_end(connection) == b"x"
            # Handfast is in FIN-WAIT-2 and reads on; the bytes need windows and ACKs to get there.
            connection.sendall(b"y" * 1_000_000)
        segments = capture.wait_for(both_finished)
        check_orderly(segments, opener="linux", first_closer="handfast")
    sent = sum(segment.length for segment in segments if segment.sender == "linux")
    assert sent >= 1_000_001, f"{sent} bytes after the half-close"
    assert eventually(lambda: not bed.sockets(SHUT_FIRST)), bed.sockets(SHUT_FIRST)


def handfast_aborts(bed):
    start_services(bed)
    with Capture(bed, ABORT_FIRST) as capture:
        with connect(bed, ABORT_FIRST) as connection:
            connection.sendall(b"x")
            try:
                answer = read_to_end(connection)
                raise AssertionError(f"no reset but {answer!r}")
            except ConnectionResetError:
                pass
        resets = of_kind(capture.wait_for(lambda all_: of_kind(all_, "handfast", RST)),
                         "handfast", RST)
        assert len(resets) == 1, f"{len(resets)} resets"
    assert bed.sockets(ABORT_FIRST) == [], bed.sockets(ABORT_FIRST)


def linux_aborts(bed):
    start_services(bed)
    with Capture(bed, ECHO) as capture:
        connection = connect(bed, ECHO)
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        capture.wait_for(lambda all_: of_kind(all_, "linux", RST))
        time.sleep(0.2)
        segments = capture.segments()
        assert segments[-1].sender == "linux" and segments[-1].flags & RST, "a reset was answered"
    with connect(bed, ECHO) as connection:
        connection.sendall(b"still there")
        assert connection.recv(20) == b"still there"


def nobody_listens(bed):
    start_services(bed)
    try:
        connect(bed, 4444).close()
        raise AssertionError("connected to a port without a listener")
    except ConnectionRefusedError:
        pass


main(linux_closes_first, linux_half_closes_with_data_on_the_way, handfast_closes_first,
     handfast_half_closes_first, handfast_aborts, linux_aborts, nobody_listens)
