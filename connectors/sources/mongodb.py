"""MongoDB: the collections of its databases, read in the order of their keys and never written."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.aio.clock import Clock, SystemClock
from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Failed, Upsert
from connectors.dataset import Dataset, Key, Row
from connectors.errors import ConfigurationError, SourceError
from connectors.fields import Configuration, Fields
from connectors.filtering.validation import AdvancedRules
from connectors.predicate import ALWAYS, Predicate, compiled, fields_in
from connectors.row_walk import closing_walk, documents_behind, pushed
from connectors.source import BaseDataSource, Document, Token, Yielded
from connectors.sources._mongodb.settings import FIELDS

if TYPE_CHECKING:
    from connectors.sources._mongodb.catalog import Collection
    from connectors.sources._mongodb.connection import Connection
    from connectors.sources._mongodb.feed import Feed
    from connectors.sources._mongodb.page import Options, Part, Reading
    from connectors.sources._mongodb.position import Position
    from connectors.sources._mongodb.wanted import Wanted

SAMPLE = 100
"""How many documents of a collection are looked at for its schema: the first and the last."""


class MongoDBDataSource(BaseDataSource):
    """The collections and views of one or several databases of MongoDB 4.4 or later.

    They are only read, in pages by `_id`, whatever types the keys are of. docs/mongodb.md tells what to grant, what
    becomes of types, and how they are read.
    """

    name = "MongoDB"
    service_type = "mongodb"
    drivers: ClassVar[Mapping[str, str]] = {"pymongo": "pymongo"}
    advanced_rules_enabled: ClassVar[bool] = True
    incremental_sync_enabled: ClassVar[bool] = True
    fields: ClassVar[Fields] = FIELDS

    def __init__(self, configuration: Configuration, *, clock: Clock | None = None) -> None:
        super().__init__(configuration)
        self._clock = clock or SystemClock()
        self._collections: dict[str, Collection] = {}
        self._maker: tuple[Dataset | None, Callable[[Row], Document]] = (None, dict)
        self.listeners: tuple[Any, ...] = ()
        """Those whom the driver tells of each command that it sends."""

    async def close(self) -> None:
        """Close the client, whatever it is doing."""
        if "_connection" in vars(self):
            await self._connection.close()

    async def validate_config(self) -> None:
        """Check the connection string with the settings beside it."""
        self._connection  # noqa: B018 - making it is the check

    async def ping(self) -> None:
        """Log in, and look whether the collections are there that are wanted."""
        await self._chosen()

    async def health(self) -> Mapping[str, Any]:
        """Return the version of the server, what kind it is, and what can't be read in pages."""
        from connectors.sources._mongodb.stream import Scope, moment  # noqa: PLC0415 - see above

        hello = await self._connection.again(lambda client: client.admin.command("hello"))
        build = await self._connection.again(lambda client: client.admin.command("buildInfo"))
        chosen = await self._chosen()
        return {
            "server": build.get("version"),
            "replica_set": hello.get("setName"),
            "sharded": hello.get("msg") == "isdbgrid",
            "change_streams": await moment(self._connection, Scope(tuple(chosen), whole_databases=False)) is not None,
            "collections": len(chosen),
            "without_order": [one.namespace for one in chosen if not one.has_order],
        }

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Return whether a change stream, opened for this question, tells of a change in what is read.

        Without change streams, as of a server that is in no replica set, the answer is yes. So it is for time series,
        which have none, and for rules whose answer depends on chance or on the time.
        """
        from connectors.sources._mongodb.stream import Scope, asked, is_volatile  # noqa: PLC0415 - see above

        chosen = await self._chosen()
        has_rules = filtering is not None and filtering.has_advanced_rules()
        if filtering is not None and has_rules and is_volatile(filtering.get_advanced_rules()):
            return True, None
        whole = has_rules or any(not one.has_order for one in chosen)  # these may look at other collections
        return await asked(self._connection, Scope(tuple(chosen), whole), token)

    # What changed.

    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        """Yield each document that was touched since a cursor, as it is now, or that it is gone; then the place.

        Without a cursor everything is yielded, and then what was touched meanwhile. Raises a `ConfigurationError` where
        there are no change streams, or where rules can't be decided on one document.
        """
        feed = self._feed(filtering)
        if sync_cursor is None:
            position = await feed.begin()
            async with closing_walk(self._everything(filtering)) as documents:
                async for one in documents:
                    yield one
        else:
            position = self._position(sync_cursor)
        async with aclosing(feed.since(position)) as changes:
            async for change in changes:
                yield change

    async def get_docs_live(self, sync_cursor: Cursor, filtering: Filter | None = None) -> AsyncIterator[Change]:
        """Yield what was touched since a cursor, and then what is, as it happens, with a place behind each batch.

        While nothing happens there is a place each half of a minute, as far as it is another one.
        """
        async with aclosing(self._feed(filtering).live(self._position(sync_cursor))) as changes:
            async for change in changes:
                yield change

    def cursor_of(self, token: Token) -> Cursor | None:
        """Return the cursor of the place in the change stream where a token was taken."""
        from connectors.sources._mongodb.position import Position  # noqa: PLC0415 - see above
        from connectors.sources._mongodb.stream import token_of  # noqa: PLC0415 - see above

        after, collections = token.get("after"), token.get("collections")
        if not isinstance(after, Mapping) or not isinstance(collections, Mapping):
            return None
        return Position(token_of(after), collections, self._wanted.names).cursor

    async def _everything(self, filtering: Filter | None) -> AsyncGenerator[Change, None]:
        """Yield all documents. Those that basic rules drop are among them, as the index may have them."""
        rules = filtering if filtering is not None and filtering.has_advanced_rules() else None
        async with closing_walk(documents_behind(self, await self.datasets(), None, rules)) as documents:
            async for one in documents:
                if isinstance(one, Failed):
                    yield one
                elif not isinstance(one, Dataset | Checkpoint):
                    yield Upsert(one[0] if isinstance(one, tuple) else one)

    def _feed(self, filtering: Filter | None) -> "Feed":
        from connectors.sources._mongodb.decided import readings  # noqa: PLC0415 - see above
        from connectors.sources._mongodb.feed import Feed, Reader  # noqa: PLC0415 - see above
        from connectors.sources._mongodb.page import Reading  # noqa: PLC0415 - see above

        rules = filtering.get_advanced_rules() if filtering is not None else {}
        ruled: dict[str, Reading] = {}

        async def chosen() -> "Sequence[Collection]":
            found = await self._chosen()
            if rules:
                ruled.update(readings(rules, found, self._options))
            return found

        def reading(one: "Collection") -> "Reading | None":
            return ruled.get(one.namespace) if rules else Reading(one, {}, None, self._options)

        reader = Reader(chosen, reading, self.document_of, self.configuration.fetch_size)
        return Feed(self._connection, self._wanted, reader)

    def _position(self, cursor: Cursor) -> "Position":
        from connectors.sources._mongodb.position import Position  # noqa: PLC0415 - see above

        return Position.of(cursor, self._wanted.names)

    @property
    def _wanted(self) -> "Wanted":
        from connectors.sources._mongodb.wanted import Wanted  # noqa: PLC0415 - see above

        return Wanted(tuple(self.configuration.database), tuple(self.configuration.collection))

    # Rows.

    async def datasets(self) -> Sequence[Dataset]:
        """Return the collections in the order of their names, each with a schema inferred from some documents."""
        self._collections = {one.namespace: one for one in await self._chosen()}
        return [await self._dataset(one) for one in self._collections.values()]

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        """Yield the documents of a collection in the order of `_id`, page by page; those of a view as they come.

        Rows have the fields that `where` names too, so that it can be checked, and `_id`.
        """
        collection = await self._collection(dataset)
        wanted = None if columns is None else {"_id", *columns, *fields_in(where)}
        counts, left = compiled(where) if limit is not None else None, limit
        async with aclosing(self._parts(self._reading(collection, wanted, where), after, limit)) as parts:
            async for part in parts:
                for row in part if wanted is None else _narrowed(part, wanted):
                    yield row
                    if counts is not None and left is not None and isinstance(row, dict) and counts(row):
                        left -= 1
                        if left <= 0:
                            return
        await self._check_stayed(collection)

    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document | Failed | Dataset]:
        """Yield the documents with their keys alone, and what rules look at.

        Those of views and time series are read whole: one without an `_id` is told apart by all that it holds.
        """
        from connectors.sources._mongodb.document import fields_behind  # noqa: PLC0415 - the driver may be missing

        fields, where = sorted(fields_behind(() if filtering is None else filtering.fields)), pushed(self, filtering)
        self._collections = {one.namespace: one for one in await self._chosen()}
        for collection in self._collections.values():
            yield (dataset := collection.dataset)
            async with closing_walk(self.read(dataset, fields if collection.has_order else None, where)) as rows:
                async for row in rows:
                    yield row if isinstance(row, Failed) else self.document_of(dataset, row)

    def document_of(self, dataset: Dataset, row: Row) -> Document:
        """Return a row as a document: its fields, `dataset`, `database` and `collection`, and an id of these and `_id`.

        The `_id` that it had is in `_id_`. A row without one, as a view may have, is told apart by all that it holds.
        A field with the name of what is added gets an underscore more.
        """
        known, make = self._maker
        if dataset is not known:
            from connectors.sources._mongodb.document import maker_of  # noqa: PLC0415 - the driver may be missing

            make = maker_of(dataset)
            self._maker = dataset, make
        return make(row)

    @property
    def given_fields(self) -> frozenset[str]:
        """The id, and the fields that say where a document is from."""
        from connectors.sources._mongodb.document import GIVEN_FIELDS  # noqa: PLC0415 - see above

        return GIVEN_FIELDS

    def place_of(self, key: Key) -> Any | None:  # noqa: ANN401 - JSON
        """Return an `_id` as Extended JSON, in which its type is told."""
        from connectors.sources._mongodb.key import as_json, element_of_value  # noqa: PLC0415 - see above

        return as_json(element_of_value(key[0])) if key else None

    def key_at(self, place: Any) -> Key:  # noqa: ANN401 - JSON
        """Return the `_id` of a place."""
        from connectors.sources._mongodb.key import of_json  # noqa: PLC0415 - see above

        return (of_json(place, self._options),)

    # Advanced rules.

    def advanced_rules_validators(self) -> Sequence[Any]:
        """Return the validator of questions."""
        from connectors.sources._mongodb.rules import QuestionsValidator  # noqa: PLC0415 - see above

        return [QuestionsValidator(self._connection, self._chosen)]

    async def get_docs_by_rules(self, rules: AdvancedRules) -> AsyncIterator[Yielded]:
        """Yield what each find and aggregate returns, as it comes. A result with an `_id` is the document of it."""
        from connectors.sources._mongodb.page import Reading  # noqa: PLC0415 - see above
        from connectors.sources._mongodb.rules import questions_of  # noqa: PLC0415 - see above

        connection = self._connection
        for question in questions_of(rules, await self._chosen()):
            one = question.collection
            dataset, reading = Dataset(one.namespace, one.database), Reading(one, {}, None, self._options)
            yield dataset
            batches = connection.streamed(lambda client, asked=question: asked.begun(client, connection.timeout_ms))  # type: ignore[misc]
            async with aclosing(_rows(reading, batches)) as rows:
                async for part in rows:
                    for row in part:
                        yield row if isinstance(row, Failed) else self.document_of(dataset, row)

    # Reading.

    def _reading(self, collection: "Collection", wanted: set[str] | None, where: Predicate) -> "Reading":
        from connectors.sources._mongodb.page import Reading  # noqa: PLC0415 - see above
        from connectors.sources._mongodb.predicate import query_of  # noqa: PLC0415 - see above

        plain = wanted is not None and all(one and "." not in one and not one.startswith("$") for one in wanted)
        projection = dict.fromkeys(sorted(wanted), 1) if wanted is not None and plain else None
        query = query_of(where) if collection.compares_plainly else {}
        return Reading(collection, query, projection, self._options)

    def _parts(self, reading: "Reading", after: Key | None, limit: int | None) -> AsyncGenerator["Part", None]:
        from connectors.sources._mongodb.key import element_of_value  # noqa: PLC0415 - see above
        from connectors.sources._mongodb.page import PageSize, pages  # noqa: PLC0415 - see above

        if not reading.collection.has_order:
            return _rows(reading, reading.streamed(self._connection))
        size = PageSize(self.configuration.fetch_size)
        size.rows = max(1, min(size.rows, limit or size.rows))
        return pages(self._connection, reading, size, element_of_value(after[0]) if after else None)

    async def _dataset(self, one: "Collection") -> Dataset:
        from connectors.sources._mongodb.schema import schema_of  # noqa: PLC0415 - see above

        count: int | None = None
        if one.has_order:
            count = await self._connection.again(
                lambda client: client[one.database][one.name].estimated_document_count(
                    maxTimeMS=self._connection.timeout_ms
                )
            )
        rows = [row for part in await self._sample(one) for row in part]
        return Dataset(one.namespace, one.database, schema_of(rows), ("_id",) if one.has_order else (), None, count)

    async def _sample(self, one: "Collection") -> list["Part"]:
        """Return some documents: the first and the last, as what changes in a collection does so with time."""
        from connectors.sources._mongodb.page import Reading  # noqa: PLC0415 - see above

        reading = Reading(one, {}, None, self._options)
        orders = (1, -1) if one.has_order else (None,)
        found = []
        for order in orders:
            data = await reading.sample(self._connection, order, SAMPLE // len(orders))
            found += [*reading.rows(data)]
        return found

    async def _chosen(self) -> "Sequence[Collection]":
        from connectors.sources._mongodb.catalog import collections_of  # noqa: PLC0415 - see above

        given = self.configuration
        return await self._connection.again(lambda client: collections_of(client, given.database, given.collection))

    async def _collection(self, dataset: Dataset) -> "Collection":
        """Return the collection of a dataset as it was when datasets were last asked for."""
        if dataset.name not in self._collections:
            self._collections |= {one.namespace: one for one in await self._chosen()}
        if dataset.name not in self._collections:
            raise ConfigurationError(f"There is no collection {dataset.name!r} any more.", field="collection")
        return self._collections[dataset.name]

    async def _check_stayed(self, collection: "Collection") -> None:
        """Raise a `SourceError` where a collection is another one now, or none: that looks as if it had ended."""
        from connectors.sources._mongodb.catalog import found_again  # noqa: PLC0415 - see above

        if not await self._connection.again(lambda client: found_again(client, collection)):
            message = f"The collection {collection.namespace!r} was dropped or replaced while it was read."
            raise SourceError(message, hint="The next sync finds what there is.")

    @cached_property
    def _options(self) -> "Options":
        from connectors.sources._mongodb.values import codec  # noqa: PLC0415 - see above

        return codec(self.configuration.uuid_representation)

    @cached_property
    def _connection(self) -> "Connection":
        from connectors.sources._mongodb.address import address_of  # noqa: PLC0415 - see above
        from connectors.sources._mongodb.connection import Connection  # noqa: PLC0415 - see above

        return Connection(address_of(self.configuration), self.configuration, self._clock, self.listeners)


def _narrowed(part: "Part", wanted: set[str]) -> "Part":
    """Return rows with no more than the fields that are wanted."""
    return [
        row if isinstance(row, Failed) else {name: value for name, value in row.items() if name in wanted}
        for row in part
    ]


async def _rows(reading: "Reading", batches: AsyncGenerator[bytes, None]) -> AsyncGenerator["Part", None]:
    async with aclosing(batches) as found:
        async for data in found:
            for part in reading.rows(data):
                yield part
                await asyncio.sleep(0)
