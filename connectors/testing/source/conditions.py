"""Conditions: predicates made of the values that rows hold, so that each operator meets what it may stumble over."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from connectors.literal import Literal, Operator, instant_of, text_of
from connectors.predicate import And, Comparison, Not, Or, Predicate

STRANGE: Final = (
    *("", " ", "0", "1", "-1", "1.0", "1e0", "true", "False", "null", "None", "nan", "1e999", "9223372036854775808"),
    *("%", "_", "'", '"', "\\", "*", "a", "A", "é", "2000-01-01", "2000-01-01T00:00:00+14:00"),
)
"""Texts that mean something to one query language or another."""
PATTERNS: Final = ("", ".*", "^$", "[", "(?i)a", r"\d+", ".")
MOST_VALUES: Final = 6
MISSING: Final = "no such column"
_EAST: Final = timezone(timedelta(hours=5, minutes=30))


def comparisons_of(rows: Sequence[Mapping[str, Any]], most: int) -> list[Comparison]:
    """Return comparisons of each column with its own values, their likes and strange ones; at most so many."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    found: list[Comparison] = []
    for name in [*columns, MISSING]:
        values = list({repr(row[name]): row[name] for row in rows if row.get(name) is not None}.values())
        texts = dict.fromkeys(text for value in values[:MOST_VALUES] for text in _likes(value))
        for how in Operator:
            chosen = (
                [re.escape(text) for text in texts] + list(PATTERNS) if how is Operator.REGEX else [*texts, *STRANGE]
            )
            found += [Comparison(name, how, Literal(text)) for text in chosen]
    return _thinned(found, most)


def predicates_of(comparisons: Sequence[Comparison]) -> Iterator[Predicate]:
    """Yield each comparison, its opposite, and what is made of two that follow each other."""
    for one in comparisons:
        yield one
        yield Not(one)
    for one, other in pairwise([*comparisons[::7], *comparisons[3::11]]):
        yield And((one, Not(other)))
        yield Or((Not(one), other))
        yield Not(And((one, other)))
        yield Not(Or((one, Not(And((other,))))))
    yield from (And(), Or(), Not(And()), Not(Or()), And((Or(),)))


def _likes(value: object) -> Iterator[str]:
    """Yield a value as a text, and texts that are nearly it."""
    if isinstance(value, list | tuple | set | frozenset):
        for one in list(value)[:MOST_VALUES]:
            yield from _likes(one)
        return
    text = text_of(value)
    if text is None:
        return
    yield from (text, text[:1], text[-2:], text[1:-1], text.swapcase(), f" {text}", f"{text} ", f"{text}0")
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        yield from _nearly(value)
    instant = instant_of(value)
    if instant is not None and datetime.min.replace(tzinfo=UTC) + timedelta(days=2) < instant < _LATEST:
        yield from (instant.astimezone(_EAST).isoformat(), instant.date().isoformat())
        yield from ((instant + timedelta(microseconds=step)).isoformat() for step in (-1, 1))


_LATEST: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


def _nearly(value: float | Decimal) -> Iterator[str]:
    number = Decimal(str(value))
    if number.is_finite():
        yield from (str(number + 1), str(number - Decimal("0.5")), str(-number), f"{number:e}")


def _thinned(comparisons: list[Comparison], most: int) -> list[Comparison]:
    """Return some of each kind: every so many-th of a list that goes through columns and operators in order."""
    if len(comparisons) <= most:
        return comparisons
    return [comparisons[place * len(comparisons) // most] for place in range(most)]
