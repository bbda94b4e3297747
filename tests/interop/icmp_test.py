"""What Linux hears from us and tells us without a connection: ICMP errors, router advertisements,
reports of multicast groups."""

import contextlib
import errno
import ipaddress
import socket
import struct
import time

from testbed import LINK, eventually, inside, main

PORT = 7
ETH_P_ALL = 0x0003
ICMPV6 = 58
FAR_AWAY = "2001:db8:77::1"


def udp_error(bed):
    """The error number that a UDP datagram to us brings back, and what it quotes is ours."""
    kind = socket.AF_INET6 if bed.family.bracketed else socket.AF_INET
    with inside(bed.linux):
        probe = socket.socket(kind, socket.SOCK_DGRAM)
    with probe:
        probe.settimeout(5)
        probe.connect((bed.family.handfast, 33434))
        probe.send(b"is anybody there?")
        try:
            probe.recv(100)
        except OSError as error:
            return error.errno
    return None


def a_udp_port_is_unreachable(bed):
    bed.serve("--listen", f"echo:{PORT}")
    # The kernel only matches an error that quotes the very datagram.
    assert udp_error(bed) == errno.ECONNREFUSED


def raw_error(bed, protocol):
    """The error number that a packet of `protocol` to us brings back."""
    with inside(bed.linux):
        probe = socket.socket(socket.AF_INET6 if bed.family.bracketed else socket.AF_INET,
                              socket.SOCK_RAW, protocol)
    with probe:
        if bed.family.bracketed:
            probe.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR
        else:
            probe.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        probe.connect((bed.family.handfast, 0))
        probe.send(b"of a protocol that nobody has")
        with contextlib.suppress(OSError):
            probe.settimeout(5)
            probe.recv(100)
        with contextlib.suppress(BlockingIOError):
            _data, control, _flags, _from = probe.recvmsg(200, 200, socket.MSG_ERRQUEUE)
            number, _origin, kind, code = struct.unpack_from("=IBBB", control[0][2])
            return number, kind, code
    return None


def an_unknown_protocol_is_told_of(bed):
    bed.serve("--listen", f"echo:{PORT}")
    heard = raw_error(bed, 253)
    wanted = (errno.EPROTO, 4, 1) if bed.family.bracketed else (errno.ENOPROTOOPT, 3, 2)
    assert heard == wanted, f"{heard}, not {wanted}"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def icmpv6_frame(mac, source, destination, hop_limit, message):
    """An Ethernet frame with `message`, whose checksum is 0, to a group."""
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    pseudo = addresses + struct.pack("!II", len(message), ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    group = b"\x33\x33" + ipaddress.ip_address(destination).packed[12:]
    return (group + mac + b"\x86\xdd" +
            struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, hop_limit) + addresses + message)


def router_advertisement(mac, source, lifetime):
    options = b"\x01\x01" + mac + struct.pack("!BBHI", 5, 1, 0, 1400)
    return icmpv6_frame(mac, source, "ff02::1", 255,
                        struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime, 0, 0) + options)


@contextlib.contextmanager
def packet_socket(bed):
    with inside(bed.linux):
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    with link:
        link.bind((LINK, 0))
        link.settimeout(0.2)
        yield link


def icmpv6_types(link, mac, seconds):
    """Types of the ICMPv6 messages seen in so many seconds, behind a hop-by-hop header too; those
    from `mac` left out."""
    seen = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            frame = link.recv(2000)
            if frame[12:14] != b"\x86\xdd" or frame[6:12] == mac:
                continue
            if frame[20] == 0 and frame[54] == ICMPV6:
                seen.append(frame[62])
            elif frame[20] == ICMPV6:
                seen.append(frame[54])
    return seen


def routers_are_asked_for_and_believed(bed):
    """Linux is the router: a connection from beyond it is answered through it."""
    if not bed.family.bracketed:
        return
    with packet_socket(bed) as link:
        mac = bytes.fromhex(
            bed.in_linux("cat", f"/sys/class/net/{LINK}/address").strip().replace(":", ""))
        bed.serve("--listen", f"echo:{PORT}", "--accept-ra", "--detect-duplicates")
        seen = icmpv6_types(link, mac, 4)
        assert 133 in seen, f"no router solicitation among {seen}"
        assert seen.count(143) == 2, f"no two reports of multicast groups among {seen}"
        # Only a router's neighbour advertisements say so (RFC 4861 section 7.2.5).
        bed.sysctl(bed.linux, "net.ipv6.conf.all.forwarding=1")
        # A client beyond us, whose address is no neighbour's: without a router no answer reaches it.
        bed.sysctl(bed.linux, "net.ipv6.conf.lo.disable_ipv6=0")
        bed.in_linux("ip", "address", "add", f"{FAR_AWAY}/128", "dev", "lo", "nodad")
        addresses = bed.in_linux("ip", "-6", "-o", "address", "show", "dev", LINK, "scope", "link")
        local = addresses.split("inet6 ")[1].split("/")[0]

        def reaches_us():
            with inside(bed.linux):
                client = socket.socket(socket.AF_INET6)
            with client:
                client.bind((FAR_AWAY, 0))
                client.settimeout(3)
                try:
                    client.connect((bed.family.handfast, PORT))
                except TimeoutError:
                    return False
                client.sendall(b"from afar")
                return client.recv(100) == b"from afar"

        assert not reaches_us(), "it was answered without a route"
        link.send(router_advertisement(mac, local, 1800))
        assert eventually(reaches_us, 10), "the router advertised is not used"
        link.send(router_advertisement(mac, local, 0))
        time.sleep(0.2)
        assert not reaches_us(), "lifetime 0 did not remove the router"


main(a_udp_port_is_unreachable, an_unknown_protocol_is_told_of,
     routers_are_asked_for_and_believed)
