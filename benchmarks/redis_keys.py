"""How fast keys of Redis become documents, beside the driver that reads the same and makes nothing of it.

`python -m benchmarks.redis_keys --keys 100000`: the ways in turn, in one process. The first asks for the type and the
value of each key in two pipelines a page; the last asks for a key at a time, as a simple program does.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from benchmarks.measure import Row, rows, table
from connectors.fields import Configuration
from connectors.sources.redis import RedisDataSource
from fixtures.redis.server import server

KEYS = 100_000
ROUNDS = 5
PAGE = 1_000
VALUES = {
    b"string": lambda client, key: client.get(key),
    b"hash": lambda client, key: client.hgetall(key),
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
}


def _fill(port: int, count: int) -> None:
    with Redis(port=port) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(count):
            match number % 4:
                case 0 | 1:
                    pipeline.set(f"text:{number}", f"Größe und mehr: {number}" + "x" * 160)
                case 2:
                    pipeline.hset(f"user:{number}", mapping={"name": f"Person {number}", "price": "12.5", "flag": "1"})
                case _ if number % 8 == 3:
                    pipeline.rpush(f"list:{number}", *range(10))
                case _:
                    pipeline.zadd(f"zset:{number}", {f"m{one}": one / 7 for one in range(10)})
        pipeline.execute()


async def _pipelined(port: int) -> int:
    count = 0
    async with AsyncRedis(port=port) as client:
        cursor: Any = 0
        while True:
            cursor, keys = await client.scan(cursor, count=PAGE)
            asked: Any = client.pipeline(transaction=False)
            for key in keys:
                asked.type(key)
            types = await asked.execute()
            for key, one in zip(keys, types, strict=True):
                VALUES[one](asked, key)
            count += len(await asked.execute())
            if not cursor:
                return count


async def _documents(port: int) -> int:
    given = {"host": "127.0.0.1", "port": port, "batch_size": PAGE}
    async with RedisDataSource(Configuration(RedisDataSource.fields, given)) as source:
        return len([None async for _ in source.get_docs()])


async def _one_by_one(port: int) -> int:
    count = 0
    async with AsyncRedis(port=port) as client:
        async for key in client.scan_iter(count=PAGE):
            one: Any = await client.type(key)
            await VALUES[one](client, key)
            await client.memory_usage(key)
            count += 1
    return count


WAYS: dict[str, Callable[[int], Coroutine[Any, Any, int]]] = {
    "redis-py, pipelined": _pipelined,
    "documents, as a sync reads them": _documents,
    "redis-py, one key after the other": _one_by_one,
}


def run(count: int = KEYS) -> Iterator[tuple[str, list[Row], str]]:
    """Yield what was compared, seconds, and the unit of these."""
    took: dict[str, list[float]] = {name: [] for name in WAYS}
    busy: dict[str, list[float]] = {name: [] for name in WAYS}
    with server() as one:
        _fill(one.port, count)
        for _ in range(ROUNDS):
            for name, way in WAYS.items():
                started, begun = time.perf_counter(), time.process_time()
                found = asyncio.run(way(one.port))
                took[name].append(time.perf_counter() - started)
                busy[name].append(time.process_time() - begun)
                if found != count:
                    raise AssertionError(f"{found} keys came by {name}, and {count} are there.")
    yield f"{count:,} keys of Redis", rows(took), "µs a key"
    yield "The same, CPU of the client", rows(busy), "µs a key"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=KEYS)
    given = parser.parse_args()
    for title, found, unit in run(given.keys):
        print(table(title, found, unit=unit, per=given.keys / 1e6))


if __name__ == "__main__":
    main()
