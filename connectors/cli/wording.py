"""Wording: numbers, sizes and times as a person reads them."""

from datetime import datetime, timedelta
from typing import Final

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")


def counted(number: int, noun: str, several: str | None = None) -> str:
    """Return how many there are of something: `1 document`, `3,000 documents`."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"


def in_bytes(size: float) -> str:
    """Return a size in the unit that makes it short, each 1,024 of the one before."""
    for unit in _UNITS[:-1]:
        if size < 1_024:
            return f"{size:.1f} {unit}" if unit != _UNITS[0] else f"{size:.0f} {unit}"
        size /= 1_024
    return f"{size:,.1f} {_UNITS[-1]}"


def in_time(seconds: float) -> str:
    """Return how long something takes: `4.2 s`, `3:07`, `2:00:05`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def in_short(span: timedelta) -> str:
    """Return about how long something takes or is ago, in one unit: `40 s`, `5 min`, `3 h`, `12 days`."""
    seconds = max(span.total_seconds(), 0)
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds < 59.5 else "1 min"
    for size, most, unit in ((60, 90, "min"), (3_600, 48, "h")):
        if round(seconds / size) < most:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds / 86_400)} days"


def as_moment(moment: datetime | str) -> str:
    """Return a moment to the minute; a text is one in ISO 8601."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{found:%Y-%m-%d %H:%M} UTC"


def value_text(value: object) -> str:
    """Return the value of a setting as a person reads it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{name}: {one}" for name, one in value.items())
    return str(value)
