"""Generators that block, run in threads, so that whoever reads them neither waits nor keeps them open."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Generator
from typing import Final, Generic, TypeVar

from connectors.errors import SourceUnreachable

T = TypeVar("T")
ENOUGH: Final = 500
"""How many items are handed over at once, unless somebody says otherwise."""
LONGEST_BATCH_S: Final = 0.1


def in_thread(steps: Generator[list[T], None, None], *, enough: int = ENOUGH) -> AsyncGenerator[T, None]:
    """Run a generator in threads and yield the items of its lists, as `InThread` does."""
    return InThread(steps, enough=enough).items()


class InThread(Generic[T]):
    """A generator of lists that threads run, some of its lists at a time until they have enough items.

    However it ends, closed or cancelled in the middle too, the generator is closed: at once, or, while a thread is
    inside of it, by that thread as soon as it comes out of the step it is in.
    """

    def __init__(self, steps: Generator[list[T], None, None], *, enough: int = ENOUGH) -> None:
        self._steps = steps
        self._enough = enough
        self._inside = threading.Lock()
        self._stopped = False

    async def items(self) -> AsyncGenerator[T, None]:
        """Yield the items, once. Raises a `SourceUnreachable` after `stop`, as these were not all."""
        try:
            while (batch := await asyncio.to_thread(self._batch)) is not None:
                for item in batch:
                    yield item
        finally:
            self.stop()

    def stop(self) -> None:
        """Close the generator, unless a thread is inside: that one does it then."""
        self._stopped = True
        if self._inside.acquire(blocking=False):
            try:
                self._steps.close()
            finally:
                self._inside.release()

    def _batch(self) -> list[T] | None:
        found: list[T] = []
        until = time.monotonic() + LONGEST_BATCH_S
        with self._inside:
            for step in () if self._stopped else self._steps:
                found += step
                if self._stopped or len(found) >= self._enough or time.monotonic() > until:
                    break
            else:
                if not self._stopped:
                    return found or None
        if self._stopped:
            self.stop()
            raise SourceUnreachable("A walk was stopped before its end.")
        return found
