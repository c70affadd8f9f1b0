"""What an item costs in the byte-bounded queue, beside asyncio's own."""

import asyncio

from benchmarks.measure import Row, compare
from connectors.aio.queue import ByteQueue

ITEMS = 50_000


async def _through_asyncio() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(100)

    async def produce() -> None:
        for item in range(ITEMS):
            await queue.put(item)

    producer = asyncio.create_task(produce())
    for _ in range(ITEMS):
        await queue.get()
    await producer


async def _through_ours() -> None:
    queue: ByteQueue[int] = ByteQueue(max_items=100, max_bytes=2**20)

    async def produce() -> None:
        for item in range(ITEMS):
            await queue.put(item, 100)

    producer = asyncio.create_task(produce())
    for _ in range(ITEMS):
        await queue.get()
    await producer


def run() -> list[Row]:
    """Return seconds for all items."""
    return compare(
        {
            "asyncio.Queue": lambda: asyncio.run(_through_asyncio()),
            "ByteQueue": lambda: asyncio.run(_through_ours()),
        }
    )
