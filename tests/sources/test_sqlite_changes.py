"""SQLite: what an incremental sync reads of tables, and queries as advanced rules."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.changes import Checkpoint, Cursor, Failed, Upsert
from connectors.dataset import Dataset
from connectors.errors import ConfigurationError, SourceError
from connectors.filtering.validation import AdvancedRules
from connectors.row_walk import closing_walk
from tests.sources.databases import execute, made, source

TIMES = "CREATE TABLE t(id INTEGER PRIMARY KEY, at TEXT, v)"
ROWS = (
    "INSERT INTO t VALUES(?, ?, 1)",
    [(number, f"2024-{number:02}-01 10:00:00") for number in range(1, 10)],
)


async def changes(path: Path, cursor: Cursor | None = None, **given: Any) -> tuple[list[Any], Cursor | None]:
    """Return the ids of what has changed, and the last cursor as it is stored."""
    found: list[Any] = []
    settings = {"cursor_columns": "at", **given}
    async with source(path, **settings) as one, closing_walk(one.get_docs_incrementally(cursor)) as walk:
        async for change in walk:
            match change:
                case Upsert():
                    found.append(change.document["_id"])
                case Failed():
                    found.append(change)
                case Checkpoint():
                    cursor = json.loads(json.dumps(change.cursor))
    return found, cursor


async def test_only_what_changed_is_read_again(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", TIMES, ROWS)
    first, cursor = await changes(path)
    assert first == [f"t/{number}" for number in range(1, 10)]
    assert await changes(path, cursor) == (["t/9"], cursor)  # the boundary is read again
    execute(
        path, "UPDATE t SET at = '2025-01-01T10:00:00+02:00' WHERE id = 7; INSERT INTO t VALUES(20, '2024-11-01', 1)"
    )
    second, cursor = await changes(path, cursor)
    assert second == ["t/7", "t/9", "t/20"]
    assert cursor == {"tables": {"t": {"column": "at", "value": "2025-01-01T10:00:00+02:00"}}}
    assert await changes(path, cursor) == (["t/7"], cursor)


async def test_a_row_that_is_dated_far_ahead_hides_none_that_change_now(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", TIMES, ROWS, ("INSERT INTO t VALUES(?, ?, 1)", [(99, "2999-01-01")]))
    _, cursor = await changes(path)
    execute(path, "UPDATE t SET at = strftime('%Y-%m-%dT%H:%M:%SZ') WHERE id = 5")
    assert (await changes(path, cursor))[0] == ["t/5", "t/99"]


@pytest.mark.parametrize(("step", "again"), [(100, 11), (100.5, 10)])
async def test_numbers_grow_as_well(tmp_path: Path, step: float, again: int) -> None:
    rows = [(number, number * step) for number in range(1, 61)]
    path = made(tmp_path / "t.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, at)", ("INSERT INTO t VALUES(?, ?)", rows))
    _, cursor = await changes(path)
    assert (await changes(path, cursor))[0] == [f"t/{number}" for number in range(61 - again, 61)]


@pytest.mark.parametrize("highest", ["'soon'", "x'00'", "CAST(x'ff' AS TEXT)"])
async def test_a_column_that_grows_to_no_time_is_read_whole_each_time(tmp_path: Path, highest: str) -> None:
    path = made(tmp_path / "t.db", TIMES + f"; INSERT INTO t VALUES(3, '2024-01-01', 1), (4, {highest}, 1)")
    _, cursor = await changes(path)
    assert cursor == {"tables": {}}
    assert len((await changes(path, cursor))[0]) == 2


async def test_a_table_without_such_a_column_is_read_whole_each_time(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", TIMES + "; CREATE TABLE a(id INTEGER PRIMARY KEY); INSERT INTO a VALUES(1)", ROWS)
    _, cursor = await changes(path)
    assert (await changes(path, cursor))[0] == ["a/1", "t/9"]


async def test_an_incremental_sync_with_rules_reads_what_they_ask_for(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", TIMES, ROWS)
    rules = Filter({"advanced_snippet": {"value": [rule("SELECT * FROM t WHERE id < 3")]}})
    async with source(path) as one:
        found = [change async for change in one.get_docs_incrementally(None, rules)]
    assert [one.document["_id"] for one in found if isinstance(one, Upsert)] == ["t/1", "t/2"]


# Advanced rules.


def rule(query: str, *tables: str, **more: object) -> dict[str, object]:
    return {"tables": list(tables or ("t",)), "query": query, **more}


async def queried(path: Path, rules: AdvancedRules, **given: Any) -> list[Any]:
    async with source(path, **given) as one:
        return [yielded async for yielded in one.get_docs_by_rules(rules)]


async def test_a_row_of_a_query_is_the_document_of_its_table(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", TIMES, ROWS)
    dataset, *found = await queried(
        path, [rule("SELECT id, v + 1 AS dataset, at FROM t WHERE id = 2;")], cursor_columns="at"
    )
    assert isinstance(dataset, Dataset)
    assert dataset.name == "t"
    [moment] = [one.pop("_timestamp").isoformat() for one in found]
    assert moment == "2024-02-01T10:00:00+00:00"
    assert found == [{"dataset": "t", "id": 2, "dataset_": 2, "at": "2024-02-01 10:00:00", "_id": "t/2"}]


async def test_rows_of_several_tables_are_told_apart_by_keys_columns_or_all_of_it(tmp_path: Path) -> None:
    script = "CREATE TABLE a(x INTEGER PRIMARY KEY); CREATE TABLE b(y TEXT NOT NULL PRIMARY KEY, n); CREATE TABLE c(z)"
    path = made(
        tmp_path / "t.db", f"{script}; INSERT INTO a VALUES(1); INSERT INTO b VALUES('k', 5); INSERT INTO c VALUES(2)"
    )
    both = [one["_id"] for one in (await queried(path, [rule("SELECT * FROM a, b", "a", "b")]))[1:]]
    named = [one["_id"] for one in (await queried(path, [rule("SELECT * FROM b", "b", id_columns=["n"])]))[1:]]
    numbered = [one["_id"] for one in (await queried(path, {"t.db": {"c": "SELECT rowid, * FROM c"}}))[1:]]
    [content] = [one["_id"] for one in (await queried(path, {"t.db": {"c": "SELECT z FROM c"}}))[1:]]
    assert (both, named, numbered) == (["a, b/1/k"], ["b/5"], ["c/1"])
    assert content.startswith("c/row-")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([rule("SELECT * FROM nobody", "nobody")], "rules[0]: Tables not found or inaccessible: nobody."),
        ([rule("SELECT x FROM t")], "no such column: x"),
        ([rule("SELECT id FROM t", id_columns=["v"])], "Its result has no column 'v', but 'id'."),
        ([rule("SELECT 1; SELECT 2")], "It has to be one statement."),
        ([rule("DELETE FROM t")], "It has to be a SELECT."),
        ([rule("WITH x AS (SELECT 1) DELETE FROM t")], "It has to be a SELECT."),
        ({"other.db": {"t": "SELECT 1"}}, "rules.other.db: This connector reads 't.db'."),
        ([{"tables": ["t"]}], "needs 'query'"),
    ],
)
async def test_what_can_not_be_run_is_refused_with_its_place(tmp_path: Path, rules: Any, words: str) -> None:
    path = made(tmp_path / "t.db", TIMES)
    async with source(path) as one:
        [validator] = one.advanced_rules_validators()
        found = validator.validate(rules)
        results = found if isinstance(found, list) else await found
    assert [each.is_valid for each in results] == [False]
    assert words in results[0].validation_message


async def test_a_query_is_prepared_and_not_run_to_be_checked(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", TIMES)
    endless = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT max(id) AS id FROM n"
    async with source(path) as one:
        [validator] = one.advanced_rules_validators()
        result = await validator.validate([rule(endless, id_columns=["id"])])
    assert result.is_valid


async def test_a_table_that_went_since_its_rule_was_checked_is_named(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", TIMES)
    with pytest.raises(ConfigurationError, match=r"rules\[0\]: Tables not found or inaccessible: gone\."):
        await queried(path, [rule("SELECT 1", "gone")])


async def test_a_text_that_is_none_ends_a_query(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", TIMES + "; INSERT INTO t VALUES(1, CAST(x'ff' AS TEXT), 1)")
    with pytest.raises(SourceError, match="holds a text that is not utf-8"):
        await queried(path, [rule("SELECT * FROM t")])


async def test_a_query_that_would_do_more_than_read_is_denied(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", TIMES)
    with pytest.raises(SourceError, match="not authorized"):
        await queried(path, [rule("SELECT load_extension('x')")])
