"""The file of a SQLite database: left as it was, read while others write, and named when it can't be."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
)
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.sources._sqlite.connection import Connection
from connectors.sources.sqlite import SQLiteDataSource
from tests.sources.databases import (
    DELETE,
    ROWS,
    WAL,
    Later,
    execute,
    files,
    made,
    numbers,
    opened,
    rows_of,
    source,
    walked,
    writer_of,
)


@pytest.mark.parametrize("script", [DELETE, WAL])
async def test_reading_leaves_no_trace(tmp_path: Path, script: str) -> None:
    path = made(tmp_path / "t.db", script, ROWS)
    before = files(tmp_path)
    async with opened(path, Later, page_size=10) as (one, datasets):
        assert numbers(await rows_of(one, datasets["t"])) == list(range(100))
        await one.changed(None)
        assert [row async for row in one.native_query("SELECT count(*) AS n FROM t")] == [{"n": 100}]
    assert files(tmp_path) == before
    assert list(before) == ["t.db"]


async def test_what_is_only_in_the_log_is_read(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", WAL, ROWS)
    with closing(writer_of(path)) as writer:
        writer.execute("INSERT INTO t VALUES(100, 'new')")
        assert numbers(await walked(path)) == list(range(101))


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_writer_who_comes_meanwhile_is_noticed(tmp_path: Path, leaves: bool) -> None:
    path = made(tmp_path / "t.db", WAL, ROWS)
    async with opened(path, Later, page_size=10) as (one, datasets):
        rows = one.read(datasets["t"])
        assert numbers([await anext(rows) for _ in range(10)]) == list(range(10))
        with closing(writer_of(path)) as writer:
            writer.execute("INSERT INTO t VALUES(100, 'new')")
            writer.execute("DELETE FROM t WHERE id BETWEEN 20 AND 89")
            if leaves:
                writer.close()
            assert numbers([row async for row in rows]) == [*range(10, 20), *range(90, 101)]


async def test_a_query_over_what_was_written_meanwhile_fails(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", WAL, ("INSERT INTO t VALUES(?, ?)", [(number, 0) for number in range(500)]))
    async with source(path, Later) as one:
        rows = one.native_query("SELECT id FROM t")
        await anext(rows)
        execute(path, "DELETE FROM t")
        with pytest.raises(SourceUnreachable, match="was written while it was read"):
            _ = [row async for row in rows]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "There is no file"),
        (b"", "is no SQLite database"),
        (b"plain text " * 100, "is no SQLite database"),
        (b"SQLite format 3\0" + b"\xff" * 4_080, "is no SQLite database"),
    ],
)
async def test_what_is_no_database_is_a_wrong_setting(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "t.db"
    if content is not None:
        path.write_bytes(content)
    for ask in (SQLiteDataSource.ping, SQLiteDataSource.datasets):
        async with source(path) as one:
            with pytest.raises(ConfigurationError, match=reason) as caught:
                await ask(one)
            assert caught.value.field == "database"
    assert files(tmp_path) == ({} if content is None else {"t.db": content})


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "t.db").mkdir()
    async with source(tmp_path / "t.db") as one:
        with pytest.raises(ConfigurationError, match="is no SQLite database"):
            await one.ping()


def test_a_database_elsewhere_is_refused(tmp_path: Path) -> None:
    elsewhere = SQLiteDataSource.fields
    configuration = Configuration(elsewhere, {"database": "/etc/passwd"}, Grants(allowed_paths=(tmp_path,)))
    with pytest.raises(ConfigurationError, match="not below an allowed path"):
        configuration.check()


async def test_a_database_that_is_locked_may_be_free_later(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    with closing(writer_of(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        async with source(path, Later) as one:
            with pytest.raises(SourceUnreachable, match="locked by another program"):
                await one.ping()
            writer.execute("ROLLBACK")
            await one.ping()


async def test_waiting_for_a_lock_ends_when_it_is_free(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    with closing(writer_of(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        async with source(path) as one:
            ping = asyncio.create_task(one.ping(), name="ping")
            done, _ = await asyncio.wait({ping}, timeout=0.1)
            assert not done
            writer.execute("ROLLBACK")
            await asyncio.wait_for(ping, 2)


async def test_waiting_for_a_lock_can_be_cancelled(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    with closing(writer_of(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        async with source(path) as one:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.ping(), 0.1)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sqlite")]


async def test_a_database_whose_writer_died_has_to_be_recovered(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", DELETE, ROWS)
    copy = tmp_path / "t.db"
    with closing(writer_of(path)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.execute("UPDATE t SET v = 'y' || v")
        shutil.copy(path, copy)
        shutil.copy(tmp_path / "a.db-journal", tmp_path / "t.db-journal")
    async with source(copy) as one:
        with pytest.raises(SourceUnreachable, match="needs to be recovered"):
            await one.ping()


async def test_a_page_that_is_damaged_ends_the_walk_with_an_error(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    async with opened(path, page_size=5) as (one, datasets):
        rows = one.read(datasets["t"])
        await anext(rows)
        with path.open("r+b") as file:
            file.seek(4_096)
            file.write(b"\xff" * 200_000)
        with pytest.raises(SourceError, match="malformed"):
            _ = [row async for row in rows]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (apsw.SQLITE_BUSY, SourceUnreachable),
        (apsw.SQLITE_BUSY_SNAPSHOT, SourceUnreachable),
        (apsw.SQLITE_LOCKED, SourceUnreachable),
        (apsw.SQLITE_PROTOCOL, SourceUnreachable),
        (apsw.SQLITE_INTERRUPT, SourceUnreachable),
        (apsw.SQLITE_CANTOPEN, SourceUnreachable),
        (apsw.SQLITE_IOERR_READ, SourceUnreachable),
        (apsw.SQLITE_READONLY_ROLLBACK, SourceUnreachable),
        (apsw.SQLITE_READONLY_DIRECTORY, SourceUnreachable),
        (apsw.SQLITE_READONLY, AccessDenied),
        (apsw.SQLITE_AUTH, AccessDenied),
        (apsw.SQLITE_PERM, AccessDenied),
        (apsw.SQLITE_NOTADB, ConfigurationError),
        (apsw.SQLITE_CORRUPT, SourceError),
        (apsw.SQLITE_ERROR, SourceError),
    ],
)
async def test_each_answer_of_the_driver_is_an_error_that_steers(
    tmp_path: Path, code: int, kind: type[ConnectorsError]
) -> None:
    path = made(tmp_path / "t.db", DELETE)

    def fail(_: apsw.Connection) -> None:
        raise apsw.exception_for(code)

    connection = Connection(path, 0, time.time_ns)
    try:
        with pytest.raises(ConnectorsError, match=str(path)) as caught:
            await connection.run(fail)
        assert type(caught.value) is kind
    finally:
        await connection.close()


async def changed(path: Path, token: Any = None) -> tuple[bool, Any]:
    async with source(path, Later) as one:
        return await one.changed(token)


def write_same_size(path: Path) -> None:
    execute(path, "UPDATE t SET v = upper(v)")


def replace(path: Path) -> None:
    shutil.copy2(path, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def overwrite(path: Path) -> None:
    path.write_bytes(path.read_bytes())


@pytest.mark.parametrize("script", [DELETE, WAL])
@pytest.mark.parametrize("change", [write_same_size, replace, overwrite, lambda path: execute(path, "VACUUM")])
async def test_whatever_is_written_is_a_change(tmp_path: Path, script: str, change: Callable[[Path], None]) -> None:
    path = made(tmp_path / "t.db", script, ROWS)
    said, token = await changed(path)
    assert said
    assert await changed(path, token) == (False, token)
    await walked(path)
    assert await changed(path, token) == (False, token)
    change(path)
    said, other = await changed(path, token)
    assert said
    assert await changed(path, other) == (False, other)


@pytest.mark.parametrize("script", [DELETE, WAL])
async def test_each_commit_of_a_writer_who_stays_is_a_change(tmp_path: Path, script: str) -> None:
    path = made(tmp_path / "t.db", script, ROWS)
    with closing(writer_of(path)) as writer:
        _, token = await changed(path)
        for number in range(3):
            writer.execute("UPDATE t SET v = 'y' WHERE id = ?", (number,))
            said, token = await changed(path, token)
            assert said
            assert await changed(path, token) == (False, token)
        for number in range(20):  # within one tick of the file system's clock, some of them
            writer.execute("UPDATE t SET v = ? WHERE id = 5", (f"{number:03}",))
            if number == 10:
                writer.execute("PRAGMA wal_checkpoint(RESTART)")
            async with source(path) as one:
                assert await one.changed(token) == (True, None)
        said, token = await changed(path, token)
        assert said
        assert await changed(path, token) == (False, token)


async def test_a_token_of_a_moment_just_after_a_write_is_none(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    async with source(path) as one:
        assert await one.changed(None) == (True, None)
