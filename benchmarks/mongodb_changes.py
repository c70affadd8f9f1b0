"""MongoDB: what changes cost by the source and by its driver alone: `python -m benchmarks.mongodb_changes`."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, ClassVar, Final, cast

from pymongo import AsyncMongoClient

from benchmarks.measure import ROUNDS, Row, rows, table
from connectors.changes import Change, Checkpoint, Cursor
from connectors.fields import Configuration
from connectors.sources.mongodb import MongoDBDataSource
from fixtures.mongodb.server import MongoDB

CHANGES: Final = 10_000
DATABASE: Final = "bench"
STREAMS: Final = 100
IDLE_S: Final = 60.0


class Patient(MongoDB):
    """A server that has a thread for each stream, and waits as long as it is told to."""

    properties: ClassVar[Any] = {"io.netty.eventLoopThreads": 4 * STREAMS, "longestWaitMs": 60_000}


def run(url: str) -> list[Row]:
    """Return the seconds of CPU for changes of as many documents, of six fields and some 300 bytes each."""
    with_cursor = asyncio.run(_changed(url))
    ways: dict[str, Callable[[], Awaitable[int]]] = {
        "PyMongo, watch with updateLookup": lambda: _driver(url, with_cursor["after"]),
        "the source, an incremental sync": lambda: _source(url, with_cursor),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            began = time.process_time()
            _run(way)
            if number:
                times[name].append(time.process_time() - began)
    return rows(times)


async def idle(url: str) -> tuple[float, float]:
    """Return which share of a core streams take to which nothing happens; and that of as many clients alone."""
    cursor = await _cursor(url)
    async with AsyncExitStack() as stack:
        for _ in range(STREAMS):
            client = await stack.enter_async_context(AsyncMongoClient[dict[str, Any]](url, serverMonitoringMode="poll"))
            await client.admin.command("ping")
        clients = await _share()
    sources = [_of(url) for _ in range(STREAMS)]
    lives = [cast("AsyncGenerator[Change, None]", one.get_docs_live(cursor)) for one in sources]
    tasks = [asyncio.create_task(_follow(live), name="live") for live in lives]
    await asyncio.sleep(5)
    streams = await _share()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*[one.close() for one in sources])
    return streams, clients


async def _share() -> float:
    began, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(IDLE_S)
    return (time.process_time() - cpu) / (time.monotonic() - began)


async def _follow(live: AsyncGenerator[Change, None]) -> None:
    async for _ in live:
        pass


async def _changed(url: str) -> Cursor:
    """Return the cursor from before each document was updated once."""
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        found = client[DATABASE]["t"]
        await found.insert_many([_document(number) for number in range(CHANGES)])
        cursor = await _cursor(url)
        await found.update_many({}, {"$inc": {"age": 1}})
    return cursor


async def _cursor(url: str) -> Cursor:
    async with _of(url) as source:
        _, token = await source.changed(None)
        found = source.cursor_of(token or {})
    if found is None:
        raise RuntimeError("There is no change stream.")
    return found


def _of(url: str) -> MongoDBDataSource:
    return MongoDBDataSource(Configuration(MongoDBDataSource.fields, {"host": url, "database": DATABASE}))


def _run(way: Callable[[], Awaitable[int]]) -> None:
    async def counted() -> None:
        if (count := await way()) != CHANGES:
            raise RuntimeError(f"{count} changes were read, and not {CHANGES}.")

    asyncio.run(counted())


async def _driver(url: str, after: Any) -> int:  # noqa: ANN401 - a token
    async with (
        AsyncMongoClient[dict[str, Any]](url, tz_aware=True) as client,
        await client[DATABASE].watch(full_document="updateLookup", resume_after=after, batch_size=5_000) as stream,
    ):
        count = 0
        async for _ in stream:
            count += 1
            if count == CHANGES:
                break
        return count


async def _source(url: str, cursor: Cursor) -> int:
    async with _of(url) as source:
        return sum([1 async for one in source.get_docs_incrementally(cursor) if not isinstance(one, Checkpoint)])


def _document(number: int) -> dict[str, Any]:
    return {"_id": number, "name": f"Person {number}", "text": "x" * 180, "age": number % 90, "a": [1, 2], "b": None}


if __name__ == "__main__":
    server = Patient()
    asyncio.run(server.__aenter__())
    try:
        title = "Changes of MongoDB, the client's CPU"
        print(table(title, run(server.url), unit="µs a change", per=CHANGES / 1e6))
        streams, clients = asyncio.run(idle(server.url))
        print(f"{STREAMS} streams to which nothing happens: {streams:.2%} of a core; as many clients: {clients:.2%}.")
    finally:
        asyncio.run(server.close())
