"""The same transfers through a network that loses, doubles, reorders and corrupts frames."""

import transfers
from testbed import main
from wired import WiredTestbed

LINE = ("--delay", "2ms", "--rate", "1G", "--queue", "1M", "--seed", "7")
SIZE = 2_000_000
# What Linux counts of itself in such weather, against any peer. A SYN-ACK that comes twice, or
# again because the third segment was lost, is challenged.
LOST = ("TcpInErrs", "TcpExtTCPChallengeACK", "TcpExtTCPSYNChallenge")
# What was overtaken has an older timestamp than PAWS has seen; what comes when its connection is
# gone is reset.
DISORDERED = (*LOST, "TcpExtPAWSEstab", "TcpOutRsts")
# A flipped bit is found by a checksum, of whichever header it is in; an address that is not ours
# any more, by the address.
CORRUPTED = (*LOST, "TcpInCsumErrors", "IpInHdrErrors", "IpInAddrErrors", "Ip6InHdrErrors",
             "Ip6InAddrErrors")


def weather(*options):
    return lambda _kind, build, family: WiredTestbed(build, [*LINE, *options], family=family)


def streams(bed, expected):
    transfers.linux_receives(bed, SIZE, expected)
    transfers.linux_sends(bed, SIZE, expected)
    transfers.linux_dials_and_sends(bed, SIZE, expected)
    transfers.linux_dials_and_receives(bed, SIZE, expected)


def files(bed, expected):
    transfers.nginx_serves_us(bed, SIZE, expected)
    transfers.curl_downloads(bed, SIZE, expected)
    transfers.curl_uploads(bed, SIZE, expected)


def with_loss(bed):
    streams(bed, LOST)
    files(bed, LOST)
    transfers.wrk_keeps_connections(bed, 1000, 4, LOST)
    assert bed.wire_counters()["a_to_b"]["dropped_loss"], "nothing was lost"


def with_disorder(bed):
    streams(bed, DISORDERED)
    files(bed, DISORDERED)
    counters = bed.wire_counters()["a_to_b"]
    assert counters["duplicated"] and counters["reordered"], counters


def with_corruption(bed):
    streams(bed, CORRUPTED)
    files(bed, CORRUPTED)
    counters = bed.wire_counters()
    assert counters["a_to_b"]["corrupted"] and counters["b_to_a"]["corrupted"], counters


main(with_loss, make=weather("--loss", "1%"))
main(with_disorder, make=weather("--loss", "0.5%", "--duplicate", "1%", "--reorder", "1%"))
main(with_corruption, make=weather("--corrupt", "1%"))
