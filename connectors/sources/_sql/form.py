"""The form of a column's values: what a type of a database becomes in documents, in conditions and in keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.sources._sql.predicate import Kind
from connectors.sources._sql.statement import SQL

UNDECIDED: Final = frozenset({Kind.OTHER})
Make = Callable[[Any], Any]
"""Makes the value of a document of what a driver returns, which is never None."""


@dataclass(frozen=True)
class Form:
    """What a declared type becomes.

    `kind` is what conditions may take its values for. `in_keys` is whether a key may be read in its order: whether the
    database orders and compares its values alike, and finds each again by what it returned. `selected` is how a column
    is asked for, where its name alone would not do, and `made` what becomes of what is returned. `given` is how a value
    of a key is compared with the column, where a database would convert the column rather than the value.
    """

    schema: Mapping[str, Any] = field(default_factory=dict, hash=False)
    kind: Kind = Kind.OTHER
    in_keys: bool = False
    is_binary: bool = False
    selected: Callable[[SQL], SQL] | None = None
    made: Make | None = None
    given: Callable[[SQL], SQL] | None = None
