"""Conditions: predicates made of the values that rows hold, so that each operator meets what it may stumble over."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import islice, pairwise, zip_longest
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
EARLIEST: Final = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
LATEST: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)
_EAST: Final = timezone(timedelta(hours=5, minutes=30))


def comparisons_of(rows: Sequence[Mapping[str, Any]], most: int) -> list[Comparison]:
    """Return at most so many comparisons, as many of each column and operator.

    First comes one with a value of the column itself, then its other values, texts that are nearly one, strange ones.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lists: list[list[Comparison]] = []
    for name in [*columns, MISSING]:
        values = list({repr(row[name]): row[name] for row in rows if row.get(name) is not None}.values())
        own = [text for value in values[:MOST_VALUES] for text in _texts(value)]
        near = [text for value in values[:MOST_VALUES] for text in _likes(value)]
        for how in Operator:
            turn = len(lists)  # so that not all of them begin with the same
            chosen = list(dict.fromkeys([*_turned(own, turn), *_turned([*near, *STRANGE], 7 * turn)]))
            if how is Operator.REGEX:
                chosen = [*map(re.escape, chosen[:1]), *_turned([*PATTERNS, *map(re.escape, chosen[1:])], turn)]
            lists.append([Comparison(name, how, Literal(text)) for text in chosen])
    rounds = zip_longest(*lists)
    return list(islice((one for round_ in rounds for one in round_ if one is not None), most))


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


def _texts(value: object) -> list[str]:
    """Return a value as a text; of several values each."""
    several = list(value)[:MOST_VALUES] if isinstance(value, list | tuple | set | frozenset) else [value]
    return [text for one in several if (text := text_of(one)) is not None]


def _likes(value: object) -> Iterator[str]:
    """Yield texts that are nearly a value."""
    for text in _texts(value):
        yield from (text[:1], text[-2:], text[1:-1], text.swapcase(), f" {text}", f"{text} ", f"{text}0")
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        yield from _nearly(value)
    instant = instant_of(value)
    if instant is not None and EARLIEST < instant < LATEST:
        yield from (instant.astimezone(_EAST).isoformat(), instant.date().isoformat())
        yield from ((instant + timedelta(microseconds=step)).isoformat() for step in (-1, 1))


def _nearly(value: float | Decimal) -> Iterator[str]:
    number = Decimal(str(value))
    if number.is_finite():
        yield from (str(number + 1), str(number - Decimal("0.5")), str(-number), f"{number:e}")


def _turned(texts: list[str], turn: int) -> list[str]:
    place = turn % len(texts) if texts else 0
    return texts[place:] + texts[:place]
