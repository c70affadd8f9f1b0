"""Live syncs of MongoDB in whole daemons: begun where the full sync began, and right whatever breaks meanwhile."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from connectors.sources.mongodb import SAMPLE
from connectors.store.job import JobStatus, SyncJob
from connectors.store.sync_state import JobType
from fixtures.mongodb.server import MongoDB
from tests.services.daemons import daemon
from tests.services.live import LiveWorks, live_works
from tests.services.works import until
from tests.sources import mongo
from tests.sources.mongo import Store
from tests.torture.cut_line import CutLine
from tests.torture.oracle import Content, expected

DOCUMENTS: Final = 300
PATIENCE_S: Final = 90.0
COLLECTIONS: Final = ("people", "orders")


@pytest.fixture(scope="module")
def server() -> Iterator[MongoDB]:
    """A server for all of these tests."""
    yield from mongo.started()


class Shop:
    """Two collections in the live sync of a connector `a`."""

    def __init__(self, works: LiveWorks, store: Store) -> None:
        self.works = works
        self.store = store

    def contents(self) -> dict[str, Content]:
        """Return what the index should hold: what the driver finds."""
        name = self.store.name
        found = []
        there = self.store.client[name].list_collection_names()
        for collection in (one for one in there if not one.startswith("system.")):
            head = {"dataset": f"{name}.{collection}", "database": name, "collection": collection}
            for one in self.store[collection].find():
                key = f"{name}/{collection}/{one['_id']}"
                found.append({**one, **head, "_id_": one["_id"], "_id": key, "id": key})
        return expected(found)

    def write(self, chance: random.Random, count: int) -> None:
        """Insert, update, replace and delete at random."""
        for number in range(count):
            found, key = self.store[chance.choice(COLLECTIONS)], chance.randrange(DOCUMENTS + 50)
            match chance.randrange(4):
                case 0:
                    found.delete_one({"_id": key})
                case 1:
                    found.replace_one({"_id": key}, {"replaced": number}, upsert=True)
                case 2:
                    found.update_one({"_id": key}, {"$set": {"changed": number}})
                case _:
                    found.update_one({"_id": key}, {"$inc": {"times": 1}}, upsert=True)

    async def equal(self) -> None:
        """Wait until the index holds what the collections do, document for document."""
        wanted = await asyncio.to_thread(self.contents)

        async def is_equal() -> bool:
            return not await self.works.of.differs("a", wanted)

        await until(is_equal, PATIENCE_S)

    async def lives(self) -> SyncJob:
        """Wait until the live sync runs, and return its job."""
        await self.works.lives("a", PATIENCE_S)
        job = await self.works.live("a")
        assert job is not None
        return job

    async def full_syncs(self) -> list[SyncJob]:
        """Return the jobs of full syncs, the oldest first."""
        return [one for one in await self.works.jobs("a") if one.job_type is JobType.FULL]


@asynccontextmanager
async def shop(folder: Path, server: MongoDB, **given: Any) -> AsyncIterator[Shop]:
    """Provide collections with documents, and a connector that is to read them live."""
    with mongo.made(server) as store:
        for name in COLLECTIONS:
            store.filled(name, [{"_id": number, "number": number} for number in range(DOCUMENTS)])
        settings = {**store.settings, "retry_count": 5, **given}
        configuration = {name: {"value": value, "sensitive": False} for name, value in settings.items()}
        async with live_works(folder) as works:
            sync = {"live": True, "delete_guard": {"count": 10**6, "share": 1}}
            await works.connect("a", service_type="mongodb", configuration=configuration, sync=sync)
            yield Shop(works, store)


def listen(store: Store) -> None:
    """Have the server note what is read, from now on."""
    database = store.client[store.name]
    database.command("profile", 0)
    database.drop_collection("system.profile")
    database.command("profile", 2)


def heard(store: Store) -> tuple[int, int]:
    """Return how many walks the server has noted, and how many questions for what was touched.

    Fields are looked for in fewer documents than a page of a walk has, and tests read without a limit.
    """
    database = store.client[store.name]
    database.command("profile", 0)
    commands = [one["command"] for one in database["system.profile"].find()]
    finds = [one for one in commands if one.get("find") in COLLECTIONS]
    walks = [one for one in finds if not one["filter"] and one.get("limit", 0) > SAMPLE]
    return len(walks), sum("$in" in one["filter"].get("_id", {}) for one in finds)


async def test_it_begins_where_the_full_sync_did_and_writes_what_happens(tmp_path: Path, server: MongoDB) -> None:
    async with shop(tmp_path, server) as here:
        listen(here.store)
        async with daemon(here.works.of.config):
            first = await here.lives()
            assert heard(here.store) == (len(COLLECTIONS), 0)
            listen(here.store)
            await asyncio.to_thread(here.write, random.Random(1), 400)
            await here.equal()
            walks, questions = heard(here.store)
            assert walks == 0
            assert questions
            here.store["new"].insert_many([{"_id": number} for number in range(20)])
            await here.equal()
            assert (await here.lives()).id == first.id
        assert [str(one.status) for one in await here.full_syncs()] == ["completed"]


async def test_after_a_dropped_collection_a_full_sync_follows_and_then_it_goes_on(
    tmp_path: Path, server: MongoDB
) -> None:
    async with shop(tmp_path, server) as here, daemon(here.works.of.config):
        first = await here.lives()
        await here.equal()
        here.store["orders"].drop()
        ended = await here.works.of.until(first.id, lambda one: one.completed_at is not None)
        assert ended.status is JobStatus.ERROR
        assert ended.error is not None
        assert "orders' was dropped" in ended.error

        async def has_followed() -> bool:
            return [str(one.status) for one in await here.full_syncs()] == ["completed", "completed"]

        await until(has_followed, PATIENCE_S)
        full = (await here.full_syncs())[-1]
        assert full.metadata["held_deletions"] == DOCUMENTS
        second = await here.lives()
        assert second.id != first.id
        here.store["people"].update_one({"_id": 1}, {"$set": {"changed": True}})
        here.store["people"].insert_one({"_id": "new"})

        async def is_written() -> bool:
            wanted = await asyncio.to_thread(here.contents)
            found = await here.works.of.differs("a", wanted)
            return not found.missing and not found.different and len(found.extra) == DOCUMENTS

        await until(is_written, PATIENCE_S)


async def test_a_daemon_that_is_killed_while_somebody_writes_loses_nothing(tmp_path: Path, server: MongoDB) -> None:
    chance = random.Random(2)
    async with shop(tmp_path, server) as here:
        async with daemon(here.works.of.config) as first:
            await here.lives()
            await asyncio.to_thread(here.write, chance, 200)
            writing = asyncio.create_task(asyncio.to_thread(here.write, chance, 1_500), name="writer")
            await first.stop(signal.SIGKILL)
            assert not writing.done()
            await writing
        async with daemon(here.works.of.config):
            await here.equal()
            await here.lives()
            await asyncio.to_thread(here.write, chance, 100)
            await here.equal()
        assert len(await here.full_syncs()) == 1


async def test_a_line_that_is_cut_while_somebody_writes_loses_nothing(tmp_path: Path, server: MongoDB) -> None:
    chance = random.Random(3)
    async with CutLine(int(server.url.split("/")[2].rpartition(":")[2])) as line:
        host = f"mongodb://127.0.0.1:{line.port}"
        async with shop(tmp_path, server, host=host, direct_connection=True) as here:
            async with daemon(here.works.of.config):
                first = await here.lives()
                for after in (0, 1, 2_000):
                    line.cut_after(after) if after else line.cut()
                    await asyncio.to_thread(here.write, chance, 100)
                    await here.equal()
                assert line.cuts == 3
                assert (await here.lives()).id == first.id
            assert len(await here.full_syncs()) == 1
