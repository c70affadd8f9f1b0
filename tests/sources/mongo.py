"""A MongoDB, or what stands in for one, for the tests of its source: databases made for one test each."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from pymongo.monitoring import CommandListener

from connectors.aio.clock import Clock
from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Delete, Failed, Upsert
from connectors.dataset import Dataset
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.source import Document
from connectors.sources.mongodb import MongoDBDataSource
from fixtures.mongodb.server import MongoDB

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.collection import Collection

Row = dict[str, Any]
_NUMBERS: Final = count(1)


@dataclass(frozen=True)
class Store:
    """A database of its own on the server."""

    server: MongoDB
    client: "MongoClient[dict[str, Any]]"
    name: str

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a source that reads it."""
        return {"host": self.server.url, "database": self.name, "retry_count": 0, "connect_timeout_s": 5}

    def __getitem__(self, name: str) -> "Collection[dict[str, Any]]":
        return self.client[self.name][name]

    def filled(self, name: str, documents: Sequence[Mapping[str, Any]]) -> None:
        """Insert documents."""
        self[name].insert_many([dict(one) for one in documents])

    def kill(self, stream: tuple[str, int]) -> None:
        """Kill a cursor, as an administrator may."""
        database, _, name = stream[0].partition(".")
        self.client[database].command({"killCursors": name, "cursors": [stream[1]]})

    def source(self, *, clock: Clock | None = None, **given: object) -> MongoDBDataSource:
        """Return a source that reads it."""
        return source_of({**self.settings, **given}, clock=clock)

    @asynccontextmanager
    async def opened(self, **given: Any) -> AsyncIterator[tuple[MongoDBDataSource, dict[str, Dataset]]]:
        """Provide a source with its datasets."""
        async with self.source(**given) as one:
            yield one, {dataset.name.partition(".")[2]: dataset for dataset in await one.datasets()}

    async def rows(self, name: str, *, given: dict[str, Any] | None = None, **more: Any) -> list[Row | Failed]:
        """Return what a new source reads of a collection."""
        async with self.opened(**(given or {})) as (one, datasets):
            return [row async for row in one.read(datasets[name], **more)]


def source_of(settings: Mapping[str, object], *, clock: Clock | None = None) -> MongoDBDataSource:
    """Return a source of settings that were checked."""
    configuration = Configuration(MongoDBDataSource.fields, settings, Grants())
    configuration.check()
    return MongoDBDataSource(configuration, clock=clock)


class Commands(CommandListener):
    """Counts what a client sends."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sent: list[Any] = []
        self.asked_for_more = asyncio.Event()
        self.streams: list[tuple[str, int]] = []
        """The change streams that were opened: the namespace and the number of the cursor of each."""

    def started(self, event: Any) -> None:
        self.names.append(event.command_name)
        self.sent.append(event.command)
        if event.command_name == "getMore":
            self.asked_for_more.set()

    def succeeded(self, event: Any) -> None:
        cursor = event.reply.get("cursor") or {}
        if event.command_name == "aggregate" and "postBatchResumeToken" in cursor:
            self.streams.append((cursor["ns"], cursor["id"]))

    def failed(self, event: Any) -> None:
        pass


def started() -> Iterator[MongoDB]:
    """Start a server, where there is one to be had."""
    server = MongoDB()
    try:
        asyncio.run(server.__aenter__())
    except RuntimeError as error:
        if not all(map(shutil.which, server.needs())):
            pytest.skip(str(error))
        raise
    yield server
    asyncio.run(server.close())


@contextmanager
def made(server: MongoDB) -> Iterator[Store]:
    """Provide a new database."""
    with server.connect() as client:
        found = Store(server, client, f"test_{next(_NUMBERS)}")
        client.drop_database(found.name)
        try:
            yield found
        finally:
            client.drop_database(found.name)


async def changes_of(
    store: Store, cursor: Cursor | None, rules: Any = None, *, commands: Commands | None = None, **given: Any
) -> list[Change]:
    """Return what a new source yields incrementally, as another process has it."""
    async with store.source(**given) as one, aclosing(_incrementally(one, cursor, rules)) as walk:
        one.listeners = (commands,) if commands is not None else ()
        return [change async for change in walk]


def _incrementally(one: MongoDBDataSource, cursor: Cursor | None, rules: Any) -> AsyncGenerator[Change, None]:
    walk: Any = one.get_docs_incrementally(json.loads(json.dumps(cursor)), filter_of(rules))
    return cast("AsyncGenerator[Change, None]", walk)


def filter_of(rules: Any) -> Filter | None:
    """Return a filter of advanced rules."""
    return None if rules is None else Filter({"advanced_snippet": {"value": rules}})


async def walked(store: Store, rules: Any = None, **given: Any) -> dict[str, Document]:
    """Return the documents of a walk, by their ids."""
    async with store.source(**given) as one:
        walk: Any = one.get_docs(filter_of(rules))
        async with aclosing(walk) as yielded:
            found = [each[0] if isinstance(each, tuple) else each async for each in yielded]
    return {each["_id"]: each for each in found if isinstance(each, dict)}


def applied(before: Mapping[str, Document], changes: Iterable[Change]) -> dict[str, Document]:
    """Return what documents are after some changes."""
    now = dict(before)
    for one in changes:
        if isinstance(one, Upsert):
            now[one.document["_id"]] = one.document
        elif isinstance(one, Delete):
            now.pop(one.id, None)
    return now


def touched(changes: Iterable[Change]) -> list[str]:
    """Return the ids that changes are about, in their order."""
    found = []
    for one in changes:
        if isinstance(one, Upsert):
            found.append(one.document["_id"])
        elif not isinstance(one, Checkpoint):
            found.append(one.id)
    return found


def last(changes: Sequence[Change]) -> Cursor:
    """Return the cursor at the end of some changes."""
    end = changes[-1]
    assert isinstance(end, Checkpoint), end
    return end.cursor
