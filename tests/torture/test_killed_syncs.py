"""Killed syncs: a process that dies at any moment of a sync leaves an index that the next one makes right at once."""

import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.torture.arena import INDEX, Arena, Runner, arena
from tests.torture.conftest import Report
from tests.torture.exchange import Seen
from tests.torture.faults import Fault, ResetBefore
from tests.torture.shops import Opened, of_sqlite
from tests.torture.watcher import Watcher

SHORT = range(4)
PROMISE = (
    "A process that syncs a database is killed: when one of its bulks arrives or has been applied, in the middle of "
    "its deletes, between the last acknowledgement and the saving of its state, or at any other request. The next "
    "process waits for nothing, writes exactly what differs, and leaves an index that is equal to the database. At no "
    "observed moment a document is missing that was in the database all the time."
)


@dataclass(frozen=True)
class Moment:
    """When a process is killed: at the n-th request of a sort, before it reaches the engine or after."""

    name: str
    which: Callable[[Seen], bool]
    number: int
    after: bool

    @classmethod
    def drawn(cls, chance: random.Random, sort: int) -> "Moment":
        """Return a moment, of each sort in turn."""
        name, which, most = [
            ("in the writes", lambda seen: seen.is_bulk and not has_deletes(seen), 4),
            ("in the deletes", lambda seen: seen.is_bulk and has_deletes(seen), 2),
            ("at the state", lambda seen: seen.request.method == "PUT" and "/_doc/sync%2F" in seen.request.target, 2),
            ("at any request", lambda seen: True, 35),
        ][sort % 4]
        return cls(name, which, chance.randrange(1, most + 1), after=chance.random() < 0.5)


def has_deletes(seen: Seen) -> bool:
    return any(action.kind == "delete" for action in seen.actions)


def doom(here: Arena, moment: Moment) -> Callable[[Runner], None]:
    """Kill the process that is named later at a moment."""
    doomed: list[Runner] = []
    met = 0

    def meet(_: Seen) -> Fault | None:
        nonlocal met
        met += bool(doomed)
        if not doomed or met != moment.number:
            return None
        doomed.pop().kill()
        return ResetBefore()

    here.proxy.on_request(moment.which, meet, after=moment.after)
    return doomed.append


async def one_round(seed: int, folder: Path, engine_url: str | None = None, opened: Opened = of_sqlite) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"killed {seed}")
    moment = Moment.drawn(chance, seed)
    async with arena(folder, engine_url) as here:
        shop = opened(folder, seed)
        shop.stock(150)
        await here.connect(shop.service_type, shop.configuration)
        before = shop.contents()
        await here.sync_here()
        assert not await here.differs(before)
        shop.change(inserts=40, updates=30, deletes=25, renames=5)
        steady = before.keys() & shop.contents().keys()
        name_doomed = doom(here, moment)
        async with Watcher(here.engine, INDEX, steady) as watcher:
            runner = await here.start(batch_documents=20)
            name_doomed(runner)
            first = await runner.ended()
            await here.proxy.settle()
            left = await here.differs(shop.contents())
            second = await here.sync(batch_documents=20)
        assert first.returncode == -9, (seed, moment, first)
        report = second.report
        assert not await here.differs(shop.contents()), (seed, moment)
        assert (watcher.missing, watcher.looks > 0) == (set(), True), (seed, moment)
        written = (report["created"], report["updated"], report["deleted"])
        assert written == (len(left.missing), len(left.different), len(left.extra)), (seed, moment, left, second)
        assert report["walked"] == len(shop.contents()) or report["skipped"], (seed, moment)
        again = await here.sync_here()
        assert (again.created, again.updated, again.deleted) == (0, 0, 0), (seed, moment)
    return Counter(
        {
            f"processes that were killed {moment.name}": 1,
            "looks at the index meanwhile": watcher.looks,
            "documents read again after a restart": report["walked"],
            "documents of them that were written again": sum(written[:2]),
        }
    )


@pytest.mark.parametrize("seed", SHORT)
async def test_what_a_killed_sync_left_the_next_one_completes(seed: int, tmp_path: Path) -> None:
    await one_round(seed, tmp_path)


@pytest.mark.long_round
async def test_what_killed_syncs_left_the_next_ones_complete_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await one_round(seed, tmp_path_factory.mktemp(f"killed{seed}"))
    report.add("Killed syncs", PROMISE, seeds, dict(facts))
