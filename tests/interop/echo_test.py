"""A Linux client sends 100 MB to `echo` and gets the same bytes back; others beside it, too."""

import hashlib
import random
import socket
import threading
import time

from testbed import inside, main

PORT = 7
CHUNK = 1 << 20
MEGABYTES = 100


def send_all(connection, chunks, digest):
    for chunk in chunks:
        connection.sendall(chunk)
        digest.update(chunk)
    connection.shutdown(socket.SHUT_WR)


def echo(bed, megabytes, seed):
    """The bytes received, the digest sent and the digest received of one connection."""
    generator = random.Random(seed)
    chunks = (generator.randbytes(CHUNK) for _ in range(megabytes))
    with inside(bed.linux):
        connection = socket.create_connection((bed.family.handfast, PORT), timeout=60)
    sent, received, count = hashlib.sha256(), hashlib.sha256(), 0
    with connection:
        sender = threading.Thread(target=send_all, args=(connection, chunks, sent))
        sender.start()
        while data := connection.recv(CHUNK):
            received.update(data)
            count += len(data)
        sender.join()
    return count, sent.hexdigest(), received.hexdigest()


def the_same_bytes_come_back(bed):
    bed.serve("--listen", f"echo:{PORT}")
    before = bed.nstat()
    begin = time.monotonic()
    count, sent, received = echo(bed, MEGABYTES, seed=1)
    print(f"{count / 1e6 / (time.monotonic() - begin):.0f} MB/s each way")
    assert count == MEGABYTES * CHUNK, f"{count} bytes came back of {MEGABYTES * CHUNK}"
    assert sent == received, "other bytes came back"
    bed.check_counters(before)


def eight_at_once(bed):
    bed.serve("--listen", f"echo:{PORT}")
    results = []
    threads = [threading.Thread(target=lambda seed=seed: results.append(echo(bed, 4, seed)))
               for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8, "a connection failed"
    for count, sent, received in results:
        assert count == 4 * CHUNK and sent == received, "other bytes came back"


main(the_same_bytes_come_back, eight_at_once)
