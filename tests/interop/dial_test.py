"""`handfast-serve --dial` connects out to a Linux server, echoes until the peer closes, and ends."""

import socket

from capture import FIN, Capture, acknowledged, check_orderly
from testbed import inside, main

PORT = 9000


def listen(bed):
    with inside(bed.linux):
        version = socket.AF_INET6 if bed.family.bracketed else socket.AF_INET
        listener = socket.create_server((bed.family.linux, PORT), family=version)
    listener.settimeout(20)
    return listener


def dial_echoes_and_ends(bed):
    with listen(bed) as listener, Capture(bed, PORT) as capture:
        program = bed.dial(bed.family.at(bed.family.linux, PORT))
        connection, (address, *_) = listener.accept()
        assert address == bed.family.handfast, address
        with connection:
            connection.settimeout(10)
            connection.sendall(b"hello")
            assert connection.recv(5, socket.MSG_WAITALL) == b"hello"
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b"", "no FIN in answer to ours"
        assert program.wait(30) == 0, f"exit code {program.returncode}"
        segments = capture.wait_for(
            lambda all_: all(acknowledged(all_, one) for one in all_ if one.flags & FIN))
        check_orderly(segments, opener="handfast", first_closer="linux")
    assert bed.sockets(PORT) == ["TIME-WAIT"], bed.sockets(PORT)


def refused_is_said(bed):
    program = bed.dial(bed.family.at(bed.family.linux, PORT))
    assert program.wait(30) not in (0, None), "nobody listened, and the exit code is 0"
    assert "refused" in program.output.read_text(), program.output.read_text()


main(dial_echoes_and_ends, refused_is_said)
