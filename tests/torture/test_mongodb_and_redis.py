"""MongoDB and Redis while they are synced: processes are killed, lines break, engines are slow, and others write."""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from fixtures.redis.server import MISSING, is_installed, server
from tests.sources import mongo
from tests.torture.arena import arena
from tests.torture.conftest import Report
from tests.torture.cut_line import CutLine
from tests.torture.fault_plans import slow
from tests.torture.shops import AnyShop, Opened, of_mongodb, of_redis
from tests.torture.test_killed_deletes import killed_round as killed_deletes_round
from tests.torture.test_killed_syncs import one_round as killed_round
from tests.torture.test_written_meanwhile import rows_round

PROMISE: Final = (
    "Databases of MongoDB and keys of Redis are synced while processes are killed and others write, as a database of "
    "SQLite is in the tests of these; and over a line that breaks at some byte, in any answer. If it is back "
    "at once the sync completes. If it stays away the sync ends in error and has deleted nothing, and the next one "
    "makes the index equal to the source."
)
SOURCES: Final = ("mongodb", "redis")


@pytest.fixture(scope="module")
def mongodb_shops() -> Iterator[Opened]:
    """What makes databases of a server."""
    for one in mongo.started():
        with of_mongodb(one) as opened:
            yield opened


@pytest.fixture(scope="module")
def redis_shops() -> Iterator[Opened]:
    """What makes keys of a server."""
    if not is_installed():
        pytest.skip(MISSING)
    with server() as one, of_redis(one) as opened:
        yield opened


@pytest.fixture(params=SOURCES)
def opened(request: pytest.FixtureRequest) -> Opened:
    """What makes shops of a source."""
    found: Opened = request.getfixturevalue(f"{request.param}_shops")
    return found


def through(line: CutLine, shop: AnyShop, retries: int) -> dict[str, Any]:
    """Return the settings of a connector that reads a shop over a line."""
    given = {**shop.configuration, "retry_count": retries}
    if shop.service_type == "redis":
        return {**given, "port": line.port}
    return {**given, "host": f"mongodb://127.0.0.1:{line.port}", "direct_connection": True, "connect_timeout_s": 2}


def port_of(shop: AnyShop) -> int:
    found = shop.configuration.get("port") or urlsplit(str(shop.configuration["host"])).port
    assert isinstance(found, int)
    return found


async def cut_round(seed: int, folder: Path, opened: Opened) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"cut {seed}")
    async with arena(folder) as here:
        shop = opened(folder, seed)
        shop.stock(200)
        async with CutLine(port_of(shop)) as line:
            line.stays = bool(seed % 2)
            await here.connect(shop.service_type, through(line, shop, 0 if line.stays else 1))
            await here.sync_here()
            before = await here.stored()
            assert before == shop.contents()
            shop.change(inserts=40, updates=30, deletes=25, renames=5)
            line.cut_after(chance.randrange(line.answered))
            told = (await here.sync()).only
            was_cut = line.cut_at is None
            line.mend()
            if was_cut and line.stays:
                assert told.error in {"SourceUnreachable", "SourceError"}, (seed, told)
                assert (told.report["deleted"], told.report["held"]) == (0, 0), (seed, told)
                assert (await here.stored()).keys() >= before.keys(), seed
                await here.sync_here()  # which may go on where that was
            else:
                assert told.error is None, (seed, told)
            await here.sync_here()
            assert not await here.differs(shop.contents()), seed
            assert await here.letters() == [], seed
    return Counter({"lines that broke for good" if line.stays else "lines that broke once": int(was_cut)})


@pytest.mark.parametrize("seed", range(2))
async def test_what_a_killed_sync_left_the_next_one_completes(seed: int, opened: Opened, tmp_path: Path) -> None:
    await killed_round(seed, tmp_path, opened=opened)


@pytest.mark.parametrize("seed", range(1))
async def test_what_a_killed_sync_that_only_deletes_left_the_next_one_completes(
    seed: int, opened: Opened, tmp_path: Path
) -> None:
    await killed_deletes_round(seed, tmp_path, opened=opened)


@pytest.mark.parametrize("seed", range(1, 2))
async def test_what_changes_while_it_is_walked_is_right_after_one_more_sync(
    seed: int, opened: Opened, tmp_path: Path
) -> None:
    await rows_round(seed, tmp_path, opened=opened)


@pytest.mark.parametrize("seed", range(2))
async def test_an_answer_that_is_cut_off_deletes_nothing(seed: int, opened: Opened, tmp_path: Path) -> None:
    await cut_round(seed, tmp_path, opened)


async def test_connections_that_were_broken_while_an_engine_was_slow_are_made_anew(
    opened: Opened, tmp_path: Path
) -> None:
    """As firewalls and servers do it to what is idle: nothing may be lost that was open there."""
    async with arena(tmp_path) as here:
        shop = opened(tmp_path, 1)
        shop.stock(600)
        async with CutLine(port_of(shop)) as line:
            await here.connect(shop.service_type, {**through(line, shop, 5), "batch_size": 20, "fetch_size": 20})
            here.proxy.plan = slow(latency_s=0.1)
            here.proxy.on_request(lambda seen: seen.is_bulk and seen.number % 4 == 0, lambda _: line.cut())
            report = (await here.sync(batch_bytes=10_000, waiting_bytes=10_000, batch_documents=20)).report
            assert (report["created"], report["letters"]) == (600, 0)
            assert line.cuts >= 5
            assert not await here.differs(shop.contents())


@pytest.mark.long_round
async def test_mongodb_and_redis_in_many_rounds(
    seeds: range, report: Report, opened: Opened, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await cut_round(seed, tmp_path_factory.mktemp(f"cut{seed}"), opened)
        facts += await killed_round(seed, tmp_path_factory.mktemp(f"killed{seed}"), opened=opened)
        facts += await killed_deletes_round(seed, tmp_path_factory.mktemp(f"deletes{seed}"), opened)
        facts += await rows_round(seed, tmp_path_factory.mktemp(f"rows{seed}"), opened=opened)
    name = opened(tmp_path_factory.mktemp("name"), 0).service_type
    report.add(f"Syncs of {name}", PROMISE, seeds, dict(facts))
