"""Replaced indices: whatever others do to the index of a sync, it says so, and one more sync makes all well."""

import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.engine.indices import AliasChange
from connectors.sync.index.content_index import content_index
from tests.torture.arena import INDEX, Arena, arena
from tests.torture.conftest import Report
from tests.torture.exchange import Seen
from tests.torture.oracle import expected
from tests.torture.shop import Shop

FIRST, SECOND = f"{INDEX}-000001", f"{INDEX}-000002"
THEIRS: list[dict[str, Any]] = [
    {"_id": "theirs", "name": "not ours"},
    {"_id": "another's", "_sync": {"c": "c9", "f": 1}},
]
SHORT = range(2)
PROMISE = (
    "While a sync writes, and between syncs, others change some of its documents in part, delete some, and write some "
    "of their own. One more sync makes the index equal to the database, and the documents that are not ours are as "
    "their authors wrote them."
)


async def deleted(here: Arena) -> None:
    await here.engine.indices.delete(FIRST)


async def recreated(here: Arena) -> None:
    await here.engine.indices.delete(FIRST)
    await _created(here, FIRST, aliases=[INDEX])


async def swapped(here: Arena) -> None:
    await _created(here, SECOND)
    await here.engine.indices.change_aliases([AliasChange(SECOND, INDEX), AliasChange(FIRST, INDEX, remove=True)])


async def _created(here: Arena, index: str, **options: Any) -> None:
    new = content_index(INDEX, None, here.engine.info.flavor)
    await here.engine.indices.create(index, mappings=new.mappings, settings=new.settings, **options)


async def write_theirs(here: Arena, index: str = INDEX) -> None:
    for one in THEIRS:
        await here.engine.control.put(index, one["_id"], {name: value for name, value in one.items() if name != "_id"})


async def theirs_are_untouched(here: Arena) -> None:
    found = await here.stored(None)
    wanted = expected({name: value for name, value in one.items() if name != "_sync"} for one in THEIRS)
    assert {doc_id: found.get(doc_id) for doc_id in wanted} == wanted


@pytest.mark.parametrize(("replace", "bulk"), [(deleted, 2), (recreated, 5), (swapped, 5)])
async def test_an_index_that_is_replaced_is_named_and_the_next_sync_is_full(
    replace: Callable[[Arena], Awaitable[None]], bulk: int, tmp_path: Path
) -> None:
    async with arena(tmp_path) as here:
        shop = Shop(tmp_path / "shop.db", 1)
        shop.stock(100)
        await here.connect("sqlite", shop.configuration)

        async def befall(_: Seen) -> None:
            await replace(here)

        here.proxy.on_bulk(bulk, befall)
        end = await here.sync(most_bulks=1)
        assert end.only.error == "IndexReplaced", end
        assert FIRST in end.only.text
        if replace is not deleted:
            await write_theirs(here)
        report = (await here.sync()).report
        assert (report["walked"], report["created"], report["skipped"]) == (100, 100, False)
        assert not await here.differs(shop.contents())
        if replace is not deleted:
            await theirs_are_untouched(here)
        assert (await here.sync_here()).created == 0


async def test_an_index_that_somebody_makes_anew_stays_clean_until_the_next_sync(tmp_path: Path) -> None:
    async with arena(tmp_path) as here:
        shop = Shop(tmp_path / "shop.db", 1)
        shop.stock(100)
        await here.connect("sqlite", shop.configuration)

        async def befall(_: Seen) -> None:
            await here.engine.indices.delete(FIRST)
            await here.engine.indices.create(FIRST, aliases=[INDEX])

        here.proxy.on_bulk(2, befall)
        assert (await here.sync(most_bulks=1)).only.error == "IndexReplaced"
        assert await here.stored(None) == {}
        assert (await here.sync()).report["created"] == 100
        assert not await here.differs(shop.contents())


async def meddle(here: Arena, chance: random.Random, told: Counter[str]) -> None:
    """Do to some documents of the index what others do: change a part, replace, delete."""
    await here.engine.data.refresh(INDEX)
    ids = sorted(await here.stored())
    for doc_id in chance.sample(ids, min(6, len(ids))):
        found = await here.engine.data.get(INDEX, doc_id)
        if found is None:
            continue
        kind = chance.choice(["changed in part", "replaced", "deleted"])
        told[f"documents that others {kind}"] += 1
        if kind == "deleted":
            await here.engine.data.delete(INDEX, doc_id)
        else:
            kept = found.source if kind == "changed in part" else {"_sync": found.source["_sync"]}
            await here.engine.data.put(INDEX, doc_id, {**kept, "name": "meddled"})


async def one_round(seed: int, folder: Path, engine_url: str | None = None) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance, told = random.Random(f"meddled {seed}"), Counter[str]()
    async with arena(folder, engine_url) as here:
        shop = Shop(folder / "shop.db", seed)
        shop.stock(100)
        await here.connect("sqlite", shop.configuration)
        await here.sync_here()
        await write_theirs(here)
        shop.change(inserts=30, updates=30, deletes=15, renames=5)
        await meddle(here, chance, told)

        async def befall(_: Seen) -> None:
            await meddle(here, chance, told)

        for number in chance.sample(range(1, 5), 2):
            here.proxy.on_bulk(number, befall, after=chance.random() < 0.5)
        report = (await here.sync()).report
        told["walks"] += report["passes"]
        told["syncs that could not vouch for the index"] += report["unsettled"]
        if not report["unsettled"]:
            assert not await here.differs(shop.contents()), seed
        await meddle(here, chance, told)
        last = (await here.sync()).report
        assert (last["unsettled"], last["letters"]) == (False, 0), seed
        assert not await here.differs(shop.contents()), seed
        await theirs_are_untouched(here)
    return told


@pytest.mark.parametrize("seed", SHORT)
async def test_what_others_do_to_documents_is_undone_and_theirs_are_left_alone(seed: int, tmp_path: Path) -> None:
    await one_round(seed, tmp_path)


@pytest.mark.long_round
async def test_what_others_do_to_documents_is_undone_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await one_round(seed, tmp_path_factory.mktemp(f"meddled{seed}"))
    report.add("Others who write to the index", PROMISE, seeds, dict(facts))
