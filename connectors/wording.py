"""Wording: how what somebody wrote is shown in a message, whatever it is and however long."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

LONGEST: Final = 60
"""Characters of a text that is shown."""
LARGEST: Final = 10**30
"""The first whole number that is not shown."""


def shown(value: object) -> str:
    """Return a value as it is shown: a text in quotes, at most its beginning, and of what has parts only its kind."""
    match value:
        case str():
            return repr(value) if len(value) <= LONGEST else f"{value[:LONGEST]!r}…"
        case None:
            return "nothing"
        case bool() | float():
            return str(value).lower()
        case int():
            return str(value) if abs(value) < LARGEST else "a huge number"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
    return f"a value of type {type(value).__name__}"


def nearest(text: str, known: Iterable[str]) -> str:
    """Return the sentence that says which of the known names may be meant."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(text[:LONGEST].casefold(), names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(names)}."


def shortened(text: str, longest: int) -> str:
    """Return a text that can be written as UTF-8, cut where it is too long."""
    whole = text.encode("utf-8", "replace").decode()
    return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"
