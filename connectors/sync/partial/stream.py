"""The stream: the changes of a source as they happen, read ahead of who takes them, within bounds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from connectors import logger
from connectors.aio.queue import ByteQueue
from connectors.aio.tasks import Tasks
from connectors.changes import Change, Cursor, Upsert
from connectors.errors import ConnectorsError, SourceError
from connectors.sync.content.downloads import size_of
from connectors.sync.foreign import of_source, read, told
from connectors.sync.job import Job

log = logger.get(__name__)
MOST_ITEMS: Final = 2_000
MOST_BYTES: Final = 4 * 2**20
"""What may be read ahead of what was taken."""
FAREWELL_S: Final = 30.0
"""How long a source may take to end its stream after that was cancelled."""


class Stream:
    """Holds what a source has told of since a cursor and nobody has taken yet.

    It may be silent for as long as it likes. When it ends, which it does only by an error, what came before that can
    still be taken; then `failure` says why.
    """

    def __init__(self, job: Job, start: Cursor) -> None:
        self._job = job
        self._start = start
        self._queue: ByteQueue[Change] = ByteQueue(max_items=MOST_ITEMS, max_bytes=MOST_BYTES)
        self._stirred = asyncio.Event()
        self._failure: ConnectorsError | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Stream"]:
        """Read during the block."""
        async with Tasks("stream") as tasks:
            reading = tasks.start(self._read(), name="reading")
            try:
                yield self
            finally:
                reading.cancel()
                await asyncio.wait({reading}, timeout=FAREWELL_S)
                if not reading.done():
                    log.error("A source does not let its stream be cancelled.", index=self._job.report.index)
                    self._job.place.hung(f"its source did not end within {FAREWELL_S:g} s after it was cancelled")

    @property
    def failure(self) -> ConnectorsError | None:
        """Why there will be nothing more to take; None while there is something, or may be."""
        return self._failure if self.is_empty else None

    @property
    def is_empty(self) -> bool:
        """Whether all that came was taken."""
        return not len(self._queue)

    async def take(self) -> Change | None:
        """Return the oldest change that nobody has taken, at once; None if there is none."""
        return await self._queue.get() if len(self._queue) else None

    async def wait(self, seconds: float, other: asyncio.Event) -> None:
        """Return when there is something to take or to know, when another event comes, or when the time is over."""
        self._stirred.clear()
        if len(self._queue) or self._failure is not None or other.is_set():
            return
        waits = (self._job.place.clock.sleep(seconds), self._stirred.wait(), other.wait())
        tasks = [asyncio.ensure_future(one) for one in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _read(self) -> None:
        job = self._job
        try:
            with of_source(job.mask):
                changes = job.source.get_docs_live(self._start, job.filtering)
            async with read(changes, job.mask) as walk, aclosing(told(walk, job.mask)) as items:
                async for change in items:
                    await self._queue.put(change, _size_of(change))
                    self._stirred.set()
            self._failure = SourceError(
                "The source has ended its stream of changes.",
                hint="This is a fault of the source: a stream ends only by an error.",
            )
        except ConnectorsError as error:
            self._failure = error
        finally:
            self._stirred.set()


def _size_of(change: Change) -> int:
    """Return about how many bytes a change takes. One that is no change is found out by who takes it."""
    return size_of(change.document, enough=MOST_BYTES) or 0 if isinstance(change, Upsert) else 0
