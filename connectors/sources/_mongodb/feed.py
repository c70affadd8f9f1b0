"""The feed: what changes in the collections that are read, from a place in the log of the server on."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bson.timestamp import Timestamp

from connectors.changes import Change, Checkpoint
from connectors.dataset import Dataset, Row
from connectors.errors import ConfigurationError, SourceUnreachable
from connectors.source import Document
from connectors.sources._mongodb.catalog import Collection, uuids_of
from connectors.sources._mongodb.connection import Client, Connection
from connectors.sources._mongodb.event import Events, latest
from connectors.sources._mongodb.latest import Latest
from connectors.sources._mongodb.page import Reading
from connectors.sources._mongodb.position import Position
from connectors.sources._mongodb.stream import ANSWERED_WITHIN_S, AWAITED_MS, time_in, time_of
from connectors.sources._mongodb.wanted import Wanted
from connectors.sources._mongodb.watch import Batch, Watch

LIVE_AWAITED_MS: Final = 30_000
"""How long a server waits for an event of a live stream, before it says how far it has come."""
MOST_SILENT: Final = int(1_000 * ANSWERED_WITHIN_S / AWAITED_MS)


@dataclass(frozen=True)
class Reader:
    """How documents are read: which collections there are now, what is read of each, and what is made of a row.

    `reading` returns None for a collection of which nothing is read.
    """

    chosen: Callable[[], Awaitable[Sequence[Collection]]]
    reading: Callable[[Collection], Reading | None]
    document_of: Callable[[Dataset, Row], Document]
    rows: int


class Feed:
    """Yields changes behind a position: of each document that was touched what it is now, and how far it has come."""

    def __init__(self, connection: Connection, wanted: Wanted, reader: Reader) -> None:
        self._connection = connection
        self._wanted = wanted
        self._reader = reader
        self._latest = Latest(connection, reader.rows)
        self._events = Events(wanted, self._is_read)
        self._collections: dict[str, Collection] = {}

    async def begin(self) -> Position:
        """Return the position of this moment. Raises a `ConfigurationError` where there can be none."""
        await self._look()
        after = await self._watch(None).begin(AWAITED_MS)
        await self._look()  # again, so that what came meanwhile is known
        return self._position(after)

    async def since(self, position: Position) -> AsyncGenerator[Change, None]:
        """Yield what changed between a position and this moment."""
        await self._look(position)
        until = await self._connection.again(_now)
        silent = 0
        async with self._opened(position) as watch:
            while True:
                batch = await watch.next(AWAITED_MS)
                async with aclosing(self._changes(batch)) as changes:
                    async for one in changes:
                        yield one
                if _is_reached(batch, until):
                    return
                silent = 0 if batch.events else silent + 1
                if silent > MOST_SILENT:
                    raise SourceUnreachable(f"The change stream has not come to the time of the server, {until}.")

    async def live(self, position: Position) -> AsyncGenerator[Change, None]:
        """Yield what changed since a position, and then what changes, without an end."""
        await self._look(position)
        await_ms = min(LIVE_AWAITED_MS, self._connection.timeout_ms)
        async with self._opened(position) as watch:
            while True:
                async with aclosing(self._changes(await watch.next(await_ms))) as changes:
                    async for one in changes:
                        yield one

    async def _changes(self, batch: Batch) -> AsyncGenerator[Change, None]:
        """Yield what has become of the documents that the events of a batch touch, and then the place behind it."""
        touched = self._events.touched(batch.events)
        self._latest.advance(latest(batch.events))
        for (database, name), elements in touched.items():
            reading = await self._reading(f"{database}.{name}")
            if reading is None:
                continue
            made = partial(self._reader.document_of, Dataset(f"{database}.{name}", database))
            async with aclosing(self._latest.changes(reading, [*elements], made)) as changes:
                async for one in changes:
                    yield one
        yield Checkpoint(self._position(batch.after).cursor)

    @asynccontextmanager
    async def _opened(self, position: Position) -> AsyncIterator[Watch]:
        watch = self._watch(position.after)
        try:
            yield watch
        finally:
            await watch.close()

    def _watch(self, after: Mapping[str, Any] | None) -> Watch:
        return Watch(self._connection, self._wanted, after, rows=self._reader.rows)

    def _position(self, after: Mapping[str, Any]) -> Position:
        return Position(after, uuids_of(self._collections.values()), self._wanted.names)

    async def _reading(self, namespace: str) -> Reading | None:
        """Return how a collection is read, also one that was not there before; None for one that is not read."""
        if namespace not in self._collections:
            await self._look()
        found = self._collections.get(namespace)
        return None if found is None else self._reader.reading(found)

    def _is_read(self, namespace: str) -> bool:
        found = self._collections.get(namespace)
        return found is not None and self._reader.reading(found) is not None

    async def _look(self, position: Position | None = None) -> None:
        """Look which collections there are. One that is gone stays known until an event tells of it."""
        chosen = await self._reader.chosen()
        streamless = [one.namespace for one in chosen if not one.has_order and self._reader.reading(one) is not None]
        if streamless:
            message = f"Views and time series have no change streams: {', '.join(streamless)}."
            raise ConfigurationError(message, field="collection", hint="Have full syncs only, or leave them out.")
        if position is not None:
            position.check(chosen)
        self._collections |= {one.namespace: one for one in chosen}


def _is_reached(batch: Batch, until: Timestamp | None) -> bool:
    """Return whether a stream has come to a time, as far as it tells any."""
    reached = time_of(batch.after)
    if until is None or reached is None:
        return not batch.events
    return reached >= until


async def _now(client: Client) -> Timestamp | None:
    return time_in(await client.admin.command("ping"))
