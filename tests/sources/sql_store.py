"""A store: a database of its own on a real server, and the source that reads it, whichever database it is."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from connectors.aio.clock import Clock
from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.sources._sql.source import SQLDataSource
from tests.sources.walks import Row, walked


class Store(ABC):
    """A database of a server's."""

    kind: ClassVar[type[SQLDataSource]]
    """The source that reads it."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, object]:
        """The settings of a source that reads it."""

    @abstractmethod
    async def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as somebody who may do everything, and return the rows of the last one."""

    @abstractmethod
    async def connections(self) -> int:
        """Return how many sessions of sources the server has that read this database."""

    def done(self, *statements: str) -> list[tuple[Any, ...]]:
        """Do the same where no loop runs."""
        return asyncio.run(self.run(*statements))

    def source(self, *, clock: Clock | None = None, **given: object) -> SQLDataSource:
        """Return a source that reads it."""
        configuration = Configuration(self.kind.fields, {**self.settings, **given}, Grants())
        configuration.check()
        return self.kind(configuration, clock=clock)

    @asynccontextmanager
    async def opened(self, **given: Any) -> AsyncIterator[tuple[SQLDataSource, dict[str, Dataset]]]:
        """Provide a source with its datasets."""
        async with self.source(**given) as one:
            yield one, {dataset.name: dataset for dataset in await one.datasets()}

    async def rows(self, table: str, *, given: dict[str, Any] | None = None, **more: Any) -> list[Row | Failed]:
        """Return what a new source reads of a table."""
        async with self.opened(**(given or {})) as (one, datasets):
            return [row async for row in one.read(datasets[table], **more)]

    async def documents(self, **given: Any) -> list[Any]:
        """Return what a walk of a new source yields."""
        async with self.source(**given) as one:
            return [found async for found in walked(one)]
