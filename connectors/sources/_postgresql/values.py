"""Values of PostgreSQL that the server writes in ways of its own, and what documents hold of them."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def json_of(text: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a text of JSON holds, its numbers exact; lists of such texts alike. What is none stays."""
    if isinstance(text, list):
        return [None if one is None else json_of(one) for one in text]
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text


def day_of(text: str) -> date | str:
    """Return a date; the text of one that a calendar of the years 1 to 9999 has not, such as `infinity`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def moment_of(text: str) -> datetime | str:
    """Return a time with its date; the text of one that a calendar of the years 1 to 9999 has not."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def unpadded(text: str) -> str:
    """Return a text of a fixed length without what fills it up: such blanks mean nothing."""
    return text.rstrip(" ")
