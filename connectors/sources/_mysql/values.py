"""Values of MySQL that the driver returns as something else than what documents hold."""

import json
import struct
from datetime import date
from decimal import Decimal
from typing import Any

_PLACES = range(6, 9)
"""Digits of a number of 32 bits that may be enough; nine always are."""


def moment_of(value: object) -> date | None:
    """Return a date or a time; None for what is none, such as 0000-00-00, which the driver returns as a text."""
    return value if isinstance(value, date) else None


def bits_of(value: bytes) -> int:
    """Return the number that bits are."""
    return int.from_bytes(value, "big")


def json_of(text: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a text of JSON holds, its numbers exact; the text itself where it is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text


def shape_of(text: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a shape in GeoJSON. Every number of it has a point, as an engine takes no mixture in a list."""
    return json.loads(text, parse_int=float)


def members_of(text: str) -> list[str]:
    """Return the members of a set, which have no commas."""
    return text.split(",") if text else []


def single_of(value: float) -> float:
    """Return the number of the fewest digits that is this one in 32 bits: 1.1, and not 1.100000023841858."""
    for places in _PLACES:
        short = float(f"{value:.{places}g}")
        if _single(short) == value:
            return short
    return float(f"{value:.9g}")


def _single(value: float) -> float:
    try:
        found: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:  # rounded up beyond the largest
        return float("inf")
    return found
