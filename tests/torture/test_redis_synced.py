"""A real Redis server while it is synced: it is killed, paused and written to, and syncs are skipped and resumed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis

from fixtures.redis.fixture import RedisFixture
from fixtures.redis.server import MISSING, is_installed
from tests.torture.arena import Arena, arena
from tests.torture.exchange import Seen
from tests.torture.oracle import Content, expected

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(not is_installed(), reason=MISSING)]
KEYS: Final = 3_000


class LastingRedis(RedisFixture):
    """A server that has after a crash what it has said to have written."""

    arguments = ("--appendonly", "yes", "--appendfsync", "always")

    async def contents(self) -> dict[str, Content]:
        """Return what the index should hold."""
        return await asyncio.to_thread(lambda: expected(self.documents()))

    def raw(self, *words: object) -> Any:
        """Run a command."""
        with Redis(port=self.running.port) as client:
            return client.execute_command(*words)

    def reads(self) -> int:
        """Return how many commands were run that a walk consists of."""
        with Redis(port=self.running.port) as client:
            found: Any = client.info("commandstats")
        return sum(one["calls"] for name, one in found.items() if name in {"cmdstat_scan", "cmdstat_type"})

    def settle(self) -> None:
        """Wait until the last save, or the start, is so long ago that the server can tell whether it has changed."""
        with Redis(port=self.running.port) as client:
            while int(client.time()[0]) - int(client.lastsave().timestamp()) <= 2:
                pass


@asynccontextmanager
async def synced(folder: Path, **given: object) -> AsyncIterator[tuple[Arena, LastingRedis]]:
    """Provide a server whose keys were synced once."""
    async with arena(folder) as here, LastingRedis(folder, 1) as redis:
        await asyncio.to_thread(redis.load, KEYS)
        await asyncio.to_thread(redis.settle)
        await here.connect("redis", {**redis.configuration, "batch_size": 100, "retry_count": 10, **given})
        await here.sync_here()
        assert not await here.differs(await redis.contents())
        yield here, redis


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


async def test_a_sync_is_skipped_as_long_as_nothing_is_written_whoever_asks(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, redis):
        before = redis.reads()
        for _ in range(2):
            assert (await here.sync()).report["skipped"] is True
        assert (await here.sync_here()).skipped
        assert redis.reads() == before
        await asyncio.to_thread(redis.change)
        assert (await here.sync()).report["skipped"] is False
        assert not await here.differs(await redis.contents())
        assert (await here.sync()).report["skipped"] is True
        redis.raw("SET", "one more", "x")
        assert (await here.sync()).report["created"] == 1
        redis.raw("SAVE")
        assert (await here.sync()).report["skipped"] is False


async def test_a_sync_is_not_skipped_when_a_key_has_expired_that_the_server_has_not_noticed(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, redis):
        redis.raw("SET", "brief", "x", "PX", 8_000)
        assert (await here.sync_here()).created == 1
        assert (await here.sync_here()).skipped
        await asyncio.sleep(8.1)
        report = await here.sync_here()
        assert (report.skipped, report.deleted) == (False, 1)
        assert not await here.differs(await redis.contents())


async def test_a_server_that_is_killed_in_mid_walk_deletes_nothing_and_is_read_anew(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, redis):
        await asyncio.to_thread(redis.change)
        before, wanted = await here.stored(), await redis.contents()
        at = Moment(here, 2)
        running = await here.start(batch_documents=5)
        await at.reached.wait()
        redis.running.stop()
        await asyncio.to_thread(redis.running.start)
        end = (await running.ended()).only
        assert (end.error, end.report["deleted"], end.report["held"]) == ("SourceError", 0, 0)
        assert (await here.stored()).keys() >= before.keys()
        assert await redis.contents() == wanted
        assert (await here.sync()).report["letters"] == 0
        assert not await here.differs(wanted)


async def test_a_server_that_is_paused_in_mid_walk_is_waited_for(tmp_path: Path) -> None:
    async with synced(tmp_path, answer_timeout_s=1) as (here, redis):
        await asyncio.to_thread(redis.change)
        at = Moment(here, 2)
        running = await here.start(batch_documents=5)
        await at.reached.wait()
        with redis.running.held_up():
            await asyncio.sleep(2.5)  # longer than an answer may take
        assert (await running.ended()).report["letters"] == 0
        assert not await here.differs(await redis.contents())


async def test_a_process_that_is_killed_while_it_reads_is_made_good_by_the_next(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, redis):
        await asyncio.to_thread(redis.change)
        at = Moment(here, 3)
        running = await here.start(batch_documents=5, lease_timeout_s=2.0)
        await at.reached.wait()
        running.kill()
        assert (await running.ended()).returncode == -9
        report = (await here.sync(lease_timeout_s=2.0)).report
        assert (report["letters"], report["skipped"]) == (0, False)
        assert not await here.differs(await redis.contents())


async def test_what_is_written_during_a_sync_is_there_after_one_more(tmp_path: Path) -> None:
    async with synced(tmp_path) as (here, redis):
        await asyncio.to_thread(redis.change)
        changes: list[asyncio.Task[None]] = []
        left = 3

        def befall(_: Seen) -> None:
            if len(changes) < left and all(one.done() for one in changes):
                changes.append(asyncio.create_task(asyncio.to_thread(redis.change), name="change"))

        here.proxy.on_request(lambda seen: seen.is_bulk, befall)
        await here.sync(batch_documents=50)
        assert changes
        left = 0
        await asyncio.gather(*changes)
        report = (await here.sync()).report
        assert (report["letters"], report["skipped"]) == (0, False)
        assert not await here.differs(await redis.contents())
