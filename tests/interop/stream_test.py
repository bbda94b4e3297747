"""A stream of 100 MB between a Linux program on epoll and ours, both ways, opened by either."""

import transfers
from testbed import main

SIZE = 100_000_000


def ours_to_linux(bed):
    transfers.linux_receives(bed, SIZE)


def linux_to_ours(bed):
    transfers.linux_sends(bed, SIZE)


def linux_dials_and_sends(bed):
    transfers.linux_dials_and_sends(bed, SIZE)


def linux_dials_and_receives(bed):
    transfers.linux_dials_and_receives(bed, SIZE)


main(ours_to_linux, linux_to_ours, linux_dials_and_sends, linux_dials_and_receives)
