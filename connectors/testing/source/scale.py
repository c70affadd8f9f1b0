"""What does not grow with the size of a source: its memory, and how long others wait."""

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Final

from connectors.testing.source.case import SourceCase
from connectors.testing.source.promise import promise
from connectors.testing.source.subject import Settings, Subject
from connectors.testing.source.walked import walk

MANY: Final = 10_000
SAMPLE: Final = range(100, 1_100)
"""The documents by which it is told what all of them would take."""
TRIES: Final = 3
"""How often the loop is watched: a machine that was busy with something else was not so each time."""
_TICK_S: Final = 0.005


class Scale(SourceCase):
    """A walk through ten thousand documents."""

    async def test_memory_does_not_grow_with_the_number_of_documents(self, subject: Subject, many: Settings) -> None:
        """A source with millions of documents is walked in the memory of a page."""
        kept = await _kept(subject, many)
        needed, documents = await _needed(subject, many)
        promise(documents >= MANY, f"The source of the fixture `many` has {documents} documents: it needs {MANY:,}.")
        limit = max(self.spare_bytes, kept // 2)
        text = f"A walk through {documents:,} documents needs {needed / 1e6:.1f} MB, and keeping all of them would need"
        promise(needed < limit, f"{text} {kept / 1e6:.1f} MB: read and yield them a page at a time.")

    async def test_the_loop_never_stands_still(self, subject: Subject, many: Settings) -> None:
        """Everything in a worker shares one event loop, heartbeats included."""
        shortest = min([await _longest_stop(subject, many) for _ in range(TRIES)])
        text = f"In a walk of {subject.name} the event loop stood still for {shortest:.2f} s"
        promise(shortest < self.block_limit_s, f"{text}: await what blocks with asyncio.to_thread, a page at a time.")


async def _kept(subject: Subject, settings: Settings) -> int:
    """Return how many bytes it would take to keep all documents, by what some of them take."""
    kept: list[object] = []
    before = after = 0
    async with subject.opened(settings) as source, aclosing(walk(source)) as walked:
        with _traced():
            async for one in walked:
                kept.append(one.document)
                if len(kept) == SAMPLE.start:
                    before, _ = tracemalloc.get_traced_memory()
                elif len(kept) == SAMPLE.stop:
                    break
            after, _ = tracemalloc.get_traced_memory()
    return (after - before) * MANY // len(SAMPLE)


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
    gc.collect()
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
