"""SQLite: the tables of a database file, read in the order of their keys and never written."""

import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Final

import apsw
from apsw.ext import query_info

from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Failed, Upsert
from connectors.dataset import Dataset, Key, Row
from connectors.errors import SourceError
from connectors.fields import Field, Fields
from connectors.filtering.validation import AdvancedRules
from connectors.predicate import ALWAYS, Predicate, compiled, fields_in
from connectors.row_walk import closing_walk
from connectors.source import BaseDataSource, Document, Token, Yielded
from connectors.sources._sql import document as documents
from connectors.sources._sql.incremental import Place, cursor_of
from connectors.sources._sql.queries import Describing, QueriesValidator, Tables, queries_of
from connectors.sources._sql.row import maker_of, unique
from connectors.sources._sql.session import ResultColumn
from connectors.sources._sql.settings import OVERLAP
from connectors.sources._sqlite.connection import Connection
from connectors.sources._sqlite.dialect import DIALECT
from connectors.sources._sqlite.page import Pages
from connectors.sources._sqlite.schema import highest_of, names_of, rows_of, statistics_of, table_of, tables_of

_ROWS_AT_ONCE: Final = 100


class SQLiteDataSource(BaseDataSource):
    """The tables of one SQLite database.

    It is opened for reading alone. Each page is read in a transaction of its own, so that a writer waits for no walk.
    The query of an advanced rule is one statement from its beginning to its end: in a database that is not in WAL mode,
    whoever writes waits for that.

    A document says in `dataset` which table it is from; a column of that name, or `_id`, gets an underscore more.
    A table without a primary key is read by its `rowid`: a query of it selects that too, if its rows are to be the same
    documents. The values of cursor columns are times in ISO 8601 or numbers; what is neither is found by full syncs.
    """

    name = "SQLite"
    service_type = "sqlite"
    advanced_rules_enabled: ClassVar[bool] = True
    incremental_sync_enabled: ClassVar[bool] = True
    fields = Fields(
        Field(
            "database",
            "Database file",
            type=Path,
            example="/srv/data/shop.db",
            tooltip="It has to be below one of the allowed_paths of config.yml.",
        ),
        Field(
            "tables",
            "Tables",
            type=list,
            list_type="str",
            default=["*"],
            tooltip="The names of the tables to read, separated by commas; * stands for all.",
        ),
        Field(
            "cursor_columns",
            "Columns that grow with each change",
            type=list,
            list_type="str",
            required=False,
            example=["updated_at"],
            tooltip="Times or numbers that grow: a table is taken to change in the first of these columns that it has, "
            "and only what did is read in an incremental sync.",
        ),
        OVERLAP,
        Field(
            "page_size",
            "Rows per page",
            type=int,
            default=1_000,
            greater_than=0,
            less_than=1_000_001,
            advanced=True,
            shapes=False,
        ),
    )
    busy_s: ClassVar[float] = 5.0
    """How long to wait for a program that is writing."""
    now_ns: ClassVar[Callable[[], int]] = time.time_ns

    async def close(self) -> None:
        """Stop the statement that is running, and close the database."""
        if "_database" in vars(self):
            await self._database.close()

    async def ping(self) -> None:
        """Open the database and read its schema."""
        await self._database.run(partial(tables_of, wanted=self.configuration.tables))

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Return whether anything was written, by the files alone. Says yes for some seconds after a write too."""
        del filtering
        stamp = await self._database.stamp()
        if not stamp.settled:
            return True, None
        return token != {"stamp": stamp.text}, {"stamp": stamp.text}

    async def datasets(self) -> Sequence[Dataset]:
        """Return the tables in the order of their names, without those that SQLite keeps for itself."""
        return await self._database.run(self._datasets)

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        """Yield the rows of a table in the order of its key, page by page.

        Rows have the columns that `where` names too, so that it can be checked. A row whose text is none in the
        encoding of the database is yielded as a `Failed`.
        """
        pages = await self._database.run(partial(_pages, dataset=dataset, columns=columns, where=where))
        make = maker_of([ResultColumn(name) for name in pages.names])
        counts = compiled(where) if limit is not None else None
        most = self.configuration.page_size
        size, left = most if limit is None else min(limit, most), limit
        while left != 0:
            fetched = await self._database.run(partial(pages.fetch, after=after, most=size))
            for values in fetched.rows:
                if isinstance(values, Failed):
                    yield values
                    continue
                row = make(values)
                yield row
                if counts is not None and left is not None and counts(row):
                    left -= 1
                    if not left:
                        return
            if fetched.complete:
                return
            after, size = fetched.last, min(2 * size, most)

    # What changed.

    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        """Yield the rows whose cursor column is not below what it was, and a little earlier ones, for late commits.

        Rows of tables without such a column are all yielded, each time; so is all that advanced rules ask for.
        Deleted rows are found by a full sync.
        """
        if filtering is not None and filtering.has_advanced_rules():
            async with closing_walk(self.get_docs_by_rules(filtering.get_advanced_rules())) as asked:
                async for one in asked:
                    if isinstance(one, dict):
                        yield Upsert(one)
            return
        datasets = await self.datasets()
        columns = {one.name: one.cursor_field for one in datasets if one.cursor_field is not None}
        places = {table: Place.known(table, name, sync_cursor) for table, name in columns.items()}
        for dataset in datasets:
            place, highest = places.get(dataset.name), None
            where: Predicate = ALWAYS
            if place is not None:
                where = place.where(timedelta(seconds=self.configuration.cursor_overlap_s))
                highest = await self._database.run(partial(highest_of, table=dataset.name, name=place.column))
            async with closing_walk(self.read(dataset, where=where)) as rows:
                async for row in rows:
                    yield row if isinstance(row, Failed) else Upsert(self.document_of(dataset, row))
            if place is not None:
                places[dataset.name] = place.moved(highest, datetime.fromtimestamp(type(self).now_ns() / 1e9, UTC))
                yield Checkpoint(cursor_of(places))

    # Advanced rules.

    def advanced_rules_validators(self) -> Sequence[Any]:
        """Return the validator of queries."""
        return [QueriesValidator(self._name, DIALECT, self._asked)]

    async def get_docs_by_rules(self, rules: AdvancedRules) -> AsyncIterator[Yielded]:
        """Yield the rows that queries return. Each is run once, and what it returns is never in memory as a whole.

        A row is the document of its table where it has the columns of its key, and so it is with several tables. Else
        its id is made of all that it holds.
        """
        for query in queries_of(rules, self._name, DIALECT):
            async with self._asked() as (_, there):
                query.check_tables(there)
            found = await self._database.run(partial(tables_of, wanted=query.tables))
            keys = [part.name for table in found for part in table.key]
            make: Callable[[Row], Document] | None = None
            yield Dataset(query.name)
            async with closing_walk(self.native_query(query.text)) as rows:
                async for row in rows:
                    if make is None:
                        cursor = next((name for name in self.configuration.cursor_columns if name in row), None)
                        dataset = Dataset(query.name, cursor_field=cursor)
                        make = documents.maker_of(dataset, query.key_in(row, keys), {})
                    yield make(row)

    @property
    def _name(self) -> str:
        name: str = self.configuration.database.name
        return name

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[tuple[Describing, Tables]]:
        there = _There(self._database, await self._database.run(names_of))
        yield there, there

    async def native_query(self, text: str) -> AsyncIterator[Row]:
        """Yield the rows that a query in SQL finds. What it would write is denied, and so are other files."""
        cursor = await self._database.run(lambda connection: connection.execute(text), again=False)
        try:
            while rows := await self._database.run(partial(_some_rows, cursor), again=False):
                for row in rows:
                    yield row
        finally:
            await self._database.release(cursor)

    def _datasets(self, connection: apsw.Connection) -> list[Dataset]:
        statistics = statistics_of(connection)
        cursors = self.configuration.cursor_columns
        return [
            table.dataset(cursors, rows_of(connection, table, statistics))
            for table in tables_of(connection, self.configuration.tables)
        ]

    @cached_property
    def _database(self) -> Connection:
        return Connection(self.configuration.database, self.busy_s, type(self).now_ns)


@dataclass(frozen=True)
class _There:
    """What a query is checked by."""

    database: Connection
    tables: Collection[str]

    async def described(self, text: str) -> Sequence[str]:
        """Return the names of what it would return: it is prepared, and not executed."""
        found = await self.database.run(lambda connection: query_info(connection, text))
        return unique([one[0] for one in found.description])


def _pages(connection: apsw.Connection, dataset: Dataset, columns: Sequence[str] | None, where: Predicate) -> Pages:
    """Return the pages of a dataset as it is now."""
    table = table_of(connection, dataset.name)
    key = tuple(part.name for part in table.key)
    if key != dataset.primary_key:
        message = f"The key of the table {table.name!r} is {key}, and no longer {dataset.primary_key}."
        raise SourceError(message, hint="Read it anew.")
    wanted = table.names if columns is None else {*key, *columns, *fields_in(where)}
    return Pages(connection, table, [name for name in table.names if name in wanted], where)


def _some_rows(cursor: apsw.Cursor, _: apsw.Connection) -> list[Row]:
    # The names are asked for with each row: the next one may be that of another statement.
    return [dict(zip(_names(cursor), row, strict=False)) for row in islice(cursor, _ROWS_AT_ONCE)]


def _names(cursor: apsw.Cursor) -> list[str]:
    return unique([name for name, *_ in cursor.get_description()])
