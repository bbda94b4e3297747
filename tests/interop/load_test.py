"""handfast-load opens and closes 100,000 connections to a Linux server, and Linux's books agree."""

import json

from testbed import eventually, main

PORT = 8000
CONNECTIONS = {"ipv4": 100_000, "ipv6": 20_000}


def run_load(bed, mode, connections):
    endpoint = bed.family.at(bed.family.linux, PORT)
    server = bed.start(bed.linux, bed.program("kernel-serve"), "--listen", endpoint)
    bed.wait_for_output(server, "listening")
    before = bed.nstat()
    report = bed.load(mode, "--connections", str(connections), "--concurrency", "256",
                      "--server", endpoint, "--source", bed.family.sources)
    client = report["client"]
    assert client["attempted"] == client["established"] == connections, client
    assert client["completed"] == connections and client["failed"] == 0, client
    assert report["books_agree"], report["disagreements"]
    assert eventually(lambda: not bed.sockets(PORT)), \
        f"Linux still has sockets, though Handfast closed first: {bed.sockets(PORT)[:3]}"
    after = bed.nstat()
    gained = {name: after[name] - before.get(name, 0) for name in after}
    assert gained["TcpPassiveOpens"] == connections, gained["TcpPassiveOpens"]
    bed.check_counters(before)
    print(f"{mode}: {connections} connections, Linux retransmitted {gained['TcpRetransSegs']}")


def connections_of(bed):
    return CONNECTIONS["ipv6" if bed.family.bracketed else "ipv4"]


def connect(bed):
    run_load(bed, "connect", connections_of(bed))


def request(bed):
    run_load(bed, "request", connections_of(bed) // 10)


def textbook_takes_seven_frames(bed):
    endpoint = bed.family.at(bed.family.linux, PORT)
    server = bed.start(bed.linux, bed.program("kernel-serve"), "--listen", endpoint)
    bed.wait_for_output(server, "listening")
    before = bed.nstat()["TcpInSegs"]
    bed.load("connect", "--textbook", "--connections", "1000", "--concurrency", "1",
             "--server", endpoint, "--source", bed.family.sources)
    received = bed.nstat()["TcpInSegs"] - before
    # Ours of the seven: SYN, ACK, FIN, ACK. Linux may answer our FIN by its own in one segment.
    assert received == 4000, f"Linux received {received} segments for 1,000 connections"


def linux_loads_us(bed):
    """kernel-load, which the benches compare us with, as our client."""
    server = bed.serve("--listen", f"echo:{PORT}")
    load = bed.start(bed.linux, bed.program("kernel-load"), "--mode", "request", "--server",
                     bed.family.at(bed.family.handfast, PORT), "--source", bed.family.linux,
                     "--concurrency", "8", "--seconds", "0.5")
    assert load.wait(30) == 0, load.output.read_text()
    report = json.loads(load.output.read_text())
    assert report["completed"] and not report["failed"], report
    assert bed.stop(server) == 0


def linux_loads_itself_from_a_range(bed):
    v6 = bed.family.bracketed
    own, sources = ("[::1]", "fd00::/112") if v6 else ("127.0.0.1", "127.1.0.0/16")
    if v6:
        bed.sysctl(bed.linux, "net.ipv6.conf.lo.disable_ipv6=0")
        bed.in_linux("ip", "-6", "route", "add", "local", sources, "dev", "lo")
    server = bed.start(bed.linux, bed.program("kernel-serve"), "--listen", f"{own}:{PORT}")
    bed.wait_for_output(server, "listening")
    load = bed.start(bed.linux, bed.program("kernel-load"), "--server", f"{own}:{PORT}",
                     "--source", sources, "--concurrency", "8", "--seconds", "0.5")
    assert load.wait(30) == 0, load.output.read_text()
    report = json.loads(load.output.read_text())
    assert report["completed"] and not report["failed"], report


main(connect, request, textbook_takes_seven_frames, linux_loads_us,
     linux_loads_itself_from_a_range)
