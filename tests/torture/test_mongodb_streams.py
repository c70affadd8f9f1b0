"""Change streams that are broken at random points while somebody writes, and syncs by what they tell."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

import pytest

from connectors.changes import Change
from connectors.errors import CursorExpired
from connectors.store.sync_state import JobType
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from fixtures.mongodb.fixture import DATABASES, MongoDBFixture
from fixtures.mongodb.server import MongoDB
from tests.sources import mongo
from tests.sources.mongo import Commands, Store, applied, last, touched, walked
from tests.torture.arena import Arena, arena
from tests.torture.conftest import Report
from tests.torture.cut_line import CutLine
from tests.torture.oracle import Content, expected

PROMISE: Final = (
    "A change stream of MongoDB's is broken at a random point while documents are inserted, updated and deleted: its "
    "cursor is killed, or its connection cut, at once or in the middle of an answer. What it tells leads to what is "
    "there, and no change is told twice."
)
SHORT: Final = range(20)
KEYS: Final = 30
WRITES: Final = 80
DOCUMENTS: Final = 600
BURST: Final = 10_000
PATIENCE_S: Final = 60


@pytest.fixture(scope="module")
def server() -> Iterator[MongoDB]:
    """A server for all rounds."""
    yield from mongo.started()


@dataclass
class Writer:
    """Writes at random, and counts how often it touched each document."""

    store: Store
    chance: random.Random
    writes: Counter[str] = field(default_factory=Counter)

    def run(self, at: dict[int, Callable[[], object]]) -> None:
        """Write, and do what is to be done before the write of a number."""
        for number in range(WRITES):
            at.get(number, lambda: None)()
            name, key = self.chance.choice(["a", "b"]), self.chance.randrange(KEYS)
            found = self.store[name]
            match self.chance.randrange(4):
                case 0:
                    changed = found.delete_one({"_id": key}).deleted_count
                case 1:
                    found.replace_one({"_id": key}, {"n": number}, upsert=True)
                    changed = 1
                case _:
                    found.update_one({"_id": key}, {"$set": {"v": number}}, upsert=True)
                    changed = 1
            self.writes[f"{self.store.name}/{name}/{key}"] += changed


async def one_round(seed: int, server: MongoDB) -> Counter[str]:
    chance = random.Random(seed)
    port = int(server.url.split("/")[2].rpartition(":")[2])
    with mongo.made(server) as store:
        for name in ("a", "b"):
            store.filled(name, [{"_id": key, "v": 0} for key in range(0, KEYS, 2)])
        now = await walked(store)
        cursor = last(await mongo.changes_of(store, None))
        async with (
            CutLine(port) as line,
            store.source(host=f"mongodb://127.0.0.1:{line.port}", direct_connection=True, retry_count=10) as one,
        ):
            commands = Commands()
            one.listeners = (commands,)
            live = cast("AsyncGenerator[Change, None]", one.get_docs_live(cursor))
            found = [await anext(live)]
            writer, loop = Writer(store, chance), asyncio.get_running_loop()
            breaks: list[Callable[[], object]] = [
                lambda: store.kill(commands.streams[-1]),
                lambda: store.kill(commands.streams[-1]),
                lambda: loop.call_soon_threadsafe(line.cut),
                lambda: loop.call_soon_threadsafe(line.cut_after, chance.randrange(1, 3_000)),
            ]
            at = {chance.randrange(WRITES): chance.choice(breaks)}
            writing = asyncio.create_task(asyncio.to_thread(writer.run, at), name="writer")
            async with asyncio.timeout(PATIENCE_S):
                wanted = None
                while wanted is None or now != wanted:
                    change = await anext(live)
                    found.append(change)
                    now = applied(now, [change])
                    if writing.done() and wanted is None:
                        wanted = await walked(store)
            await writing
            found += [change async for change in _rest(live, writer.store)]
            await live.aclose()
        assert applied(now, found[-1:]) == wanted
        told = Counter(touched(found))
        assert not told - writer.writes, "A change was told twice."
        return Counter({"changes": writer.writes.total(), "streams": len(commands.streams), "cut lines": line.cuts - 1})


async def _rest(live: AsyncGenerator[Change, None], store: Store) -> AsyncIterator[Change]:
    """Yield what else is told, up to a last change that is made for this."""
    store["b"].insert_one({"_id": "end"})
    async for change in live:
        if touched([change]) == [f"{store.name}/b/end"]:
            return
        yield change


@pytest.mark.parametrize("seed", SHORT)
async def test_a_stream_that_breaks_anywhere_loses_and_doubles_nothing(seed: int, server: MongoDB) -> None:
    await one_round(seed, server)


@pytest.mark.long_round
async def test_streams_that_break_anywhere_lose_and_double_nothing_in_many_rounds(
    seeds: range, report: Report, server: MongoDB
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await one_round(seed, server)
    report.add("Broken change streams", PROMISE, seeds, dict(facts))


# Syncs.


class Shop(MongoDBFixture):
    """The databases of the functional test, which may be written to."""

    async def contents(self) -> dict[str, Content]:
        """Return what the index should hold."""
        return await asyncio.to_thread(lambda: expected(self.documents()))

    @property
    def server(self) -> MongoDB:
        """Its server."""
        return self._server


async def incremental(here: Arena) -> SyncReport:
    """Sync what changed."""
    found = await here.place.connectors.get("c1")
    assert found is not None
    return await Sync(replace(here.place), found, JobType.INCREMENTAL).run()


@asynccontextmanager
async def synced(folder: Path) -> AsyncIterator[tuple[Arena, Shop]]:
    """Provide databases that were synced by an incremental sync that began with nothing."""
    async with arena(folder) as here, Shop(folder, 1) as shop:
        await asyncio.to_thread(shop.load, DOCUMENTS)
        await here.connect("mongodb", shop.configuration)
        await incremental(here)
        assert not await here.differs(await shop.contents())
        yield here, shop


async def test_each_incremental_sync_leaves_what_is_there(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, shop):
        for _ in range(3):
            await asyncio.to_thread(shop.change)
            report = await incremental(here)
            wanted = await shop.contents()
            assert (report.letters, report.held) == (0, 0)
            assert report.walked < len(wanted) // 2
            assert not await here.differs(wanted)
        before = shop.requests()
        report = await incremental(here)
        assert (report.walked, report.deleted) == (0, 0)
        after = shop.requests()
        assert before is not None
        assert after is not None
        assert after - before <= 2  # the stream, and an answer of it


async def test_a_burst_of_changes_is_synced(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, shop):
        with shop.server.connect() as client:
            found = client[DATABASES[0]]["people"]
            found.insert_many([{"_id": BURST + number, "number": number} for number in range(BURST // 2)])
            found.update_many({"_id": {"$gte": BURST}}, {"$set": {"text": "changed"}})
        report = await incremental(here)
        assert report.created == BURST // 2
        assert not await here.differs(await shop.contents())


async def test_what_a_full_sync_has_to_follow_is_right_after_it(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, shop):
        with shop.server.connect() as client:
            client[DATABASES[0]]["mixed"].drop()
            client[DATABASES[0]]["more"].insert_one({"_id": 1, "number": 1})
        with pytest.raises(CursorExpired, match=r"shop_eu\.mixed' was dropped"):
            await incremental(here)
        await here.place.connectors.update("c1", lambda _: {"sync_cursor": None})
        await here.sync_here()
        await incremental(here)
        with shop.server.connect() as client:
            client[DATABASES[0]]["more"].insert_one({"_id": 2, "number": 2})
        assert (await incremental(here)).created == 1
        stored = await here.stored()
        assert {f"{DATABASES[0]}/more/1", f"{DATABASES[0]}/more/2"} <= stored.keys()
        found: Any = await here.place.connectors.get("c1")
        assert found.sync_cursor["collections"].keys() >= {f"{DATABASES[0]}.more"}
