"""Threads: work that blocks, drawn from in a thread of its own so that the event loop never waits for it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any, Final, Generic, TypeVar
from weakref import WeakSet

from connectors.errors import SourceUnreachable

T = TypeVar("T")
ENOUGH: Final = 1_000
SLICE_S: Final = 0.05
LONGEST_FAREWELL_S: Final = 0.8
"""How long a walk that is closed waits for its thread, which may be in something that can't be stopped."""


def drawn(steps: Iterable[Sequence[T]], *, enough: int = ENOUGH) -> AsyncGenerator[T, None]:
    """Yield the items of the lists that a blocking iterable yields, as a `Drawing` does."""
    return Drawing(steps, enough=enough).items()


class Drawings:
    """The drawings of one owner, which are stopped when it is closed, wherever they are read."""

    def __init__(self) -> None:
        self._all: WeakSet[Drawing[Any]] = WeakSet()

    def drawn(self, steps: Iterable[Sequence[T]], *, enough: int = ENOUGH) -> AsyncGenerator[T, None]:
        """Yield items as `drawn` does, until the owner is closed: then what is read does not look complete."""
        drawing = Drawing(steps, enough=enough)
        self._all.add(drawing)
        return drawing.items()

    async def stop(self) -> None:
        """Stop what is still being drawn."""
        for drawing in list(self._all):
            await drawing.stop()


class Drawing(Generic[T]):
    """Lists that a blocking iterable yields, drawn by one thread that does nothing else.

    They come a batch at a time: until there are enough items, or a slice of time is over. So memory is bounded by a
    batch, and who waits for the first item has it at once. Between two lists, which may be empty, the work can be
    stopped: when the items are closed or cancelled, a generator is closed in its thread too.
    """

    def __init__(self, steps: Iterable[Sequence[T]], *, enough: int = ENOUGH) -> None:
        self._steps = iter(steps)
        self._enough = enough
        self._failed: Exception | None = None
        self._stopped = Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="drawing")
        self._closed: Future[None] | None = None

    async def items(self) -> AsyncGenerator[T, None]:
        """Yield the items in their order, and raise what the iterable raises after all that came before it.

        To be read once, to the end or within `contextlib.aclosing`. Raises a `SourceUnreachable` when it was stopped
        from elsewhere, as these were not all.
        """
        try:
            while (batch := await self._next()) is not None:
                for item in batch:
                    yield item
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End the work at its next list, wherever it is read, and wait for that unless it takes too long."""
        self._stopped.set()
        if self._closed is None:
            self._closed = self._thread.submit(self._close)
            self._thread.shutdown(wait=False)
        await asyncio.wait([asyncio.wrap_future(self._closed)], timeout=LONGEST_FAREWELL_S)

    async def _next(self) -> list[T] | None:
        if not self._stopped.is_set():
            batch = await asyncio.get_running_loop().run_in_executor(self._thread, self._draw)
            if not self._stopped.is_set():
                return batch
        raise SourceUnreachable("The work was stopped before its end.")

    def _draw(self) -> list[T] | None:
        if self._failed is not None:
            raise self._failed
        batch: list[T] = []
        ends = time.monotonic() + SLICE_S
        try:
            for step in self._steps:
                batch += step
                if self._stopped.is_set() or len(batch) >= self._enough or time.monotonic() >= ends:
                    return batch
        except Exception as error:  # noqa: BLE001 - it is raised by the next draw
            self._failed = error
            return batch or self._draw()
        return batch or None

    def _close(self) -> None:
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()
