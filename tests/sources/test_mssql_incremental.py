"""SQL Server: what an incremental sync reads of tables, by columns of each kind that grow."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.changes import Checkpoint, Cursor, Upsert
from connectors.row_walk import closing_walk
from tests.sources.tds import Database, made


@pytest.fixture
def shop() -> Iterator[Database]:
    with made() as found:
        yield found


async def changes(shop: Database, cursor: Cursor | None, **given: Any) -> tuple[list[int], Cursor | None]:
    """Return the ids of what has changed, and the last cursor as it is stored."""
    found: list[int] = []
    settings = {"cursor_columns": "at", **given}
    async with shop.source(**settings) as one, closing_walk(one.get_docs_incrementally(cursor)) as walk:
        async for change in walk:
            if isinstance(change, Upsert):
                found.append(change.document["id"])
            elif isinstance(change, Checkpoint):
                cursor = json.loads(json.dumps(change.cursor))
    return found, cursor


def moment(hour: int, declared: str) -> str:
    """Return a time as a server has it in such a column."""
    digits = {
        "datetime": "1233333",
        "datetime2(3)": "1230000",
        "datetime2(7)": "1234567",
        "datetimeoffset(7)": "1234567",
    }
    zone = " +00:00" if declared.startswith("datetimeoffset") else ""
    return f"2024-01-{1 + hour // 24:02} {hour % 24:02}:00:00.{digits.get(declared, '0000000')}{zone}"


KINDS = ["datetime2(7)", "datetime2(3)", "datetime", "smalldatetime", "datetimeoffset(7)", "datetimeoffset(0)"]


@pytest.mark.parametrize("declared", KINDS)
async def test_only_what_changed_is_read_again(shop: Database, declared: str) -> None:
    await shop.run(f"CREATE TABLE t (id int PRIMARY KEY, at {declared})")
    for number in range(1, 51):
        await shop.run(f"INSERT INTO t VALUES ({number}, '{moment(number, declared)}')")
    first, cursor = await changes(shop, None)
    assert first == list(range(1, 51))
    assert await changes(shop, cursor) == ([50], cursor)  # the boundary is read again
    await shop.run(f"UPDATE t SET at = '{moment(200, declared)}' WHERE id IN (7, 9)")
    second, cursor = await changes(shop, cursor)
    assert second == [50, 7, 9]
    assert (await changes(shop, cursor))[0] == [7, 9]


@pytest.mark.parametrize("declared", KINDS)
async def test_rows_of_one_moment_are_read_in_pages_that_are_smaller(shop: Database, declared: str) -> None:
    """A digit that is lost would have the same page read again and again."""
    await shop.run(f"CREATE TABLE t (id int PRIMARY KEY, at {declared})")
    await shop.run(f"INSERT INTO t VALUES (0, '{moment(1, declared)}')")
    _, cursor = await changes(shop, None)
    for number in range(1, 20):
        await shop.run(f"INSERT INTO t VALUES ({number}, '{moment(2, declared)}')")
    found, _ = await changes(shop, cursor, fetch_size=3)
    assert found == list(range(20))


async def test_numbers_grow_as_well(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id int PRIMARY KEY, at decimal(20, 0))")
    for number in range(1, 60):
        await shop.run(f"INSERT INTO t VALUES ({number}, {number * 500})")
    _, cursor = await changes(shop, None)
    assert (await changes(shop, cursor))[0] == [57, 58, 59]
