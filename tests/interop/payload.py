"""The bytes of streams, as apps/stream/payload.hpp makes them, and the hash of any first part."""

import hashlib

PERIOD = 65_537


def _make_block():
    word, block = 1, bytearray()
    for _ in range(PERIOD):
        word = (word * 1_664_525 + 1_013_904_223) % 2**32
        block.append(word >> 24)
    return bytes(block)


BLOCK = _make_block()
_known = {}


def pieces(size):
    """The first `size` bytes, block by block."""
    for _ in range(size // PERIOD):
        yield BLOCK
    yield BLOCK[:size % PERIOD]


def sha256(size):
    if size not in _known:
        digest = hashlib.sha256()
        for piece in pieces(size):
            digest.update(piece)
        _known[size] = digest.hexdigest()
    return _known[size]
