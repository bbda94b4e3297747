"""Large segments that net_tap cuts up (--tso on): the same bytes, and sums that Linux finds right."""

import transfers
from testbed import main

SIZE = 50_000_000


def counters_of(bed, mode):
    """Ours, when SIZE bytes went to a Linux program with --tso MODE."""
    return transfers.linux_receives(bed, SIZE, options=("--tso", mode))["client"]["counters"]


def cut_by_the_port(bed):
    counters = counters_of(bed, "on")
    assert counters["large_sent"], "nothing was left to the port to be cut"
    # Some 44 segments in each, as soon as the window is large.
    assert counters["data_sent"] > 3 * counters["frames_sent"], counters


def cut_by_us(bed):
    for mode in ("off", "auto"):
        counters = counters_of(bed, mode)
        assert not counters["large_sent"], counters
        assert counters["frames_sent"] >= counters["data_sent"], counters


def large_answers(bed):
    """handfast-serve's side of it."""
    transfers.linux_dials_and_receives(bed, SIZE, options=("--tso", "on"))


def refused(bed):
    """Where a port cannot, or cannot for one of the families, the program says so and ends."""
    program = bed.start(bed.ours, bed.program("handfast-serve"), *bed.port_options(),
                        "--listen", "echo:7", "--tso", "on", *bed.eal_options())
    assert program.wait(20) == 2, program.returncode
    said = program.output.read_text()
    assert "cannot cut segments (TSO)" in said, said
    bed.serve("--listen", "echo:7", "--tso", "auto")


main(cut_by_the_port, cut_by_us, large_answers, refused)
