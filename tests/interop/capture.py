"""tcpdump on Linux's interface, and what its file says of one connection."""

import socket
import struct
import time
from dataclasses import dataclass

from testbed import FAMILIES, LINK, eventually

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
TCP = 6  # in an IP header
OURS = (socket.inet_pton(socket.AF_INET, FAMILIES["ipv4"].handfast),
        socket.inet_pton(socket.AF_INET6, FAMILIES["ipv6"].handfast))


@dataclass(frozen=True)
class Segment:
    sender: str  # "linux" or "handfast"
    flags: int
    seq: int
    ack: int
    length: int  # payload bytes
    frame: bytes

    def kind(self):
        names = [name for bit, name in ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (ACK, "ACK"))
                 if self.flags & bit]
        return "-".join(names)

    def end(self):
        """The sequence number after this segment; SYN and FIN count as one each."""
        counted = self.length + bool(self.flags & SYN) + bool(self.flags & FIN)
        return (self.seq + counted) % 2**32


def read_records(data):
    """The frames of a pcap file; a record that is still being written is left out."""
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    offset = 24
    while offset + 16 <= len(data):
        captured = struct.unpack_from(order + "I", data, offset + 8)[0]
        offset += 16
        if offset + captured > len(data):
            return
        yield data[offset:offset + captured]
        offset += captured


def address_bytes(frame):
    """Source and destination of a TCP segment over IPv4 or IPv6, one behind the other, or None."""
    if len(frame) >= 54 and frame[12:14] == b"\x08\x00" and frame[23] == TCP:
        return frame[26:34]
    if len(frame) >= 74 and frame[12:14] == b"\x86\xdd" and frame[20] == TCP:
        return frame[22:54]
    return None


def parse_frame(frame, port):
    """The TCP segment in an Ethernet frame if `port` is at either end, or None."""
    addresses = address_bytes(frame)
    if addresses is None:
        return None
    if frame[14] >> 4 == 4:
        tcp, end = 14 + (frame[14] & 15) * 4, 14 + struct.unpack_from("!H", frame, 16)[0]
    else:
        tcp, end = 54, 54 + struct.unpack_from("!H", frame, 18)[0]
    source, destination, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", frame, tcp)
    if port not in (source, destination):
        return None
    # Handfast's end also has the load's source addresses; Linux's has just one.
    from_handfast = addresses[:len(addresses) // 2] in OURS
    return Segment("handfast" if from_handfast else "linux", flags, seq, ack,
                   end - tcp - (offset >> 4) * 4, frame[:end])


class Capture:
    """Records from entry to exit; segments() reads what there is, at any time."""

    def __init__(self, bed, port):
        self.bed, self.port = bed, port
        self.file = bed.folder / f"{port}-{time.monotonic_ns()}.pcap"
        self.process = None

    def __enter__(self):
        self.process = self.bed.start(
            self.bed.linux, "tcpdump", "-i", LINK, "-U", "--immediate-mode", "-Z", "root",
            "-s", "128", "-B", "32768",
            "-w", str(self.file), f"tcp port {self.port}")
        self.bed.wait_for_output(self.process, "listening on")
        return self

    def __exit__(self, *_):
        self.bed.stop(self.process)

    def segments(self):
        found = (parse_frame(frame, self.port) for frame in read_records(self.file.read_bytes()))
        return [segment for segment in found if segment]

    def wait_for(self, condition):
        """Waits until condition(segments) holds; the segments either way."""
        eventually(lambda: condition(self.segments()))
        return self.segments()


def of_kind(segments, sender, flag):
    return [segment for segment in segments if segment.sender == sender and segment.flags & flag]


def acknowledged(segments, fin):
    """True when the other end's last word covers this FIN."""
    answers = [segment for segment in segments
               if segment.sender != fin.sender and segment.flags & ACK]
    return bool(answers) and answers[-1].ack == fin.end()


def first_ones(segments):
    """Without those that repeat an earlier one: on a slow machine either end retransmits."""
    firsts = {}
    for segment in segments:
        firsts.setdefault((segment.sender, segment.seq), segment)
    return list(firsts.values())


def check_orderly(segments, opener, first_closer):
    """Raises unless it is the textbook's order: SYN, SYN-ACK, ACK ... FIN each way, both
    acknowledged, no reset. A FIN that came late and was therefore sent twice is acknowledged
    twice; the second ACK finds the other end's port closed, and a reset answers it."""
    other = {"linux": "handfast", "handfast": "linux"}
    story = "\n".join(f"{s.sender:>8} {s.kind():<8} seq {s.seq} ack {s.ack} length {s.length}"
                      for s in segments)

    def check(condition, message):
        if not condition:
            raise AssertionError(f"{message}:\n{story}")

    check([(s.sender, s.kind()) for s in segments[:3]] ==
          [(opener, "SYN"), (other[opener], "SYN-ACK"), (opener, "ACK")],
          "not a three-way handshake")
    check(segments[2].ack == segments[1].end(), "the third segment acknowledges something else")
    all_fins = [s for s in segments if s.flags & FIN]
    fins = first_ones(all_fins)
    check([s.sender for s in fins] == [first_closer, other[first_closer]],
          f"not one FIN of each end, {first_closer}'s first")
    check(all(acknowledged(segments, fin) for fin in fins), "a FIN without its acknowledgement")
    resets = [s for s in segments if s.flags & RST]
    check(len(resets) <= len(all_fins) - len(fins)
          and all(s.sender == other[first_closer] and s.seq == fins[1].end() for s in resets),
          "a reset")
    last = [s for s in segments if not s.flags & RST][-1]
    check(last.sender == first_closer and last.length == 0,
          "the last ACK is not the first closer's")
