"""Rows: dicts made of what a driver returns, by one function for all rows of a statement."""

from collections.abc import Callable, Sequence
from typing import Any

from connectors.dataset import Row
from connectors.sources._sql.session import ResultColumn, Values


def maker_of(columns: Sequence[ResultColumn]) -> Callable[[Values], Row]:
    """Return what makes a row of values.

    It is called once a row, so it is compiled: nothing is in it but Python's own words, names made here, and the names
    of columns as Python writes texts.
    """
    made: dict[str, Any] = {}
    parts = []
    for place, one in enumerate(columns):
        value = f"v{place}"
        if one.made is not None:
            made[f"m{place}"] = one.made
            value = f"None if {value} is None else m{place}({value})"
        parts.append(f"{one.name!r}: {value}")
    values = "".join(f"v{place}, " for place, _ in enumerate(columns))
    exec(f"def make(row):\n ({values}) = row\n return {{{', '.join(parts)}}}", made)  # noqa: S102 - see above
    make: Callable[[Values], Row] = made["make"]
    return make


def unique(names: Sequence[str]) -> list[str]:
    """Return the names of columns, those that are there before with a number: `id`, `id:1`."""
    found: dict[str, None] = {}
    for name in names:
        free, number = name, 0
        while free in found:
            number += 1
            free = f"{name}:{number}"
        found[free] = None
    return list(found)


def size_of(rows: Sequence[Values], places: Sequence[int], fixed_bytes: int) -> int:
    """Return about how many bytes rows are, for a driver that does not tell: what is in these places differs most."""
    size = fixed_bytes * len(rows)
    for place in places:
        for row in rows:
            value = row[place]
            if type(value) is str or type(value) is bytes:
                size += len(value)
            elif value is not None:
                size += len(repr(value))
    return size
