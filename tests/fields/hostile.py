"""Values that nobody means well with, and some that only look so."""

import math
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.secret import Secret

DIGITS = "9" * 5000


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


DEEP = nested(100_000)
HOSTILE = [
    10**5000,
    -(10**400),
    DIGITS,
    f"{DIGITS}.0",
    math.nan,
    math.inf,
    -0.0,
    1e308,
    b"bytes",
    bytearray(b"\xff"),
    DEEP,
    [10**5000],
    [DEEP],
    {"a": {"b": {}}},
    {"value": 1},
    ("a", ["b"]),
    {1, "a"},
    object(),
    Decimal("sNaN"),
    date(2024, 1, 2),
    "\0",
    "\ud800",
    "٣",
    Secret("hunter2"),
    True,
    None,
]
