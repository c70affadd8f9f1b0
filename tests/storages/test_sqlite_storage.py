"""The storage of sources in a SQLite file: the contract, and what becomes of it when processes die."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from connectors.aio.retry import NEVER, Retry
from connectors.errors import ConfigurationError, StorageRefused, StorageUnreachable
from connectors.storage import Backend, Storage
from connectors.storages.sqlite import open_sqlite
from tests.contracts.storage_contract import StorageContract
from tests.storages.doomed_writer import FILL

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with open_sqlite(tmp_path / "deep" / "storage.db") as opened:
        yield opened


class TestSqliteStorage(StorageContract):
    pass


def started(path: Path, name: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.storages.doomed_writer", str(path), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def said(writer: "subprocess.Popen[str]", count: int) -> int:
    """Return the last number that a writer says of the next so many."""
    assert writer.stdout is not None
    return int([writer.stdout.readline() for _ in range(count)][-1])


def killed(writer: "subprocess.Popen[str]", last: int) -> int:
    """Kill a writer, and return the last number that it had said by then."""
    writer.kill()
    writer.wait(timeout=30)
    assert writer.stdout is not None
    with writer.stdout:
        rest = writer.stdout.read()
    return max([last, *(int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n"))])


async def check_all_is_there(path: Path, name: str, last: int) -> None:
    """Check that every key holds what was set last, or the one value that may have been set without being told."""
    async with open_sqlite(path) as backend:
        storage = Storage(backend, name)
        for number in range(last - 19, last + 1):
            found = await storage.get(f"k{number % 20}")
            assert found[0] in ({number, last + 1} if (last + 1) % 20 == number % 20 else {number}), number
            assert found[1] == FILL


@pytest.mark.parametrize("seed", range(6))
async def test_what_was_set_before_a_process_was_killed_is_there(tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "storage.db", random.Random(seed)
    writers = {name: started(path, name) for name in ("one", "other")}
    counts = {name: said(writer, 30 + chance.randrange(60)) for name, writer in writers.items()}
    last = {name: killed(writer, counts[name]) for name, writer in writers.items()}
    for name in writers:
        await check_all_is_there(path, name, last[name])


@pytest.mark.parametrize("cut", [1, 100, 4_096, 5_000])
async def test_a_write_that_was_torn_is_none_and_loses_no_other(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "storage.db"
    writer = started(path, "one")
    last = killed(writer, said(writer, 40))
    wal = path.with_name("storage.db-wal")
    size = wal.stat().st_size
    with wal.open("r+b") as file:  # as a disk that had not written the end of it
        file.seek(size - cut)
        file.write(b"\xa5" * cut)
    async with open_sqlite(path) as backend:
        storage = Storage(backend, "one")
        found = [await storage.get(f"k{place}") for place in range(20)]
    numbers = sorted(number for number, _ in found)
    assert {fill for _, fill in found} == {FILL}
    newest = numbers[-1]
    assert newest >= last - 4
    assert numbers == list(range(newest - 19, newest + 1))


async def test_others_wait_for_a_process_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "storage.db"
    async with open_sqlite(path) as backend:
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(Storage(backend, "c", retry=Retry(NEVER)).set("k", 1))
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
        other.execute("COMMIT")
        await waiting
        assert await Storage(backend, "c").get("k") == 1


async def test_a_process_that_writes_for_too_long_is_told(tmp_path: Path) -> None:
    path = tmp_path / "storage.db"
    async with open_sqlite(path, busy_ms=50) as backend:
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnreachable, match=r"storage\.db, can't be used now: .*locked"):
            await Storage(backend, "c", retry=Retry(NEVER)).set("k", 1)
        other.execute("COMMIT")


def modes(folder: Path) -> dict[str, int]:
    return {one.name: one.stat().st_mode & 0o777 for one in folder.iterdir()}


async def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "storage.db") as backend:
        await Storage(backend, "c").set("k", "secret")
        found = modes(tmp_path)
    assert found == {"storage.db": 0o600, "storage.db-shm": 0o600, "storage.db-wal": 0o600}


async def test_what_is_deleted_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    path = tmp_path / "storage.db"
    async with open_sqlite(path) as backend:
        await Storage(backend, "c").set("k", "correct horse battery staple")
        await Storage(backend, "c").delete("k")
    assert b"battery" not in path.read_bytes()


def somebody_elses(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as other:
        other.execute("CREATE TABLE theirs (a)")


def newer(path: Path) -> None:
    asyncio.run(_opened(path))
    with closing(apsw.Connection(str(path))) as other:
        other.execute("PRAGMA user_version = 2")


async def _opened(path: Path) -> None:
    async with open_sqlite(path):
        pass


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda path: path.write_bytes(b"no database at all, " * 100), "file is not a database"),
        (lambda path: path.mkdir(), "Is a directory"),
        (somebody_elses, "holds something else"),
        (newer, "was written by another version"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_and_left_alone(
    tmp_path: Path, prepare: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "storage.db"
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ConfigurationError, match=words) as caught:
        asyncio.run(_opened(path))
    assert caught.value.field == "storage.path"
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


async def test_a_file_that_was_damaged_since_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "storage.db"
    async with open_sqlite(path) as backend:
        for number in range(200):
            await Storage(backend, "c").set(f"k{number}", FILL)
    content = path.read_bytes()
    path.write_bytes(content[:4_096] + b"\xa5" * (len(content) - 4_096))
    async with open_sqlite(path) as backend:
        with pytest.raises(StorageRefused, match=r"storage\.db, can't be used: .*Restore it from a backup"):
            await Storage(backend, "c").get("k1")
