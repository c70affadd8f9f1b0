"""All that can be asked of a source at the same time, while the server is asked how many sessions that takes."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from connectors.byoc import Filter
from connectors.row_walk import closing_walk
from connectors.sources._sql.source import SQLDataSource
from tests.sources.sql_store import Store
from tests.sources.walks import walked

RULES = [
    {"tables": ["paged"], "query": "SELECT * FROM paged"},
    {"tables": ["streamed", "paged"], "query": "SELECT v FROM streamed UNION ALL SELECT v FROM paged"},
]
ROWS = 3_000
PAUSE_S = 0.02


async def fill(store: Store, numbers: str) -> None:
    """Make a table that is read in pages and one that is read all at once, of what a SELECT finds."""
    await store.run(
        "CREATE TABLE paged (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE streamed (v INT)",
        f"INSERT INTO paged SELECT n, n FROM ({numbers}) s",
        f"INSERT INTO streamed SELECT n FROM ({numbers}) s",
    )


async def asked_for_everything(store: Store, most: int) -> tuple[list[int], int]:
    """Return how much each part of all that a source does has found, and the most sessions that the server had."""
    filtering = Filter({"advanced_snippet": {"value": RULES}})
    async with store.source(max_connections=most, fetch_size=500, cursor_columns="v") as one:
        work = asyncio.gather(
            _count(walked(one)),
            _count(walked(one)),
            _count(walked(one, filtering)),
            _count(one.get_docs_incrementally(None)),
            _count(one.native_query("SELECT v FROM streamed")),
            _length(_judged(one)),
            _length(one.health()),
        )
        found = [0]
        while not work.done():
            found.append(await _settled(store))
        return await work, max(found)


async def _settled(store: Store) -> int:
    """Return the number of sessions, without those that were closed a moment ago and that the server has to end yet."""
    counted = []
    for _ in range(3):
        counted.append(await store.connections())
        await asyncio.sleep(PAUSE_S)
    return min(counted)


async def _count(items: Any) -> int:
    async with closing_walk(items) as found:
        count = 0
        async for _ in found:
            count += 1
            if count % 500 == 0:
                await asyncio.sleep(5 * PAUSE_S)
        return count


async def _length(work: Awaitable[Any]) -> int:
    return len(await work)


async def _judged(one: SQLDataSource) -> Any:
    [validator] = one.advanced_rules_validators()
    found = await validator.validate(RULES)
    return [found] if not isinstance(found, list) else found
