"""What a get and a set of the storage of sources take, by backend, and by Redis driver where these are installed.

`python -m benchmarks.spikes.storage [ADDRESS OF AN ENGINE ...]`
"""

import asyncio
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from connectors.engine import open_engine
from connectors.engine.embedded.desk import desk_of
from connectors.engine.embedded.server import serving
from connectors.settings import EngineSettings
from connectors.storage import Backend, MemoryBackend, Storage
from connectors.storages.engine import EngineBackend
from connectors.storages.redis import open_redis
from connectors.storages.sqlite import open_sqlite
from connectors.store.state import StateStore
from fixtures.redis.server import server

CALLS = 300
VALUE = {"refresh_token": "x" * 1_000, "expires_at": "2026-11-30T09:00:00Z"}


async def timed(call: Callable[[int], Awaitable[object]]) -> str:
    """Return the median and the slowest of twenty of many calls, one after the other, in ms."""
    times = []
    for number in range(CALLS):
        started = time.perf_counter()
        await call(number)
        times.append((time.perf_counter() - started) * 1e3)
    return f"{statistics.median(times):.2f} | {statistics.quantiles(times, n=20)[-1]:.2f}"


async def backends(stack: AsyncExitStack, folder: Path, redis: str, engines: list[str]) -> dict[str, Backend]:
    """Return the backends by name."""
    found: dict[str, Backend] = {"memory": MemoryBackend()}
    found["SQLite"] = await stack.enter_async_context(open_sqlite(folder / "storage.db"))
    found["Redis 7.0"] = await stack.enter_async_context(open_redis(redis, None, None))
    desk = await stack.enter_async_context(desk_of(folder / "data"))
    served = await stack.enter_async_context(serving(desk, host="127.0.0.1", port=0, key=None))
    for url in (served.url, *engines):
        engine = await stack.enter_async_context(open_engine(EngineSettings(host=url)))
        found[str(engine.info)] = EngineBackend(await StateStore.open(engine))
    return found


async def drivers(url: str) -> None:
    """Print what a HSET takes with each driver that is installed."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    fields = {b"k": b"x" * 1_000}
    if importlib.util.find_spec("redis"):
        from redis.asyncio import Redis  # noqa: PLC0415

        async with Redis(port=port) as client:
            print("| redis-py |", await timed(lambda _: client.hset("h", mapping=fields)), "|")  # type: ignore[arg-type]
    if importlib.util.find_spec("coredis"):
        import coredis  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415

        async with coredis.Redis(port=port) as other:
            print("| coredis |", await timed(lambda _: other.hset("h", fields)), "|")
    if importlib.util.find_spec("glide"):
        import glide  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415

        place = glide.GlideClientConfiguration([glide.NodeAddress("127.0.0.1", port)])
        third = await glide.GlideClient.create(place)
        print("| valkey-glide |", await timed(lambda _: third.hset(b"h", fields)), "|")
        await third.close()


async def main(engines: list[str]) -> None:
    """Print both tables."""
    with server() as one, tempfile.TemporaryDirectory() as folder:
        print("| backend | get, median ms | 95 % | set, median ms | 95 % |\n| --- | ---: | ---: | ---: | ---: |")
        async with AsyncExitStack() as stack:
            for name, backend in (await backends(stack, Path(folder), one.url, engines)).items():
                storage = Storage(backend, "c")
                await storage.set("k", VALUE)
                got = await timed(lambda _: storage.get("k"))  # noqa: B023 - awaited within the round
                put = await timed(lambda n: storage.set("k", {**VALUE, "n": n}))  # noqa: B023
                print(f"| {name} | {got} | {put} |", flush=True)
        print("\n| driver, one HSET | median ms | 95 % |\n| --- | ---: | ---: |")
        await drivers(one.url)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
