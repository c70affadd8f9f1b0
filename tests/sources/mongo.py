"""A MongoDB, or what stands in for one, for the tests of its source: databases made for one test each."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest
from pymongo.monitoring import CommandListener

from connectors.aio.clock import Clock
from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.fields import Configuration
from connectors.grants import Grants
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

    def started(self, event: Any) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None:
        pass

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
