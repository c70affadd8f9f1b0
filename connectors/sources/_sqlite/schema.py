"""The tables of a SQLite database: their columns, what these can hold, and the key by which rows are told apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import apsw
from sqlglot import exp

from connectors.dataset import Dataset
from connectors.errors import ConfigurationError
from connectors.sources._sql.predicate import Column, Kind
from connectors.sources._sql.statement import column, span

ANYTHING: Final = frozenset({Kind.WHOLE, Kind.REAL, Kind.TEXT, Kind.BYTES})
_UNKNOWN: Final = frozenset({Kind.OTHER})
_STRICT: Final = {"INT": Kind.WHOLE, "INTEGER": Kind.WHOLE, "REAL": Kind.REAL, "TEXT": Kind.TEXT, "BLOB": Kind.BYTES}
_JSON_TYPES: Final = {"INTEGER": "integer", "TEXT": "string", "REAL": "number", "NUMERIC": "number"}
_ROWIDS: Final = ("rowid", "_rowid_", "oid")
_COLLATIONS: Final = ("BINARY", "NOCASE", "RTRIM")
"""Those that every SQLite has. Others belong to the program that made the database."""
_TABLES: Final = (
    "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') "
    r"AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name COLLATE BINARY"
)
_COLUMNS: Final = 'SELECT name, upper(type), "notnull", pk, hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1'
_KEY_INDEX: Final = "SELECT name FROM pragma_index_list(?) WHERE origin = 'pk'"
_KEY_COLUMNS: Final = 'SELECT name, coll, "desc" FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno'


@dataclass(frozen=True)
class TableColumn:
    """A column as it is declared."""

    name: str
    declared: str
    nullable: bool
    place_in_key: int
    generated: bool

    @property
    def affinity(self) -> str:
        """What its values are made where that is possible, by the words in the name of its type."""
        if "INT" in self.declared:
            return "INTEGER"
        if any(word in self.declared for word in ("CHAR", "CLOB", "TEXT")):
            return "TEXT"
        if "BLOB" in self.declared or not self.declared:
            return "BLOB"
        return "REAL" if any(word in self.declared for word in ("REAL", "FLOA", "DOUB")) else "NUMERIC"

    def kinds(self, *, strict: bool) -> frozenset[Kind]:
        """Return what it can hold. A type is a promise in a strict table, but not for what is computed when read."""
        if strict and not self.generated and self.declared in _STRICT:
            return frozenset({_STRICT[self.declared]})
        if self.affinity == "TEXT" and not self.generated and not strict:
            return frozenset({Kind.TEXT, Kind.BYTES})
        return ANYTHING

    @property
    def schema(self) -> dict[str, Any]:
        """What it is meant to hold, as JSON Schema. Dates are left open: they are texts as often as numbers."""
        if self.declared in {"", "ANY"} or any(word in self.declared for word in ("DATE", "TIME")):
            return {}
        if self.affinity == "BLOB":
            kind, more = "string", {"contentEncoding": "base64"}
        else:
            kind, more = _JSON_TYPES[self.affinity], {}
        return {"type": [kind, "null"] if self.nullable else kind, **more}


@dataclass(frozen=True)
class KeyPart:
    """A column of a key; `collation` is the index's where the column has another one."""

    name: str
    collation: str | None = None
    descending: bool = False


@dataclass(frozen=True)
class Table:
    """A table that can be read in the order of its key.

    `rowid` is what the number is called that SQLite gives each row. `moves` says that this is the key and no column of
    the table, so that VACUUM may number the rows anew.
    """

    name: str
    columns: tuple[TableColumn, ...]
    key: tuple[KeyPart, ...]
    rowid: str | None
    strict: bool
    virtual: bool

    @property
    def moves(self) -> bool:
        """Whether rows may get other keys without being changed."""
        return not self.virtual and self.rowid not in {one.name for one in self.columns} and self._is_rowid_key

    @property
    def _is_rowid_key(self) -> bool:
        return [part.name for part in self.key] == [self.rowid]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what a row has, the number of the row first where it is the key."""
        declared = [one.name for one in self.columns]
        return tuple(dict.fromkeys([*(part.name for part in self.key if part.name not in declared), *declared]))

    def known_columns(self) -> Iterator[Column]:
        """Yield what conditions can be made for."""
        for one in self.columns:
            kinds = _UNKNOWN if self.virtual else one.kinds(strict=self.strict)
            yield Column(one.name, frozenset({Kind.WHOLE}) if one.name == self.rowid else kinds)
        if not self.virtual and self.rowid in set(self.names) - {one.name for one in self.columns}:
            yield Column(self.rowid or "", frozenset({Kind.WHOLE}))

    def dataset(self, cursor_columns: Sequence[str], rows: int | None) -> Dataset:
        """Return the table as a dataset; its cursor field is the first of these columns that it has."""
        properties = {one.name: one.schema for one in self.columns}
        if self.rowid and self.rowid not in properties and self._is_rowid_key:
            properties = {self.rowid: {"type": "integer"}, **properties}
        cursor = next((name for name in cursor_columns if name in properties), None)
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        return Dataset(self.name, None, schema, tuple(part.name for part in self.key), cursor, rows)


def tables_of(connection: apsw.Connection, wanted: Sequence[str]) -> list[Table]:
    """Return the tables of these names, or all for `*`. Raises a `ConfigurationError` for a name that is not there."""
    found = _found(connection)
    names = list(found) if "*" in wanted else sorted(set(wanted))
    return [_table(connection, name, found) for name in names]


def table_of(connection: apsw.Connection, name: str) -> Table:
    """Return one table."""
    return _table(connection, name, _found(connection))


def names_of(connection: apsw.Connection) -> Sequence[str]:
    """Return the names of all tables."""
    return list(_found(connection))


def highest_of(connection: apsw.Connection, table: str, name: str) -> object:
    """Return the highest value of a column, where texts are above numbers; None for a text that can't be read."""
    most = exp.Max(this=column(name))
    select = exp.Select(expressions=[most]).from_(exp.to_identifier(table, quoted=True))
    try:
        ((value,),) = connection.execute(select.sql("sqlite"))
    except UnicodeDecodeError:
        return None
    return value


def rows_of(connection: apsw.Connection, table: Table, statistics: Mapping[str, int]) -> int | None:
    """Return a guess at the number of rows that takes no counting."""
    if table.name in statistics:
        return statistics[table.name]
    if table.rowid is None or table.virtual:
        return None
    ((least, most),) = connection.execute(span(table.rowid, table.name, "sqlite"))
    return 0 if least is None else int(most) - int(least) + 1


def statistics_of(connection: apsw.Connection) -> dict[str, int]:
    """Return how many rows tables had when ANALYZE was last run on them."""
    there = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchall()
    found: dict[str, int] = {}
    for name, text in connection.execute("SELECT tbl, stat FROM sqlite_stat1") if there else ():
        first = str(text).partition(" ")[0]
        if first.isdecimal():
            found[name] = max(int(first), found.get(name, 0))
    return found


def _found(connection: apsw.Connection) -> dict[str, tuple[bool, bool, bool]]:
    """Return what there is by name: whether it is a virtual table, one without rowid, and a strict one."""
    return {name: (kind == "virtual", wr, strict) for name, kind, wr, strict in connection.execute(_TABLES)}


def _table(connection: apsw.Connection, name: str, found: Mapping[str, tuple[bool, bool, bool]]) -> Table:
    if name not in found:
        hint = f"Tables that are there: {', '.join(list(found)[:20]) or 'none'}. A view has no key, and can't be read."
        raise ConfigurationError(f"There is no table {name!r}.", field="tables", hint=hint)
    virtual, without_rowid, strict = found[name]
    try:
        columns = tuple(
            TableColumn(column, declared, not required, place, hidden > 1)
            for column, declared, required, place, hidden in connection.execute(_COLUMNS, (name,))
        )
    except apsw.SQLError as error:
        hint = "Leave it out: name the other tables."
        raise ConfigurationError(f"The table {name!r} can't be read: {error}.", field="tables", hint=hint) from error
    rowid = None if without_rowid else _rowid_of(connection, name, columns)
    columns = tuple(replace(one, nullable=False) if one.name == rowid else one for one in columns)
    key = _declared_key(connection, name, columns) if without_rowid or not virtual else ()
    usable = without_rowid or not any(one.nullable and one.place_in_key for one in columns)
    if rowid is not None and (not key or not usable):
        key = (KeyPart(rowid),)
    if not key:
        hint = "Leave it out: name the other tables."
        raise ConfigurationError(f"The table {name!r} has no key that can be read.", field="tables", hint=hint)
    return Table(name, columns, key, rowid, strict, virtual)


def _rowid_of(connection: apsw.Connection, table: str, columns: Sequence[TableColumn]) -> str | None:
    """Return the column that is the number of the row, or a name for it that no column has; None without one."""
    key = [one for one in columns if one.place_in_key]
    if len(key) == 1 and key[0].declared == "INTEGER" and not list(connection.execute(_KEY_INDEX, (table,))):
        return key[0].name
    taken = {one.name.lower() for one in columns}
    return next((name for name in _ROWIDS if name not in taken), None)


def _declared_key(connection: apsw.Connection, table: str, columns: Sequence[TableColumn]) -> tuple[KeyPart, ...]:
    """Return the primary key with the collations of its index; nothing where one of these is not known here."""
    indices = list(connection.execute(_KEY_INDEX, (table,)))
    if not indices:
        declared = sorted((one for one in columns if one.place_in_key), key=lambda one: one.place_in_key)
        return tuple(KeyPart(one.name) for one in declared)
    parts: list[KeyPart] = []
    for name, collation, descending in connection.execute(_KEY_COLUMNS, indices[0]):
        if collation.upper() not in _COLLATIONS:
            return ()
        own = connection.column_metadata("main", table, name)[1]
        parts.append(KeyPart(name, None if own.upper() == collation.upper() else collation.upper(), bool(descending)))
    return tuple(parts)
