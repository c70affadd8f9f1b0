"""The catalog: tables made of the rows that three questions to a database return, the same for every dialect.

So a dialect consists of questions whose answers have this shape, and can be tested with answers that were recorded.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

from connectors.errors import ConfigurationError
from connectors.sources._sql.form import Form
from connectors.sources._sql.garbled import is_garbled
from connectors.sources._sql.table import Table, TableColumn
from connectors.wording import nearest

EVERYTHING: Final = "*"
_WILDCARDS: Final = frozenset("*?[")
Answer = Iterable[Sequence[Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class FoundTable:
    """What the first question returns of each table: `rows` is a guess at their number."""

    name: str
    is_view: bool
    rows: int | None


@dataclass(frozen=True)
class FoundColumn:
    """What the second question returns of each column, in the order of a table's columns.

    `declared` is its type in the words of the database, `readable` whether this user may read it.
    """

    table: str
    name: str
    declared: str
    nullable: bool
    readable: bool


@dataclass(frozen=True)
class FoundKeyPart:
    """What the third question returns of each part of a unique index, in the order of its parts.

    `column` is None for an expression; `whole` says that the index holds all of its value and not a beginning of it.
    """

    table: str
    index: str
    primary: bool
    column: str | None
    whole: bool
    descending: bool


@dataclass(frozen=True)
class Catalog:
    """The tables of one database, or of one schema of it, that this user may read."""

    group: str
    tables: Mapping[str, FoundTable]
    columns: Mapping[str, tuple[FoundColumn, ...]]
    keys: Mapping[str, tuple[FoundKeyPart, ...]]
    form_of: Callable[[str], Form]

    @classmethod
    def of(cls, group: str, answers: Sequence[Answer], form_of: Callable[[str], Form]) -> "Catalog":
        """Return the catalog of these answers; `form_of` says what a declared type becomes."""
        tables, columns, keys = answers
        readable = [one for row in columns if (one := _column(row)).readable]
        parts = [_key_part(row) for row in keys]
        by_table = _grouped(readable, lambda one: one.table)
        found = (FoundTable(str(name), bool(view), None if rows is None else int(rows)) for name, view, rows in tables)
        return cls(
            group,
            {one.name: one for one in found if one.name in by_table},
            by_table,
            _grouped(parts, lambda one: one.table),
            form_of,
        )

    def chosen(self, wanted: Sequence[str]) -> list[Table]:
        """Return the tables that are wanted, in the order of their names.

        `*` stands for all tables; a view has to be named, or to match a pattern that is more than that. Raises a
        `ConfigurationError` for a name that is none, and for one that no document can have.
        """
        names = {name for one in wanted for name in self._matching(one)}
        for name in names:
            if any(map(is_garbled, [name, *(one.name for one in self.columns[name])])):
                message = f"The name of the table {name!r}, or of one of its columns, is not UTF-8."
                raise ConfigurationError(message, field="tables", hint="Rename it, or name the tables that are wanted.")
        return [self.table(name) for name in sorted(names)]

    def declared(self, changed: Mapping[tuple[str, str], str]) -> "Catalog":
        """Return it with other types for these columns, each by the names of its table and its own."""
        columns = {
            table: tuple(replace(one, declared=changed.get((table, one.name), one.declared)) for one in several)
            for table, several in self.columns.items()
        }
        return replace(self, columns=columns)

    def _matching(self, wanted: str) -> Iterator[str]:
        if wanted == EVERYTHING:
            yield from (one.name for one in self.tables.values() if not one.is_view)
        elif wanted in self.tables:
            yield wanted
        elif _WILDCARDS & set(wanted):
            yield from (name for name in self.tables if fnmatchcase(name, wanted))
        else:
            hint = nearest(wanted, self.tables) if self.tables else "It has no table that this user may read."
            message = f"{self.group!r} has no table {wanted!r}, or this user may not read it."
            raise ConfigurationError(message, field="tables", hint=hint)

    def table(self, name: str) -> Table:
        """Return a table by its name."""
        found = self.tables[name]
        columns = tuple(
            TableColumn(one.name, one.declared, one.nullable, self.form_of(one.declared)) for one in self.columns[name]
        )
        indices = _grouped(self.keys.get(name, ()), lambda one: one.index)
        index, key = _key_of(indices, columns)
        identity = key or _identity_of(indices, columns)
        return Table(self.group, name, columns, key, identity, index, found.rows, found.is_view)


def _key_of(
    indices: Mapping[str, Sequence[FoundKeyPart]], columns: Collection[TableColumn]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the index whose order rows are read in, and its columns: the primary key if possible, else the shortest.

    No column of it may be NULL, which unique indices hold any number of, and each has to be one whose values are
    found again by what was read of them. All have to go the same way: no index has the order of a mixture.
    """
    usable = {one.name for one in columns if not one.nullable and one.form.in_keys}
    return _best(
        {
            name: parts
            for name, parts in indices.items()
            if all(one.column in usable and one.whole for one in parts) and len({one.descending for one in parts}) == 1
        }
    )


def _identity_of(indices: Mapping[str, Sequence[FoundKeyPart]], columns: Collection[TableColumn]) -> tuple[str, ...]:
    """Return the columns of a key whose order means nothing. Where beginnings tell rows apart, whole values do too."""
    usable = {one.name for one in columns if not one.nullable}
    _, identity = _best({name: parts for name, parts in indices.items() if all(one.column in usable for one in parts)})
    return identity


def _best(indices: Mapping[str, Sequence[FoundKeyPart]]) -> tuple[str | None, tuple[str, ...]]:
    if not indices:
        return None, ()
    name, parts = min(indices.items(), key=lambda one: (not one[1][0].primary, len(one[1]), one[0]))
    return name, tuple(str(one.column) for one in parts)


def _column(row: Sequence[Any]) -> FoundColumn:
    table, name, declared, nullable, readable = row
    return FoundColumn(str(table), str(name), str(declared), bool(nullable), bool(readable))


def _key_part(row: Sequence[Any]) -> FoundKeyPart:
    table, index, primary, column, whole, descending = row
    named = None if column is None else str(column)
    return FoundKeyPart(str(table), str(index), bool(primary), named, bool(whole), bool(descending))


def _grouped(several: Iterable[T], name_of: Callable[[T], str]) -> dict[str, tuple[T, ...]]:
    """Return what belongs to each name, in its order. Names that a database takes for the same may come mixed."""
    found: dict[str, list[T]] = {}
    for one in several:
        found.setdefault(name_of(one), []).append(one)
    return {name: tuple(those) for name, those in found.items()}
