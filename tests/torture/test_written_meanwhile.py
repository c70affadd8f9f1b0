"""Writes meanwhile: what changes in a source while it is walked is in the index after one more sync."""

import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.torture.arena import Arena, arena
from tests.torture.conftest import Report
from tests.torture.exchange import Seen
from tests.torture.fault_plans import lossy
from tests.torture.oracle import Difference, difference, expected
from tests.torture.shops import Opened, of_sqlite

SHORT = range(2)
PROMISE = (
    "A database and a folder change while they are walked: whenever a bulk or a page of a scan is asked for, rows and "
    "files are inserted, changed, deleted and renamed, over a lossy line every second time. After one more sync the "
    "index is equal to the source, and at no time a version of a document is written over a later one."
)
CHANGES = ("inserts", "updates", "deletes", "renames")


def versions_never_fall(here: Arena) -> int:
    """Hold what the engine applied to the rule that the version of a document only rises; return how many writes."""
    highest: dict[str, int] = defaultdict(int)
    count = 0
    for entry in here.proxy.journal.entries:
        for delivery in entry.deliveries:
            for position, result in zip(delivery.positions, delivery.results, strict=False):
                action = entry.actions[position]
                if result.seq_no is None or action.id is None or action.version is None:
                    continue
                assert action.version >= highest[action.id], action
                highest[action.id] = action.version
                count += 1
    return count


async def rows_round(
    seed: int, folder: Path, engine_url: str | None = None, opened: Opened = of_sqlite
) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"meanwhile {seed}")
    async with arena(folder, engine_url) as here:
        shop = opened(folder, seed)
        shop.stock(200)
        await here.connect(shop.service_type, shop.configuration)
        await here.sync_here()
        shop.change(inserts=80, updates=40, deletes=10, renames=10)
        changes = 0

        def befall(_: Seen) -> None:
            nonlocal changes
            if changes < 12:
                changes += 1
                shop.change(**{kind: chance.randrange(4) for kind in CHANGES})

        here.proxy.on_request(lambda seen: seen.is_bulk or "/_search" in seen.request.target, befall)
        if seed % 2:
            here.proxy.plan = lossy(0.2, seed, control_rate=0.05)
        first = (await here.sync()).report
        changes = 12
        last = (await here.sync()).report
        await here.proxy.settle()
        assert not await here.differs(shop.contents()), seed
        assert (last["letters"], last["unsettled"]) == (0, False), seed
        writes = versions_never_fall(here)
    return Counter({"documents walked meanwhile": first["walked"], "writes whose versions were compared": writes})


class Files:
    """A folder of text files that change, and what an index should say of them."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self._random = random.Random(f"files {seed}")
        self._made = 0
        path.mkdir()

    def change(self, *, inserts: int = 0, updates: int = 0, deletes: int = 0, renames: int = 0) -> None:
        for _ in range(inserts):
            self._write(self._new())
        for kind, count in (("write", updates), ("delete", deletes), ("rename", renames)):
            for _ in range(count):
                there = sorted(self.path.iterdir())
                if not there:
                    return
                path = self._random.choice(there)
                match kind:
                    case "write":
                        self._write(path)
                    case "delete":
                        path.unlink()
                    case _:
                        path.rename(self._new())

    def differs(self, found: dict[str, dict[str, str]]) -> Difference:
        wanted = expected({"_id": path.name, "body": path.read_text()} for path in self.path.iterdir())
        bodies = {doc_id: {"body": fields.get("body", "")} for doc_id, fields in found.items()}
        return difference(wanted, bodies)

    def _new(self) -> Path:
        self._made += 1
        return self.path / f"file{self._made:05}.txt"

    def _write(self, path: Path) -> None:
        self._made += 1
        path.write_text(f"text {self._made} " + "more " * self._random.randrange(20))


async def files_round(seed: int, folder: Path, engine_url: str | None = None) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"files meanwhile {seed}")
    async with arena(folder, engine_url) as here:
        files = Files(folder / "files", seed)
        files.change(inserts=80)
        await here.connect("directory", {"directory": str(files.path)})
        await here.sync_here()
        files.change(inserts=40, updates=20, deletes=10, renames=10)
        changes = 0

        def befall(_: Seen) -> None:
            nonlocal changes
            if changes < 12:
                changes += 1
                files.change(**{kind: chance.randrange(4) for kind in CHANGES})

        here.proxy.on_request(lambda seen: seen.is_bulk or "/_search" in seen.request.target, befall)
        first = (await here.sync()).report
        changes = 12
        last = (await here.sync()).report
        found = {doc_id: dict(content) for doc_id, content in (await here.stored()).items()}
        left = files.differs(found)
        assert not left, (seed, left, last)
        assert await here.letters() == [], seed
        versions_never_fall(here)
    return Counter({"files walked meanwhile": first["walked"]})


@pytest.mark.parametrize("seed", SHORT)
async def test_rows_that_change_while_they_are_walked_are_right_after_one_more_sync(seed: int, tmp_path: Path) -> None:
    await rows_round(seed, tmp_path)


@pytest.mark.parametrize("seed", SHORT[:1])
async def test_files_that_change_while_they_are_walked_are_right_after_one_more_sync(seed: int, tmp_path: Path) -> None:
    await files_round(seed, tmp_path)


@pytest.mark.long_round
async def test_what_changes_meanwhile_is_right_after_one_more_sync_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await rows_round(seed, tmp_path_factory.mktemp(f"rows{seed}"))
        facts += await files_round(seed, tmp_path_factory.mktemp(f"files{seed}"))
    report.add("Writes while a source is walked", PROMISE, seeds, dict(facts))
