"""The SQLite source on real files, against what another connection reads and writes."""

import asyncio
import shutil
import sqlite3
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.dataset import Dataset, document_id
from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
)
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.literal import Literal, Operator
from connectors.predicate import ALWAYS, And, Comparison, Not, Predicate, matches
from connectors.sources._files.settled import SETTLED_NS
from connectors.sources._sqlite.connection import Connection
from connectors.sources._sqlite.page import Pages
from connectors.sources._sqlite.schema import table_of
from connectors.sources.sqlite import SQLiteDataSource

Row = dict[str, Any]


class Later(SQLiteDataSource):
    """A source some seconds later, when what was written has settled; and one that waits for nobody."""

    busy_s: ClassVar[float] = 0.05
    now_ns: ClassVar[Callable[[], int]] = lambda: time.time_ns() + 2 * SETTLED_NS


# Writers use the library that the source uses: locks of one process count only within one library. What was written is
# read by another one, while nobody else does.


def made(path: Path, script: str, *inserts: tuple[str, Sequence[Sequence[object]]]) -> Path:
    with closing(writer_of(path)) as writer:
        writer.execute(script).fetchall()
        for text, rows in inserts:
            with writer:
                writer.executemany(text, rows)
    return path


def writer_of(path: Path) -> apsw.Connection:
    writer = apsw.Connection(str(path))
    writer.execute("PRAGMA synchronous = OFF")
    return writer


def execute(path: Path, script: str) -> None:
    with closing(writer_of(path)) as writer:
        writer.execute(script).fetchall()


def source(path: Path, kind: type[SQLiteDataSource] = SQLiteDataSource, **given: object) -> SQLiteDataSource:
    configuration = Configuration(kind.fields, {"database": str(path), **given}, Grants(allowed_paths=(path.parent,)))
    configuration.check()
    return kind(configuration)


@asynccontextmanager
async def opened(
    path: Path, kind: type[SQLiteDataSource] = SQLiteDataSource, **given: object
) -> AsyncIterator[tuple[SQLiteDataSource, dict[str, Dataset]]]:
    async with source(path, kind, **given) as one:
        yield one, {dataset.name: dataset for dataset in await one.datasets()}


async def rows_of(one: SQLiteDataSource, dataset: Dataset, **given: Any) -> list[Row | Failed]:
    return [row async for row in one.read(dataset, **given)]


async def walked(path: Path, table: str = "t", **given: Any) -> list[Row | Failed]:
    async with opened(path, **given) as (one, datasets):
        return await rows_of(one, datasets[table])


def selected(path: Path, text: str) -> list[Row]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(text)]


def numbers(rows: Sequence[Row | Failed], name: str = "id") -> list[Any]:
    return [row[name] if isinstance(row, dict) else row for row in rows]


def is_so(field: str, how: Operator, text: str) -> Comparison:
    return Comparison(field, how, Literal(text))


# Reading.

MIXED = [3, 1.5, -7, "b", "B2", "a", "é", b"b", b"", "", "10", 2**63 - 1, -(2**63), 1e300, "a\0b", "z'\"", -0.5]
TABLES = {
    "a row's own number": ("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "id", ["id"]),
    "its own number in a strict table": ("CREATE TABLE t(id INTEGER PRIMARY KEY, v ANY) STRICT", "id", ["id"]),
    "no key": ("CREATE TABLE t(v)", "rowid", ["rowid"]),
    "a key that can be NULL": ("CREATE TABLE t(v PRIMARY KEY)", "rowid", ["rowid"]),
    "a number that is no rowid": ("CREATE TABLE t(id INTEGER PRIMARY KEY DESC, v)", "rowid", ["rowid"]),
    "a column called rowid": ("CREATE TABLE t(RowID, v)", "_rowid_", ["_rowid_"]),
    "a key of any kind": ("CREATE TABLE t(v NOT NULL PRIMARY KEY)", "v", ["v"]),
    "a key of numbers": ("CREATE TABLE t(v NUMERIC NOT NULL PRIMARY KEY)", "v", ["v"]),
    "a descending key": ("CREATE TABLE t(v, PRIMARY KEY(v DESC)) WITHOUT ROWID", "v", ["v"]),
    "a key without rowid": ("CREATE TABLE t(v PRIMARY KEY) WITHOUT ROWID", "v", ["v"]),
    "a key in any case": ("CREATE TABLE t(v TEXT NOT NULL COLLATE NOCASE PRIMARY KEY)", "v COLLATE NOCASE", ["v"]),
    "an index in any case": (
        "CREATE TABLE t(v TEXT NOT NULL, PRIMARY KEY(v COLLATE NOCASE))",
        "v COLLATE NOCASE",
        ["v"],
    ),
    "an index in one case": (
        "CREATE TABLE t(v TEXT COLLATE NOCASE NOT NULL, PRIMARY KEY(v COLLATE BINARY))",
        "v COLLATE BINARY",
        ["v"],
    ),
    "a collation that nobody knows": ("CREATE TABLE t(v TEXT NOT NULL PRIMARY KEY COLLATE ours)", "rowid", ["rowid"]),
    "computed columns": (
        "CREATE TABLE t(v, a TEXT AS (v || 'x'), b AS (typeof(v)) STORED, id INTEGER PRIMARY KEY)",
        "id",
        ["id"],
    ),
}


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le"])
@pytest.mark.parametrize("page_size", [1, 3, 1_000])
@pytest.mark.parametrize(("script", "order", "key"), TABLES.values(), ids=TABLES)
async def test_every_row_is_read_once_in_the_order_of_its_key(
    tmp_path: Path, script: str, order: str, key: list[str], page_size: int, encoding: str
) -> None:
    path = tmp_path / "t.db"
    with closing(writer_of(path)) as connection:
        connection.execute(f"PRAGMA encoding = '{encoding}'")
        connection.create_collation("ours", lambda one, other: (one > other) - (one < other))
        connection.execute(script)
        connection.executemany("INSERT OR IGNORE INTO t(v) VALUES(?)", [(value,) for value in MIXED])
    extra = f'{order} AS "{order}", ' if order in {"rowid", "_rowid_"} else ""
    expected = selected(path, f"SELECT {extra}* FROM t ORDER BY {order}")
    async with opened(path, page_size=page_size) as (one, datasets):
        rows = await rows_of(one, datasets["t"])
        assert rows == expected
        assert list(datasets["t"].primary_key) == key
        assert list(datasets["t"].columns) == list(expected[0])
        for place, row in enumerate(expected):
            rest = await rows_of(one, datasets["t"], after=datasets["t"].key_of(row))
            assert rest == expected[place + 1 :]


VALUES = st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 2.0**60, "", "a", "A", "b", "ä", "1", b"", b"a", "a\0"])
COLUMNS = st.sampled_from(["", "TEXT", "INT", "TEXT COLLATE NOCASE", "REAL", "NUMERIC COLLATE RTRIM"])
ORDERS = st.sampled_from(["", " DESC", " COLLATE BINARY", " COLLATE NOCASE DESC"])


@settings(deadline=None, max_examples=40)
@given(
    columns=st.tuples(COLUMNS, COLUMNS),
    orders=st.tuples(ORDERS, ORDERS),
    rows=st.lists(st.tuples(VALUES, VALUES), max_size=12),
    page_size=st.integers(1, 4),
    bare=st.booleans(),
)
def test_keys_of_two_columns_lose_and_repeat_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    columns: tuple[str, str],
    orders: tuple[str, str],
    rows: list[tuple[object, object]],
    page_size: int,
    bare: bool,
) -> None:
    key = f"PRIMARY KEY(a{orders[0]}, b{orders[1]})"
    script = f"CREATE TABLE t(a {columns[0]} NOT NULL, b {columns[1]} NOT NULL, {key}) {'WITHOUT ROWID' * bare}"
    path = made(tmp_path_factory.mktemp("keys") / "t.db", script, ("INSERT OR IGNORE INTO t VALUES(?, ?)", rows))
    found = asyncio.run(walked(path, page_size=page_size))
    assert sorted(map(repr, found)) == sorted(map(repr, selected(path, "SELECT * FROM t")))


async def test_documents_are_rows_with_an_id_and_a_time(tmp_path: Path) -> None:
    path = made(
        tmp_path / "shop?#% é.db",
        """CREATE TABLE orders(id INTEGER PRIMARY KEY, "we""ird" TEXT, updated_at TEXT);
        CREATE TABLE parts(kind TEXT, number INT, changed, PRIMARY KEY(kind, number)) WITHOUT ROWID;
        CREATE VIEW seen AS SELECT 1; CREATE INDEX i ON parts(number);
        INSERT INTO orders VALUES(2, 'b', '2024-01-31T10:00:00+02:00'), (1, 'a', NULL);
        INSERT INTO parts VALUES('x/y', 1, 2);""",
    )
    async with source(path, cursor_columns="changed, updated_at") as one:
        await one.ping()
        documents = [yielded async for yielded in one.get_docs(Filter())]
    moment = "2024-01-31T10:00:00+02:00"
    times = {"updated_at": moment, "_timestamp": datetime.fromisoformat(moment)}
    assert [document for document, _ in documents] == [  # type: ignore[misc]  # they are pairs
        {"_id": "orders/1", "dataset": "orders", "id": 1, 'we"ird': "a", "updated_at": None},
        {"_id": "orders/2", "dataset": "orders", "id": 2, 'we"ird': "b", **times},
        {"_id": 'parts/"x%2Fy"/1', "dataset": "parts", "kind": "x/y", "number": 1, "changed": 2},
    ]


async def test_rules_are_pushed_down_and_lose_nothing(tmp_path: Path) -> None:
    rows = [(number, f"name {number}", number / 2) for number in range(1_000)]
    path = made(
        tmp_path / "t.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, price REAL)",
        ("INSERT INTO t VALUES(?, ?, ?)", rows),
    )
    where = And((is_so("price", Operator.GREATER, "100"), Not(is_so("name", Operator.ENDS_WITH, "7"))))
    async with opened(path, page_size=10) as (one, datasets):
        found = await rows_of(one, datasets["t"], where=where)
    assert found == [row for row in selected(path, "SELECT * FROM t") if matches(where, row)]


async def test_only_wanted_columns_are_read_with_those_of_the_condition(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c); INSERT INTO t VALUES(1, 2, 3, 4)")
    async with opened(path) as (one, datasets):
        assert await rows_of(one, datasets["t"], columns=()) == [{"id": 1}]
        assert await rows_of(one, datasets["t"], columns=("c", "nothing")) == [{"id": 1, "c": 4}]
        where = Not(is_so("b", Operator.EQUALS, "5"))
        assert await rows_of(one, datasets["t"], columns=("a",), where=where) == [{"id": 1, "a": 2, "b": 3}]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (ALWAYS, [0, 1, 2]),
        (is_so("v", Operator.GREATER, "50"), [51, 52, 53]),
        # What SQL leaves undecided is counted by the rows themselves.
        (is_so("v", Operator.REGEX, "9.$"), [*range(93)]),
        (is_so("nothing", Operator.EQUALS, "1"), [*range(100)]),
        (Not(is_so("nothing", Operator.EQUALS, "1")), [0, 1, 2]),
    ],
)
async def test_a_limit_counts_rows_that_match(tmp_path: Path, where: Predicate, expected: list[int]) -> None:
    script = "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"
    rows = [(number, number) for number in range(100)]
    path = made(tmp_path / "t.db", script, ("INSERT INTO t VALUES(?, ?)", rows))
    async with opened(path, page_size=7) as (one, datasets):
        assert numbers(await rows_of(one, datasets["t"], where=where, limit=3)) == expected
        assert await rows_of(one, datasets["t"], where=where, limit=0) == []


@pytest.mark.parametrize(("field", "value"), [("_id", "t/7"), ("_id_", "7"), ("dataset", "x")])
async def test_a_rule_is_about_the_document_where_a_column_has_such_a_name(
    tmp_path: Path, field: str, value: str
) -> None:
    script = "CREATE TABLE t(_id INTEGER PRIMARY KEY, dataset); INSERT INTO t VALUES(7, 'x')"
    keep = {"id": "1", "policy": "include", "field": field, "rule": "equals", "value": value, "order": 1}
    drop = {"id": "2", "policy": "exclude", "field": "dataset", "rule": "starts_with", "value": "x", "order": 2}
    async with opened(made(tmp_path / "t.db", script)) as (one, _):
        kept = [yielded async for yielded in one.get_docs(Filter({"rules": [keep, drop]}))]
    assert kept == [({"_id": "t/7", "_id_": 7, "dataset": "x"}, None)]


async def test_virtual_tables_are_read_without_those_they_are_made_of(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5(title, body)")
        connection.execute("CREATE VIRTUAL TABLE places USING rtree(id, low, high)")
        connection.executemany("INSERT INTO words VALUES(?, ?)", [(f"t{n}", f"b{n}") for n in range(5)])
        connection.execute("INSERT INTO places VALUES(4, 1, 2)")
    async with opened(path, page_size=2) as (one, datasets):
        assert list(datasets) == ["places", "words"]
        words = [{"rowid": n + 1, "title": f"t{n}", "body": f"b{n}"} for n in range(5)]
        assert await rows_of(one, datasets["words"], where=is_so("title", Operator.STARTS_WITH, "t")) == words
        assert await rows_of(one, datasets["places"]) == [{"rowid": 4, "id": 4, "low": 1.0, "high": 2.0}]
        assert [dataset.rows for dataset in datasets.values()] == [None, None]


# What tables say of themselves.


async def test_a_dataset_says_what_its_rows_hold(tmp_path: Path) -> None:
    script = """CREATE TABLE t(id INTEGER PRIMARY KEY, name VARCHAR(9) NOT NULL, price DECIMAL(9, 2), ratio DOUBLE,
        picture BLOB, made_at DATETIME, anything, updated INT)"""
    path = made(
        tmp_path / "t.db", script, ("INSERT INTO t(id, name) VALUES(?, 'n')", [(number,) for number in (5, 24)])
    )
    async with opened(path, cursor_columns=["nothing", "updated"]) as (_, datasets):
        properties = {
            "id": {"type": "integer"},
            "name": {"type": "string"},
            "price": {"type": ["number", "null"]},
            "ratio": {"type": ["number", "null"]},
            "picture": {"type": ["string", "null"], "contentEncoding": "base64"},
            "made_at": {},
            "anything": {},
            "updated": {"type": ["integer", "null"]},
        }
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        assert datasets == {"t": Dataset("t", None, schema, ("id",), "updated", 20)}


async def test_the_number_of_rows_is_guessed_without_counting(tmp_path: Path) -> None:
    script = """CREATE TABLE a(x); CREATE TABLE b(x PRIMARY KEY) WITHOUT ROWID; CREATE TABLE c(x);
        CREATE INDEX i ON c(x);
        INSERT INTO c VALUES(1), (2), (3); INSERT INTO b VALUES(1); ANALYZE c; DELETE FROM c WHERE x = 2;
        INSERT INTO sqlite_stat1 VALUES('a', NULL, 'what?')"""
    async with opened(made(tmp_path / "t.db", script)) as (_, datasets):
        assert {name: dataset.rows for name, dataset in datasets.items()} == {"a": 0, "b": None, "c": 3}


async def test_only_tables_that_are_named_are_read(tmp_path: Path) -> None:
    path = made(tmp_path / "t.db", "CREATE TABLE a(x); CREATE TABLE b(x); CREATE TABLE c(x); CREATE VIEW v AS SELECT 1")
    async with opened(path, tables="c, a, c") as (_, datasets):
        assert list(datasets) == ["a", "c"]
    for name in ("v", "d"):
        async with source(path, tables=name) as one:
            with pytest.raises(ConfigurationError, match=f"no table '{name}'") as caught:
                await one.ping()
            assert caught.value.field == "tables"


async def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    scripts = {
        "no such module": """PRAGMA writable_schema = 1; CREATE TABLE good(x);
            INSERT INTO sqlite_schema VALUES('table', 't', 't', 0, 'CREATE VIRTUAL TABLE t USING absent(x)')""",
        "no key": "CREATE TABLE t(rowid, oid, _rowid_)",
    }
    for number, (reason, script) in enumerate(scripts.items()):
        async with source(made(tmp_path / f"{number}.db", script)) as one:
            with pytest.raises(ConfigurationError, match=f"'t' .*{reason}"):
                await one.ping()


# Pages.


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


# The file.

WAL = "PRAGMA journal_mode = WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, v)"
DELETE = "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"
ROWS = ("INSERT INTO t VALUES(?, ?)", [(number, "x" * 500) for number in range(100)])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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


# Whether anything changed.


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


# Queries.


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
