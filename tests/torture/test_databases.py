"""A real database while it is synced: it is killed and comes back or stays away, and others write to it meanwhile."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from fixtures.mysql.fixture import MySQLFixture
from tests.torture.arena import Arena, arena
from tests.torture.exchange import Seen
from tests.torture.oracle import Content, expected

pytestmark = pytest.mark.timeout(300)
ROWS: Final = 3_000


class Database(MySQLFixture):
    """The fixture's database, whose server may be killed."""

    async def stock(self) -> None:
        """Fill it, and have all of it on disk, as a server that is killed keeps no more."""
        await self._run("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        await asyncio.to_thread(self.load, ROWS)

    async def kill(self) -> None:
        """End the server as a crash does."""
        await self._server.kill()

    async def start_again(self) -> None:
        """Start the server on what it had."""
        await self._server.start()

    async def contents(self) -> dict[str, Content]:
        """Return what the index should hold."""
        return await asyncio.to_thread(lambda: expected(self.documents()))


@asynccontextmanager
async def synced(folder: Path) -> AsyncIterator[tuple[Arena, Database]]:
    """Provide a database that was synced once, and has changed since."""
    if shutil.which("mariadbd") is None:
        pytest.skip("There is no MariaDB here.")
    async with arena(folder) as here, Database(folder, 1) as database:
        await database.stock()
        await here.connect("mysql", {**database.configuration, "fetch_size": 200, "retry_count": 10})
        await here.sync_here()
        assert not await here.differs(await database.contents())
        await asyncio.to_thread(database.change)
        yield here, database


async def test_a_database_that_is_killed_in_mid_walk_and_comes_back_is_synced_to_its_end(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, database):
        at = Moment(here, 2)
        running = await here.start(batch_documents=5)
        await at.reached.wait()
        await database.kill()
        await asyncio.sleep(0)
        await database.start_again()
        report = (await running.ended()).report
        assert report["letters"] == 0
        assert not await here.differs(await database.contents())


async def test_a_database_that_stays_away_deletes_nothing(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, database):
        before = await here.stored()
        wanted = await database.contents()
        found = await here.place.connectors.get("c1")
        assert found is not None
        configuration = {**found.document["configuration"], "retry_count": {"value": 1}}
        await here.place.connectors.update("c1", lambda _: {"configuration": configuration})
        at = Moment(here, 2)
        running = await here.start(batch_documents=5)
        await at.reached.wait()
        await database.kill()
        end = (await running.ended()).only
        assert (end.error, end.report["deleted"], end.report["held"]) == ("SourceUnreachable", 0, 0)
        assert (await here.stored()).keys() >= before.keys()
        await database.start_again()
        assert await database.contents() == wanted
        await here.sync_here()  # goes on where that was
        await here.sync_here()
        assert not await here.differs(wanted)


async def test_a_process_that_is_killed_while_it_reads_is_made_good_by_the_next(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, database):
        at = Moment(here, 3)
        running = await here.start(batch_documents=5, lease_timeout_s=2.0)
        await at.reached.wait()
        running.kill()
        assert (await running.ended()).returncode == -9
        for _ in range(2):
            assert (await here.sync(lease_timeout_s=2.0)).report["letters"] == 0
        assert not await here.differs(await database.contents())


async def test_what_is_written_during_a_sync_is_there_after_one_more(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, database):
        changes: list[asyncio.Task[None]] = []
        left = 3

        def befall(_: Seen) -> None:
            if len(changes) < left and all(one.done() for one in changes):
                changes.append(asyncio.create_task(asyncio.to_thread(database.change), name="change"))

        here.proxy.on_request(lambda seen: seen.is_bulk, befall)
        await here.sync(batch_documents=50)
        assert changes
        left = 0
        await asyncio.gather(*changes)
        assert (await here.sync()).report["letters"] == 0
        assert not await here.differs(await database.contents())


class Moment:
    """When the n-th bulk comes."""

    def __init__(self, here: Arena, bulks: int) -> None:
        self.reached = asyncio.Event()
        self._left = bulks
        here.proxy.on_request(lambda seen: seen.is_bulk, self._count)

    def _count(self, _: Seen) -> None:
        self._left -= 1
        if self._left == 0:
            self.reached.set()
