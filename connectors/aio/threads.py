"""Threads: what blocks, drawn from in a thread of its own so that the event loop never waits for it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Final, Generic, TypeVar

T = TypeVar("T")
LONGEST_FAREWELL_S: Final = 0.8
"""How long a walk that is closed waits for its thread, which may be in something that can't be stopped."""


async def drawn(steps: Iterable[Sequence[T]], *, most: int = 1_000, slice_s: float = 0.05) -> AsyncGenerator[T, None]:
    """Yield the items of the lists that a blocking iterable yields, in their order, and raise what it raises.

    One thread does all of it, a batch at a time: the lists up to `most` items, or those of `slice_s` seconds. So memory
    is bounded by a batch, and who waits for the first item has it at once. Between two lists, which may be empty, the
    work can be stopped: when this is closed or cancelled, a generator is closed in its thread too. Close it with
    `contextlib.aclosing`, or by reading it to the end.
    """
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(1, thread_name_prefix="drawn")
    well = _Well(steps, most, slice_s)
    try:
        while (batch := await loop.run_in_executor(executor, well.draw)) is not None:
            for item in batch:
                yield item
    finally:
        well.stopped.set()
        closed = loop.run_in_executor(executor, well.close)
        executor.shutdown(wait=False)
        await asyncio.wait([closed], timeout=LONGEST_FAREWELL_S)
        if closed.done():
            closed.result()


class _Well(Generic[T]):
    """An iterator of lists, and the thread's side of drawing from it."""

    def __init__(self, steps: Iterable[Sequence[T]], most: int, slice_s: float) -> None:
        self.stopped = Event()
        self._steps = iter(steps)
        self._most = most
        self._slice_s = slice_s
        self._failed: Exception | None = None

    def draw(self) -> list[T] | None:
        """Return the next items, None at the end. What goes wrong is raised when all before it have been returned."""
        if self._failed is not None:
            raise self._failed
        batch: list[T] = []
        ends = time.monotonic() + self._slice_s
        try:
            for step in self._steps:
                batch += step
                if self.stopped.is_set() or len(batch) >= self._most or time.monotonic() >= ends:
                    return batch
        except Exception as error:  # noqa: BLE001 - it is raised by the next draw
            self._failed = error
            return batch or self.draw()
        return batch or None

    def close(self) -> None:
        """Close the iterator, where it can be."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()
