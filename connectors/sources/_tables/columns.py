"""Columns of texts: what the texts of a column may stand for, without losing a character of any of them."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

Reader = Callable[[str], Any]
Schema = Mapping[str, Any]
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_MOST_DECIMALS: Final = 17


@dataclass(frozen=True)
class Kind:
    """One kind of texts: what makes a value of such a text, and whether texts are of that kind.

    A text is of a kind only if its value is written as the very same text again. So codes that look like numbers stay
    what they are: `007`, `+49`, `1e5`, `1.10` beside `1.9`, and what has more digits than a number can hold.
    """

    schema: Schema
    read: Reader
    holds: Callable[[Sequence[str], Sequence[Any]], bool]

    def fits(self, texts: Sequence[str]) -> bool:
        """Return whether all of these texts, none of which is empty, are of this kind."""
        try:
            return self.holds(texts, list(map(self.read, texts)))
        except (ValueError, KeyError):
            return False


def _flags(yes: str, no: str) -> Kind:
    return Kind({"type": "boolean"}, {yes: True, no: False}.__getitem__, lambda _texts, _values: True)


def _numbers(write: Callable[[float], str]) -> Kind:
    return Kind({"type": "number"}, float, lambda texts, values: _is_finite(values) and _is_same(texts, values, write))


def _is_finite(values: Sequence[Any]) -> bool:
    return all(map(math.isfinite, values))


def _is_same(texts: Sequence[str], values: Sequence[Any], write: Callable[[Any], str]) -> bool:
    return list(map(write, values)) == list(texts)


def _is_long(values: Sequence[int]) -> bool:
    return min(values) >= -(2**63) and max(values) < 2**63


def _short(value: float) -> str:
    return repr(value).removesuffix(".0")


INTEGER: Final = Kind({"type": "integer"}, int, lambda texts, values: _is_same(texts, values, str) and _is_long(values))
DATE: Final = Kind(
    {"type": "string", "format": "date"},
    date.fromisoformat,
    lambda texts, values: _is_same(texts, values, date.isoformat),
)
DATE_TIME: Final = Kind(
    {"type": "string", "format": "date-time"},
    datetime.fromisoformat,
    lambda texts, _values: all(map(_INSTANT.fullmatch, texts)),
)
# From the narrowest on. A number is written in the shortest way, with or without the zero of 1.0.
_KINDS: Final = (
    _flags("true", "false"),
    _flags("True", "False"),
    _flags("TRUE", "FALSE"),
    INTEGER,
    _numbers(_short),
    _numbers(repr),
    DATE,
    DATE_TIME,
)


class Column:
    """A column of which texts are shown bit by bit; an empty one is nothing, and fits whatever there is beside it."""

    def __init__(self) -> None:
        self._possible: list[Kind] | None = None
        self._is_nullable = False

    def add(self, texts: Sequence[str]) -> None:
        """Look at some more of its texts."""
        given = list(filter(None, texts))
        self._is_nullable = self._is_nullable or len(given) < len(texts)
        if not given:
            return
        if self._possible is None:
            self._possible = [kind for kind in (*_KINDS, *_rounded(given[0])) if kind.fits(given[:1])]
        self._possible = [kind for kind in self._possible if kind.fits(given)]

    @property
    def reader(self) -> Reader | None:
        """What makes values of its texts; None where they are what they are."""
        return self._possible[0].read if self._possible else None

    @property
    def schema(self) -> Schema:
        """The JSON Schema of its values."""
        if self._possible is None:
            return {"type": "null"}
        return self._nullable(self._possible[0].schema) if self._possible else self.text_schema

    @property
    def text_schema(self) -> Schema:
        """The JSON Schema of its texts as they are."""
        return self._nullable({"type": "string"})

    def _nullable(self, schema: Schema) -> Schema:
        return {**schema, "type": [schema["type"], "null"]} if self._is_nullable else schema


def _rounded(text: str) -> Sequence[Kind]:
    """Return the kind of numbers that all have as many decimals as this one, as prices have, if it has some."""
    decimals = len(text.partition(".")[2])
    return [_numbers(f"{{:.{decimals}f}}".format)] if 0 < decimals <= _MOST_DECIMALS else []
