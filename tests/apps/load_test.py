"""Runs handfast-load on the embedded default, once in each of its ways, and checks its counters.

    load_test.py PATH/TO/handfast-load [unittest arguments]

No speed is asserted: a run of a few thousand connections may take as long as it likes.
"""

import hashlib
import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from collections import defaultdict
from pathlib import Path

PROGRAM = ""
SECONDS_MAX = 120
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True,
                          timeout=SECONDS_MAX, check=False)


def report_of(*arguments):
    """The JSON report of a run that has to go well, and its text."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "report.json"
        done = run(*arguments, "--json", str(file))
        if done.returncode != 0:
            raise AssertionError(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return json.loads(file.read_text()), done.stdout


def tcp_flows(file):
    """The flags of each flow's segments in their order, from a pcap file with nanoseconds."""
    data = Path(file).read_bytes()
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    assert magic == 0xA1B23C4D, hex(magic)
    assert link == 1, link
    flows, offset = defaultdict(list), 24
    while offset < len(data):
        _, _, size, _ = struct.unpack_from("<IIII", data, offset)
        frame, offset = data[offset + 16:offset + 16 + size], offset + 16 + size
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        tcp = 14 + 4 * (frame[14] & 15)
        ends = [(frame[26:30], frame[tcp:tcp + 2]), (frame[30:34], frame[tcp + 2:tcp + 4])]
        flows[tuple(sorted(ends))].append(frame[tcp + 13] & ~PSH)
    return flows


class Modes(unittest.TestCase):
    def check_closes(self, report, connections):
        """Everything that was opened ended orderly, at both ends, with its 2MSL kept."""
        client, server = report["client"], report["server"]
        for side in (client, server):
            self.assertEqual(side["established"], connections)
            self.assertEqual(side["completed"], connections)
            self.assertEqual(side["failed"], 0)
            self.assertEqual(side["time_wait"]["cut_short"], 0)
        self.assertEqual(client["attempted"], connections)
        self.assertEqual(client["counters"]["syn_sent"],
                         connections + client["counters"]["syn_retransmitted"])
        self.assertEqual(client["counters"]["time_wait_entered"], connections)
        self.assertEqual(sum(client["states"].values()), client["states"]["time_wait"])
        self.assertEqual(report["handshake"]["count"], connections)
        self.assertLessEqual(report["handshake"]["p50_ns"], report["handshake"]["max_ns"])
        self.assertGreater(report["handshake"]["p50_ns"], 0)
        self.assertTrue(report["books_agree"], report["disagreements"])

    def test_connect(self):
        report, text = report_of("connect", "--connections", "20000")
        self.check_closes(report, 20_000)
        self.assertGreaterEqual(report["frames_per_connection"], 5)
        self.assertLess(report["frames_per_connection"], 6)
        self.assertEqual(report["client"]["time_wait"]["still_being_kept"], 20_000)
        self.assertIn("books: agree", text)

    def test_over_ipv6_in_a_vlan(self):
        addresses = ["--server", "[2001:db8::1]:80", "--address", "2001:db8::2/64",
                     "--source", "2001:db8:18::/112", "--vlan", "7"]
        report, _ = report_of("connect", "--connections", "2000", *addresses)
        self.check_closes(report, 2_000)
        report, _ = report_of("stream", "--bytes", "1M", *addresses)
        self.assertEqual(report["server"]["counters"]["payload_bytes_received"], 1_000_000)

    def test_sleeping_workers_keep_a_rate(self):
        report, text = report_of("connect", "--connections", "500", "--rate", "1000",
                                 "--idle", "sleep")
        self.check_closes(report, 500)
        for side in ("client", "server"):
            self.assertGreater(report[side]["counters"]["sleeps"], 0)
            self.assertEqual(set(report["bottleneck"][side]), {
                "busy_share", "busy_ns", "idle_ns", "sleeps", "bursts_sent", "device_full",
                "device_full_share"})
        self.assertIn(report["bottleneck"]["limit"],
                      ("client", "server", "link", "peer or path", "rate"))
        self.assertIn("\nbottleneck  ", text)

    def test_the_stage_profile_is_there_when_built_in(self):
        report, text = report_of("connect", "--connections", "5000")
        stages = report["stages"]
        self.assertEqual(stages is not None, "\nstages " in text)
        if stages is None:
            return  # as in every build without the option
        for side in ("client", "server"):
            for stage in ("receive", "parse", "demux", "protocol", "callback", "emit", "transmit"):
                self.assertGreater(stages[side][stage]["cycles"], 0, f"{side} {stage}")

    def test_textbook_takes_seven_segments(self):
        report, _ = report_of("connect", "--connections", "5000", "--textbook")
        self.check_closes(report, 5_000)
        again = report["client"]["retransmissions"] + report["server"]["retransmissions"]
        if again == 0:
            self.assertEqual(report["frames_per_connection"], 7)

    def test_request(self):
        report, _ = report_of("request", "--connections", "5000", "--request-size", "5000",
                              "--response-size", "70k", "--concurrency", "50")
        self.check_closes(report, 5_000)
        self.assertEqual(report["client"]["responses"], 5_000)
        self.assertEqual(report["client"]["bytes_received"], 5_000 * 70_000)
        self.assertEqual(report["server"]["bytes_received"], 5_000 * 5_000)

    def test_requests_in_the_syn(self):
        for size in ("64", "5000"):
            report, text = report_of("request", "--connections", "5000", "--workers", "2",
                                     "--request-size", size, "--fast-open", "--seed", "1")
            self.check_closes(report, 5000)
            fast = report["fast_open"]
            # All but those that begin before a worker has its cookie: one alone, until it is open.
            self.assertEqual(fast["text_in_syn"], 4998)
            self.assertEqual(fast["acknowledged"], 4998)
            self.assertEqual(fast["accepted_by_server"], 4998)
            self.assertEqual(report["server"]["bytes_received"], 5000 * int(size))
            self.assertEqual(report["client"]["counters"]["handed_to_owner"], 0)
            self.assertEqual(report["server"]["counters"]["handed_to_owner"], 0)
            self.assertIn("requests taken with the SYN, of 4 998 sent so", text)

    def test_small_request_of_the_default_size(self):
        report, _ = report_of("request", "--connections", "5000")
        self.check_closes(report, 5_000)
        self.assertEqual(report["client"]["counters"]["payload_bytes_sent"], 5_000 * 64)

    def test_stream_both_ways(self):
        report, _ = report_of("stream", "--duration", "1s", "--direction", "both",
                              "--concurrency", "2")
        self.check_closes(report, 2)
        self.assertGreater(report["stream"]["bytes_sent"], 0)
        self.assertGreater(report["stream"]["bytes_received"], 0)
        for one, other in (("client", "server"), ("server", "client")):
            self.assertEqual(report[one]["counters"]["payload_bytes_sent"],
                             report[other]["bytes_received"])

    def test_streams_with_a_length_arrive_exact(self):
        block, word = bytearray(), 1
        for _ in range(65_537):
            word = (word * 1_664_525 + 1_013_904_223) % 2**32
            block.append(word >> 24)
        size = 20_000_000
        sent = (bytes(block) * (size // len(block) + 1))[:size]
        report, _ = report_of("stream", "--bytes", str(size), "--direction", "both",
                              "--concurrency", "2", "--congestion", "new_reno")
        self.check_closes(report, 2)
        self.assertEqual(len(report["transfers"]), 2)
        for transfer in report["transfers"]:
            self.assertEqual(transfer["bytes_sent"], size)
            self.assertEqual(transfer["bytes_received"], size)
            self.assertEqual(transfer["sha256"], hashlib.sha256(sent).hexdigest())
            told = transfer["tcp_info"]
            self.assertEqual(told["congestion_control"], "new_reno")
            self.assertEqual(told["delivered"], size)
            self.assertGreater(told["rtt_us"], 0)
            self.assertGreaterEqual(told["snd_cwnd"], 10 * told["snd_mss"])
        self.assertEqual(report["server"]["bytes_received"], 2 * size)

    def test_hold(self):
        report, _ = report_of("hold", "--connections", "2000", "--rate", "10k", "--duration", "1s")
        self.check_closes(report, 2_000)
        self.assertEqual(report["hold"]["connections"], 2_000)
        self.assertGreaterEqual(report["run_time_seconds"], 1.15)
        self.assertGreater(report["start_time_seconds"], 0)
        memory = report["memory"]
        self.assertEqual(memory["connection_ends"], 4_000)
        self.assertGreater(memory["bytes_per_connection_program"], 200)
        self.assertGreater(memory["after"]["resident_bytes"], 0)

    def check_exchanges(self, report, connections, request, response):
        """Every request that was sent has its answer, at both ends, byte for byte."""
        self.check_closes(report, connections)
        client, server = report["client"], report["server"]
        asked = client["responses"]
        self.assertEqual(server["responses"], asked)
        for sent, received, size in ((client, server, request), (server, client, response)):
            self.assertEqual(sent["bytes_sent"], asked * size)
            self.assertEqual(received["bytes_received"], asked * size)
        # Those of the first and the last moments are not measured.
        self.assertGreaterEqual(asked, report["latency"]["count"])
        self.assertGreater(report["latency"]["count"], 0)
        self.assertGreater(report["latency"]["p50_ns"], 0)
        self.assertAlmostEqual(report["requests_per_second"] * report["run_time_seconds"],
                               report["latency"]["count"], delta=1)
        self.assertGreaterEqual(report["run_time_seconds"], 0.5)

    def test_exchange(self):
        report, text = report_of("exchange", "--connections", "300", "--duration", "500ms")
        self.check_exchanges(report, 300, 64, 64)
        self.assertEqual(report["exchange"]["connections"], 300)
        self.assertGreaterEqual(report["client"]["responses"], 300)
        self.assertIn("round trip", text)

    def test_exchange_of_more_than_a_segment(self):
        report, _ = report_of("exchange", "--connections", "20", "--duration", "500ms",
                              "--request-size", "5000", "--response-size", "32767",
                              "--send-buffer-max", "4k")
        self.check_exchanges(report, 20, 5_000, 32_767)

    def test_exchange_takes_turns(self):
        report, _ = report_of("exchange", "--connections", "1000", "--duration", "500ms",
                              "--in-flight", "7", "--workers", "2")
        self.check_exchanges(report, 1_000, 64, 64)

    def test_held_beside_the_others(self):
        report, _ = report_of("request", "--connections", "2000", "--held", "1000", "--workers",
                              "2")
        client = report["client"]
        self.assertEqual(client["established"], 3_000)
        self.assertEqual(client["completed"], 3_000)
        self.assertEqual(client["responses"], 2_000)
        self.assertEqual(report["handshake"]["count"], 2_000)
        self.assertEqual(report["held"]["connections"], 1_000)
        self.assertAlmostEqual(report["connections_per_second"] * report["run_time_seconds"],
                               2_000, delta=1)
        self.assertTrue(report["books_agree"], report["disagreements"])

    def test_held_are_reset_when_all_are(self):
        report, _ = report_of("connect", "--connections", "500", "--held", "500", "--close", "rst")
        self.assertEqual(report["client"]["counters"]["closed_aborted"], 1_000)
        self.assertEqual(report["server"]["completed"], 1_000)

    def test_close_by_reset(self):
        report, _ = report_of("connect", "--connections", "3000", "--close", "rst")
        client, server = report["client"], report["server"]
        self.assertEqual(client["completed"], 3_000)
        self.assertEqual(server["completed"], 3_000)
        self.assertEqual(client["counters"]["closed_aborted"], 3_000)
        self.assertEqual(server["counters"]["closed_reset"], 3_000)
        self.assertEqual(client["states"]["time_wait"], 0)

    def test_two_workers_a_side(self):
        report, _ = report_of("connect", "--connections", "10000", "--workers", "2")
        self.check_closes(report, 10_000)

    def test_rate_is_not_exceeded(self):
        report, _ = report_of("connect", "--connections", "2000", "--rate", "2000")
        self.check_closes(report, 2_000)
        self.assertGreaterEqual(report["run_time_seconds"], 0.99)

    def test_it_waits_rather_than_cut_2msl_short(self):
        report, _ = report_of("connect", "--connections", "3000", "--max-time-wait", "1000",
                              "--msl", "200ms")
        self.check_closes(report, 3_000)
        self.assertGreater(report["client"]["waited_for_time_wait_ns"], 0)
        self.assertGreaterEqual(report["client"]["time_wait"]["kept"], 1_000)
        # Three lots of a thousand, and 2MSL between them.
        self.assertGreaterEqual(report["run_time_seconds"], 0.8)

    def test_interrupt_ends_in_order(self):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "report.json"
            process = subprocess.Popen(
                [PROGRAM, "connect", "--duration", "60s", "--rate", "5k", "--json", str(file)],
                stdout=subprocess.PIPE, text=True)
            process.stdout.readline()  # the heading: it runs
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=SECONDS_MAX)
            self.assertEqual(process.returncode, 0, text)
            report = json.loads(file.read_text())
        self.assertTrue(report["interrupted"])
        self.check_closes(report, report["client"]["attempted"])

    def test_interrupt_while_those_to_be_held_are_opened(self):
        process = subprocess.Popen(
            [PROGRAM, "connect", "--held", "10M", "--concurrency", "16"], stdout=subprocess.PIPE,
            text=True)
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=SECONDS_MAX)
        self.assertEqual(process.returncode, 0, text)
        self.assertIn("books: agree", text)


class Capture(unittest.TestCase):
    def flows(self, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            file = str(Path(directory) / "frames.pcap")
            report_of("connect", "--connections", "100", "--concurrency", "1", "--pcap", file,
                      *arguments)
            return tcp_flows(file)

    def test_default_shows_handshake_and_close(self):
        flows = self.flows()
        self.assertEqual(len(flows), 100)
        for flags in flows.values():
            self.assertEqual(flags[:2], [SYN, SYN | ACK])
            self.assertEqual([f for f in flags if f & FIN], [FIN | ACK, FIN | ACK])
            self.assertEqual(flags[-1], ACK)
            self.assertFalse(any(f & RST for f in flags))

    def test_textbook_shows_the_textbook(self):
        for flags in self.flows("--textbook").values():
            self.assertEqual(flags, [SYN, SYN | ACK, ACK, FIN | ACK, ACK, FIN | ACK, ACK])


class Refusals(unittest.TestCase):
    def refuses(self, part, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn(part, done.stderr)
        self.assertTrue(done.stderr.startswith("handfast-load: "), done.stderr)

    def test_bad_input_is_one_line_and_exit_code_2(self):
        self.refuses("unknown option '--fast'", "--fast")
        self.refuses("--server", "--server", "198.19.0:80")
        self.refuses("too small", "--rate", "1M", "--duration", "5m", "--source", "198.18.0.0/28")
        self.refuses("too large to exchange", "exchange", "--request-size", "1M")
        self.refuses("means nothing to stream", "stream", "--held", "5")
        self.refuses("cannot write", "--json", "/no/such/place/report.json")

    def test_a_port_that_does_not_exist(self):
        self.refuses("no_such_port", "--port", "no_such_port", "--server", "198.18.0.1:80",
                     "--address", "198.18.0.2/24")

    def test_too_few_huge_pages(self):
        memory = Path("/proc/meminfo").read_text()
        if not any(line.split()[:2] == ["HugePages_Total:", "0"] for line in memory.splitlines()):
            self.skipTest("this machine has huge pages set up")
        self.refuses("huge pages", "--huge-pages", "--connections", "1")

    def test_help_is_no_error(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--textbook", done.stdout)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
