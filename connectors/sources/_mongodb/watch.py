"""A watch: a change stream that is gone on with where it broke, taken a batch of the server's at a time."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.errors import OperationFailure, PyMongoError

from connectors import logger
from connectors.errors import ConfigurationError, CursorExpired, SourceError, SourceUnreachable
from connectors.sources._mongodb.connection import Client, Connection
from connectors.sources._mongodb.errors import LOST, NO_STREAM, code_of
from connectors.sources._mongodb.position import HINT
from connectors.sources._mongodb.wanted import Wanted

log = logger.get(__name__)
RAW: Final = CodecOptions[RawBSONDocument](document_class=RawBSONDocument)
RESUMABLE: Final = "ResumableChangeStreamError"
"""How servers mark errors behind which a stream goes on."""


@dataclass(frozen=True)
class Batch:
    """The events of one answer, and the place behind them, up to which there are no others."""

    events: Sequence[RawBSONDocument]
    after: Mapping[str, Any]


class Watch:
    """Has at most one stream open: made when it is needed, and made anew behind the last batch when it breaks.

    What broke is gone on with at once; where that fails too, as often as the policy of the connection says. Raises
    `CursorExpired` where there is no going on, and a `ConfigurationError` where there are no change streams.
    """

    def __init__(self, connection: Connection, wanted: Wanted, after: Mapping[str, Any] | None, *, rows: int) -> None:
        self._connection = connection
        self._wanted = wanted
        self._after = after
        self._rows = rows
        self._cursor: AsyncCommandCursor[RawBSONDocument] | None = None
        self._answers = connection.answers

    async def begin(self, await_ms: int) -> Mapping[str, Any]:
        """Return where a stream begins now, which is where the next batch is read from then."""
        batch = await self._connection.again(lambda client: self._read(client, await_ms))
        await self.close()
        return batch.after

    async def next(self, await_ms: int) -> Batch:
        """Return the next batch: at once where there is something, else after so long, without an event."""
        try:
            return await self._connection.once(lambda client: self._read(client, await_ms))
        except SourceUnreachable as error:
            log.info("The change stream broke, and is gone on with.", why=str(error)[:200])
        return await self._connection.again(lambda client: self._read(client, await_ms))

    async def close(self) -> None:
        """Close the stream."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            with contextlib.suppress(PyMongoError):
                await cursor.close()

    async def _read(self, client: Client, await_ms: int) -> Batch:
        """Return what a new stream begins with, which need not be anything, or the next batch of the one there is."""
        try:
            events = await self._events(client, await_ms)
        except OperationFailure as error:
            await self.close()
            raise self._meaning(error) from None
        except BaseException:
            await self.close()
            raise
        self._after = self._place(events)
        return Batch(events, self._after)

    async def _events(self, client: Client, await_ms: int) -> list[RawBSONDocument]:
        cursor = self._cursor
        if cursor is None:
            cursor = await self._opened(client, await_ms)
            return await cursor.to_list(self._answers.events) if self._answers.events else []
        if not cursor.alive:
            raise CursorExpired(f"The change stream of {self._name} was ended by the server.", hint=HINT)
        first = await cursor.try_next()
        if first is None:
            return []
        left = self._answers.events - 1
        return [first, *await cursor.to_list(left)] if left else [first]

    async def _opened(self, client: Client, await_ms: int) -> AsyncCommandCursor[RawBSONDocument]:
        database, collection = self._wanted.place
        command = {
            "aggregate": collection,
            "pipeline": self._wanted.pipeline(self._after),
            "cursor": {"batchSize": self._rows},
        }
        found = client.get_database(database, codec_options=RAW)
        cursor: AsyncCommandCursor[Any] = await found.cursor_command(
            command, codec_options=RAW, read_preference=client.read_preference, max_await_time_ms=await_ms
        )
        self._cursor = cursor.batch_size(self._rows)
        return cursor

    def _place(self, events: Sequence[RawBSONDocument]) -> Mapping[str, Any]:
        """Return the place behind an answer; behind its last event where it is the last answer and does not say."""
        if self._answers.after is not None:
            return self._answers.after
        if events:
            return dict(events[-1]["_id"])
        message = f"The server does not say how far the change stream of {self._name} goes."
        raise SourceError(message, hint="MongoDB 4.4 and later do. Have full syncs only.")

    @property
    def _name(self) -> str:
        database, collection = self._wanted.place
        everything = "all databases" if database == "admin" else database
        return everything if collection == 1 else f"{database}.{collection}"

    def _meaning(self, error: OperationFailure) -> Exception:
        """Return what an error means for a stream; itself where it means the same as anywhere."""
        code, words = code_of(error), str(error).split(", full error:")[0].rstrip(".")
        if code in NO_STREAM:
            message = f"The server has no change streams: {words}."
            hint = "They need a replica set or a sharded cluster. Have full syncs only."
            return ConfigurationError(message, field="host", hint=hint)
        if error.has_error_label(RESUMABLE):
            return SourceUnreachable(f"The change stream of {self._name} broke: {words}.")
        if code in LOST:
            return CursorExpired(f"The change stream of {self._name} can't go on: {words}.", hint=HINT)
        return error
