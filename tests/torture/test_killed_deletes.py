"""Syncs that only delete, killed at any moment or of a source that changes: no document goes that the source has."""

import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.torture.arena import INDEX, arena
from tests.torture.conftest import Report
from tests.torture.exchange import Seen
from tests.torture.fault_plans import lossy
from tests.torture.oracle import difference
from tests.torture.shop import Shop
from tests.torture.shops import Opened, of_sqlite
from tests.torture.test_killed_syncs import Moment, doom, has_deletes
from tests.torture.watcher import Watcher

SHORT = range(3)
CHANGES = ("inserts", "updates", "deletes", "renames")
PROMISE_OF_KILLED = (
    "A process that deletes what is gone from a database, by ids alone, is killed in the middle of its deletes, when "
    "it takes its state, or at any other request. The next one leaves exactly what was there before and is in the "
    "database still, as it was written; the full sync after it makes all equal. At no observed moment a document is "
    "missing that was in the database all the time."
)
PROMISE_OF_UNSTABLE = (
    "A database changes whenever a sync that only deletes asks for a bulk or a page of a scan, over a lossy line every "
    "second time. Nothing is missing then that was there all the time, nothing is written, and the full sync after it "
    "makes all equal."
)


def drawn(chance: random.Random, sort: int) -> Moment:
    """Return when a process is killed, of each sort in turn."""
    name, which, most = [
        ("in the deletes", has_deletes, 5),
        ("at the state", lambda seen: seen.request.method == "PUT" and "/_doc/sync%2F" in seen.request.target, 1),
        ("at any request", lambda seen: True, 25),
    ][sort % 3]
    return Moment(name, which, chance.randrange(1, most + 1), after=chance.random() < 0.5)


async def killed_round(seed: int, folder: Path, opened: Opened = of_sqlite) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"killed deletes {seed}")
    moment = drawn(chance, seed)
    async with arena(folder) as here:
        shop = opened(folder, seed)
        shop.stock(150)
        await here.connect(shop.service_type, shop.configuration)
        before = shop.contents()
        await here.sync_here()
        shop.change(inserts=20, updates=30, deletes=25, renames=5)
        now = shop.contents()
        kept = {doc_id: content for doc_id, content in before.items() if doc_id in now}
        name_doomed = doom(here, moment)
        async with Watcher(here.engine, INDEX, kept.keys()) as watcher:
            runner = await here.start(batch_documents=5, deletes_only=True)
            name_doomed(runner)
            first = await runner.ended()
            await here.proxy.settle()
            left = await here.stored()
            second = await here.sync(batch_documents=5, deletes_only=True)
        assert first.returncode == -9, (seed, moment, first)
        assert kept.keys() <= left.keys() <= before.keys(), (seed, moment)
        assert not await here.differs(kept), (seed, moment)
        assert (watcher.missing, watcher.looks > 0) == (set(), True), (seed, moment)
        report = second.report
        assert report["deleted"] == len(left) - len(kept), (seed, moment, report)
        assert (report["present"], report["unindexed"]) == (len(kept), len(now) - len(kept)), (seed, moment, report)
        await here.sync_here()
        assert not await here.differs(now), (seed, moment)
    return Counter({f"processes that were killed {moment.name}": 1, "looks at the index meanwhile": watcher.looks})


async def unstable_round(seed: int, folder: Path) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"unstable deletes {seed}")
    async with arena(folder) as here:
        shop = Shop(folder / "shop.db", seed)
        shop.stock(200)
        await here.connect("sqlite", shop.configuration)
        before = shop.contents()
        await here.sync_here()
        shop.change(inserts=30, updates=40, deletes=10, renames=10)
        always = before.keys() & shop.contents().keys()
        changes = 0

        def befall(_: Seen) -> None:
            nonlocal changes, always
            if changes < 12:
                changes += 1
                shop.change(**{kind: chance.randrange(4) for kind in CHANGES})
                always &= shop.contents().keys()

        here.proxy.on_request(lambda seen: seen.is_bulk or "/_search" in seen.request.target, befall)
        if seed % 2:
            here.proxy.plan = lossy(0.2, seed, control_rate=0.05)
        report = (await here.sync(batch_documents=5, deletes_only=True)).report
        changes = 12
        await here.proxy.settle()
        stored = await here.stored()
        found = difference(before, stored)
        assert (found.extra, found.different) == ([], {}), seed
        assert always <= stored.keys(), seed
        assert (report["created"], report["updated"], report["letters"]) == (0, 0, 0), seed
        await here.sync()
        await here.proxy.settle()
        assert not await here.differs(shop.contents()), seed
    return Counter({"documents that were there all the time": len(always), "deleted": report["deleted"]})


@pytest.mark.parametrize("seed", SHORT)
async def test_what_a_killed_sync_that_only_deletes_left_the_next_one_completes(seed: int, tmp_path: Path) -> None:
    await killed_round(seed, tmp_path)


@pytest.mark.parametrize("seed", SHORT)
async def test_a_source_that_changes_meanwhile_loses_nothing_that_it_has(seed: int, tmp_path: Path) -> None:
    await unstable_round(seed, tmp_path)


@pytest.mark.long_round
async def test_killed_syncs_that_only_delete_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await killed_round(seed, tmp_path_factory.mktemp(f"deletes{seed}"))
    report.add("Killed syncs that only delete", PROMISE_OF_KILLED, seeds, dict(facts))


@pytest.mark.long_round
async def test_sources_that_change_while_their_ids_are_read_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await unstable_round(seed, tmp_path_factory.mktemp(f"unstable{seed}"))
    report.add("Ids of a source that changes", PROMISE_OF_UNSTABLE, seeds, dict(facts))
