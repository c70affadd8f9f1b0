"""Patterns of dates as Java writes them (`yyyy-MM-dd HH:mm`), read and printed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from connectors.engine.embedded.mapping.calendar_days import DAY_MS, date_of, days_in_month, days_since_epoch
from connectors.engine.embedded.refusal import not_implemented

ZONE: Final = "\x01"
"""In a pattern of ours: any offset or the name of a zone."""
FRACTION: Final = "\x02"
"""In a pattern of ours: a fraction of a second, if there is one."""

_MONTHS: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905
_LETTERS: Final = frozenset("GuyDMLQqYwWdEecFaBhKkHmsSAnNVvzOXxZp")
_OFFSET: Final = re.compile(r"([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?", re.ASCII)
_TOKEN: Final = re.compile(r"'(?:[^']|'')*'|([A-Za-z\x01\x02])\1*|.", re.DOTALL)
_ZONE_TEXT: Final = r"(?P<zone>Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?|[A-Za-z][A-Za-z0-9/._~+-]+)"


class BadDate(ValueError):
    """Raised when a text is no date of this pattern."""


@dataclass(frozen=True)
class Moment:
    """What a text says: a date as far as it goes, or a time in milliseconds."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    hour: int | None = None
    minute: int | None = None
    second: int | None = None
    fraction_ms: int | None = None
    zone: str | None = None

    def milliseconds(self, *, round_up: bool, time_zone: str | None = None) -> int:
        """Return it as milliseconds since the epoch; of the time, what is not said is the first or the last."""
        # As Elasticsearch has it: a year with a time and no month is forgotten, and rounding up does not touch the day.
        forgotten = self.month is None and self.hour is not None and not round_up
        year = 1970 if self.year is None or forgotten else self.year
        month = 1 if self.month is None else self.month
        day = 1 if self.day is None else self.day
        if not 1 <= month <= 12 or not 1 <= day <= days_in_month(year, month):
            raise BadDate
        hour, minute, second, fraction = self.hour, self.minute, self.second, self.fraction_ms
        if hour is None:
            hour = 23 if round_up else 0
        if minute is None:
            minute = 59 if round_up else 0
        if second is None:
            second = 59 if round_up else 0
        if fraction is None:
            fraction = 999 if round_up else 0
        if hour > 23 or minute > 59 or second > 59:
            raise BadDate
        at = (
            days_since_epoch(year, month, day) * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1_000 + fraction
        )
        zone = self.zone or time_zone
        return at if zone is None or zone == "Z" else at - offset_ms(zone, at)


def offset_ms(zone: str, local_ms: int) -> int:
    """Return how far a zone is ahead of UTC at a local time; raises BadDate if there is no such zone."""
    name = zone
    for prefix in ("UTC", "GMT", "UT"):
        if zone.startswith(prefix):
            name = zone[len(prefix) :] or "Z"
            break
    if name == "Z":
        return 0
    if name[0] in "+-":
        return _fixed_offset_ms(name, short=name is not zone)
    try:
        known = ZoneInfo(zone)
        # A year that a datetime can have, in which the zone has its rules of today.
        local = datetime(1970, 1, 1) + timedelta(milliseconds=local_ms)  # noqa: DTZ001
    except (OSError, ValueError, OverflowError, KeyError):
        raise BadDate from None
    ahead = local.replace(tzinfo=known).utcoffset() or timedelta()
    return round(ahead.total_seconds() * 1_000)


def _fixed_offset_ms(text: str, *, short: bool) -> int:
    if short and len(text) == 2:
        text = f"{text[0]}0{text[1]}"
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise BadDate
    sign, hours, minutes, seconds = found.groups()
    ahead = int(hours) * 3_600 + int(minutes or 0) * 60 + int(seconds or 0)
    if ahead > 18 * 3_600 or int(minutes or 0) > 59 or int(seconds or 0) > 59:
        raise BadDate
    return (-ahead if sign == "-" else ahead) * 1_000


@dataclass(frozen=True)
class Pattern:
    """A pattern that was compiled."""

    regex: re.Pattern[str]
    printers: tuple[Callable[["Printed"], str], ...]

    def read(self, text: str) -> Moment:
        """Return what a text says; raises BadDate."""
        found = self.regex.fullmatch(text)
        if found is None:
            raise BadDate
        return moment_of(found.groupdict())

    def show(self, at_ms: int) -> str:
        """Return a time, written in UTC."""
        printed = Printed(at_ms)
        return "".join([printer(printed) for printer in self.printers])


class Printed:
    """The parts of a time, to be printed."""

    def __init__(self, at_ms: int) -> None:
        days, of_day = divmod(at_ms, DAY_MS)
        self.year, self.month, self.day = date_of(days)
        self.weekday = (days + 3) % 7
        of_day, self.ms = divmod(of_day, 1_000)
        of_day, self.second = divmod(of_day, 60)
        self.hour, self.minute = divmod(of_day, 60)


def year_text(year: int, digits: int = 4) -> str:
    """Return a year as Java writes it."""
    sign = "-" if year < 0 else "+" if year > 10**digits - 1 and digits > 1 else ""
    return f"{sign}{abs(year):0{digits}d}"


def iso_text(at_ms: int) -> str:
    """Return a time as `strict_date_optional_time` writes it."""
    at = Printed(at_ms)
    return (
        f"{year_text(at.year)}-{at.month:02d}-{at.day:02d}T{at.hour:02d}:{at.minute:02d}:{at.second:02d}.{at.ms:03d}Z"
    )


def fraction_ms(digits: str) -> int:
    """Return the whole milliseconds of the digits after the point."""
    return int(digits[:3].ljust(3, "0"))


def moment_of(parts: Mapping[str, str | None]) -> Moment:
    """Return what the groups of a match say."""
    numbers: dict[str, int] = {}
    zone: str | None = None
    for name, text in parts.items():
        if text is None:
            continue
        if name == "zone":
            zone = text
        elif name == "fraction_ms":
            numbers[name] = fraction_ms(text)
        elif name == "short_year":
            numbers["year"] = 2000 + int(text)
        elif name == "month_name":
            numbers["month"] = [month[: len(text)] for month in _MONTHS].index(text) + 1
        elif name == "half":
            numbers["hour"] = numbers["half_hour"] % 12 + (12 if text == "PM" else 0)
        elif name != "weekday":
            numbers[name] = int(text)
    half_hour = numbers.pop("half_hour", None)
    if half_hour is not None and not 1 <= half_hour <= 12:
        raise BadDate
    return Moment(**numbers, zone=zone)


def compile_pattern(text: str) -> Pattern:
    """Compile a pattern; raises ValueError with what is wrong, and Refusal for letters that are not implemented."""
    regex = ""
    printers: list[Callable[[Printed], str]] = []
    for token in [found.group() for found in _TOKEN.finditer(text)]:
        letter = token[0]
        if letter == "'" or not (letter.isascii() and (letter.isalpha() or letter in (ZONE, FRACTION))):
            literal = token[1:-1].replace("''", "'") or "'" if letter == "'" else token
            regex += re.escape(literal)
            printers.append(lambda _, literal=literal: literal)  # type: ignore[misc]
            continue
        if letter not in _LETTERS and letter not in (ZONE, FRACTION):
            raise ValueError(f"Invalid format: [{text}]: Unknown pattern letter: {letter}")
        part = _part(letter, len(token))
        if part is None:
            raise not_implemented(f"the letters [{token}] in the date format [{text}]")
        regex += part[0]
        printers.append(part[1])
    try:
        return Pattern(re.compile(regex, re.ASCII), tuple(printers))
    except re.error:
        raise not_implemented(f"the date format [{text}]") from None


def _number(name: str, count: int, attribute: str) -> tuple[str, Callable[[Printed], str]] | None:
    if count > 2:
        return None
    digits = r"\d\d" if count == 2 else r"\d{1,2}"
    return rf"(?P<{name}>{digits})", lambda at: f"{getattr(at, attribute):0{count}d}"


def _part(letter: str, count: int) -> tuple[str, Callable[[Printed], str]] | None:
    """Return how a run of one letter is read and printed, None if that is not implemented."""
    match letter:
        case "y" | "u" if count == 2:
            return r"(?P<short_year>\d\d)", lambda at: f"{at.year % 100:02d}"
        case "y" | "u" if count == 4:
            negative = "-?" if letter == "u" else ""
            return rf"(?P<year>{negative}\d{{4}}|\+\d{{5,9}})", lambda at: year_text(at.year)
        case "M" | "L" if count in (3, 4):
            names = [month if count == 4 else month[:3] for month in _MONTHS]
            return rf"(?P<month_name>{'|'.join(names)})", lambda at: names[at.month - 1]
        case "E" if count <= 4:
            names = [day if count == 4 else day[:3] for day in _DAYS]
            return rf"(?P<weekday>{'|'.join(names)})", lambda at: names[at.weekday]
        case "h":
            return _number("half_hour", count, "half_hour") and (
                rf"(?P<half_hour>\d{{{count if count == 2 else '1,2'}}})",
                lambda at: f"{(at.hour + 11) % 12 + 1:0{count}d}",
            )
        case "a" if count == 1:
            return "(?P<half>AM|PM)", lambda at: "AM" if at.hour < 12 else "PM"
        case "S" if count <= 9:
            return rf"(?P<fraction_ms>\d{{{count}}})", lambda at: f"{at.ms:03d}".ljust(9, "0")[:count]
        case "Z" if count <= 3:
            return r"(?P<zone>[+-]\d{4})", lambda _: "+0000"
        case "X" if count <= 3:
            digits = (r"\d\d(?:\d\d)?", r"\d{4}", r"\d\d:\d\d")[count - 1]
            return rf"(?P<zone>Z|[+-]{digits})", lambda _: "Z"
    return _plain_part(letter, count)


def _plain_part(letter: str, count: int) -> tuple[str, Callable[[Printed], str]] | None:
    match letter:
        case "M" | "L":
            return _number("month", count, "month")
        case "d":
            return _number("day", count, "day")
        case "H":
            return _number("hour", count, "hour")
        case "m":
            return _number("minute", count, "minute")
        case "s":
            return _number("second", count, "second")
        case "\x01":
            return _ZONE_TEXT, lambda _: "Z"
        case "\x02":
            return r"(?:[.,](?P<fraction_ms>\d{1,9}))?", lambda at: f".{at.ms:03d}"
    return None
