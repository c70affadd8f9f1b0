"""Time values: `30s`, `1m` and the like, as settings and requests give them."""

import re
from typing import Final

_TIME: Final = re.compile(r"(?P<count>\d+)(?P<unit>nanos|micros|ms|s|m|h|d)")
_MS: Final = {"nanos": 1e-6, "micros": 1e-3, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def time_ms(value: str) -> int:
    """Return the milliseconds of a time; -1 for `-1`. Raises ValueError."""
    if value in {"-1", "0"}:
        return int(value)
    match = _TIME.fullmatch(value)
    if match is None:
        raise ValueError(value)
    return int(int(match["count"]) * _MS[match["unit"]])
