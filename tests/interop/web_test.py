"""Large files with nginx and curl, and a thousand connections of wrk that stay open."""

import transfers
from testbed import main


def size(bed):
    """A gigabyte once; the other ways to attach show nothing more by its last 90 %."""
    whole = bed.kind == "af_packet" and not bed.family.bracketed
    return 1_000_000_000 if whole else 100_000_000


def nginx_serves_us(bed):
    transfers.nginx_serves_us(bed, size(bed))


def curl_downloads(bed):
    transfers.curl_downloads(bed, size(bed))


def curl_uploads(bed):
    transfers.curl_uploads(bed, size(bed))


def wrk_keeps_a_thousand_connections(bed):
    transfers.wrk_keeps_connections(bed, 1000, 4)


main(nginx_serves_us, curl_downloads, curl_uploads, wrk_keeps_a_thousand_connections)
