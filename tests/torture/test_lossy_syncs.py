"""Lossy lines: whatever breaks between a sync and its engine, nothing is lost or doubled, and the report is true."""

import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.torture.arena import Arena, arena
from tests.torture.conftest import Report
from tests.torture.fault_plans import At, lossy
from tests.torture.faults import Cut, Fault, HalfAnswer, ResetAfter
from tests.torture.shop import Shop

SHORT = range(2)
PROMISE = (
    "A process syncs a database over a line where a third of the bulks and some of all other requests break before, "
    "during or after their delivery, arrive late, twice or by half, or are refused. Three syncs a round, with changes "
    "in between. After each the index is equal to the database; created, updated and deleted are what changed in it, "
    "and what the engine applied beyond that is what was sent to it twice."
)


async def told_truly(here: Arena, shop: Shop, seed: int) -> Counter[str]:
    """Sync, and hold the index and the report to the database and to the journal of the proxy."""
    before = await here.differs(shop.contents())
    applied, seen, bulks = here.proxy.journal.applied, here.proxy.bulks, len(here.proxy.journal.entries)
    end = await here.sync()
    report = end.report
    await here.proxy.settle()
    after = await here.differs(shop.contents())
    assert not after, (seed, after, end)
    truth = (len(before.missing), len(before.different), len(before.extra))
    assert (report["created"], report["updated"], report["deleted"]) == truth, (seed, end)
    assert report["walked"] == report["passes"] * len(shop.documents()), (seed, end)
    assert report["letters"] == report["held"] == 0, (seed, end)
    entries = here.proxy.journal.entries[bulks:]
    assert here.proxy.bulks - seen == len(entries)
    assert report["requests"] >= len(entries), (seed, end)  # those that were refused a connection never got here
    asked = {(action.kind, action.id) for entry in entries for action in entry.actions}
    assert len(asked) == sum(truth), (seed, end)
    return Counter(
        {
            "documents that differed": sum(truth),
            "writes that the engine applied for that": here.proxy.journal.applied - applied,
            "bulks": len(entries),
            "of which the answer was lost": sum(entry.lost for entry in entries),
            "walks": report["passes"],
        }
    )


async def one_round(seed: int, folder: Path, engine_url: str | None = None) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"lossy syncs {seed}")
    facts: Counter[str] = Counter()
    async with arena(folder, engine_url) as here:
        shop = Shop(folder / "shop.db", seed)
        shop.stock(100)
        await here.connect("sqlite", shop.configuration)
        await here.sync_here()
        for number in range(2):
            shop.change(**{kind: chance.randrange(40) for kind in ("inserts", "updates", "deletes", "renames")})
            here.proxy.plan = lossy(0.35, seed * 3 + number, control_rate=0.08)
            facts += await told_truly(here, shop, seed)
    facts["faults"] = here.proxy.faults.total()
    return facts


@pytest.mark.parametrize("seed", SHORT)
async def test_over_a_lossy_line_nothing_is_lost_or_doubled_or_told_wrongly(seed: int, tmp_path: Path) -> None:
    await one_round(seed, tmp_path)


LOST: Sequence[Fault] = (ResetAfter(), HalfAnswer(), Cut(7))


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.name)
async def test_deletes_whose_answer_was_lost_are_told_and_need_no_second_walk(fault: Fault, tmp_path: Path) -> None:
    async with arena(tmp_path) as here:
        shop = Shop(tmp_path / "shop.db", 1)
        shop.stock(60)
        await here.connect("sqlite", shop.configuration)
        await here.sync_here()
        shop.change(deletes=20)
        here.proxy.plan = At({1: fault})
        report = (await here.sync()).report
        assert (report["deleted"], report["passes"]) == (20, 1)
        assert not await here.differs(shop.contents())


@pytest.mark.long_round
async def test_over_lossy_lines_nothing_is_lost_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await one_round(seed, tmp_path_factory.mktemp(f"lossy{seed}"))
    report.add("Lossy lines", PROMISE, seeds, dict(facts))
