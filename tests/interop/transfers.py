"""Transfers between Linux's programs and ours, each checked to the byte and by Linux's counters.

Each function takes a testbed and a size in bytes, and `expected`: counters of Linux's that may rise
all the same.
"""

import hashlib
import json
import re

import payload

STREAM, HTTP = 9000, 80
# handfast-serve's /bytes/N.
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-\n"
SECONDS_MAX = 150


def kernel_stream(bed, *arguments):
    return bed.start(bed.linux, bed.program("kernel-stream"), *arguments,
                     "--seconds", str(SECONDS_MAX))


def linux_record(process):
    """What a kernel-stream that has ended said of its stream."""
    assert process.wait(SECONDS_MAX + 10) == 0, process.output.read_text()
    record = json.loads(process.output.read_text().splitlines()[-1])
    assert record["finished"] and not record["error"], record
    return record


def check_whole(record, size, received="bytes"):
    assert record[received] == size, f"{record[received]} bytes of {size}"
    assert record["sha256"] == payload.sha256(size), "other bytes than were sent"


def load(bed, *arguments):
    report = bed.load(*arguments, seconds=SECONDS_MAX + 20)
    assert report["went_well"], report
    assert len(report["transfers"]) == 1, report["transfers"]
    return report


def transfer(report):
    return report["transfers"][0]


def linux_receives(bed, size, expected=(), options=()):
    """`options` are handfast-load's, of which the report is returned."""
    before = bed.nstat()
    endpoint = bed.family.at(bed.family.linux, STREAM)
    receiver = kernel_stream(bed, "receive", "--listen", endpoint)
    bed.wait_for_output(receiver, "listening")
    report = load(bed, "stream", "--server", endpoint, "--bytes", str(size), *options)
    assert transfer(report)["bytes_sent"] == size, report
    check_whole(linux_record(receiver), size)
    bed.check_counters(before, *expected)
    bed.stop_all()
    return report


def linux_sends(bed, size, expected=()):
    before = bed.nstat()
    endpoint = bed.family.at(bed.family.linux, STREAM)
    sender = kernel_stream(bed, "send", "--listen", endpoint, "--bytes", str(size))
    bed.wait_for_output(sender, "listening")
    received = transfer(load(bed, "stream", "--direction", "receive", "--server", endpoint,
                             "--bytes", str(size)))
    check_whole(received, size, "bytes_received")
    assert linux_record(sender)["bytes"] == size
    bed.check_counters(before, *expected)
    bed.stop_all()


def linux_dials_and_sends(bed, size, expected=()):
    before = bed.nstat()
    report = bed.folder / "serve.json"
    server = bed.serve("--listen", f"sink:{STREAM}", "--json", str(report))
    endpoint = bed.family.at(bed.family.handfast, STREAM)
    sender = kernel_stream(bed, "send", "--connect", endpoint, "--bytes", str(size))
    assert linux_record(sender)["bytes"] == size
    assert bed.stop(server) == 0, server.output.read_text()
    received = json.loads(report.read_text())["transfers"][0]
    assert received["ended"] == "finished", received
    check_whole(received, size, "bytes_received")
    bed.check_counters(before, *expected)
    bed.stop_all()


def linux_dials_and_receives(bed, size, expected=(), options=()):
    before = bed.nstat()
    server = bed.serve("--listen", f"source:{STREAM}", "--bytes", str(size), *options)
    endpoint = bed.family.at(bed.family.handfast, STREAM)
    check_whole(linux_record(kernel_stream(bed, "receive", "--connect", endpoint)), size)
    assert bed.stop(server) == 0, server.output.read_text()
    bed.check_counters(before, *expected)
    bed.stop_all()


NGINX_CONFIG = """
daemon off; master_process off; user root; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen {endpoint}; root {folder}; }}
}}
"""


def write_file(bed, size):
    file = bed.folder / "file"
    with file.open("wb") as out:
        for piece in payload.pieces(size):
            out.write(piece)
    return file


def nginx_serves_us(bed, size, expected=()):
    write_file(bed, size)
    endpoint = bed.family.at(bed.family.linux, HTTP)
    config = bed.folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(folder=bed.folder, endpoint=endpoint))
    before = bed.nstat()
    nginx = bed.start(bed.linux, "nginx", "-e", "stderr", "-p", str(bed.folder), "-c", str(config))
    bed.wait_for_listener(HTTP)
    page = transfer(load(bed, "fetch", "--server", endpoint, "--path", "/file"))
    check_whole(page, size, "bytes_received")
    bed.stop(nginx)
    bed.check_counters(before, *expected)
    bed.stop_all()


def curl(bed, *arguments):
    return bed.in_linux("curl", "-sS", "--fail", "--max-time", str(SECONDS_MAX), *arguments,
                        timeout=SECONDS_MAX + 10)


def curl_downloads(bed, size, expected=()):
    before = bed.nstat()
    server = bed.serve("--listen", f"http:{HTTP}")
    file = bed.folder / "downloaded"
    host = bed.family.at(bed.family.handfast, HTTP)
    curl(bed, "-o", str(file), f"http://{host}/bytes/{size}")
    digest, block = hashlib.sha256(), ALPHABET * 1024
    for _ in range(size // len(block)):
        digest.update(block)
    digest.update(block[:size % len(block)])
    with file.open("rb") as data:
        assert hashlib.file_digest(data, "sha256").hexdigest() == digest.hexdigest(), "other bytes"
    assert bed.stop(server) == 0, server.output.read_text()
    bed.check_counters(before, *expected)
    bed.stop_all()


def curl_uploads(bed, size, expected=()):
    file = write_file(bed, size)
    before = bed.nstat()
    server = bed.serve("--listen", f"http:{HTTP}")
    host = bed.family.at(bed.family.handfast, HTTP)
    said = curl(bed, "-T", str(file), f"http://{host}/file")
    assert said == f"{size} bytes, sha256 {payload.sha256(size)}\n", said
    assert bed.stop(server) == 0, server.output.read_text()
    bed.check_counters(before, *expected)
    bed.stop_all()


# wrk leaves while answers are on their way: Linux resets what nobody reads any more.
WRK_LEAVES = ("TcpOutRsts", "TcpExtTCPAbortOnData", "TcpExtTCPAbortOnClose", "TcpEstabResets")


def wrk_keeps_connections(bed, connections, seconds, expected=()):
    before = bed.nstat()
    server = bed.serve("--listen", f"http:{HTTP}")
    host = bed.family.at(bed.family.handfast, HTTP)
    said = bed.in_linux("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
                        f"http://{host}/", timeout=60)
    requests = int(re.search(r"(\d+) requests in", said).group(1))
    assert requests > connections, said
    assert "Socket errors" not in said and "Non-2xx" not in said, said
    opened = bed.nstat()["TcpActiveOpens"] - before["TcpActiveOpens"]
    # wrk has one more for a first look at the server.
    assert connections <= opened <= connections + 1, f"{opened} connections were opened"
    assert bed.stop(server) == 0, server.output.read_text()
    bed.check_counters(before, *WRK_LEAVES, *expected)
    print(f"wrk with {connections} connections: {requests} requests in {seconds} s")
    bed.stop_all()
