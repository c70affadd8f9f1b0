"""Long lives: a process that syncs many times takes no more in the end than in the beginning."""

from pathlib import Path

import pytest

from tests.torture.arena import arena
from tests.torture.conftest import Report
from tests.torture.one_sync import Footprint
from tests.torture.shop import Shop

MIB = 2**20
PROMISE = "One process syncs a changing database 600 times. Its memory, open files and tasks stay what they were."
WARM = 20
"""Syncs until caches are full, and the allocator has its arenas."""


async def soaked(folder: Path, syncs: int) -> tuple[Footprint, Footprint]:
    """Sync a database that changes, and return what the process took after it had got warm, and in the end."""
    async with arena(folder, notes=False) as here:
        shop = Shop(folder / "shop.db", 3)
        shop.stock(200)
        await here.connect("sqlite", shop.configuration)
        runner = await here.start(syncs=syncs)
        warm = None
        for number in range(syncs):
            told = await runner.next()
            assert (told.error, told.report["letters"]) == (None, 0), told
            if number == WARM:
                warm = told.footprint
            shop.change(inserts=3, updates=5, deletes=3, renames=1)  # as many rows as before
        end = await runner.ended()
        assert len(end.told) == syncs
        assert warm is not None
        return warm, end.told[-1].footprint


async def test_many_syncs_in_one_process_leave_nothing_behind(tmp_path: Path) -> None:
    warm, last = await soaked(tmp_path, 60)
    assert (last.files, last.tasks) == (warm.files, warm.tasks)
    assert last.resident - warm.resident < MIB, (warm, last)


@pytest.mark.long_round
async def test_ten_times_as_many_leave_no_more_behind(report: Report, tmp_path: Path) -> None:
    warm, last = await soaked(tmp_path, 600)
    assert (last.files, last.tasks) == (warm.files, warm.tasks)
    assert last.resident - warm.resident < MIB, (warm, last)
    grown = max(0, last.resident - warm.resident) // 1024
    facts = {"syncs": 600, "KiB of memory more in the end": grown, "files and tasks more": 0}
    report.add("Many syncs in one process", PROMISE, range(1), facts)
