"""Formats of date fields: texts and numbers read as milliseconds since the epoch, and written back."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connectors.engine.embedded.mapping.calendar_days import DAY_MS, days_in_month, days_since_epoch
from connectors.engine.embedded.mapping.date_patterns import (
    FRACTION,
    ZONE,
    BadDate,
    Moment,
    compile_pattern,
    fraction_ms,
    iso_text,
    moment_of,
)
from connectors.engine.embedded.refusal import not_implemented

DEFAULT_FORMAT: Final = "strict_date_optional_time||epoch_millis"

Read = Callable[[str], Moment | int]

_ZONED: Final = r"(?P<zone>Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?|[A-Za-z][A-Za-z0-9/._~+-]+)?"
_STRICT: Final = re.compile(
    r"(-?\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:T(?:(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?" + _ZONED + r")?)?",
    re.ASCII,
)
_LENIENT: Final = re.compile(
    r"(?P<year>-?\d{1,9})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?)?"
    r"(?:T(?:(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,](?P<fraction_ms>\d{1,9}))?)?)?"
    + _ZONED
    + r")?)?",
    re.ASCII,
)
_LENIENT_DATE: Final = re.compile(r"(?P<year>-?\d{1,9})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?)?", re.ASCII)
_EPOCH_MS: Final = re.compile(r"(-?\d{1,19})(?:\.(\d{0,6}))?", re.ASCII)
_EPOCH_S: Final = re.compile(r"(-?)(\d{1,19})(?:\.(\d{0,9}))?", re.ASCII)
_MOST_MS: Final = 2**63 - 1
_DATE: Final = "uuuu-MM-dd"
_TIME: Final = "'T'HH:mm:ss"
# Names that Elasticsearch has for patterns. Those that the table of `_named` and this one lack are not implemented.
_PATTERNS: Final = {
    "basic_date": "uuuuMMdd",
    "strict_basic_date": "uuuuMMdd",
    "strict_date": _DATE,
    "strict_year_month_day": _DATE,
    "strict_year_month": "uuuu-MM",
    "strict_year": "uuuu",
    "strict_date_time": _DATE + _TIME + FRACTION + ZONE,
    "strict_date_time_no_millis": _DATE + _TIME + ZONE,
    "date_time_no_millis": _DATE + _TIME + ZONE,
    "strict_date_hour_minute_second": _DATE + _TIME,
    "strict_hour_minute_second": "HH:mm:ss",
    "strict_hour_minute": "HH:mm",
}
_KNOWN: Final = frozenset({
    "iso8601", "strict_date_optional_time_nanos", "date_time", "date_time_nanos", "basic_date_time",
    "basic_date_time_no_millis", "basic_ordinal_date", "basic_ordinal_date_time",
    "basic_ordinal_date_time_no_millis", "basic_time", "basic_time_no_millis", "basic_t_time",
    "basic_t_time_no_millis", "basic_week_date", "basic_week_date_time", "basic_week_date_time_no_millis",
    "date_hour", "date_hour_minute", "date_hour_minute_second", "date_hour_minute_second_fraction",
    "date_hour_minute_second_millis", "hour", "hour_minute", "hour_minute_second", "hour_minute_second_fraction",
    "hour_minute_second_millis", "ordinal_date", "ordinal_date_time", "ordinal_date_time_no_millis", "time",
    "time_no_millis", "t_time", "t_time_no_millis", "week_date", "week_date_time", "week_date_time_no_millis",
    "week_year", "weekyear", "weekyear_week", "weekyear_week_day", "year", "year_month", "year_month_day",
})  # fmt: skip


class UnknownFormat(ValueError):
    """Raised for a format that is none; the text says why."""


@dataclass(frozen=True)
class DateFormat:
    """One format, or several that are tried in their order; the first one writes."""

    text: str
    readers: tuple[Read, ...]
    show: Callable[[int], str]

    def parse(self, text: str, *, round_up: bool = False, time_zone: str | None = None) -> int:
        """Return a text as milliseconds since the epoch; raises BadDate.

        What the text leaves open of the time is the first moment, or with `round_up` the last. `time_zone` counts where
        the text names none.
        """
        for read in self.readers:
            try:
                # The fast way through a text drops what it leaves open.
                moment = _strict_moment(text) if round_up and read is _read_strict else read(text)
                if moment.__class__ is int:
                    return moment
                return moment.milliseconds(round_up=round_up, time_zone=time_zone)  # type: ignore[union-attr]
            except BadDate:
                continue
        raise BadDate


def _read_strict(text: str) -> Moment | int:
    found = _STRICT.fullmatch(text)
    if found is None:
        raise BadDate
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    if zone == "Z" and second is not None and day is not None:
        return _whole(int(year), int(month), int(day), (int(hour), int(minute), int(second), fraction))
    return _moment(found)


def _strict_moment(text: str) -> Moment:
    found = _STRICT.fullmatch(text)
    if found is None:
        raise BadDate
    return _moment(found)


def _moment(found: re.Match[str]) -> Moment:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    return Moment(
        year=int(year),
        month=None if month is None else int(month),
        day=None if day is None else int(day),
        hour=None if hour is None else int(hour),
        minute=None if minute is None else int(minute),
        second=None if second is None else int(second),
        fraction_ms=None if fraction is None else fraction_ms(fraction),
        zone=zone,
    )


def _whole(year: int, month: int, day: int, time: tuple[int, int, int, str | None]) -> int:
    """Return a time in UTC that names its seconds: the usual text, and so the fast one."""
    hour, minute, second, fraction = time
    if not (1 <= month <= 12 and 1 <= day <= days_in_month(year, month) and hour < 24 and minute < 60 and second < 60):
        raise BadDate
    at_s = hour * 3_600 + minute * 60 + second
    return days_since_epoch(year, month, day) * DAY_MS + at_s * 1_000 + (fraction_ms(fraction) if fraction else 0)


def _read_lenient(regex: re.Pattern[str]) -> Read:
    def read(text: str) -> Moment:
        found = regex.fullmatch(text)
        if found is None:
            raise BadDate
        return moment_of(found.groupdict())

    return read


def _read_epoch_ms(text: str) -> int:
    found = _EPOCH_MS.fullmatch(text)
    if found is None:
        raise BadDate
    whole, fraction = found.groups()
    at = int(whole)
    if abs(at) > _MOST_MS:
        raise BadDate
    return at - 1 if whole[0] == "-" and fraction and int(fraction) else at


def _read_epoch_s(text: str) -> int:
    found = _EPOCH_S.fullmatch(text)
    if found is None:
        raise BadDate
    sign, whole, fraction = found.groups()
    nanos = int((fraction or "").ljust(9, "0"))
    at = (int(whole) * 1_000_000_000 + nanos) * (-1 if sign else 1) // 1_000_000
    if abs(at) > _MOST_MS:
        raise BadDate
    return at


def _show_epoch_s(at_ms: int) -> str:
    whole, rest = divmod(abs(at_ms), 1_000)
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    return f"{'-' if at_ms < 0 else ''}{whole}{fraction}"


def _day_text(at_ms: int) -> str:
    return iso_text(at_ms).partition("T")[0]


@lru_cache(maxsize=256)
def date_format(text: str) -> DateFormat:
    """Compile a format; raises UnknownFormat, and Refusal for one that is known and not implemented."""
    if not text:
        raise UnknownFormat("No date pattern provided")
    readers: list[Read] = []
    shows: list[Callable[[int], str]] = []
    for name in text.split("||"):
        if not name:
            raise UnknownFormat(f"Cannot have empty element in multi date format pattern: {text}")
        read, show = _named(name)
        readers.append(read)
        shows.append(show)
    return DateFormat(text, tuple(readers), shows[0])


def _named(name: str) -> tuple[Read, Callable[[int], str]]:
    match name:
        case "strict_date_optional_time":
            return _read_strict, iso_text
        case "date_optional_time":
            return _read_lenient(_LENIENT), iso_text
        case "date":
            return _read_lenient(_LENIENT_DATE), _day_text
        case "epoch_millis":
            return _read_epoch_ms, str
        case "epoch_second":
            return _read_epoch_s, _show_epoch_s
    if name in _KNOWN:
        raise not_implemented(f"the date format [{name}]")
    try:
        pattern = compile_pattern(_PATTERNS.get(name, name))
    except ValueError as error:
        raise UnknownFormat(str(error)) from None
    return pattern.read, pattern.show
