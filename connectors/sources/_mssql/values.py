"""Values of SQL Server that the driver returns as something else than what documents hold."""

import json
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID


def unpadded(text: str) -> str:
    """Return a text without what fills it up to its fixed length: such blanks mean nothing."""
    return text.rstrip(" ")


def json_of(text: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a text of JSON holds, its numbers exact; the text itself where it is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text


def vector_of(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the numbers of a vector."""
    return json.loads(text, parse_int=float)


def finest_of(text: str) -> str:
    """Return a time that the server wrote with seven digits of a second, as ISO 8601 has it."""
    return text.replace(" ", "T", 1).replace(" ", "")


def in_utc(moment: datetime) -> datetime:
    """Return a moment with an offset in UTC, and one without as it is."""
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment


def plain_of(value: Any) -> Any:  # noqa: ANN401 - whatever a column of any type holds
    """Return a value of a column that holds several types as documents have that type."""
    match value:
        case UUID():
            return str(value)
        case time():
            return value.isoformat()
        case datetime():
            return in_utc(value)
    return value
