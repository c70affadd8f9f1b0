"""The subject: the source under test, made, opened and read as the framework does it."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from connectors.errors import ConfigurationError, ConnectorsError, SourceError
from connectors.fields import Configuration, Fields
from connectors.grants import Grants
from connectors.source import Document
from connectors.source_class import fields_of, made, opened
from connectors.storage import Storage
from connectors.testing.source.promise import promise
from connectors.testing.source.walked import documents_of

Settings = Mapping[str, object]
Action = Callable[[], Awaitable[object] | object]
"""Something to do meanwhile, a function or a coroutine function."""


@dataclass(frozen=True)
class Broken:
    """A source that breaks in mid-walk: what breaks it after its first document, and the error that has to come.

    Without `after_first` it is broken from the start, but can be pinged.
    """

    settings: Settings
    after_first: Action | None = None
    error: type[ConnectorsError] | tuple[type[ConnectorsError], ...] = (SourceError, ConfigurationError)

    @classmethod
    def of(cls, given: "Settings | Broken") -> "Broken":
        """Return what the fixture `broken` gave, which may be settings alone."""
        return given if isinstance(given, Broken) else cls(given)


async def done(action: Action) -> None:
    """Do it, and wait for it where that is needed."""
    result = action()
    if inspect.isawaitable(result):
        await result


@dataclass(frozen=True)
class Subject:
    """A source class with what its settings may refer to."""

    source: type
    grants: Grants
    time_limit_s: float

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.source.__name__

    @property
    def fields(self) -> Fields:
        """Its fields, declared or made of its plain configuration."""
        return fields_of(self.source)

    def configuration(self, settings: Settings) -> Configuration:
        """Return a configuration of these settings."""
        return Configuration(self.fields, settings, self.grants)

    def made(self, settings: Settings) -> Any:  # noqa: ANN401 - of any class
        """Return a new source."""
        return made(self.source, self.configuration(settings), Storage.in_memory())

    @asynccontextmanager
    async def checked(self, settings: Settings) -> AsyncIterator[Any]:
        """Provide a source that was entered and whose configuration was checked, within the time limit."""
        source = self.made(settings)
        limit = asyncio.timeout(self.time_limit_s)
        try:
            async with limit, opened(source) as entered:
                self.configuration(settings).check()
                if hasattr(entered, "validate_config"):
                    await entered.validate_config()
                yield entered
        except TimeoutError:
            promise(not limit.expired(), f"{self.name} took more than {self.time_limit_s:g} s: raise `time_limit_s`?")
            raise

    @asynccontextmanager
    async def opened(self, settings: Settings) -> AsyncIterator[Any]:
        """Provide a source as a job has it when it begins to read: checked and pinged."""
        async with self.checked(settings) as source:
            await source.ping()
            yield source

    async def documents(self, settings: Settings) -> dict[str, Document]:
        """Return the documents that one walk of a new source yields, by id."""
        async with self.opened(settings) as source:
            return await documents_of(source)
