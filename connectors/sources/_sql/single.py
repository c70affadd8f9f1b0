"""Numbers of 32 bits: what they are as numbers that people write."""

import struct

_PLACES = range(6, 9)
"""Digits of a number of 32 bits that may be enough; nine always are."""


def single_of(value: float) -> float:
    """Return the number of the fewest digits that is this one in 32 bits: 1.1, and not 1.100000023841858."""
    for places in _PLACES:
        short = float(f"{value:.{places}g}")
        if _single(short) == value:
            return short
    return float(f"{value:.9g}")


def _single(value: float) -> float:
    found: float = struct.unpack("f", struct.pack("f", value))[0]  # infinite where it is beyond 32 bits
    return found
