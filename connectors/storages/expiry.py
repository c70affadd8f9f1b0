"""The instant at which a value expires, as a number: whole microseconds since 1970."""

from datetime import UTC, datetime, timedelta
from typing import Final

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def number_of(instant: datetime) -> int:
    """Return an instant as a number, exactly."""
    return (instant - _BEGINNING) // _MICROSECOND


def instant_of(number: int) -> datetime:
    """Return the instant that a number stands for."""
    return _BEGINNING + number * _MICROSECOND
