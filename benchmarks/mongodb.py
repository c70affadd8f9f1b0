"""MongoDB: what documents cost by the source, beside those by its driver alone: `python -m benchmarks.mongodb`."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import bson
from bson import Decimal128, ObjectId
from pymongo import AsyncMongoClient

from benchmarks.measure import ROUNDS, Row, rows, table
from connectors.fields import Configuration
from connectors.sources.mongodb import MongoDBDataSource
from fixtures.mongodb.server import MongoDB

DOCUMENTS: Final = 50_000
DATABASE: Final = "bench"


def run() -> list[Row]:
    """Return the seconds of CPU for all documents of a collection, of six fields and some 300 bytes each."""
    server = MongoDB()
    asyncio.run(server.__aenter__())
    try:
        with server.connect() as client:
            client[DATABASE]["t"].insert_many([_document(number) for number in range(DOCUMENTS)])
        ways: dict[str, Callable[[], Awaitable[int]]] = {
            "PyMongo, documents": lambda: _driver(server.url),
            "PyMongo, batches of bytes, decoded": lambda: _batches(server.url),
            "the source, documents, as a sync reads them": lambda: _source(server.url),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                began = time.process_time()
                _run(way)
                if number:
                    times[name].append(time.process_time() - began)
        return rows(times)
    finally:
        asyncio.run(server.close())


def _run(way: Callable[[], Awaitable[int]]) -> None:
    async def counted() -> None:
        if (count := await way()) != DOCUMENTS:
            raise RuntimeError(f"{count} documents were read, and not {DOCUMENTS}.")

    asyncio.run(counted())


async def _driver(url: str) -> int:
    async with AsyncMongoClient[dict[str, Any]](url, tz_aware=True) as client:
        count = 0
        async for _ in client[DATABASE]["t"].find(batch_size=5_000):
            count += 1
        return count


async def _batches(url: str) -> int:
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        found: Any = client[DATABASE]["t"].find_raw_batches(batch_size=5_000)
        return sum([len(bson.decode_all(batch)) async for batch in found])


async def _source(url: str) -> int:
    given = Configuration(MongoDBDataSource.fields, {"host": url, "database": DATABASE})
    async with MongoDBDataSource(given) as source:
        return sum([1 async for one in source.get_docs_from(None) if isinstance(one, tuple)])


def _document(number: int) -> dict[str, Any]:
    return {
        "_id": ObjectId(f"{number:024x}"),
        "name": f"Person {number}",
        "text": "x" * 180,
        "age": number % 90,
        "price": Decimal128("12.50") if number % 10 == 0 else 12.5,
        "at": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    }


if __name__ == "__main__":
    print(table("Documents of MongoDB, the client's CPU", run(), unit="µs a document", per=DOCUMENTS / 1e6))
