"""Casts: what somebody wrote, as a value of the type that its field has."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

LONGEST_SHOWN: Final = 100
LARGEST: Final = 10**400
"""What no number reaches: Python prints no number of several thousand digits, and nothing reads one."""
_TRUE: Final = ("true", "t", "yes", "y", "on", "1")
_FALSE: Final = ("false", "f", "no", "n", "off", "0")
_SEVERAL: Final[Mapping[type | None, str]] = {None: "texts and numbers", str: "texts", int: "whole numbers"}


class Uncastable(ValueError):
    """A value that is not of its field's type; the message says what it should be, and never what it is."""


def is_empty(value: object) -> bool:
    """Return whether a value, cast, counts as none."""
    return value is None or value in ("", [])


def shown(value: object) -> str:
    """Return a value as a message has it: whatever it is, in one short piece."""
    try:
        text = repr(str(value) if isinstance(value, Path) else value)
    except (ValueError, RecursionError):  # a number of more digits than Python prints; more levels than it has
        return f"a value of the type {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def cast_to(kind: type, value: object) -> Any:  # noqa: ANN401 - of that type
    """Return a value that is not empty as one of that type. Raises `Uncastable`."""
    return _CASTS[kind](value)


def list_of(value: object, items: type | None = None) -> list[Any]:
    """Return a value as a list, a text split at its commas, without what is empty in it. Raises `Uncastable`."""
    match value:
        case None:
            parts: list[Any] = []
        case str():
            parts = [part.strip() for part in value.split(",")]
        case list() | tuple():
            parts = list(value)
        case set() | frozenset():
            parts = sorted(value, key=shown)
        case _:
            parts = [value]
    cast = _single if items is None else _CASTS[items]
    try:
        return [cast(part) for part in parts if part is not None and part != ""]
    except Uncastable:
        raise Uncastable(f"a list of {_SEVERAL[items]}") from None


def _single(value: object) -> object:
    """Return an element of any type, which has no parts of its own."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and abs(value) < LARGEST:  # as nothing is that is no number
        return value
    raise Uncastable("a text or a number")


def _text(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float | Path) or (isinstance(value, int) and abs(value) < LARGEST):
        return str(value)
    raise Uncastable("a text")


def _path(value: object) -> Path:
    return Path(_text(value))


def _flag(value: object) -> bool:
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in _TRUE + _FALSE:
        raise Uncastable("true or false")
    return word in _TRUE


def _whole(value: object) -> int:
    found = None
    if isinstance(value, int | str) and not isinstance(value, bool):
        with suppress(ValueError):  # raised below, where nothing hangs on to the value
            found = int(value)
    elif isinstance(value, float) and value.is_integer():
        found = int(value)
    if found is None or abs(found) >= LARGEST:
        raise Uncastable("a whole number")
    return found


def _number(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise Uncastable("a number")


_CASTS: Final[Mapping[type, Callable[[object], Any]]] = {
    bool: _flag,
    int: _whole,
    float: _number,
    str: _text,
    Path: _path,
}
