"""The local disk: full, failing, damaged or not there at all, it costs a scan and a warning, never a wrong result."""

import errno
import os
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.sync.ledger.copy import LedgerCopy
from tests.torture.arena import Arena, arena
from tests.torture.shop import Shop


async def changed_and_synced(here: Arena, shop: Shop, ledgers: LedgerCopy | None = None) -> int:
    """Sync what changed, and return how often the index was scanned to know that."""
    shop.change(inserts=5, updates=20)
    report = await here.sync_here(ledgers=ledgers)
    assert not await here.differs(shop.contents())
    assert (report.created, report.deleted, report.error) == (5, 0, None)
    return report.scans


async def begun(here: Arena, folder: Path, *, rows: int = 200) -> Shop:
    shop = Shop(folder / "shop.db", 7)
    shop.stock(rows)
    await here.connect("sqlite", shop.configuration)
    await here.sync_here()
    return shop


def copy_in(folder: Path) -> Path:
    (copy,) = folder.glob("*.ledger")
    return copy


async def test_a_sound_copy_spares_the_scan(tmp_path: Path) -> None:
    async with arena(tmp_path) as here:
        shop = await begun(here, tmp_path)
        assert await changed_and_synced(here, shop) == 0


def torn(copy: Path, chance: random.Random) -> None:
    with copy.open("r+b") as file:
        file.truncate(chance.randrange(copy.stat().st_size))


def flipped(copy: Path, chance: random.Random) -> None:
    raw = bytearray(copy.read_bytes())
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    copy.write_bytes(raw)


def garbage(copy: Path, chance: random.Random) -> None:
    copy.write_bytes(chance.randbytes(copy.stat().st_size))


def told(logs: Sequence[Mapping[str, Any]], words: str) -> int:
    """Return how many of the log's lines have these words."""
    return sum(words in str(line) for line in logs)


@pytest.mark.parametrize("damage", [torn, flipped, garbage])
@pytest.mark.parametrize("seed", range(3))
async def test_a_damaged_copy_is_told_and_costs_a_scan(
    damage: Callable[[Path, random.Random], None], seed: int, tmp_path: Path
) -> None:
    async with arena(tmp_path) as here:
        shop = await begun(here, tmp_path)
        damage(copy_in(here.ledgers), random.Random(f"disk {seed}"))
        with capture_logs() as logs:
            assert await changed_and_synced(here, shop) == 1
        assert told(logs, "A copy of a ledger is unsound") == 1
        assert await changed_and_synced(here, shop) == 0


async def test_a_copy_of_an_earlier_sync_is_not_believed(tmp_path: Path) -> None:
    async with arena(tmp_path) as here:
        shop = await begun(here, tmp_path)
        kept = copy_in(here.ledgers).rename(tmp_path / "kept")
        await changed_and_synced(here, shop)
        shutil.copy(kept, copy_in(here.ledgers))
        assert await changed_and_synced(here, shop) == 1


async def test_a_full_disk_costs_the_next_sync_a_scan(tmp_path: Path) -> None:
    async with arena(tmp_path) as here:
        shop = await begun(here, tmp_path, rows=2_000)
        shop.change(inserts=5)
        end = await here.sync(largest_file=40_000)  # which the copy is larger than, and nothing else
        assert (end.report["created"], end.report["scans"], end.report["error"]) == (5, 0, None)
        assert end.log.count("A copy of a ledger could not be saved") == 1
        assert not await here.differs(shop.contents())
        assert [path.suffix for path in here.ledgers.iterdir()] == [".ledger"]
        assert await changed_and_synced(here, shop) == 1


async def test_a_failing_fsync_costs_the_next_sync_a_scan(tmp_path: Path) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with arena(tmp_path) as here:
        shop = await begun(here, tmp_path)
        with capture_logs() as logs:
            assert await changed_and_synced(here, shop, LedgerCopy(here.ledgers, fsync=fail)) == 0
        assert told(logs, "A copy of a ledger could not be saved") == 1
        assert told(logs, "Input/output error") == 1
        assert await changed_and_synced(here, shop) == 1


@pytest.mark.parametrize("place", ["missing", "a file", "not writable"])
async def test_a_folder_that_can_not_be_used_is_told(place: str, tmp_path: Path) -> None:
    folders = {"missing": tmp_path / "gone" / "ledgers", "a file": tmp_path / "file", "not writable": Path("/proc/x")}
    (tmp_path / "file").touch()
    ledgers, usable = LedgerCopy(folders[place]), place == "missing"
    async with arena(tmp_path) as here:
        shop = await begun(here, tmp_path)
        with capture_logs() as logs:
            assert await changed_and_synced(here, shop, ledgers) == 1
        assert told(logs, "A copy of a ledger could not be saved") == (not usable)
        assert await changed_and_synced(here, shop, ledgers) == (0 if usable else 1)
