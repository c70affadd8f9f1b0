"""Garbled rows: those with a text that is none in the encoding of its database."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from connectors.sources._sql.session import Values

ESCAPING: Final = "surrogateescape"
"""How a garbled text is read: each byte that is none of a text is a lone surrogate, and is that byte again when asked
for."""
_BYTE: Final = re.compile("[\ud800-\udfff]")


class Garbled(tuple[Any, ...]):
    """The values of a garbled row: it can be told from others, and can't be a document."""

    __slots__ = ()


def sorted_out(rows: Iterable[Values]) -> list[Values]:
    """Return rows that were read so, those that are garbled as such."""
    return [Garbled(values) if any(map(is_garbled, values)) else values for values in rows]


def reason(names: Sequence[str], values: Garbled) -> str:
    """Return why a row with columns of these names can't be a document."""
    wrong = [repr(name) for name, value in zip(names, values, strict=True) if is_garbled(value)]
    return f"The text in the column {', '.join(wrong)} is not UTF-8."


def is_garbled(value: object) -> bool:
    """Return whether a value is, or holds, a text that can't be UTF-8."""
    if isinstance(value, str):
        return not value.isascii() and _BYTE.search(value) is not None
    if isinstance(value, list):
        return any(map(is_garbled, value))
    return isinstance(value, dict) and any(map(is_garbled, [*value, *value.values()]))
