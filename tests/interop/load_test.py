"""handfast-load opens and closes 100,000 connections to a Linux server, and Linux's books agree."""

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


main(connect, request, textbook_takes_seven_frames)
