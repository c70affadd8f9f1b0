"""MySQL: what an incremental sync reads of tables, with columns that grow and without."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.changes import Checkpoint, Cursor, Failed, Upsert
from connectors.row_walk import closing_walk
from connectors.sources._sql.incremental import MOST_NUMBERS_LATE, Place
from connectors.sources._sql.page import Statements
from tests.sources.mariadb import Database

TIMES = "CREATE TABLE t (id INT PRIMARY KEY, at DATETIME(6), v INT, KEY (at))"
ROWS = "INSERT INTO t SELECT seq, '2024-01-01' + INTERVAL seq HOUR, 1 FROM seq_1_to_100"


async def changes(shop: Database, cursor: Cursor | None, **given: Any) -> tuple[list[Any], Cursor | None]:
    """Return the ids of what has changed, and the last cursor as it is stored."""
    found: list[Any] = []
    settings = {"cursor_columns": "at", **given}
    async with shop.source(**settings) as one, closing_walk(one.get_docs_incrementally(cursor)) as walk:
        async for change in walk:
            match change:
                case Upsert():
                    found.append(change.document["_id"].removeprefix(f"{shop.name}/"))
                case Failed():
                    found.append(change)
                case Checkpoint():
                    cursor = json.loads(json.dumps(change.cursor))
    return found, cursor


async def test_only_what_changed_is_read_again(shop: Database) -> None:
    await shop.run(TIMES, ROWS)
    first, cursor = await changes(shop, None)
    assert first == [f"t/{number}" for number in range(1, 101)]
    assert await changes(shop, cursor) == (["t/100"], cursor)  # the boundary is read again
    await shop.run("UPDATE t SET at = '2025-01-01' WHERE id IN (7, 9)", "INSERT INTO t VALUES (200, '2024-06-01', 1)")
    second, cursor = await changes(shop, cursor)
    assert second == ["t/100", "t/200", "t/7", "t/9"]
    assert await changes(shop, cursor) == (["t/7", "t/9"], cursor)


async def test_a_row_that_is_dated_far_ahead_hides_none_that_change_now(shop: Database) -> None:
    await shop.run(TIMES, ROWS, "INSERT INTO t VALUES (201, '2999-01-01', 1)")
    _, cursor = await changes(shop, None)
    await shop.run("UPDATE t SET at = UTC_TIMESTAMP(6), v = 2 WHERE id = 5")
    assert (await changes(shop, cursor))[0] == ["t/5", "t/201"]


async def test_what_is_committed_late_is_read_within_the_overlap(shop: Database) -> None:
    await shop.run(TIMES, ROWS)
    _, cursor = await changes(shop, None)
    await shop.run("INSERT INTO t VALUES (201, (SELECT MAX(at) FROM t a) - INTERVAL 50 SECOND, 1)")
    assert (await changes(shop, cursor))[0] == ["t/201", "t/100"]
    assert (await changes(shop, cursor, cursor_overlap_s=10))[0] == ["t/100"]
    assert (await changes(shop, cursor, cursor_overlap_s=7200))[0] == ["t/98", "t/99", "t/201", "t/100"]


async def test_what_is_written_meanwhile_is_read_the_next_time(shop: Database) -> None:
    await shop.run(TIMES, ROWS)
    cursor: Any = None
    async with shop.source(cursor_columns="at", fetch_size=10, snapshot_max_s=0) as one:
        async with closing_walk(one.get_docs_incrementally(None)) as walk:
            async for change in walk:
                if isinstance(change, Checkpoint):
                    cursor = change.cursor
                elif isinstance(change, Upsert) and change.document["id"] == 50:
                    await shop.run("UPDATE t SET at = '2025-01-01', v = 2 WHERE id = 3")
    assert "t/3" in (await changes(shop, cursor))[0]


async def test_a_table_without_such_a_column_is_read_whole_each_time(shop: Database) -> None:
    await shop.run(TIMES, ROWS, "CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1), (2)")
    _, cursor = await changes(shop, None)
    assert (await changes(shop, cursor))[0] == ["a/1", "a/2", "t/100"]


async def test_a_column_that_is_another_now_is_begun_anew(shop: Database) -> None:
    await shop.run(TIMES, ROWS)
    _, cursor = await changes(shop, None)
    assert len((await changes(shop, cursor, cursor_columns="v"))[0]) == 100


async def test_rows_without_a_key_are_found_by_their_column_too(shop: Database) -> None:
    await shop.run("CREATE TABLE t (at TIMESTAMP, v INT)")
    await shop.run("INSERT INTO t SELECT '2024-01-01' + INTERVAL seq HOUR, seq FROM seq_1_to_50")
    first, cursor = await changes(shop, None)
    second, _ = await changes(shop, cursor)
    assert (len(first), len(second)) == (50, 1)
    assert second == first[-1:]


@pytest.mark.parametrize(
    ("declared", "value", "step"),
    [
        ("BIGINT", "seq * 100", 100),
        ("BIGINT UNSIGNED", "18446744073709541615 + seq * 100", 100),
        ("DECIMAL(12,2)", "seq * 100", 100),
    ],
)
async def test_numbers_grow_as_well(shop: Database, declared: str, value: str, step: int) -> None:
    await shop.run(f"CREATE TABLE t (id INT PRIMARY KEY, at {declared})")
    await shop.run(f"INSERT INTO t SELECT seq, {value} FROM seq_1_to_60")
    _, cursor = await changes(shop, None)
    again = MOST_NUMBERS_LATE // step
    assert (await changes(shop, cursor))[0] == [f"t/{number}" for number in range(60 - again, 61)]


async def test_days_are_read_from_the_last_one_on(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY, at DATE)")
    await shop.run("INSERT INTO t SELECT seq, '2024-01-01' + INTERVAL seq DAY FROM seq_1_to_60")
    _, cursor = await changes(shop, None)
    assert (await changes(shop, cursor))[0] == ["t/60"]


async def test_an_index_finds_what_changed(shop: Database) -> None:
    await shop.run(TIMES, ROWS.replace("100", "5000"))
    async with shop.source(cursor_columns="at") as one:
        await one.datasets()
        table = one._tables["t"]
        place = Place("at", "2024-07-20T00:00:00+00:00")
        statements = Statements(one.dialect, table, table.names, place.where(timedelta(60)), ("at", "id"))
        text, given = statements.page((datetime(2024, 7, 21), 7), 50)  # noqa: DTZ001
        explained = (await one._sessions.fetch(f"EXPLAIN {text}", given)).rows[0]
    assert (explained[3], explained[5]) == ("range", "at")
    assert "filesort" not in explained[-1]


async def test_under_advanced_rules_all_that_they_ask_for_is_yielded(shop: Database) -> None:
    await shop.run(TIMES, ROWS)
    rules = {"advanced_snippet": {"value": [{"tables": ["t"], "query": "SELECT * FROM t WHERE id < 4"}]}}
    async with shop.source(cursor_columns="at") as one:
        _, cursor = await changes(shop, None)
        async with closing_walk(one.get_docs_incrementally(cursor, Filter(rules))) as walk:
            found = [change.document["id"] async for change in walk if isinstance(change, Upsert)]
    assert found == [1, 2, 3]


@pytest.mark.parametrize(
    ("highest", "value"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, 6), "2024-01-02T03:04:05.000006+00:00"),  # noqa: DTZ001
        (date(2024, 1, 2), "2024-01-02T00:00:00+00:00"),
        (datetime(2999, 1, 2), "2030-01-01T00:00:00+00:00"),  # noqa: DTZ001
        (date(2999, 1, 2), "2030-01-01T00:00:00+00:00"),
        (2**64 - 1, "18446744073709551615"),
        (Decimal("7.90"), "7"),
        (None, "before"),
        ("0000-00-00 00:00:00", "before"),
    ],
)
def test_a_place_is_a_text(highest: Any, value: str) -> None:
    assert Place("at", "before").moved(highest, datetime(2030, 1, 1, tzinfo=UTC)) == Place("at", value)
