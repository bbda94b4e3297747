"""handfast-load opens and closes 100,000 connections to a Linux server, and Linux's books agree."""

from testbed import LINUX, SOURCES, eventually, main

PORT = 8000
CONNECTIONS = 100_000
# What would tell of a segment that Linux did not like.
ZERO = ("TcpAttemptFails", "TcpEstabResets", "TcpInErrs", "TcpInCsumErrors", "TcpOutRsts",
        "IpInHdrErrors", "IpInAddrErrors", "TcpExtListenOverflows", "TcpExtListenDrops",
        "TcpExtTCPAbortOnTimeout", "TcpExtTCPAbortOnData", "TcpExtPAWSEstab",
        "TcpExtTCPTimeWaitOverflow", "TcpExtTCPReqQFullDrop", "TcpExtEmbryonicRsts")


def run_load(bed, mode, connections):
    server = bed.start(bed.linux, bed.program("kernel-serve"), "--listen", f"{LINUX}:{PORT}")
    bed.wait_for_output(server, "listening")
    before = bed.nstat()
    report = bed.load(mode, "--connections", str(connections), "--concurrency", "256",
                      "--server", f"{LINUX}:{PORT}", "--source", SOURCES)
    client = report["client"]
    assert client["attempted"] == client["established"] == connections, client
    assert client["completed"] == connections and client["failed"] == 0, client
    assert report["books_agree"], report["disagreements"]
    assert eventually(lambda: not bed.sockets(PORT)), \
        f"Linux still has sockets, though Handfast closed first: {bed.sockets(PORT)[:3]}"
    after = bed.nstat()
    gained = {name: after[name] - before.get(name, 0) for name in after}
    assert gained["TcpPassiveOpens"] == connections, gained["TcpPassiveOpens"]
    wrong = {name: gained[name] for name in ZERO if gained.get(name, 0) != 0}
    assert not wrong, f"Linux counted {wrong}"
    print(f"{mode}: {connections} connections, Linux retransmitted {gained['TcpRetransSegs']}")


def connect(bed):
    run_load(bed, "connect", CONNECTIONS)


def request(bed):
    run_load(bed, "request", CONNECTIONS // 10)


def textbook_takes_seven_frames(bed):
    server = bed.start(bed.linux, bed.program("kernel-serve"), "--listen", f"{LINUX}:{PORT}")
    bed.wait_for_output(server, "listening")
    before = bed.nstat()["TcpInSegs"]
    bed.load("connect", "--textbook", "--connections", "1000", "--concurrency", "1",
             "--server", f"{LINUX}:{PORT}", "--source", SOURCES)
    received = bed.nstat()["TcpInSegs"] - before
    # Ours of the seven: SYN, ACK, FIN, ACK. Linux may answer our FIN by its own in one segment.
    assert received == 4000, f"Linux received {received} segments for 1,000 connections"


main(connect, request, textbook_takes_seven_frames)
