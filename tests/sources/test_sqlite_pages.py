"""The pages of SQLite tables: where they begin, what changes between them, and what in them can't be read."""

import tracemalloc
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from connectors.changes import Failed
from connectors.dataset import document_id
from connectors.errors import (
    SourceError,
)
from connectors.literal import Operator
from connectors.predicate import ALWAYS, And
from connectors.sources._sqlite.page import Pages
from connectors.sources._sqlite.schema import table_of
from tests.sources.databases import execute, is_so, made, opened, rows_of, walked


async def test_each_page_begins_at_its_place_in_the_index_of_the_key(tmp_path: Path) -> None:
    path = made(
        tmp_path / "t.db",
        """CREATE TABLE a(id INTEGER PRIMARY KEY, s TEXT, n INT); CREATE INDEX a1 ON a(s, n); CREATE INDEX a2 ON a(n);
        CREATE TABLE b(s TEXT NOT NULL, n INT NOT NULL, x, PRIMARY KEY(s, n)); CREATE INDEX b1 ON b(x, s, n);
        CREATE TABLE c(s TEXT COLLATE NOCASE, n INT, x, PRIMARY KEY(s, n)) WITHOUT ROWID; CREATE INDEX c1 ON c(x);
        CREATE TABLE d(s TEXT NOT NULL PRIMARY KEY, x TEXT) STRICT; CREATE INDEX d1 ON d(x);
        CREATE TABLE e(s TEXT NOT NULL, PRIMARY KEY(s COLLATE NOCASE));
        CREATE TABLE f(s TEXT COLLATE NOCASE, n INT, PRIMARY KEY(s COLLATE BINARY, n)) WITHOUT ROWID;""",
    )
    where = And((is_so("x", Operator.EQUALS, "a"), is_so("n", Operator.EQUALS, "1")))
    plans: dict[str, set[str]] = {}
    with closing(apsw.Connection(str(path))) as connection:
        for name in "abcdef":
            table = table_of(connection, name)
            for condition in (ALWAYS, where):
                pages = Pages(connection, table, table.names, condition)
                after = tuple("k" for _ in table.key)
                text = f"EXPLAIN QUERY PLAN {pages._text(after, raw=False)}"
                steps = connection.execute(text, pages._given(after, 10)).fetchall()
                plans.setdefault(name, set()).add("; ".join(str(step[3]) for step in steps))
    assert plans == {
        "a": {"SEARCH a USING INTEGER PRIMARY KEY (rowid>?)"},
        "b": {"SEARCH b USING INDEX sqlite_autoindex_b_1 ((s,n)>(?,?))"},
        "c": {"SEARCH c USING PRIMARY KEY ((s,n)>(?,?))"},
        "d": {"SEARCH d USING INDEX sqlite_autoindex_d_1 (s>?)"},
        "e": {"SEARCH e USING COVERING INDEX sqlite_autoindex_e_1 (s>?)"},
        "f": {"SEARCH f USING PRIMARY KEY (s>?)"},
    }


@pytest.mark.parametrize(
    ("script", "text", "plan"),
    [
        ("t(id INTEGER PRIMARY KEY)", "5", "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)"),
        ("t(id TEXT NOT NULL PRIMARY KEY)", "x", "SEARCH t USING COVERING INDEX sqlite_autoindex_t_1 (id=?)"),
    ],
)
async def test_a_row_is_found_by_its_key_at_once(tmp_path: Path, script: str, text: str, plan: str) -> None:
    path = made(tmp_path / "t.db", f"CREATE TABLE {script}")
    with closing(apsw.Connection(str(path))) as connection:
        table = table_of(connection, "t")
        pages = Pages(connection, table, table.names, is_so("id", Operator.EQUALS, text))
        steps = connection.execute(f"EXPLAIN QUERY PLAN {pages._text(None, raw=False)}", pages._given(None, 1))
        assert [step[3] for step in steps] == [plan]


async def test_what_others_change_meanwhile_loses_no_other_row(tmp_path: Path) -> None:
    script = "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"
    rows = [(number, 0) for number in range(0, 100, 2)]
    path = made(tmp_path / "t.db", script, ("INSERT INTO t VALUES(?, ?)", rows))
    async with opened(path, page_size=10) as (one, datasets):
        seen = []
        async for row in one.read(datasets["t"]):
            assert isinstance(row, dict)
            seen.append((row["id"], row["v"]))
            if row["id"] == 18:  # the last one of a page
                execute(path, "DELETE FROM t WHERE id IN (0, 18, 20); INSERT INTO t VALUES(1, 1), (21, 1)")
                execute(path, "UPDATE t SET v = 2 WHERE id = 98; VACUUM; CREATE TABLE other(x)")
    assert seen == [(n, 0) for n in range(0, 20, 2)] + [(21, 1)] + [(n, 0) for n in range(22, 98, 2)] + [(98, 2)]


async def test_rows_that_are_numbered_anew_end_the_walk_with_an_error(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", "CREATE TABLE t(v)", ("INSERT INTO t VALUES(?)", [(n,) for n in range(100)]))
    async with opened(path, page_size=10) as (one, datasets):
        rows = one.read(datasets["t"])
        assert await anext(rows) == {"rowid": 1, "v": 0}
        execute(path, "DELETE FROM t WHERE v < 50; VACUUM")
        with pytest.raises(SourceError, match="was changed while it was read"):
            _ = [row async for row in rows]


async def test_a_column_that_is_gone_is_no_text(tmp_path: Path) -> None:
    script = "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"
    path = made(tmp_path / "t.db", script, ("INSERT INTO t VALUES(?, ?)", [(n, n) for n in range(100)]))
    async with opened(path, page_size=10) as (one, datasets):
        rows = one.read(datasets["t"])
        await anext(rows)
        execute(path, "ALTER TABLE t RENAME COLUMN v TO w")
        with pytest.raises(SourceError, match="no such column"):
            _ = [row async for row in rows]
        execute(path, "DROP TABLE t; CREATE TABLE t(v TEXT NOT NULL PRIMARY KEY)")
        with pytest.raises(SourceError, match=r"key of the table 't' is \('v',\)"):
            await rows_of(one, datasets["t"])


async def test_a_text_that_is_none_fails_alone(tmp_path: Path) -> None:
    path = made(
        tmp_path / "t.db",
        """CREATE TABLE t(id INTEGER PRIMARY KEY, v, w);
        INSERT INTO t VALUES(1, 'a', 1), (2, CAST(x'ff41' AS TEXT), 2), (3, x'ff', 3), (4, NULL, 1.5), (5, 'ä', 5);
        INSERT INTO t VALUES(6, CAST(x'c3' AS TEXT), CAST(x'80' AS TEXT)), (7, 'é', '');""",
    )
    for page_size in (1, 2, 3, 100):
        assert await walked(path, page_size=page_size) == [
            {"id": 1, "v": "a", "w": 1},
            Failed("t/2", "The text in the column 'v' is not UTF-8."),
            {"id": 3, "v": b"\xff", "w": 3},
            {"id": 4, "v": None, "w": 1.5},
            {"id": 5, "v": "ä", "w": 5},
            Failed("t/6", "The text in the column 'v', 'w' is not UTF-8."),
            {"id": 7, "v": "é", "w": ""},
        ]


@pytest.mark.parametrize("declared", ["", "TEXT", "TEXT COLLATE NOCASE", "INT"])
async def test_a_key_that_is_no_text_is_read_past(tmp_path: Path, declared: str) -> None:
    path = made(
        tmp_path / "t.db",
        f"""CREATE TABLE t(k {declared}, n, PRIMARY KEY(k, n)) WITHOUT ROWID;
        INSERT INTO t VALUES('a', 1), (CAST(x'ff' AS TEXT), 1), (CAST(x'ff' AS TEXT), 2), (CAST(x'01ff' AS TEXT), 1);
        INSERT INTO t VALUES(CAST(x'fe' AS TEXT), 1), (x'ff', 1), (x'', 2), ('z', 'x'), (5, 6), (-1, 7);""",
    )
    found = [await walked(path, page_size=page_size) for page_size in (1, 2, 3, 100)]
    assert found[0] == found[1] == found[2] == found[3]
    ids = [one.id if isinstance(one, Failed) else document_id("t", (one["k"], one["n"])) for one in found[0]]
    assert len(ids) == len(set(ids)) == 10
    assert [one for one in ids if "Undecoded" in one] == [
        f't/Undecoded:"{raw}"/{number}' for raw, number in [("01ff", 1), ("fe", 1), ("ff", 1), ("ff", 2)]
    ]


async def test_a_page_of_large_rows_ends_early(tmp_path: Path) -> None:
    path = made(
        tmp_path / "t.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)",
        ("INSERT INTO t VALUES(?, zeroblob(500000))", [(n,) for n in range(200)]),
    )
    async with opened(path) as (one, datasets):
        tracemalloc.start()
        try:
            found = [row["id"] async for row in one.read(datasets["t"]) if isinstance(row, dict)]
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert found == list(range(200))
    assert most < 40_000_000
