"""The stage between a walk and its batches in which contents are fetched, apart from both."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from connectors.aio.queue import ByteQueue
from connectors.aio.tasks import Tasks
from connectors.download import Download
from connectors.errors import QueueClosed
from connectors.sync.content.downloads import Downloads, Failure, Fetched

T = TypeVar("T")
WAITING_BYTES: Final = 8 * 2**20


@dataclass(eq=False)
class _Entry(Generic[T]):
    """An item on its way, and what came before it under the same id."""

    item: T
    doc_id: str
    download: Download
    before: asyncio.Event | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)


class DownloadStage(Generic[T]):
    """Takes items with downloads from a walk, and delivers each once, with its content or with why there is none.

    Entered by the walk: leaving the block waits until everything is delivered; an error in it, or cancellation,
    cancels what is under way; an error of `deliver` interrupts the block and is raised by it.

    - `put` waits while enough items wait, so that a walk is no faster than its downloads. Items come out as their
      contents arrive, several `deliver` at a time, but those of one id one after the other, in their order.
    - A content's bytes stay reserved until `deliver` returns. It may wait for room further on, but never for another
      item of this stage, which may be waiting for those very bytes.
    - Twice as many items are in work as downloads may run, so that these go on while contents wait to be delivered.
    """

    def __init__(
        self,
        downloads: Downloads,
        deliver: Callable[[T, Fetched | Failure], Awaitable[None]],
        *,
        waiting_bytes: int = WAITING_BYTES,
    ) -> None:
        self._downloads = downloads
        self._deliver = deliver
        self._workers = 2 * downloads.limits.concurrent
        self._queue: ByteQueue[_Entry[T]] = ByteQueue(max_items=self._workers, max_bytes=waiting_bytes)
        self._last: dict[str, asyncio.Event] = {}
        self._under_way: set[asyncio.Event] = set()
        self._tasks = Tasks("downloads")

    async def put(self, doc_id: str, item: T, download: Download, *, size: int) -> None:
        """Hand over an item of `size` bytes, waiting for room."""
        entry = _Entry(item, doc_id, download)
        await self._queue.put(entry, size)
        # No worker has run since it went in, and from here on nothing of this id overtakes it.
        entry.before = self._last.get(doc_id)
        self._last[doc_id] = entry.left
        self._under_way.add(entry.left)

    async def passed(self, doc_id: str) -> None:
        """Wait until what was put under an id has been delivered: before something of that id goes around the stage."""
        if (last := self._last.get(doc_id)) is not None:
            await last.wait()

    async def passed_all(self) -> None:
        """Wait until everything that was put so far has been delivered."""
        for left in list(self._under_way):
            await left.wait()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        for number in range(self._workers):
            self._tasks.start(self._work(), name=f"worker {number + 1}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.close()
        await self._tasks.__aexit__(kind, error, trace)

    async def _work(self) -> None:
        while True:
            try:
                entry = await self._queue.get()
            except QueueClosed:
                return
            if entry.before is not None:
                await entry.before.wait()
                entry.before = None
            await self._pass(entry)
            entry.left.set()
            self._under_way.discard(entry.left)
            if self._last.get(entry.doc_id) is entry.left:
                del self._last[entry.doc_id]

    async def _pass(self, entry: _Entry[T]) -> None:
        result = await self._downloads.fetch(entry.doc_id, entry.download)
        try:
            await self._deliver(entry.item, result)
        finally:
            if isinstance(result, Fetched):
                result.release()
