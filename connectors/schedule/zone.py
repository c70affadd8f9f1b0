"""Zones: how far the clocks of a time zone are from UTC, and when they are turned."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from connectors.errors import ConfigurationError
from connectors.wording import shown

Zone = ZoneInfo | timezone
CALM: Final = timedelta(days=2)
"""Clocks are turned at most once in so long: since 1970 never twice within six days, and never by more than one day."""
_SECOND: Final = timedelta(seconds=1)


def zone_of(name: object) -> Zone:
    """Return the time zone with a name such as Europe/Berlin. Raises a `ConfigurationError` where there is none."""
    if name == "UTC":
        return UTC
    try:
        if isinstance(name, str):
            return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        pass  # a name that is none, a folder of zones, one that is not known: the same to whoever wrote it
    hint = "It is named as in the IANA database, such as UTC, Europe/Berlin or America/New_York."
    raise ConfigurationError(f"There is no time zone {shown(name)}.", field="timezone", hint=hint)


def offset_at(instant: datetime, zone: Zone) -> timedelta:
    """Return how far local time is ahead of UTC."""
    return instant.astimezone(zone).utcoffset() or timedelta()


def turned_between(start: datetime, end: datetime, zone: Zone) -> datetime:
    """Return the instant at which clocks are turned, where the two have different offsets and are not far apart."""
    before = offset_at(start, zone)
    early, late = 0, (end - start) // _SECOND
    while late - early > 1:
        middle = (early + late) // 2
        if offset_at(start + middle * _SECOND, zone) == before:
            early = middle
        else:
            late = middle
    return start + late * _SECOND
