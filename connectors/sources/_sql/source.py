"""A source of a SQL database: everything but the dialect, the driver and the settings of one."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar

from sqlglot import exp

from connectors.aio.clock import Clock, SystemClock
from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Failed, Upsert
from connectors.dataset import Dataset, Key, Row
from connectors.errors import SourceError
from connectors.fields import Configuration
from connectors.filtering.validation import AdvancedRules
from connectors.predicate import ALWAYS, Predicate, compiled, fields_in
from connectors.row_walk import closing_walk
from connectors.source import BaseDataSource, Document, Single, Yielded
from connectors.sources._sql import document as documents
from connectors.sources._sql.catalog import Catalog
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.garbled import Garbled, reason
from connectors.sources._sql.incremental import Place, cursor_of
from connectors.sources._sql.page import PageSize, Statements
from connectors.sources._sql.queries import QueriesValidator, Query, queries_of
from connectors.sources._sql.reader import Part, pages, streamed
from connectors.sources._sql.row import maker_of, unique
from connectors.sources._sql.session import ResultColumn, Session
from connectors.sources._sql.sessions import Sessions
from connectors.sources._sql.statement import column
from connectors.sources._sql.table import Table


class SQLDataSource(BaseDataSource):
    """The tables of a database, read in pages by their keys."""

    advanced_rules_enabled: ClassVar[bool] = True
    incremental_sync_enabled: ClassVar[bool] = True
    dialect: ClassVar[Dialect]

    def __init__(self, configuration: Configuration, *, clock: Clock | None = None) -> None:
        super().__init__(configuration)
        self._clock = clock or SystemClock()
        self._tables: dict[str, Table] = {}
        self._warned: set[str] = set()
        self._maker: tuple[Dataset | None, Callable[[Row], Document]] = (None, dict)

    # What a database has to say.

    @property
    @abstractmethod
    def group(self) -> str:
        """The database whose tables are read, or the schema in it."""

    @property
    def origin(self) -> Mapping[str, str]:
        """Where its tables are, from the database down: fields of each document, and what its id begins with."""
        return {"database": self.group}

    @abstractmethod
    async def connect(self) -> Session:
        """Return a new session."""

    async def settled(self, catalog: Catalog, tables: Sequence[str], session: Session) -> Catalog:
        """Return a catalog that knows all types of these tables, for a database whose own leaves some of them open."""
        del tables, session
        return catalog

    # The contract.

    async def close(self) -> None:
        """Close every session, whatever it is doing."""
        if "_sessions" in vars(self):
            await self._sessions.close()

    async def ping(self) -> None:
        """Log in, and look whether the tables are there that are wanted."""
        async with self._sessions.lent() as session:
            (await self._catalog(session)).chosen(self.configuration.tables)

    async def health(self) -> Mapping[str, Any]:
        """Return the version of the server, and which tables have no key to be read in pages by."""
        async with self._asked() as (session, catalog):
            tables = catalog.chosen(self.configuration.tables)
            without = [one.name for one in tables if not one.key]
            return {"server": session.server, "tables": len(tables), "tables_without_key": without}

    async def datasets(self) -> Sequence[Dataset]:
        """Return the tables in the order of their names. What is read from then on is of one moment."""
        self._sessions.renew()
        self._tables = await self._found(self.configuration.tables)
        for one in self._tables.values():
            self._warn_of(one)
        return [one.dataset(self.configuration.cursor_columns) for one in self._tables.values()]

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        """Yield the rows of a table in the order of its key, page by page; without a key in no order, and all at once.

        Rows have the columns that `where` names too, so that it can be checked, and those that tell rows apart, which
        may be all of them.
        """
        table = await self._table(dataset)
        wanted = set(table.names)
        if columns is not None and table.identity:
            wanted = {*table.identity, *columns, *fields_in(where)}
        statements = Statements(self.dialect, table, [name for name in table.names if name in wanted], where, table.key)
        behind = after if after is not None and len(after) == len(table.key) else None
        counts, left = compiled(where) if limit is not None else None, limit
        async with aclosing(self._parts(dataset, statements, behind, limit)) as parts:
            async for part in parts:
                for row in part:
                    yield row
                    if counts is not None and left is not None and isinstance(row, dict) and counts(row):
                        left -= 1
                        if left <= 0:
                            return

    def document_of(self, dataset: Dataset, row: Row) -> Document:
        """Return a row as a document: its columns, `dataset` and `database`, and an id of database, table and key.

        Without any key the id is made of all that the row holds, so that rows that are alike are one document. A column
        with the name of what is added gets an underscore more; `_timestamp` stands for itself.
        """
        known, make = self._maker
        if dataset is not known:
            table = self._tables.get(dataset.name)
            key = dataset.primary_key or (table.identity if table is not None else ())
            make = documents.maker_of(dataset, key, self.origin, self.configuration.field_prefix)
            self._maker = dataset, make
        return make(row)

    @property
    def given_fields(self) -> frozenset[str]:
        """The id, and the fields that say where a document is from."""
        return frozenset({"_id", *documents.fields_of("", self.origin, self.configuration.field_prefix)})

    def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document | Failed | Dataset]:
        """Yield the rows with their keys alone, of which ids are made; of tables without a key all that they hold."""
        return super().get_ids(filtering)

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
                    if not isinstance(one, Dataset):
                        yield _change_of(one)
            return
        datasets, wanted = await self.datasets(), self.configuration.cursor_columns
        found = {name: Place.of(table, wanted, sync_cursor) for name, table in self._tables.items()}
        places = {name: place for name, place in found.items() if place is not None}
        for dataset in datasets:
            table, place = self._tables[dataset.name], places.get(dataset.name)
            highest = None if place is None else await self._highest(table, place.column)
            async with aclosing(self._parts(dataset, self._since(table, place))) as parts:
                async for part in parts:
                    for row in part:
                        yield row if isinstance(row, Failed) else Upsert(self.document_of(dataset, row))
            if place is not None:
                places[dataset.name] = place.moved(highest, self._clock.now())
                yield Checkpoint(cursor_of(places))

    def _since(self, table: Table, place: Place | None) -> Statements:
        """Return what reads from a place on, in the order of the cursor: there may be an index that finds them."""
        if place is None or place.value is None:
            return Statements(self.dialect, table, table.names, ALWAYS, table.key)
        where = place.where(timedelta(seconds=self.configuration.cursor_overlap_s))
        order = dict.fromkeys([place.column, *table.key] if table.key else [])
        return Statements(self.dialect, table, table.names, where, tuple(order))

    async def _highest(self, table: Table, name: str) -> object:
        """Return the highest value of a column, as rows have it."""
        form, most = table.columns[table.names.index(name)].form, exp.Max(this=column(name))
        selected = most if form.selected is None else form.selected(most)
        select = exp.Select(expressions=[selected]).from_(self.dialect.source(table, by_key=False))
        [(value,)] = (await self._sessions.fetch(self.dialect.text(select))).rows
        return value if value is None or form.made is None else form.made(value)

    # Advanced rules.

    def advanced_rules_validators(self) -> Sequence[Any]:
        """Return the validator of queries."""
        return [QueriesValidator(self.origin["database"], self.dialect.name, self._asked)]

    async def get_docs_by_rules(self, rules: AdvancedRules) -> AsyncIterator[Yielded]:
        """Yield the rows that queries return. Each is run once, and what it returns is never in memory as a whole.

        A row is the document of its table where it has the columns of its key, and so it is with several tables. Else
        its id is made of all that it holds.
        """
        self._sessions.renew()
        catalog = await self._sessions.again(self._catalog)
        for query in queries_of(rules, self.origin["database"], self.dialect.name):
            query.check_tables(catalog)
            async with aclosing(self._queried(query, catalog)) as found:
                async for one in found:
                    yield one

    async def _queried(self, query: Query, catalog: Catalog) -> AsyncGenerator[Document | Failed | Dataset, None]:
        async with self._sessions.streamed(query.text) as stream:
            columns = _apart(stream.columns)
            make, names = maker_of(columns), [one.name for one in columns]
            keys = [name for table in query.tables for name in catalog.table(table).identity]
            key = query.key_in(names, keys)
            cursor = next((name for name in self.configuration.cursor_columns if name in names), None)
            dataset = Dataset(query.name, self.group, cursor_field=cursor)
            yield dataset
            document_of = documents.maker_of(dataset, key, self.origin, self.configuration.field_prefix)
            async for part in stream.parts:
                for values in part:
                    document = document_of(make(values))
                    yield Failed(document["_id"], reason(names, values)) if type(values) is Garbled else document

    async def native_query(self, text: str) -> AsyncIterator[Row]:
        """Yield the rows that a query in SQL finds. What it would write is refused."""
        async with self._sessions.streamed(text) as stream:
            make = maker_of(_apart(stream.columns))
            async for part in stream.parts:
                for values in part:
                    if type(values) is Garbled:
                        raise SourceError(reason([one.name for one in stream.columns], values))
                    yield make(values)

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[tuple[Session, Catalog]]:
        async with self._sessions.lent() as session:
            yield session, await self._catalog(session)

    # Reading.

    def _parts(
        self, dataset: Dataset, statements: Statements, after: Key | None = None, limit: int | None = None
    ) -> AsyncGenerator[Part, None]:
        def id_of(row: Row) -> str:
            doc_id: str = self.document_of(dataset, row)["_id"]
            return doc_id

        if not statements.order:
            return streamed(self._sessions, statements, id_of)
        size = PageSize(self.configuration.fetch_size)
        size.rows = max(1, min(size.rows, limit or size.rows))
        return pages(self._sessions, statements, id_of, size, after)

    async def _catalog(self, session: Session) -> Catalog:
        given = {"group": self.group}
        answers = [(await session.fetch(text, given)).rows for text in self.dialect.catalog(session.server)]
        return Catalog.of(self.group, answers, self.dialect.form)

    async def _found(self, wanted: Sequence[str]) -> dict[str, Table]:
        """Return the tables that are wanted, by their names."""

        async def find(session: Session) -> list[Table]:
            catalog = await self._catalog(session)
            names = [one.name for one in catalog.chosen(wanted)]
            known = await self.settled(catalog, names, session)
            return [known.table(name) for name in names]

        return {one.name: self._without_binary(one) for one in await self._sessions.again(find)}

    async def _table(self, dataset: Dataset) -> Table:
        """Return the table of a dataset as it was when datasets were last asked for."""
        if dataset.name not in self._tables:
            self._tables |= await self._found([dataset.name])
        table = self._tables[dataset.name]
        if table.key != dataset.primary_key:
            message = f"The key of the table {table.name!r} is {table.key}, and no longer {dataset.primary_key}."
            raise SourceError(message, hint="Read it anew.")
        return table

    def _without_binary(self, table: Table) -> Table:
        if self.configuration.binary != "skip":
            return table
        left = tuple(one for one in table.columns if not one.form.is_binary or one.name in table.identity)
        return replace(table, columns=left or table.columns)

    def _warn_of(self, table: Table) -> None:
        if not table.identity and not table.is_view and table.name not in self._warned:
            self._warned.add(table.name)
            self.remark(f"The table {table.name!r} has no key, so rows of it that are alike are one document.")

    @cached_property
    def _sessions(self) -> Sessions:
        given: Any = self.configuration
        return Sessions(
            self.connect,
            self._clock,
            most=given.max_connections,
            snapshot_max_s=given.snapshot_max_s,
            retries=given.retry_count,
            remark=self.remark,
        )


def _change_of(yielded: Single) -> Change:
    """Return what a walk yields as a change."""
    if isinstance(yielded, Failed):
        return yielded
    return Upsert(yielded[0] if isinstance(yielded, tuple) else yielded)


def _apart(columns: Sequence[ResultColumn]) -> list[ResultColumn]:
    """Return the columns of a result under names that tell them apart."""
    names = unique([one.name for one in columns])
    return [replace(one, name=name) for one, name in zip(columns, names, strict=True)]
