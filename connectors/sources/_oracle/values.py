"""Values of Oracle that the driver returns as something else than what documents hold."""

import json
from array import array
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

_KNOWN: Final = len("0001-01-01T00:00:00.000000")
"""As much of the text of a time as Python has."""


def number_of(value: Any) -> Any:  # noqa: ANN401 - a number
    """Return a number, whole where it is: NUMBER does not say whether it holds others."""
    if type(value) is not Decimal:
        return value
    whole = int(value)
    return whole if whole == value else value


def unpadded(value: str) -> str:
    """Return a text without the blanks that fill it up, which mean nothing."""
    return value.rstrip(" ")


def moment_of(value: Any) -> Any:  # noqa: ANN401 - a time or its text
    """Return the time that a text of Oracle's is; the text where it is in no calendar, or has nanoseconds."""
    if type(value) is not str:
        return value
    text = value.removeprefix(" ")
    if text[_KNOWN:].strip("0"):
        return text
    try:
        return datetime.fromisoformat(text[:_KNOWN])
    except ValueError:
        return text


def instant_of(value: Any) -> Any:  # noqa: ANN401 - a time or its text
    """Return the same of a time in UTC."""
    found = moment_of(value)
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) else f"{found}+00:00"


def text_of(moment: date) -> str:
    """Return a time as Oracle writes it, in UTC: without a fraction if it has none, as a DATE has none."""
    known = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
    known = known if known.tzinfo is None else known.astimezone(UTC).replace(tzinfo=None)
    return f" {known.isoformat()}"


def months_of(value: Any) -> str:  # noqa: ANN401 - the driver's own type
    """Return a span of years and months in ISO 8601."""
    parts = [f"{number}{unit}" for number, unit in ((value.years, "Y"), (value.months, "M")) if number]
    return f"P{''.join(parts)}" if parts else "PT0S"


def span_of(value: timedelta) -> str:
    """Return a span of days and seconds in ISO 8601, each part with the sign of the whole."""
    sign, size = ("-", -value) if value < timedelta(0) else ("", value)
    hours, rest = divmod(size.seconds, 3_600)
    minutes, seconds = divmod(rest, 60)
    exact = f"{seconds}.{size.microseconds:06d}".rstrip("0").rstrip(".")
    day = f"{sign}{size.days}D" if size.days else ""
    units = (("H", str(hours)), ("M", str(minutes)), ("S", exact))
    rest_of_it = "".join(f"{sign}{number}{unit}" for unit, number in units if number != "0")
    return f"P{day}{'T' if rest_of_it else ''}{rest_of_it}" if day or rest_of_it else "PT0S"


def json_of(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what JSON holds that a column has as a text or as bytes, its numbers exact; the text where it is none."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        return plain_of(text)
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text


def file_of(value: Any) -> str:  # noqa: ANN401 - the driver's own type
    """Return where the file of a BFILE is: its directory in the database, and its name."""
    return "/".join(value.getfilename())


def plain_of(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    """Return what documents hold of values with parts: objects, collections, JSON, vectors."""
    match value:
        case Decimal():
            return number_of(value)
        case timedelta():
            return span_of(value)
        case dict():
            return {name: plain_of(one) for name, one in value.items()}
        case array():
            return list(value)
        case list():
            return [plain_of(one) for one in value]
    if hasattr(value, "years") and hasattr(value, "months"):
        return months_of(value)
    return _parts_of(value)


def _parts_of(value: Any) -> Any:  # noqa: ANN401 - the driver's own types
    if hasattr(value, "num_dimensions"):  # most of a sparse vector is zero
        return {"dimensions": value.num_dimensions, "indices": list(value.indices), "values": list(value.values)}
    if hasattr(value, "getchunksize"):  # a LOB within an object: the server would have to be asked for each
        return None
    kind: Any = getattr(value, "type", None)
    if not hasattr(kind, "iscollection"):
        return value
    if kind.iscollection:
        return [plain_of(one) for one in value.aslist()]
    return {one.name: plain_of(getattr(value, one.name)) for one in kind.attributes}
