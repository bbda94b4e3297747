"""Short runs of handfast-load, embedded, whose counters are checked one against the other.

    check_books.py CASE BUILD_DIRECTORY

The program compares its own books already; this reads its JSON as anybody else would and holds
the counts to what the protocol says they must be.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77
CONNECTIONS = 200_000


def run_load(build, *arguments):
    """The report of one run that must end well."""
    program = Path(build) / "apps" / "handfast-load"
    with tempfile.TemporaryDirectory(prefix="handfast-load-") as folder:
        file = Path(folder) / "report.json"
        result = subprocess.run([program, *arguments, "--json", file], check=False, text=True,
                                capture_output=True, stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            sys.exit(f"exit code {result.returncode}\n{result.stdout}{result.stderr}")
        return json.loads(file.read_text())


def expect(**pairs):
    """Each value is (what was found, what it must be)."""
    wrong = [f"{name}: {found}, must be {wanted}" for name, (found, wanted) in pairs.items()
             if found != wanted]
    if wrong:
        sys.exit("\n".join(wrong))


def check_opened_and_closed(report, count):
    client, server = report["client"], report["server"]
    expect(
        went_well=(report["went_well"], True),
        books_agree=(report["books_agree"], True),
        attempted=(client["attempted"], count),
        established=(client["established"], count),
        completed=(client["completed"], count),
        failed=(client["failed"], 0),
        accepted=(server["counters"]["established_passive"], count),
        server_failed=(server["failed"], 0),
        client_closed_short=(client["time_wait"]["cut_short"], 0),
        client_open=(sum(client["states"].values()) - client["states"]["time_wait"], 0),
    )
    for name in ("drop_ip_checksum", "drop_tcp_checksum", "drop_tcp_header", "paws_rejected"):
        expect(**{name: (client["counters"][name] + server["counters"][name], 0)})


def check_orderly(report, count):
    """One SYN, SYN-ACK and FIN each beside what was sent again; each close in TIME-WAIT once."""
    client, server = report["client"]["counters"], report["server"]["counters"]
    kept = report["client"]["time_wait"]
    expect(
        syn=(client["syn_sent"], count + client["syn_retransmitted"]),
        syn_ack=(server["syn_ack_sent"], count + server["syn_ack_retransmitted"]),
        resets=(client["rst_sent"] + server["rst_sent"], 0),
        finished=(client["closed_finished"], count),
        server_finished=(server["closed_finished"], count),
        time_wait=(client["time_wait_entered"], count),
        time_wait_kept=(kept["kept"] + kept["still_being_kept"] + kept["reused"], count),
        server_time_wait=(server["time_wait_entered"], 0),
    )
    if client["fin_retransmitted"] == 0:
        expect(fin=(client["fin_sent"], count))


def connect(build):
    report = run_load(build, "connect", "--connections", str(CONNECTIONS))
    check_opened_and_closed(report, CONNECTIONS)
    check_orderly(report, CONNECTIONS)
    if not 5 <= report["frames_per_connection"] < 8:
        sys.exit(f"{report['frames_per_connection']} frames a connection")


def textbook(build):
    report = run_load(build, "connect", "--textbook", "--connections", "20000")
    check_opened_and_closed(report, 20_000)
    check_orderly(report, 20_000)
    expect(frames=(report["frames_per_connection"], 7))


def request(build):
    report = run_load(build, "request", "--connections", "100000")
    check_opened_and_closed(report, 100_000)
    check_orderly(report, 100_000)
    expect(sent=(report["client"]["bytes_sent"], 6_400_000),
           received=(report["client"]["bytes_received"], 6_400_000))


def reset(build):
    report = run_load(build, "connect", "--close", "rst", "--connections", "50000")
    check_opened_and_closed(report, 50_000)
    client = report["client"]["counters"]
    expect(resets=(client["rst_sent"], 50_000), time_wait=(client["time_wait_entered"], 0))


def two_workers(build):
    report = run_load(build, "connect", "--workers", "2", "--connections", "50000")
    check_opened_and_closed(report, 50_000)
    check_orderly(report, 50_000)


def time_wait_ends(build):
    """With a short MSL most records have lasted their full 2MSL when the run ends."""
    report = run_load(build, "connect", "--msl", "200ms", "--rate", "20000", "--duration", "2s")
    client = report["client"]
    check_opened_and_closed(report, client["attempted"])
    check_orderly(report, client["attempted"])
    if client["time_wait"]["kept"] < client["attempted"] // 2:
        sys.exit(f"of {client['attempted']} closes only {client['time_wait']['kept']} TIME-WAITs "
                 "lasted 2MSL, five times as long ago")


def hold(build):
    report = run_load(build, "hold", "--connections", "20000", "--duration", "1s")
    check_opened_and_closed(report, 20_000)
    expect(held=(report["hold"]["connections"], 20_000))


def exchange(build):
    report = run_load(build, "exchange", "--connections", "20000", "--duration", "1s")
    check_opened_and_closed(report, 20_000)
    check_orderly(report, 20_000)
    client, server = report["client"], report["server"]
    requests = client["responses"]
    expect(answered=(server["responses"], requests),
           asked_bytes=(client["bytes_sent"], 64 * requests),
           there=(server["bytes_received"], 64 * requests),
           answered_bytes=(server["bytes_sent"], 64 * requests),
           back=(client["bytes_received"], 64 * requests),
           on_the_wire=(client["counters"]["payload_bytes_sent"] >= 64 * requests, True),
           measured=(0 < report["latency"]["count"] <= requests, True))


def held(build):
    report = run_load(build, "connect", "--connections", "50000", "--held", "20000")
    check_opened_and_closed(report, 70_000)
    check_orderly(report, 70_000)
    expect(held=(report["held"]["connections"], 20_000),
           measured=(report["handshake"]["count"], 50_000))


def stream(build):
    report = run_load(build, "stream", "--direction", "both", "--duration", "1s")
    client, server = report["client"]["counters"], report["server"]["counters"]
    expect(went_well=(report["went_well"], True),
           there=(client["payload_bytes_sent"], server["payload_bytes_received"]),
           back=(server["payload_bytes_sent"], client["payload_bytes_received"]))
    if client["payload_bytes_sent"] < 1_000_000:
        sys.exit(f"only {client['payload_bytes_sent']} bytes in a second")


def capture(build):
    """What crosses the ring can be read by tcpdump, which finds every checksum right."""
    if shutil.which("tcpdump") is None:
        print("skipped: tcpdump is not installed; scripts/setup installs it")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="handfast-load-") as folder:
        # tcpdump gives up root before it reads; let it.
        os.chmod(folder, 0o755)
        file = f"{folder}/frames.pcap"
        run_load(build, "connect", "--textbook", "--connections", "50", "--pcap", file)
        said = subprocess.run(["tcpdump", "-nnvr", file, "tcp"], check=True, text=True,
                              capture_output=True).stdout
    flags = re.findall(r"Flags \[(.*?)\]", said)
    # The capture sees each of the ring's two ends.
    ends = 2 if flags.count("S") == 100 else 1
    expect(syn=(flags.count("S"), 50 * ends), syn_ack=(flags.count("S."), 50 * ends),
           fin=(flags.count("F."), 100 * ends), all=(len(flags), 350 * ends),
           bad_checksums=(said.count("incorrect") + said.count("bad cksum"), 0))


CASES = {case.__name__: case for case in (connect, textbook, request, reset, two_workers,
                                          time_wait_ends, hold, exchange, held,
                                          stream, capture)}

if __name__ == "__main__":
    CASES[sys.argv[1]](sys.argv[2])
