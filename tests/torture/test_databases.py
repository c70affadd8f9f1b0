"""A real database while it is synced: it is killed and comes back or stays away, and others write to it meanwhile."""

import asyncio
import shutil
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from fixtures.contract import Fixture
from fixtures.mysql.fixture import MySQLFixture
from fixtures.native import NativeServer
from fixtures.postgresql.fixture import PostgreSQLFixture
from tests.torture.arena import Arena, arena
from tests.torture.exchange import Seen
from tests.torture.oracle import Content, expected

pytestmark = pytest.mark.timeout(300)
ROWS: Final = 3_000


class Database(Fixture):
    """The fixture's database, whose server may be killed."""

    @property
    @abstractmethod
    def server(self) -> NativeServer:
        """Its server."""

    @abstractmethod
    async def keep(self) -> None:
        """Have the server keep what it has said to have written, though it is killed."""

    async def stock(self) -> None:
        """Fill it."""
        await self.keep()
        await asyncio.to_thread(self.load, ROWS)

    async def kill(self) -> None:
        """End the server as a crash does."""
        await self.server.kill()

    async def start_again(self) -> None:
        """Start the server on what it had."""
        await self.server.start()

    async def contents(self) -> dict[str, Content]:
        """Return what the index should hold."""
        return await asyncio.to_thread(lambda: expected(self.documents()))


class MySQL(MySQLFixture, Database):
    """A database of MariaDB's."""

    @property
    def server(self) -> NativeServer:
        return self._server

    async def keep(self) -> None:
        await self.run("SET GLOBAL innodb_flush_log_at_trx_commit = 1")


class PostgreSQL(PostgreSQLFixture, Database):
    """A database of PostgreSQL's, which always does."""

    @property
    def server(self) -> NativeServer:
        return self._server

    async def keep(self) -> None:
        pass


DATABASES: Final[dict[str, type[MySQL] | type[PostgreSQL]]] = {"mysql": MySQL, "postgresql": PostgreSQL}


@pytest.fixture(params=DATABASES)
def name(request: pytest.FixtureRequest) -> str:
    """A database."""
    name: str = request.param
    if not is_there(name):
        pytest.skip(f"There is no server of {name} here.")
    return name


def is_there(name: str) -> bool:
    if name == "mysql":
        return shutil.which("mariadbd") is not None
    return any(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


@asynccontextmanager
async def synced(name: str, folder: Path) -> AsyncIterator[tuple[Arena, Database]]:
    """Provide a database that was synced once, and has changed since."""
    async with arena(folder) as here, DATABASES[name](folder, 1) as database:
        await database.stock()
        await here.connect(name, {**database.configuration, "fetch_size": 200, "retry_count": 10})
        await here.sync_here()
        assert not await here.differs(await database.contents())
        await asyncio.to_thread(database.change)
        yield here, database


async def test_a_database_that_is_killed_in_mid_walk_and_comes_back_is_synced_to_its_end(
    name: str, tmp_path: Path
) -> None:
    async with synced(name, tmp_path) as (here, database):
        at = Moment(here, 2)
        running = await here.start(batch_documents=5)
        await at.reached.wait()
        await database.kill()
        await asyncio.sleep(0)
        await database.start_again()
        report = (await running.ended()).report
        assert report["letters"] == 0
        assert not await here.differs(await database.contents())


async def test_a_database_that_stays_away_deletes_nothing(name: str, tmp_path: Path) -> None:
    async with synced(name, tmp_path) as (here, database):
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


async def test_a_database_that_is_killed_while_its_ids_are_read_loses_nothing(name: str, tmp_path: Path) -> None:
    async with synced(name, tmp_path) as (here, database):
        before = await here.stored()
        wanted = await database.contents()
        kept = {doc_id: content for doc_id, content in before.items() if doc_id in wanted}
        asked = asyncio.Event()
        here.proxy.on_request(lambda seen: "/_search" in seen.request.target, lambda _: asked.set())
        running = await here.start(deletes_only=True, batch_documents=5)
        await asked.wait()  # it reads the index, and then the ids
        await database.kill()
        await asyncio.sleep(0)
        await database.start_again()
        assert (await running.ended()).report["deleted"] == len(before) - len(kept)
        assert not await here.differs(kept)
        await here.sync_here()
        assert not await here.differs(wanted)


async def test_a_process_that_is_killed_while_it_reads_is_made_good_by_the_next(name: str, tmp_path: Path) -> None:
    async with synced(name, tmp_path) as (here, database):
        at = Moment(here, 3)
        running = await here.start(batch_documents=5, lease_timeout_s=2.0)
        await at.reached.wait()
        running.kill()
        assert (await running.ended()).returncode == -9
        for _ in range(2):
            assert (await here.sync(lease_timeout_s=2.0)).report["letters"] == 0
        assert not await here.differs(await database.contents())


async def test_what_is_written_during_a_sync_is_there_after_one_more(name: str, tmp_path: Path) -> None:
    async with synced(name, tmp_path) as (here, database):
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
