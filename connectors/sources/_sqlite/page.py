"""Pages of a SQLite table: statements that read on behind a key, and rows that hold what is no text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from sys import getsizeof
from typing import Any, Final

import apsw
from sqlglot import exp

from connectors.changes import Failed
from connectors.dataset import Key, document_id
from connectors.errors import SourceError
from connectors.predicate import And, Comparison, Predicate
from connectors.sources._sql.statement import SQL, TRUE, Parameters, all_of, behind, collated, column, page, parameter
from connectors.sources._sqlite.dialect import DIALECT, SQLiteTranslator, opaque
from connectors.sources._sqlite.schema import Table

LARGEST_PAGE: Final = 4 * 1024 * 1024
"""Bytes of a page in memory: it ends with the rows that exceed them."""
_AT_ONCE: Final = 16
"""How many rows are fetched before they are measured."""


@dataclass(frozen=True)
class Undecoded:
    """A text of a key whose bytes are none in the encoding of the database."""

    raw: bytes

    def __str__(self) -> str:
        return self.raw.hex()


@dataclass(frozen=True)
class Fetched:
    """The rows of a page, the key of the last one, and whether there are no more."""

    rows: Sequence[tuple[Any, ...] | Failed]
    last: Key | None
    complete: bool


class Pages:
    """Reads columns of a table in pages, in the order of its key."""

    def __init__(self, connection: apsw.Connection, table: Table, names: Sequence[str], where: Predicate) -> None:
        self.table = table
        self.names = names
        self._encoding = str(connection.pragma("encoding"))
        self._version = connection.pragma("schema_version")
        self._places = [names.index(part.name) for part in table.key]
        self._parameters = Parameters()
        self._where = self._condition(where)
        self._texts: dict[object, str] = {}

    def fetch(self, connection: apsw.Connection, after: Key | None, most: int) -> Fetched:
        """Read the page behind a key; again, byte by byte, where it holds a text that is none."""
        given = self._given(after, most)
        try:
            rows, complete = _fetched(connection, self._text(after, raw=False), given)
        except UnicodeDecodeError:
            rows, complete = _fetched(connection, self._text(after, raw=True), given)
            return self._decoded_page(rows, complete=complete and len(rows) < most)
        finally:
            self._check_numbers(connection)
        last = self._key_of(rows[-1]) if rows else None
        return Fetched(rows, last, complete=complete and len(rows) < most)

    def _check_numbers(self, connection: apsw.Connection) -> None:
        """Raise a `SourceError` where rows may have been numbered anew: VACUUM counts as a change of the schema."""
        if self.table.moves and connection.pragma("schema_version") != self._version:
            message = f"The table {self.table.name!r} was changed while it was read in the order of its rowid."
            raise SourceError(message, hint="Give it a primary key that can't be NULL, or read it again.")

    def _condition(self, where: Predicate) -> SQL:
        """Return the condition: what is asked of the key alone may lead to a place in its index."""
        columns = {one.name: one for one in self.table.known_columns()}
        parts = where.parts if isinstance(where, And) else (where,)
        first = self.table.key[0].name
        of_key = tuple(part for part in parts if isinstance(part, Comparison) and part.field == first)
        others = tuple(part for part in parts if part not in of_key)
        translator = SQLiteTranslator(columns.values(), self._encoding)
        seeking, looking = (translator.condition(And(some), self._parameters) for some in (of_key, others))
        return all_of([seeking, opaque(looking)])

    def _text(self, after: Key | None, *, raw: bool) -> str:
        undecoded = None if after is None else tuple(isinstance(value, Undecoded) for value in after)
        if (undecoded, raw) not in self._texts:
            self._texts[undecoded, raw] = self._made(undecoded, raw=raw)
        return self._texts[undecoded, raw]

    def _made(self, undecoded: tuple[bool, ...] | None, *, raw: bool) -> str:
        """Return the text of a statement, in which the values of a key are given by their places."""
        key = [collated(column(part.name), part.collation) for part in self.table.key]
        conditions = [self._where.copy()] if self._where is not TRUE else []
        if undecoded is not None:
            given = [parameter(f"k{place}") for place, _ in enumerate(undecoded)]
            values = [exp.cast(one, "text") if cast else one for one, cast in zip(given, undecoded, strict=True)]
            conditions.append(behind(key, values))
            if len({(part.collation, part.descending) for part in self.table.key}) > 1 or self.table.key[0].collation:
                # No index has this order, or none that row values are looked up in: begin with its first column.
                conditions.append(exp.GTE(this=key[0].copy(), expression=values[0].copy()))
        columns = [column(name) for name in self.names]
        if raw:
            columns = [*(_as_bytes(one) for one in columns), *(_is_text(one) for one in columns)]
        where = all_of(conditions)
        return page(columns, self.table.name, where=where, order=key, limit=parameter("most"), dialect=DIALECT)

    def _given(self, after: Key | None, most: int) -> Mapping[str, Any]:
        key = {f"k{place}": getattr(value, "raw", value) for place, value in enumerate(after or ())}
        return {**self._parameters, **key, "most": most}

    def _key_of(self, row: Sequence[Any]) -> Key:
        return tuple(row[place] for place in self._places)

    def _decoded_page(self, rows: Sequence[tuple[Any, ...]], *, complete: bool) -> Fetched:
        decoded: list[tuple[Any, ...] | Failed] = []
        key: Key | None = None
        for row in rows:
            half = len(self.names)
            values = tuple(self._decoded(value, is_text) for value, is_text in zip(row[:half], row[half:], strict=True))
            key = self._key_of(values)
            wrong = [name for name, value in zip(self.names, values, strict=True) if isinstance(value, Undecoded)]
            reason = f"The text in the column {', '.join(map(repr, wrong))} is not {self._encoding}."
            decoded.append(Failed(document_id(self.table.name, key), reason) if wrong else values)
        return Fetched(decoded, key, complete)

    def _decoded(self, value: Any, is_text: int) -> Any:  # noqa: ANN401 - whatever a row holds
        if not is_text:
            return value
        try:
            return value.decode(self._encoding)
        except UnicodeDecodeError:
            return Undecoded(value)


def _fetched(connection: apsw.Connection, text: str, given: Mapping[str, Any]) -> tuple[list[tuple[Any, ...]], bool]:
    """Return rows and whether these are all that the statement finds: it ends early at the largest size of a page."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    cursor = connection.cursor()
    try:
        found = cursor.execute(text, given)
        while some := list(islice(found, _AT_ONCE)):
            rows += some
            size += sum(map(getsizeof, chain.from_iterable(some)))
            if size > LARGEST_PAGE:
                return rows, False
        return rows, True
    finally:
        cursor.close(force=True)


def _as_bytes(operand: SQL) -> SQL:
    is_text = exp.If(this=_is_text(operand), true=exp.cast(operand.copy(), "blob"))
    return exp.Case(ifs=[is_text], default=operand.copy())


def _is_text(operand: SQL) -> SQL:
    kind = exp.Anonymous(this="TYPEOF", expressions=[operand.copy()])
    return exp.EQ(this=kind, expression=exp.Literal.string("text"))
