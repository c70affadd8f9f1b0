"""What the engine client adds to a bulk request, beside the bare HTTP client and other ways to send and to decode."""

import asyncio
import importlib.util
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import msgspec
from elasticsearch import AsyncElasticsearch

from benchmarks.measure import ROUNDS, Row, rows
from benchmarks.null_engine import null_engine
from connectors.engine import open_engine
from connectors.engine.bulk import index_line
from connectors.settings import EngineSettings

OPERATIONS = 1_000
REQUESTS = 40
DOCUMENT = msgspec.json.encode({"title": "x" * 500, "number": 1}) + b"\n"
BODY = b"".join(index_line(f"table_{number}", version=number) + DOCUMENT for number in range(OPERATIONS))
LINES: Any = [BODY]  # ready bytes, which it takes as they are, whatever its types say
NDJSON = {"content-type": "application/x-ndjson"}
Send = Callable[[], Awaitable[object]]


async def measured() -> list[Row]:
    """Send the same bytes in each way in turn; the times are of this process's CPU, not of the wire."""
    times: dict[str, list[float]] = {}
    with null_engine() as url:
        async with AsyncExitStack() as stack:
            ways = await _ways(stack, url)
            for number in range(ROUNDS + 1):
                for name, send in ways.items():
                    started = time.process_time()
                    for _ in range(REQUESTS):
                        await send()
                    if number:
                        times.setdefault(name, []).append(time.process_time() - started)
    return rows(times)


async def _ways(stack: AsyncExitStack, url: str) -> dict[str, Send]:
    session = await stack.enter_async_context(aiohttp.ClientSession())
    engine = await stack.enter_async_context(open_engine(EngineSettings(host=url)))
    client = await stack.enter_async_context(AsyncElasticsearch(url))

    async def bare() -> None:
        async with session.put(f"{url}/docs/_bulk", data=BODY, headers=NDJSON) as answer:
            await answer.read()

    async def bare_json() -> None:
        async with session.put(f"{url}/docs/_bulk", data=BODY, headers=NDJSON) as answer:
            json.loads(await answer.read())

    ways: dict[str, Send] = {
        "aiohttp, answer not decoded": bare,
        "aiohttp, answer to dicts with json": bare_json,
        "elasticsearch-py as it comes": lambda: client.bulk(index="docs", operations=LINES),
        "engine.data.bulk": lambda: engine.data.bulk("docs", BODY, operations=OPERATIONS),
    }
    if importlib.util.find_spec("httpx"):
        import httpx  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415 - measured where it is installed

        other = await stack.enter_async_context(httpx.AsyncClient())
        ways["httpx, answer not decoded"] = lambda: other.put(f"{url}/docs/_bulk", content=BODY, headers=NDJSON)
    return ways


def run() -> list[Row]:
    """Return CPU seconds for all requests of one round."""
    return asyncio.run(measured())
