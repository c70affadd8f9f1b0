"""Queries in SQL, which write nothing, and how statements and sources are stopped."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import (
    AccessDenied,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
)
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.literal import Operator
from connectors.predicate import And
from connectors.sources.sqlite import SQLiteDataSource
from tests.sources.databases import (
    DELETE,
    ROWS,
    execute,
    files,
    is_so,
    made,
    numbers,
    opened,
    rows_of,
    source,
)


async def test_a_query_yields_its_rows(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ("INSERT INTO t VALUES(?, ?)", [(number, 0) for number in range(250)]))
    async with source(path) as one:
        rows = [row async for row in one.native_query("SELECT id, v, id AS v FROM t ORDER BY id DESC")]
        assert rows == [{"id": number, "v": 0, "v:1": number} for number in reversed(range(250))]
        assert [row async for row in one.native_query("SELECT 1 AS a; SELECT 2 AS b")] == [{"a": 1}, {"b": 2}]
        assert [row async for row in one.native_query("PRAGMA user_version")] == [{"user_version": 0}]
        assert [row async for row in one.native_query("-- nothing")] == []


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES(1, 2)",
        "DELETE FROM t",
        "DROP TABLE t",
        "CREATE TABLE u(x)",
        "CREATE TEMP TABLE u(x)",
        "ATTACH 'other.db' AS other",
        "VACUUM",
        "VACUUM INTO '{folder}/copy.db'",
        "PRAGMA user_version = 5",
        "PRAGMA query_only = 0",
        "PRAGMA hard_heap_limit = 5",
        "PRAGMA journal_mode = WAL",
        "SELECT load_extension('x')",
        "SELECT nothing",
        "what?",
        'SELECT "text"',
    ],
)
async def test_a_query_writes_nothing_and_opens_nothing(tmp_path: Path, text: str) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    before = files(tmp_path)
    async with source(path) as one:
        try:
            rows = [row async for row in one.native_query(text.format(folder=tmp_path))]
        except (SourceError, ConnectorsError) as error:
            assert str(path) in str(error)  # noqa: PT017 - some only do nothing
        else:
            assert (text, rows) == ("PRAGMA user_version = 5", [])
    assert files(tmp_path) == before


async def test_a_query_that_would_write_is_denied(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    async with source(path) as one:
        for text in ("ATTACH 'x' AS y", "PRAGMA hard_heap_limit = 5", "DELETE FROM t", "CREATE TEMP TABLE u(x)"):
            with pytest.raises(AccessDenied):
                _ = [row async for row in one.native_query(text)]


# Ending.

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sqlite")]


async def first_of(rows: AsyncIterator[Any]) -> object:
    return await anext(rows)


async def test_a_statement_is_stopped_when_its_caller_is_cancelled(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    async with opened(path) as (one, datasets):
        start = time.perf_counter()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(first_of(one.native_query(ENDLESS)), 0.2)
        assert time.perf_counter() - start < 1
        assert numbers(await rows_of(one, datasets["t"])) == list(range(100))
    assert threads() == []


async def test_a_scan_that_finds_nothing_is_stopped_when_its_caller_is_cancelled(tmp_path: Path) -> None:
    long = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT) STRICT"
    path = made(tmp_path / "t.db", long, ("INSERT INTO t VALUES(?, ?)", [(n, "x" * 20_000) for n in range(2_000)]))
    where = And(tuple(is_so("v", Operator.CONTAINS, f"x{number}") for number in range(2)))
    async with opened(path) as (one, datasets):
        task = asyncio.create_task(rows_of(one, datasets["t"], where=where), name="walk")
        await asyncio.wait({task}, timeout=0.01)
        task.cancel()
        start = time.perf_counter()
        await asyncio.wait({task})
        assert time.perf_counter() - start < 0.5
        assert task.cancelled()


async def test_closing_stops_what_is_running(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    one = source(path)
    await one.ping()
    running = asyncio.create_task(first_of(one.native_query(ENDLESS)), name="running")
    waiting = asyncio.create_task(one.ping(), name="waiting")
    await asyncio.wait({running}, timeout=0.05)
    await asyncio.wait_for(one.close(), 1)
    for task in (running, waiting):
        with pytest.raises(SourceUnreachable, match="was closed"):
            await task
    assert threads() == []
    await one.close()
    with pytest.raises(SourceError, match="was closed"):
        await one.ping()


async def test_what_waits_its_turn_is_never_begun_when_its_caller_is_cancelled(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ROWS)
    async with source(path) as one:
        running = asyncio.create_task(first_of(one.native_query(ENDLESS)), name="running")
        waiting = asyncio.create_task(one.ping(), name="waiting")
        await asyncio.wait({waiting}, timeout=0.05)
        waiting.cancel()
        await asyncio.wait({waiting}, timeout=1)
        assert waiting.cancelled()
        running.cancel()
        await asyncio.wait({running}, timeout=1)
        assert running.cancelled()
        await one.ping()


async def test_closing_in_the_middle_of_a_walk_leaves_nothing(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", DELETE, ("INSERT INTO t VALUES(?, ?)", [(number, 0) for number in range(500)]))
    async with opened(path, page_size=10) as (one, datasets):
        walk, query = one.read(datasets["t"]), one.native_query("SELECT * FROM t")
        assert await anext(walk) == await anext(query) == {"id": 0, "v": 0}
    await walk.aclose()  # type: ignore[attr-defined]  # it is a generator
    await query.aclose()  # type: ignore[attr-defined]
    assert threads() == []
    execute(path, "DROP TABLE t")


async def test_one_that_was_never_used_has_nothing_to_close(tmp_path: Path) -> None:
    one = SQLiteDataSource(Configuration(SQLiteDataSource.fields, {}, Grants()))
    await one.close()
    assert threads() == []
    assert "sqlite" in repr(one).casefold()
