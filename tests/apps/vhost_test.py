"""Two processes over vhost-user, where the sender's port leaves large segments uncut to the receiver's.

    vhost_test.py BUILD_DIRECTORY

Needs neither root nor huge pages. The same bytes arrive, whether segments are large (--tso on) or not.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
import payload  # noqa: E402

SIZE = 20_000_000
SECONDS_MAX = 60
SERVER = "198.18.0.1"
SKIPPED = 77


def serve(build, folder):
    program = subprocess.Popen(
        [build / "apps" / "handfast-serve", "--listen", "sink:9000", "--port", "net_vhost0",
         "--address", f"{SERVER}/24", "--json", folder / "serve.json",
         "--", f"--vdev=net_vhost0,iface={folder}/vhost.sock,queues=1,tso=1"],
        stdout=(folder / "serve.log").open("w"), stderr=subprocess.STDOUT)
    deadline = time.monotonic() + SECONDS_MAX
    while "listening" not in (folder / "serve.log").read_text():
        if program.poll() is not None or time.monotonic() > deadline:
            print((folder / "serve.log").read_text())
            sys.exit(SKIPPED)  # this DPDK has no vhost, or may not make its socket
        time.sleep(0.02)
    return program


def stream(build, folder, mode):
    """What each end said of SIZE bytes that were sent with --tso MODE."""
    server = serve(build, folder)
    try:
        done = subprocess.run(
            [build / "apps" / "handfast-load", "stream", "--bytes", str(SIZE), "--tso", mode,
             "--server", f"{SERVER}:9000", "--port", "net_virtio_user0", "--address",
             "198.18.0.2/24", "--json", folder / "load.json",
             "--", f"--vdev=net_virtio_user0,path={folder}/vhost.sock,queues=1"],
            capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(SECONDS_MAX)
    assert done.returncode == 0, done.stdout + done.stderr
    read = [json.loads((folder / name).read_text()) for name in ("load.json", "serve.json")]
    return read[0]["client"]["counters"], read[1]


def check(build, mode):
    with tempfile.TemporaryDirectory(prefix="handfast-vhost-") as folder:
        sent, received = stream(build, Path(folder), mode)
    transfer = received["transfers"][0]
    assert transfer["bytes_received"] == SIZE, transfer
    assert transfer["sha256"] == payload.sha256(SIZE), "other bytes than were sent"
    assert bool(sent["large_sent"]) == (mode != "off"), sent
    drops = {name: count for name, count in received["counters"].items()
             if name.startswith("drop_") and count}
    assert not drops, drops
    # A large frame that is lost is as many segments sent again.
    assert sent["data_retransmitted"] < sent["data_sent"] / 10, sent


for tso in ("off", "on", "auto"):
    check(Path(sys.argv[1]), tso)
    print(f"--tso {tso}: the same bytes")
