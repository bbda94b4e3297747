#!/usr/bin/env python3
"""Writes the seed corpus of tests/fuzz: a few small inputs for each target that a fuzzer would be
slow to find by itself. Run it again after a change; what fuzzing has found stands in the same
folders under other names and stays."""

import ipaddress
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
OURS, PEER = bytes.fromhex("024846000001"), bytes.fromhex("025045000002")
V4 = ipaddress.ip_address("198.18.0.2").packed, ipaddress.ip_address("198.18.0.1").packed
V6 = ipaddress.ip_address("2001:db8::2").packed, ipaddress.ip_address("2001:db8::1").packed


def ethernet(kind, payload, destination=OURS):
    return destination + PEER + struct.pack("!H", kind) + payload


def ipv4(protocol, payload, options=b"", fragment=0x4000):
    words = (20 + len(options)) // 4
    return struct.pack("!BBHHHBBH", 0x40 | words, 0, words * 4 + len(payload), 0, fragment, 64,
                       protocol, 0) + V4[0] + V4[1] + options + payload


def ipv6(protocol, payload, hop_limit=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hop_limit) + V6[0] + V6[1] + payload


def tcp(flags, options=b"", text=b"", urgent=0):
    options += b"\1" * (-len(options) % 4)
    return struct.pack("!HHIIBBHHH", 5000, 80, 1000, 2000, (5 + len(options) // 4) << 4, flags,
                       65535, 0, urgent) + options + text


SYN_OPTIONS = bytes.fromhex("020405b4 0402 080a0000000100000000 01 030307".replace(" ", ""))
COOKIE = b"\x22\x0a" + bytes(8)
STAMPS = bytes.fromhex("0101080a0000000200000001")
SACKS = b"\1\1\5\x12" + struct.pack("!IIII", 3000, 4000, 5000, 6000)
FRAGMENT = bytes([6, 0, 0, 0]) + bytes(4)
PADDED = bytes([6, 0, 1, 4, 0, 0, 0, 0])
ROUTING = bytes([6, 0, 4, 0, 0, 0, 0, 0])


def quote(version):
    inner = ipv4(6, tcp(2)) if version == 4 else ipv6(6, tcp(2))
    return inner[: 28 if version == 4 else 48]


def frames():
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + PEER + V4[0] + bytes(6) + V4[1]
    yield "arp", ethernet(0x0806, arp)
    yield "vlan", OURS + PEER + bytes.fromhex("81000007") + ethernet(0x0800, ipv4(6, tcp(2)))[12:]
    yield "syn", ethernet(0x0800, ipv4(6, tcp(2, SYN_OPTIONS)))
    yield "syn6", ethernet(0x86DD, ipv6(6, tcp(2, SYN_OPTIONS + COOKIE)))
    yield "text", ethernet(0x0800, ipv4(6, tcp(0x18, STAMPS + SACKS, b"text")))
    yield "ip_options", ethernet(0x0800, ipv4(6, tcp(16), bytes.fromhex("0707040000000001")))
    yield "fragment", ethernet(0x0800, ipv4(6, tcp(16), fragment=0x2000))
    yield "extension", ethernet(0x86DD, ipv6(0, PADDED + tcp(16)))
    yield "fragment6", ethernet(0x86DD, ipv6(44, FRAGMENT + tcp(16)))
    yield "routing", ethernet(0x86DD, ipv6(43, ROUTING + tcp(16)))
    yield "echo", ethernet(0x0800, ipv4(1, bytes([8, 0, 0, 0, 1, 2, 3, 4]) + b"ping"))
    yield "echo6", ethernet(0x86DD, ipv6(58, bytes([128, 0, 0, 0, 1, 2, 3, 4]) + b"ping"))
    yield "too_big", ethernet(0x0800, ipv4(1, bytes([3, 4, 0, 0, 0, 0, 2, 64]) + quote(4)))
    yield "too_big6", ethernet(0x86DD, ipv6(58, bytes([2, 0, 0, 0, 0, 0, 5, 0]) + quote(6)))
    solicited = bytes([135, 0, 0, 0]) + bytes(4) + V6[1] + b"\1\1" + PEER
    yield "solicitation", ethernet(0x86DD, ipv6(58, solicited, 255))
    advertised = bytes([136, 0, 0, 0, 0x60, 0, 0, 0]) + V6[0] + b"\2\1" + PEER
    yield "advertisement", ethernet(0x86DD, ipv6(58, advertised, 255))


def requests():
    yield "get", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    yield "old", b"GET /bytes/100 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    yield "put", b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n"
    yield "close", b"HEAD /a?b HTTP/1.1\r\nhost:a\r\nConnection: close\r\nX: \t y\r\n\r\n"
    yield "chunked", b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def responses():
    yield "ok", b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n"
    yield "close", b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"


TEXTS = ["250k", "1.5M/s", "2.5Gbit/s", "0.1%", "16KiB", "500ms", "0-3,8", "0x2a", "65535",
         "198.18.0.1/15", "2001:db8::1/64", "[fe80::1]:80", "198.18.0.1:80", "::ffff:1.2.3.4/111"]


def scripts():
    """For the targets whose input is a row of choices: many of each kind."""
    for name, count in ("short", 40), ("long", 400):
        state, out = 12345, bytearray()
        for _ in range(count):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            out.append(state >> 16 & 0xFF)
        yield name, bytes(out)
        yield name + "_plain", bytes(b & 0x0F for b in out)


def inputs():
    for name, frame in frames():
        yield "frame", name, bytes([1 if name == "vlan" else 0, 1, 0]) + frame
    for name, options in ("syn", SYN_OPTIONS), ("cookie", COOKIE), ("sacks", STAMPS + SACKS):
        flags = 16 if name == "sacks" else 2
        yield "tcp_header", name, b"\1" + tcp(flags, options, b"text")
    yield "tcp_header", "urgent", b"\0" + tcp(0x30, b"", b"text", 3)
    for name, kind, header in ("options", 0, PADDED), ("fragment", 44, FRAGMENT), ("routing", 43, ROUTING):
        yield "ipv6", name, bytes([0, kind]) + header + tcp(16)
    yield "ipv6", "raw", b"\1" + ipv6(60, bytes([44, 0, 1, 4, 0, 0, 0, 0]) + FRAGMENT + tcp(16))
    for name, head in requests():
        yield "http", "request_" + name, b"\3\0" + head
    for name, head in responses():
        yield "http", "response_" + name, b"\3\1" + head
    for text in TEXTS:
        yield "text", "".join(c if c.isalnum() else "_" for c in text), text.encode()
    for target in ("segment", "stack", "reassembly", "scoreboard", "flow_table", "time_wait", "wheel"):
        for name, script in scripts():
            yield target, name, script


def main():
    for target, name, content in inputs():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
