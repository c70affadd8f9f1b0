"""Values of MySQL that the driver returns as something else than what documents hold."""

import json
from datetime import date
from decimal import Decimal
from typing import Any


def moment_of(value: object) -> date | None:
    """Return a date or a time; None for what is none, such as 0000-00-00, which the driver returns as a text."""
    return value if isinstance(value, date) else None


def bits_of(value: bytes) -> int:
    """Return the number that bits are."""
    return int.from_bytes(value, "big")


def json_of(text: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a text of JSON holds, its numbers exact; the text itself where it is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text


def shape_of(text: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a shape in GeoJSON. Every number of it has a point, as an engine takes no mixture in a list."""
    return json.loads(text, parse_int=float)


def members_of(text: str) -> list[str]:
    """Return the members of a set, which have no commas."""
    return text.split(",") if text else []
