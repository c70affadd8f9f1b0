"""The rows of SQLite databases, against what another library reads from the same file."""

import asyncio
from contextlib import closing
from datetime import datetime
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.byoc import Filter
from connectors.dataset import Dataset
from connectors.errors import (
    ConfigurationError,
)
from connectors.literal import Operator
from connectors.predicate import ALWAYS, And, Not, Predicate, matches
from tests.sources.databases import (
    is_so,
    made,
    numbers,
    opened,
    rows_of,
    selected,
    source,
    walked,
    writer_of,
)

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


@settings(max_examples=40)
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


@pytest.mark.parametrize(("field", "value"), [("_id", "t/7"), ("_id_", "7"), ("dataset", "t"), ("dataset_", "x")])
async def test_a_rule_is_about_the_document_where_a_column_has_such_a_name(
    tmp_path: Path, field: str, value: str
) -> None:
    script = "CREATE TABLE t(_id INTEGER PRIMARY KEY, dataset); INSERT INTO t VALUES(7, 'x')"
    keep = {"id": "1", "policy": "include", "field": field, "rule": "equals", "value": value, "order": 1}
    drop = {"id": "2", "policy": "exclude", "field": "dataset", "rule": "starts_with", "value": "t", "order": 2}
    async with opened(made(tmp_path / "t.db", script)) as (one, _):
        kept = [yielded async for yielded in one.get_docs(Filter({"rules": [keep, drop]}))]
    assert kept == [({"_id": "t/7", "_id_": 7, "dataset": "t", "dataset_": "x"}, None)]


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
