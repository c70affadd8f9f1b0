"""Date math: `now-1d/d` and `2026-01-01||+1M/d`."""

import re
from typing import Final

from connectors.engine.embedded.mapping.calendar_days import DAY_MS, date_of, days_in_month, days_since_epoch
from connectors.engine.embedded.mapping.date_patterns import BadDate, offset_ms
from connectors.engine.embedded.mapping.dates import DateFormat
from connectors.engine.embedded.refusal import Refusal

_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "H": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}
_MONTHS: Final = {"M": 1, "y": 12}
_COUNT: Final = re.compile(r"\d+", re.ASCII)


def parse_refusal(reason: str) -> Refusal:
    """Return the refusal of a date in a query."""
    return Refusal(400, "parse_exception", reason)


def evaluate(text: str, form: DateFormat, *, now_ms: int, round_up: bool = False, time_zone: str | None = None) -> int:
    """Return a date with its math as milliseconds; raises Refusal.

    With `round_up` what is left open, by the text or by rounding, is the last moment and not the first.
    """
    if not text:
        raise parse_refusal("cannot parse empty datetime")
    if text.startswith("now"):
        return _calculate(now_ms, text[3:], round_up=round_up, time_zone=time_zone)
    date, math_follows, math = text.partition("||")
    try:
        at = form.parse(date, round_up=round_up and not math_follows, time_zone=time_zone)
    except BadDate:
        failure = f"failed to parse date field [{date}] with format [{form.text}]"
        raise parse_refusal(f"{failure}: [{failure}]") from None
    return _calculate(at, math, round_up=round_up, time_zone=time_zone) if math_follows else at


def _calculate(at: int, math: str, *, round_up: bool, time_zone: str | None) -> int:
    place = 0
    while place < len(math):
        operator = math[place]
        if operator not in "+-/":
            raise parse_refusal(f"operator not supported for date math [{math}]")
        place += 1
        found = _COUNT.match(math, place)
        count = int(found.group()) if found else 1
        place = found.end() if found else place
        if count > 2**31 - 1:
            raise Refusal(400, "number_format_exception", f'For input string: "{count}"')
        if operator == "/" and count != 1:
            raise parse_refusal(f"rounding `/` can only be used on single unit types [{math}]")
        if place >= len(math):
            raise parse_refusal(f"truncated date math [{math}]")
        unit = math[place]
        place += 1
        if unit not in _UNIT_MS and unit not in _MONTHS:
            raise parse_refusal(f"unit [{unit}] not supported for date math [{math}]")
        ahead = offset_ms(time_zone, at) if time_zone else 0
        if operator == "/":
            at = _rounded(at + ahead, unit, up=round_up) - ahead
        else:
            at = _moved(at + ahead, unit, count if operator == "+" else -count) - ahead
    return at


def _moved(at: int, unit: str, count: int) -> int:
    if unit in _UNIT_MS:
        return at + count * _UNIT_MS[unit]
    days, of_day = divmod(at, DAY_MS)
    year, month, day = date_of(days)
    year, month0 = divmod(year * 12 + month - 1 + count * _MONTHS[unit], 12)
    day = min(day, days_in_month(year, month0 + 1))
    return days_since_epoch(year, month0 + 1, day) * DAY_MS + of_day


def _rounded(at: int, unit: str, *, up: bool) -> int:
    """Return the first millisecond of the unit that a time lies in, or with `up` the last."""
    if unit == "w":
        days = at // DAY_MS
        start = (days - (days + 3) % 7) * DAY_MS
    elif unit in _UNIT_MS:
        start = at - at % _UNIT_MS[unit]
    else:
        year, month, _ = date_of(at // DAY_MS)
        start = days_since_epoch(year, month if unit == "M" else 1, 1) * DAY_MS
    return _moved(start, unit, 1) - 1 if up else start
