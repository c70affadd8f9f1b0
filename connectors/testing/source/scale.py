"""What does not grow with the size of a source: its memory, and how long others wait."""

import asyncio
import math
import tracemalloc
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Final

from connectors.testing.source.case import SourceCase
from connectors.testing.source.promise import fail, promise
from connectors.testing.source.subject import Settings, Subject
from connectors.testing.source.walked import walk

FIRST: Final = 100
"""How many documents are read before it is measured what more of them take."""
TRIES: Final = 3
"""How often the loop is watched at the most: a machine that was busy with something else was not so each time."""
_TICK_S: Final = 0.005


class Scale(SourceCase):
    """A walk through many documents."""

    async def test_memory_does_not_grow_with_the_number_of_documents(self, subject: Subject, many: Settings) -> None:
        """A source with millions of documents is walked in the memory of a page."""
        tenth = self.documents_of_many // 10
        kept = 10 * await _kept(subject, many, tenth)
        needed, documents = await _needed(subject, many)
        enough = documents >= self.documents_of_many
        promise(enough, f"The source of `many` has {documents} documents: it needs {self.documents_of_many:,}.")
        limit = max(self.spare_bytes, kept // 2)
        text = f"A walk through {documents:,} documents needs {needed / 1e6:.1f} MB, and keeping all of them would need"
        promise(needed < limit, f"{text} {kept / 1e6:.1f} MB: read and yield them a page at a time.")

    async def test_the_loop_never_stands_still(self, subject: Subject, many: Settings) -> None:
        """Everything in a worker shares one event loop, heartbeats included."""
        shortest = math.inf
        for _ in range(TRIES):
            shortest = min(shortest, await _longest_stop(subject, many))
            if shortest < self.block_limit_s:
                return
        text = f"In a walk of {subject.name} the event loop stood still for {shortest:.2f} s"
        fail(f"{text}: await what blocks with asyncio.to_thread, a page at a time.")


async def _kept(subject: Subject, settings: Settings, documents: int) -> int:
    """Return how many bytes it takes to keep so many documents, beyond what it takes to keep the first of them."""
    kept: list[object] = []
    before = after = 0
    async with subject.opened(settings) as source, aclosing(walk(source)) as walked:
        with _traced():
            async for one in walked:
                kept.append(one.document)
                if len(kept) == FIRST:
                    before, _ = tracemalloc.get_traced_memory()
                elif len(kept) == FIRST + documents:
                    break
            after, _ = tracemalloc.get_traced_memory()
    return after - before


async def _needed(subject: Subject, settings: Settings) -> tuple[int, int]:
    """Return the most bytes that a walk needed at once, and how many documents it yielded."""
    documents = 0
    async with subject.opened(settings) as source, aclosing(walk(source)) as walked:
        with _traced():
            async for _ in walked:
                documents += 1
            _, most = tracemalloc.get_traced_memory()
    return most, documents


@contextmanager
def _traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


async def _longest_stop(subject: Subject, settings: Settings) -> float:
    """Return for how long, while a source was opened and walked through, no other task had its turn."""
    loop = asyncio.get_running_loop()
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            start = loop.time()
            try:
                await asyncio.sleep(_TICK_S)
            finally:
                longest = max(longest, loop.time() - start - _TICK_S)

    ticking = asyncio.create_task(tick(), name="ticking")
    await asyncio.sleep(0)
    try:
        async with subject.opened(settings) as source, aclosing(walk(source)) as walked:
            async for _ in walked:
                pass
    finally:
        ticking.cancel()
        await asyncio.wait({ticking})
    return longest
