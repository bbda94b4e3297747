"""curl and wrk get pages from `handfast-serve --listen http:80`."""

import re

from testbed import main


def page_of(bed):
    return f"http://{bed.family.at(bed.family.handfast, 80)}/"


def curl_gets_pages(bed):
    url = page_of(bed)
    bed.serve("--listen", "http:80")
    first = bed.in_linux("curl", "-sS", "--fail", "--max-time", "10", url)
    assert first, "an empty page"
    # Two on one connection, then one on a connection that the request asks to close.
    said = bed.in_linux("curl", "-sS", "--fail", "--max-time", "10", "-o", "/dev/null",
                        "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", url, url)
    assert said.splitlines() == ["200 1", "200 0"], f"no keep-alive: {said!r}"
    closed = bed.in_linux("curl", "-sS", "--fail", "--max-time", "10", "-i",
                          "-H", "Connection: close", url)
    assert "connection: close" in closed.lower() and closed.endswith(first), closed


def wrk_gets_pages(bed):
    url = page_of(bed)
    server = bed.serve("--listen", "http:80")
    for header in ([], ["-H", "Connection: close"]):
        said = bed.in_linux("wrk", "-t1", "-c64", "-d2s", *header, url, timeout=60)
        requests = int(re.search(r"(\d+) requests in", said).group(1))
        assert requests > 100, said
        assert "Socket errors" not in said and "Non-2xx" not in said, said
        print(f"wrk {' '.join(header)}: {requests} requests")
    assert bed.stop(server) == 0, "handfast-serve did not end well on SIGINT"


main(curl_gets_pages, wrk_gets_pages)
