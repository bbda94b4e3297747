"""The rows of bench/marks: what each measures, its mark, and what it is compared with. A measuring
function takes a Bench and gives one round's figure."""

import dataclasses
import re
import statistics
import typing

from bench_runs import Failed, need_memory

MILLION = 1_000_000
MANY = 10 * MILLION  # open connections, of the rows named after them
RECORDS = 100 * MILLION  # in TIME-WAIT at once
SUSTAINED_SECONDS = 60
LONG_RUN_MAX = 150  # seconds after which a run that opens millions has failed
RECORD_BYTES = 40  # of TIME-WAIT, what memory is to be there for
CONNECTION_BYTES = 600  # the same, of an open connection and its peer's record each


@dataclasses.dataclass
class Row:
    name: str
    unit: str
    mark: float
    measure: typing.Callable
    kernel: typing.Callable | None = None
    bare: typing.Callable | None = None
    at_most: bool = False
    runs: float = 1  # of options.seconds, in a round
    fixed: float = 0  # seconds beside them

    def is_met(self, value):
        return value <= self.mark if self.at_most else value >= self.mark


def connections(mode, link, *more):
    """M connections/s."""
    def measure(bench, huge=True):
        serve = tuple(set(more) & {"--textbook"})  # what the server has to be told too
        report = bench.ours(link, mode, *more, *bench.duration(), huge=huge, serve=serve).report
        bench.frames["textbook" if "--textbook" in more else mode] = report["frames_per_connection"]
        return report["connections_per_second"] / MILLION
    return measure


def exchanges(count):
    """M requests/s on so many open connections."""
    def measure(bench, huge=True):
        return exchange_report(bench, count, huge)["requests_per_second"] / MILLION
    return measure


def exchange_report(bench, count, huge=True):
    bench.require("exchange")
    if count >= MILLION:
        need_memory(2 * count * CONNECTION_BYTES / 1e9)
    return bench.ours("memif", "exchange", "--connections", str(count), *bench.duration(),
                      huge=huge, serve=room_for(count), limit=LONG_RUN_MAX).report


def room_for(count):
    """Of handfast-serve, which takes the memory for it at its start."""
    return ("--max-connections", str(count + 65_536))


def round_trip(percentile):
    """Microseconds."""
    def measure(bench):
        return exchange_report(bench, 1)["latency"][f"{percentile}_ns"] / 1e3
    return measure


def handshake(percentile):
    """Microseconds, at 100 k connections a second."""
    def measure(bench):
        report = bench.ours("memif", "connect", "--rate", "100k", *bench.duration()).report
        return report["handshake"][f"{percentile}_ns"] / 1e3
    return measure


def streams(count):
    """Gbit/s of payload."""
    def measure(bench, huge=True):
        report = bench.ours("memif", "stream", "--concurrency", str(count), *bench.duration(),
                            huge=huge, service="discard").report
        sent = report["client"]["counters"]["payload_bytes_sent"]
        return sent * 8 / report["stream"]["time_seconds"] / 1e9
    return measure


def closed_each_second(output):
    """What handfast-load's progress lines said, connections/s; the first second, in which the link
    comes up, is left out."""
    heading, *lines = re.findall(r"^ +time .*|^ +[\d.]+ (?:ms|s|min) .*", output, re.MULTILINE)
    right = heading.index("closed/s") + len("closed/s")
    factors = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}
    rates = []
    for line in lines[1:]:
        number, factor = re.fullmatch(r"([\d.]+) ?([kMG]?)", line[right - 12:right].strip()).groups()
        rates.append(float(number) * factors[factor])
    return rates


def sustained(bench):
    """The last sixth of the run over the first; of a minute, ten seconds."""
    seconds = min(SUSTAINED_SECONDS, 20 * bench.seconds)
    peak = connections("request", "memif")(bench) * MILLION
    records = int(peak * seconds * 1.2) + MILLION
    need_memory(records * RECORD_BYTES / 1e9 + 1)
    outcome = bench.ours("memif", "request", "--max-time-wait", str(records),
                         *bench.duration(seconds), limit=LONG_RUN_MAX)
    kept = outcome.report["client"]["time_wait"]
    if kept["cut_short"]:
        bench.troubles.append(f"TIME-WAIT was cut short {kept['cut_short']} times")
    rates = closed_each_second(outcome.output)
    part = max(1, round(seconds / 6))
    if len(rates) < 2 * part:
        raise Failed(f"only {len(rates)} progress lines in {seconds:g} s")
    return statistics.mean(rates[-part:]) / statistics.mean(rates[:part])


def overload(bench):
    """What goes through when 150 % is offered, as a share of the peak."""
    peak = connections("request", "memif")(bench) * MILLION
    report = bench.ours("memif", "request", "--rate", str(int(1.5 * peak)), *bench.duration(),
                        serve=room_for(200_000)).report
    return report["connections_per_second"] / peak


HOLD_SECONDS = 3


def hold_run(bench):
    need_memory(2 * MANY * CONNECTION_BYTES / 1e9)
    return bench.ours("memif", "hold", "--connections", str(MANY), *bench.duration(HOLD_SECONDS),
                      serve=room_for(MANY), limit=LONG_RUN_MAX)


def hold_seconds(bench):
    return hold_run(bench).report["hold"]["open_time_seconds"]


def hold_bytes(bench):
    """A connection's, at the end that takes more, by what says more: the program or the kernel."""
    outcome = hold_run(bench)
    hold = outcome.report["hold"]
    # What comes before the start of the runtime, and may vary, takes some tenths of a second.
    opened = outcome.report["start_time_seconds"] + hold["open_time_seconds"]
    held = outcome.between(opened + 1, opened + HOLD_SECONDS - 0.5)
    if not all(held):
        raise Failed("nothing was seen of the time in which all were open")
    said_by_kernel = max(sample.bytes for of_one in held for sample in of_one)
    memory = outcome.report.get("memory")
    said_by_program = memory["bytes_per_connection_program"] if memory else 0
    return max(said_by_kernel / hold["connections"], said_by_program)


def connect_beside_many(bench):
    bench.require("--held")
    alone = connections("connect", "memif")(bench)
    need_memory(2 * MANY * CONNECTION_BYTES / 1e9)
    report = bench.ours("memif", "connect", "--held", str(MANY), *bench.duration(),
                        serve=room_for(MANY + 65_536), limit=LONG_RUN_MAX).report
    return report["connections_per_second"] / MILLION / alone


def time_wait_bytes(bench):
    """What a client's peak grows by with each record, its share of the table included."""
    small = bench.ours("memif", "connect", "--connections", "10000", "--max-time-wait", "65536")
    large = bench.ours("memif", "connect", "--connections", str(MANY), "--max-time-wait",
                       str(MANY + 65_536), *bench.duration(10 * bench.seconds),
                       limit=LONG_RUN_MAX)
    records = large.report["client"]["time_wait"]["still_being_kept"]
    return (large.peak_bytes - small.peak_bytes) / records


def time_wait_held(bench):
    """M records held at once when the run ends; opening goes on to its end."""
    need_memory(RECORDS * RECORD_BYTES / 1e9 + 1)
    limit = int(RECORDS * 1.02)
    report = bench.ours("memif", "connect", "--connections", str(limit), "--max-time-wait",
                        str(limit + MILLION), *bench.duration(20 * bench.seconds),
                        limit=LONG_RUN_MAX).report
    kept = report["client"]["time_wait"]
    if kept["cut_short"]:
        bench.troubles.append(f"TIME-WAIT was cut short {kept['cut_short']} times")
    return kept["still_being_kept"] / MILLION


def two_workers(bench):
    """Both times each CPU has a server's worker and a client's, so that only their number differs."""
    def rate(workers, cpus):
        return bench.ours("ring", "connect", "--workers", str(workers), *bench.duration(),
                          cpus=tuple(cpus)).report["connections_per_second"]
    if len(bench.cpus) < 2:
        raise Failed("needs two CPUs")
    return 2 * rate(1, bench.cpus[:1]) / rate(2, bench.cpus)


def small_pages(measure):
    return lambda bench: measure(bench, huge=False) / measure(bench, huge=True)


def idle_cpu(bench):
    """Per cent of a core, of the end that takes more, with 1000 connections open."""
    bench.require("--idle")
    outcome = bench.ours("memif", "hold", "--connections", "1000", "--idle", "sleep",
                         *bench.duration(bench.seconds + 2), serve=("--idle", "sleep"))
    opened = outcome.report["hold"]["open_time_seconds"]
    shares = []
    for of_one in outcome.between(opened + 1, opened + bench.seconds + 2):
        if len(of_one) < 2:
            raise Failed("nothing was seen of the time in which nothing happened")
        first, last = of_one[0], of_one[-1]
        shares.append((last.cpu_seconds - first.cpu_seconds) / (last.seconds - first.seconds))
    return 100 * max(shares)


def idle_handshake(bench):
    """Microseconds, at 1000 connections a second."""
    bench.require("--idle")
    report = bench.ours("memif", "connect", "--rate", "1k", "--idle", "sleep", *bench.duration(),
                        serve=("--idle", "sleep")).report
    return report["handshake"]["p99_ns"] / 1e3


def kernel_connections(mode):
    return lambda bench: bench.kernel(mode)["connections_per_second"] / MILLION


def kernel_exchanges(count):
    return lambda bench: bench.kernel("exchange", count)["requests_per_second"] / MILLION


def kernel_round_trip(percentile):
    return lambda bench: bench.kernel("exchange", 1)["round_trip"][f"{percentile}_ns"] / 1e3


def bare_rate(link, kind, in_flight=512):
    return lambda bench: bench.bare(link, kind, in_flight)["per_second"] / MILLION


def bare_round_trip(percentile):
    return lambda bench: bench.bare("memif", "exchange", 1)["round_trip"][f"{percentile}_ns"] / 1e3


def bare_open_loop_p99(bench):
    """Microseconds: what the machine keeps polling ends from their CPUs, but at least a round
    trip."""
    return max(bench.pauses()["p99_ns"] / 1e3, bare_round_trip("p99")(bench))


def bare_stream(bench):
    return bench.bare("memif", "stream")["payload_bits_per_second"] / 1e9


RATE = "M/s"
SHARE = "share"
IN_FLIGHT_MANY = 1024  # the most that bare-link takes, and a link of 2048 frames carries

# What is measured on small pages too. Figures of a round are shared, the order does not matter.
RATES = [
    Row("connect_memif", RATE, 4.0, connections("connect", "memif"),
        kernel_connections("connect"), bare_rate("memif", "connect"), runs=3),
    Row("connect_ring", RATE, 5.0, connections("connect", "ring"),
        kernel_connections("connect"), bare_rate("ring", "connect"), runs=2),
    Row("connect_textbook", RATE, 3.0, connections("connect", "memif", "--textbook"),
        kernel_connections("connect"), bare_rate("memif", "textbook"), runs=2),
    Row("request_memif", RATE, 3.5, connections("request", "memif"),
        kernel_connections("request"), bare_rate("memif", "request"), runs=3),
    Row("request_ring", RATE, 4.5, connections("request", "ring"),
        kernel_connections("request"), bare_rate("ring", "request"), runs=2),
    Row("exchange_256", RATE, 6.0, exchanges(256),
        kernel_exchanges(256), bare_rate("memif", "exchange", 256), runs=3),
    Row("exchange_10k", RATE, 5.0, exchanges(10_000),
        kernel_exchanges(10_000), bare_rate("memif", "exchange", IN_FLIGHT_MANY), runs=3),
    Row("exchange_1m", RATE, 2.5, exchanges(MILLION),
        None, bare_rate("memif", "exchange", IN_FLIGHT_MANY), fixed=4),
    Row("stream_1", "Gbit/s", 40, streams(1),
        lambda bench: bench.kernel_stream(1), bare_stream, runs=3),
    Row("stream_8", "Gbit/s", 40, streams(8),
        lambda bench: bench.kernel_stream(8), bare_stream, runs=2),
]

OTHERS = [
    Row("request_sustained", SHARE, 0.95, sustained, runs=0, fixed=SUSTAINED_SECONDS + 4),
    Row("overload", SHARE, 0.95, overload),
    Row("ping_pong_p50", "us", 1.0, round_trip("p50"), kernel_round_trip("p50"),
        bare_round_trip("p50"), at_most=True, runs=3),
    Row("ping_pong_p99", "us", 3.0, round_trip("p99"), kernel_round_trip("p99"),
        bare_round_trip("p99"), at_most=True, runs=0),
    Row("handshake_p50", "us", 5, handshake("p50"), None, bare_round_trip("p50"), at_most=True),
    Row("handshake_p99", "us", 50, handshake("p99"), None, bare_open_loop_p99, at_most=True,
        runs=1),
    Row("hold_10m_seconds", "s", 15, hold_seconds, at_most=True, runs=0, fixed=30),
    Row("hold_10m_bytes", "bytes", 256, hold_bytes, at_most=True, runs=0),
    Row("connect_beside_10m", SHARE, 0.6, connect_beside_many, fixed=25),
    Row("time_wait_bytes", "bytes", 40, time_wait_bytes, at_most=True, runs=0, fixed=9),
    Row("time_wait_100m", "M", 100, time_wait_held, runs=0, fixed=40),
    Row("two_workers", "ratio", 1.05, two_workers, at_most=True, runs=2),
    Row("idle_cpu_percent", "%", 3, idle_cpu, at_most=True, fixed=2),
    Row("idle_handshake_p99", "us", 1000, idle_handshake, at_most=True),
]

ROWS = {row.name: row for row in [
    *RATES, *OTHERS,
    *(Row(f"small_pages_{row.name}", SHARE, 0.5, small_pages(row.measure), fixed=row.fixed)
      for row in RATES)]}
