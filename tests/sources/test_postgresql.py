"""PostgreSQL: what becomes of its values, which of its tables are read, and in what pages."""

import math
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
    Throttled,
)
from connectors.literal import Literal, Operator
from connectors.predicate import And, Comparison, Not, matches
from connectors.sources._postgresql.errors import explained
from connectors.sources._postgresql.values import json_of
from connectors.sources._sql.address import Address
from connectors.sources._sql.page import MOST_BYTES, Statements
from connectors.sources._sql.session import Fetched
from connectors.sources._sql.source import SQLDataSource
from connectors.sources.postgresql import PostgreSQLDataSource
from fixtures.postgresql.server import USER
from tests.sources.postgres import Database
from tests.sources.walks import ids, walked

HERE = Address("db.example.org", 5432, "me", "shop")
DEFINED = (
    "CREATE TYPE mood AS ENUM ('gut', 'it''s', 'a,b')",
    "CREATE TYPE pair AS (a int, b text, c numeric)",
    "CREATE DOMAIN positive AS numeric CHECK (value > 0)",
    "CREATE DOMAIN small AS positive CHECK (value < 100)",
    "CREATE DOMAIN fee AS money",
    "CREATE EXTENSION hstore",
    "CREATE EXTENSION citext",
    "CREATE EXTENSION ltree",
)


# Values.


@pytest.mark.parametrize(
    ("declared", "literal", "value"),
    [
        ("smallint", "-32768", -32768),
        ("bigint", "9223372036854775807", 2**63 - 1),
        ("oid", "4294967295", 4294967295),
        ("numeric(40,10)", "-123456789012345678901234567890.0000000001", "decimal"),
        ("numeric", "1e-30", Decimal("1e-30")),
        ("real", "1.1", 1.1),
        ("real", "16777217", 16777216.0),
        ("float8", "0.1", 0.1),
        ("float8", "'-Infinity'", -math.inf),
        ("money", "-1234567.89", Decimal("-1234567.89")),
        ("fee", "12.30", Decimal("12.30")),
        ("boolean", "true", True),
        ("date", "'2024-02-29'", date(2024, 2, 29)),
        ("date", "'infinity'", "infinity"),
        ("date", "'0044-03-15 BC'", "0044-03-15 BC"),
        ("date", "'12024-01-01'", "12024-01-01"),
        ("timestamp", "'2024-02-29 23:59:59.000001'", datetime(2024, 2, 29, 23, 59, 59, 1)),  # noqa: DTZ001
        ("timestamp", "'0099-01-01 00:00:00.5'", datetime(99, 1, 1, 0, 0, 0, 500_000)),  # noqa: DTZ001
        ("timestamp", "'-infinity'", "-infinity"),
        ("timestamptz", "'2024-01-01 05:30:00+05:30'", datetime(2024, 1, 1, tzinfo=UTC)),
        ("timestamptz", "'0044-03-15 12:00:00+00 BC'", "0044-03-15 12:00:00+00 BC"),
        ("timestamptz", "'10000-01-01 00:00:00+00'", "10000-01-01 00:00:00+00"),
        ("time", "'24:00'", "24:00:00"),
        ("time(2)", "'1:02:03.5'", "01:02:03.5"),
        ("timetz", "'1:02:03+05:30'", "01:02:03+05:30"),
        ("interval", "'1 year 2 days -3.5 seconds'", "P1Y2DT-3.5S"),
        ("char(5)", "'ab  '", "ab"),
        ("varchar(9)", "'ab  '", "ab  "),
        ("text", "E'\\\\ \\' 👩‍👩‍👧 %s $1'", "\\ ' 👩‍👩‍👧 %s $1"),
        ('"char"', "'x'", "x"),
        ("name", "'x'", "x"),
        ("citext", "'Ä'", "Ä"),
        ("bytea", "'\\x00ff'", b"\0\xff"),
        ("mood", "'it''s'", "it's"),
        ("mood[]", "ARRAY['gut', NULL, 'a,b']::mood[]", ["gut", None, "a,b"]),
        ("pair", "ROW(1, 'x,\"y', 1.10)", {"a": 1, "b": 'x,"y', "c": Decimal("1.10")}),
        ("positive", "1.50", Decimal("1.50")),
        ("small[]", "ARRAY[1.50]", ["1.50"]),
        ("small", "1.50", Decimal("1.50")),
        ("json", "'{\"a\": [1.10, 12345678901234567890, null]}'", {"a": [Decimal("1.10"), 12345678901234567890, None]}),
        ("jsonb", "'7'", 7),
        ("jsonb[]", "ARRAY['{\"a\": 1.10}', NULL, '[2]']::jsonb[]", [{"a": Decimal("1.10")}, None, [2]]),
        ("int[]", "'{{1,2},{3,NULL}}'", [[1, 2], [3, None]]),
        ("int[]", "'[0:1]={1,2}'", [1, 2]),
        ("text[]", "'{}'", []),
        ("text[]", "ARRAY['a,b', 'NULL', NULL, '\"', '']", ["a,b", "NULL", None, '"', ""]),
        ("date[]", "'{2024-01-01,infinity}'", [date(2024, 1, 1), "infinity"]),
        ("uuid[]", "'{123E4567-e89b-12d3-a456-426655440000}'", ["123e4567-e89b-12d3-a456-426655440000"]),
        ("int2vector", "'1 2'", "1 2"),
        ("int4range", "'(1,5]'", "[2,6)"),
        ("int4range[]", "'{\"[1,2)\",empty}'", ["[1,2)", "empty"]),
        ("tstzrange", "'[2024-01-01 00:00+00,infinity)'", '["2024-01-01 00:00:00+00",infinity)'),
        ("datemultirange", "'{[2024-01-01,2024-01-02),[2025-01-01,)}'", "{[2024-01-01,2024-01-02),[2025-01-01,)}"),
        ("inet", "'10.0.0.1/8'", "10.0.0.1/8"),
        ("cidr", "'2001:db8::/32'", "2001:db8::/32"),
        ("macaddr", "'08:00:2b:01:02:03'", "08:00:2b:01:02:03"),
        ("uuid", "'123E4567-e89b-12d3-a456-426655440000'", "123e4567-e89b-12d3-a456-426655440000"),
        ("bit(3)", "B'101'", "101"),
        ("varbit", "B''", ""),
        ("point", "'(1,-2.5)'", "(1,-2.5)"),
        ("polygon", "'((0,0),(1,1))'", "((0,0),(1,1))"),
        ("xml", "'<a>ü</a>'", "<a>ü</a>"),
        ("tsvector", "'b a:1'", "'a':1 'b'"),
        ("hstore", "'a=>1, b=>NULL'", {"a": "1", "b": None}),
        ("hstore[]", "ARRAY['a=>1'::hstore]", [{"a": "1"}]),
        ("ltree", "'Top.Science'", "Top.Science"),
        ("pg_lsn", "'16/B374D848'", "16/B374D848"),
        ("regclass", "'pg_class'", "pg_class"),
    ],
)
async def test_each_type_has_a_form(store: Database, declared: str, literal: str, value: Any) -> None:
    await store.run(
        *DEFINED,
        f"CREATE TABLE t (id int PRIMARY KEY, v {declared})",
        f"INSERT INTO t VALUES (1, {literal}), (2, NULL)",
    )
    wanted = Decimal(literal) if value == "decimal" else value
    found = [row["v"] for row in await store.rows("t") if isinstance(row, dict)]
    assert found == [wanted, None]
    assert type(found[0]) is type(wanted)


def test_what_is_no_json_stays_as_it_is() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert json_of(["nonsense", None, deep]) == ["nonsense", None, deep]


async def test_numbers_that_are_none_are_values(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY, a numeric, b float8)", "INSERT INTO t VALUES (1, 'NaN', 'NaN')"
    )
    [row] = await store.rows("t")
    assert isinstance(row, dict)
    assert math.isnan(row["a"])
    assert math.isnan(row["b"])


async def test_bytes_may_be_left_out_but_not_of_keys(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (k bytea PRIMARY KEY, b bytea, v int)", "INSERT INTO t VALUES ('\\x6162', '\\x01', 1)"
    )
    assert await store.rows("t", given={"binary": "skip"}) == [{"k": b"ab", "v": 1}]


async def test_a_document_is_its_row_with_where_it_is_from(store: Database) -> None:
    await store.run(
        'CREATE SCHEMA "Odd one"',
        f'GRANT USAGE ON SCHEMA "Odd one" TO {USER}',
        'CREATE TABLE "Odd one"."we/ird" (id int, _id int, schema int, "when" timestamptz, PRIMARY KEY (id, _id))',
        'INSERT INTO "Odd one"."we/ird" VALUES (1, 2, 3, \'2024-01-02 01:00+01\')',
        "CREATE TABLE elsewhere (id int)",
    )
    assert await store.documents(cursor_columns="when", schema="Odd one") == [
        {
            "dataset": "we/ird",
            "database": store.name,
            "schema": "Odd one",
            "id": 1,
            "_id_": 2,
            "schema_": 3,
            "when": datetime(2024, 1, 2, tzinfo=UTC),
            "_id": f'{store.name}/Odd one/"we%2Fird"/1/2',
            "_timestamp": datetime(2024, 1, 2, tzinfo=UTC),
        }
    ]


# Tables.


async def test_what_the_user_may_not_read_is_not_there(store: Database) -> None:
    await store.run(
        "CREATE TABLE a (id int PRIMARY KEY, secret int)",
        "CREATE TABLE b (id int PRIMARY KEY)",
        f"REVOKE ALL ON a, b FROM {USER}",
        f"GRANT SELECT (id), INSERT ON a TO {USER}",
        "INSERT INTO a VALUES (1, 2)",
    )
    async with store.opened() as (_, datasets):
        assert {name: one.columns for name, one in datasets.items()} == {"a": ("id",)}
    assert await store.rows("a") == [{"id": 1}]
    with pytest.raises(ConfigurationError, match="no table 'b'"):
        await store.rows("b", given={"tables": "a, b"})
    await store.run(f"REVOKE USAGE ON SCHEMA public FROM PUBLIC, {USER}")
    with pytest.raises(ConfigurationError, match="no table 'a'"):
        await store.rows("a", given={"tables": "a"})


async def test_views_are_read_where_they_are_named(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM t",
    )
    async with store.opened() as (_, datasets):
        assert list(datasets) == ["t"]
    assert await store.rows("v", given={"tables": "v"}) == [{"id": 1}]
    assert await store.rows("m", given={"tables": "m"}) == [{"id": 1}]


async def test_partitions_are_read_as_one_table(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region)",
        "CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a')",
        "CREATE TABLE t_b PARTITION OF t FOR VALUES IN ('b') PARTITION BY RANGE (id)",
        "CREATE TABLE t_b1 PARTITION OF t_b FOR VALUES FROM (0) TO (50)",
        "CREATE TABLE t_b2 PARTITION OF t_b FOR VALUES FROM (50) TO (1000)",
        "INSERT INTO t SELECT n, CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 100) n",
        "ANALYZE",
    )
    async with store.opened(fetch_size=7) as (one, datasets):
        assert {name: (dataset.primary_key, dataset.rows) for name, dataset in datasets.items()} == {
            "t": (("id", "region"), 100)
        }
        assert ids([row async for row in one.read(datasets["t"])]) == list(range(1, 101))


async def test_a_table_that_others_inherit_from_has_no_key(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE TABLE child (more int) INHERITS (t)",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO child VALUES (1, 2)",
    )
    async with store.opened() as (one, datasets):
        assert datasets["t"].primary_key == ()
        assert [row async for row in one.read(datasets["t"])] == [{"id": 1}, {"id": 1}]


@pytest.mark.parametrize(
    ("index", "key", "identity"),
    [
        ("UNIQUE (b) -- may be NULL", (), ()),
        ("UNIQUE (a)", ("a",), ("a",)),
        ("UNIQUE (a) INCLUDE (b)", ("a",), ("a",)),
        ("UNIQUE (a) DEFERRABLE INITIALLY DEFERRED", ("a",), ("a",)),
        ("EXCLUDE USING btree (a WITH =)", (), ()),
        ("; CREATE UNIQUE INDEX ON t (a, c)", ("a", "c"), ("a", "c")),
        ("; CREATE UNIQUE INDEX ON t (a) WHERE b > 0", (), ()),
        ("; CREATE UNIQUE INDEX ON t (lower(c))", (), ()),
        ("; CREATE UNIQUE INDEX ON t (a, lower(c))", (), ()),
        ('; CREATE UNIQUE INDEX ON t (c COLLATE "C")', ("c",), ("c",)),
        ('; CREATE UNIQUE INDEX ON t (c COLLATE "POSIX")', (), ("c",)),
        ("; CREATE UNIQUE INDEX ON t (c text_pattern_ops)", (), ("c",)),
        ("; CREATE UNIQUE INDEX ON t (a DESC, c DESC)", ("a", "c"), ("a", "c")),
        ("; CREATE UNIQUE INDEX ON t (a DESC, c)", (), ("a", "c")),
        ("; CREATE UNIQUE INDEX ON t (a NULLS FIRST)", (), ("a",)),
        ("; CREATE UNIQUE INDEX ON t (f)", (), ("f",)),
    ],
)
async def test_a_unique_index_is_a_key_where_it_can_be(
    store: Database, index: str, key: tuple[str, ...], identity: tuple[str, ...]
) -> None:
    first, _, more = index.partition(";")
    constraint = f", {first}" if first.strip() else ""
    await store.run(
        f'CREATE TABLE t (a int NOT NULL, b int, c text COLLATE "C" NOT NULL, f float8 NOT NULL{constraint}\n)',
        *([more] if more else []),
    )
    async with store.opened() as (one, datasets):
        assert (datasets["t"].primary_key, one._tables["t"].identity) == (key, identity)


async def test_an_index_that_could_not_be_made_is_no_key(store: Database) -> None:
    await store.run("CREATE TABLE t (a int NOT NULL)", "INSERT INTO t VALUES (1), (1)")
    with pytest.raises(Exception, match="could not create unique index"):
        await store.run("CREATE UNIQUE INDEX CONCURRENTLY ON t (a)")
    async with store.opened() as (_, datasets):
        assert datasets["t"].primary_key == ()


# Pages.

KEYS = {
    "bigint": "n - 50",
    "numeric": "(ARRAY['NaN', '1e30', '-1e-30', '0.1'])[1 + n]::numeric",
    "numeric(8,3)": "(n - 20.0) / 8",
    "text": "(ARRAY['a', 'B ', 'ä%', '\\', '''', '😀', 'a b', 'A'])[1 + n % 8] || n / 8",
    'text COLLATE "de-x-icu"': "(ARRAY['a', 'B ', 'ä%', '\\', '''', '😀', 'a b', 'A'])[1 + n % 8] || n / 8",
    "text COLLATE any_case": "(ARRAY['a', 'B ', 'ä%', '\\', '''', '😀', 'a b', 'c'])[1 + n % 8] || n / 8",
    "char(9)": "(ARRAY['a', 'B', 'ä%', '', '''', '😀', 'a b', 'A'])[1 + n % 8] || n / 8",
    "varchar(20)": "repeat('x', n % 10) || n",
    "mood": "(enum_range(NULL::mood))[n]",
    "boolean": "(ARRAY[true, false])[n]",
    "bytea": "int4send(n * 1000)",
    "date": "(ARRAY['infinity', '-infinity', '0044-03-15 BC', '12024-01-01', '2024-01-01'])[n]::date",
    "timestamp": "(ARRAY['infinity', '-infinity', '0044-03-15 BC', '12024-01-01', '2024-01-01 0:00'])[n]::timestamp",
    "timestamptz": "timestamptz '2024-03-31' + n * interval '15 minutes'",
    "time": "(ARRAY['24:00', '23:59:59.5', '0:00'])[n]::time",
    "uuid": "gen_random_uuid()",
    "inet": "inet '10.0.0.0/8' + n",
    "cidr": "network(set_masklen(inet '10.0.0.0/8', n % 20 + 8))",
    "macaddr": "('08:00:2b:01:02:' || n)::macaddr",
    "positive": "n",
}


@pytest.mark.parametrize("declared", KEYS)
async def test_pages_of_any_size_are_all_rows_in_one_order(store: Database, declared: str) -> None:
    await store.run(
        *DEFINED[:3],
        "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        f"CREATE TABLE t (k {declared} PRIMARY KEY, n int)",
    )
    await store.run(
        f"INSERT INTO t SELECT k, n FROM (SELECT {KEYS[declared]} AS k, n FROM generate_series(1, 99) n) a "
        "WHERE k IS NOT NULL ON CONFLICT DO NOTHING"
    )
    whole = [row[0] for row in await store.run("SELECT n FROM t ORDER BY k")]
    assert len(whole) > 1
    for size in (1, 2, 7, 100):
        assert ids(await store.rows("t", given={"fetch_size": size}), "n") == whole
    rows = await store.rows("t")
    middle = len(whole) // 2
    after = rows[middle]
    assert isinstance(after, dict)
    assert ids(await store.rows("t", after=(after["k"],)), "n") == whole[middle + 1 :]


async def plan(one: SQLDataSource, text: str, given: Any) -> str:
    return "\n".join(row[0] for row in (await one._sessions.fetch(f"EXPLAIN {text}", given)).rows)


@pytest.mark.parametrize("direction", ["", "DESC"])
async def test_pages_of_a_key_of_several_columns_are_found_by_its_index(store: Database, direction: str) -> None:
    await store.run(
        "CREATE TABLE t (a int NOT NULL, b varchar(10) NOT NULL, c date NOT NULL, n int)",
        f"CREATE UNIQUE INDEX the_key ON t (a {direction}, b {direction}, c {direction})",
        "INSERT INTO t SELECT n / 500, 'x' || n % 10, date '2024-01-01' + n, n FROM generate_series(1, 20000) n",
        "ANALYZE t",
    )
    async with store.opened() as (one, datasets):
        table = one._tables["t"]
        where = Comparison("n", Operator.GREATER, Literal("10"))
        statements = Statements(one.dialect, table, table.names, where, table.key)
        found = await plan(one, *statements.page((4, "x5", date(2025, 1, 1)), 50))
        assert "the_key" in found
        assert "Index Cond: (ROW(a, (b)::text, c) > ROW('4'::smallint, 'x5'::text, '2025-01-01'::date))" in found
        assert "Sort" not in found
        assert len([row async for row in one.read(datasets["t"], where=where)]) == 19_990


async def test_a_page_that_turns_out_huge_is_not_taken_in_whole(store: Database) -> None:
    large = MOST_BYTES // 32
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY, v text)",
        f"INSERT INTO t SELECT n, repeat('x', CASE WHEN n > 300 THEN {large} ELSE 1 END) FROM "
        "generate_series(1, 380) n",
    )
    sizes = []

    class Watched(PostgreSQLDataSource):
        async def connect(self) -> Any:
            session = await super().connect()
            fetch = session.fetch

            async def watched(*given: Any, **more: Any) -> Fetched:
                page = await fetch(*given, **more)
                sizes.append(page.size)
                return page

            session.fetch = watched  # type: ignore[method-assign]
            return session

    async with Watched(store.source().configuration) as one:
        [dataset] = await one.datasets()
        found = [row["id"] async for row in one.read(dataset) if isinstance(row, dict)]
    assert found == list(range(1, 381))
    assert MOST_BYTES < max(sizes) <= MOST_BYTES + 33 * large


@pytest.mark.parametrize("declared", ["date", "timestamp", "timestamptz"])
@pytest.mark.parametrize("text", ["2025-01-01", "infinity", "12024", "x", "0044-03-15 BC", ""])
async def test_conditions_about_days_of_no_calendar_are_those_about_texts(
    store: Database, declared: str, text: str
) -> None:
    await store.run(
        f"CREATE TABLE t (id int PRIMARY KEY, v {declared})",
        "INSERT INTO t VALUES (1, 'infinity'), (2, '-infinity'), (3, '2024-01-01'), (4, NULL), (5, '12024-01-01'), "
        "(6, '0044-03-15 BC'), (7, '2026-01-01')",
    )
    await _as_without(store, text)


@pytest.mark.parametrize("declared", ["float8", "numeric", "real"])
@pytest.mark.parametrize("text", ["1", "NaN", "Infinity", "-1e400", "1e400", "1e-400"])
async def test_conditions_about_numbers_that_are_none_match_nothing(store: Database, declared: str, text: str) -> None:
    await store.run(
        f"CREATE TABLE t (id int PRIMARY KEY, v {declared})",
        "INSERT INTO t VALUES (1, 'NaN'), (2, 'Infinity'), (3, '-Infinity'), (4, NULL), (5, 0), (6, 2)",
    )
    await _as_without(store, text)


async def _as_without(store: Database, text: str) -> None:
    """Compare what conditions in the database leave with what they leave of all rows."""
    async with store.opened() as (one, datasets):
        rows = [row async for row in one.read(datasets["t"]) if isinstance(row, dict)]
        for how in Operator:
            for where in (Comparison("v", how, Literal(text)), Not(Comparison("v", how, Literal(text)))):
                found = [row async for row in one.read(datasets["t"], where=where) if isinstance(row, dict)]
                kept = [row["id"] for row in found if matches(where, row)]
                assert kept == [row["id"] for row in rows if matches(where, row)], where


async def test_conditions_find_rows_by_an_index(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz)",
        "CREATE INDEX by_time ON t (at)",
        "INSERT INTO t SELECT n, timestamptz '2024-01-01' + n * interval '1 hour' FROM generate_series(1, 20000) n",
        "ANALYZE t",
    )
    async with store.opened() as (one, _):
        table = one._tables["t"]
        where = And((Comparison("id", Operator.LESS, Literal("7")),))
        found = await plan(one, *Statements(one.dialect, table, table.names, where, table.key).page(None, 50))
    assert "Index Cond: (id <" in found


# Errors.


class Said(Exception):
    """What the driver raises, as far as it counts."""

    def __init__(self, words: str, sqlstate: str | None) -> None:
        super().__init__(words)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "words", "kind"),
    [
        ("28P01", "password authentication failed", AccessDenied),
        ("42501", "permission denied for table t", AccessDenied),
        ("25006", "cannot execute DELETE in a read-only transaction", AccessDenied),
        ("3D000", "database does not exist", ConfigurationError),
        ("53300", "sorry, too many clients already", Throttled),
        ("57P01", "terminating connection due to administrator command", SourceUnreachable),
        ("08006", "connection failure", SourceUnreachable),
        ("40001", "canceling statement due to conflict with recovery", SourceUnreachable),
        ("57014", "canceling statement due to user request", SourceUnreachable),
        ("57014", "canceling statement due to statement timeout", SourceError),
        ("XX001", "could not read block", SourceError),
        (None, "FATAL:  sorry, too many clients already", Throttled),
        (None, 'FATAL:  no pg_hba.conf entry for host "1.2.3.4", no encryption', ConfigurationError),
        (None, "SSL error: certificate verify failed", ConfigurationError),
        (None, "server does not support SSL, but SSL was required", ConfigurationError),
        (None, 'FATAL:  database "x" does not exist', ConfigurationError),
        (None, 'FATAL:  role "x" does not exist', AccessDenied),
        (None, "FATAL:  the database system is starting up", SourceUnreachable),
        (None, "server closed the connection unexpectedly", SourceUnreachable),
    ],
)
def test_an_error_of_the_driver_says_what_it_means(
    sqlstate: str | None, words: str, kind: type[ConnectorsError]
) -> None:
    found = explained(Said(words, sqlstate), HERE)
    assert type(found) is kind
    assert "db.example.org:5432" in str(found)
    assert words.removeprefix("FATAL:  ") in str(found)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"port": 1}, SourceUnreachable, "127.0.0.1:1 can't be reached"),
        ({"host": "nothing.invalid"}, SourceUnreachable, "nothing.invalid:"),
        ({"username": "nobody"}, AccessDenied, "refuses the user 'nobody'"),
        ({"password": ""}, AccessDenied, "refuses the user"),
        ({"database": "nothing_here"}, ConfigurationError, "has no database 'nothing_here'"),
        ({"schema": "nothing_here", "tables": "t"}, ConfigurationError, "'nothing_here' has no table 't'"),
        ({"tables": "nothing"}, ConfigurationError, "no table 'nothing'"),
        ({"ssl_enabled": True}, ConfigurationError, "has no encrypted connections"),
        ({"ssl_enabled": True, "ssl_ca": "nonsense"}, ConfigurationError, "certificate"),
    ],
)
async def test_ping_says_what_is_wrong(
    store: Database, given: dict[str, Any], kind: type[ConnectorsError], words: str
) -> None:
    async with store.source(**given) as one:
        with pytest.raises(kind, match=words) as caught:
            await one.ping()
    assert "\n" not in str(caught.value)


@pytest.fixture
async def unencoded(store: Database) -> AsyncIterator[Database]:
    """Provide a database that does not know the encoding of its texts."""
    name = f"{store.name}_ascii"
    await store.run(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    one = Database(store.server, name)
    await one.run("SET client_encoding = 'UTF8'", f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {USER}")
    yield one
    await store.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("fetch_size", [1, 2, 1_000])
async def test_texts_of_no_encoding_are_utf8_or_fail_their_row_alone(unencoded: Database, fetch_size: int) -> None:
    await unencoded.run(
        "CREATE TABLE t (id int, größe text, c char(9), a text[], j jsonb, PRIMARY KEY (größe, id))",
        "INSERT INTO t VALUES (1, 'Größe', 'ü  ', '{ä,b}', '{\"ö\": 1.10}'), (2, E'caf\\351', 'x', NULL, NULL), "
        "(3, E'caf\\351', E'\\344', NULL, NULL), (4, 'a', 'b', ARRAY['x', E'\\374'], NULL), (5, 'z', 'b', NULL, NULL)",
    )
    found = await unencoded.rows("t", given={"fetch_size": fetch_size})
    good = {one["id"]: one for one in found if isinstance(one, dict)}
    assert good == {
        1: {"id": 1, "größe": "Größe", "c": "ü", "a": ["ä", "b"], "j": {"ö": Decimal("1.10")}},
        5: {"id": 5, "größe": "z", "c": "b", "a": None, "j": None},
    }
    failed = [one for one in found if isinstance(one, Failed)]
    assert {one.id: one.reason for one in failed} == {
        f'{unencoded.name}/public/t/"caf%uDCE9"/2': "The text in the column 'größe' is not UTF-8.",
        f'{unencoded.name}/public/t/"caf%uDCE9"/3': "The text in the column 'größe', 'c' is not UTF-8.",
        f"{unencoded.name}/public/t/a/4": "The text in the column 'a' is not UTF-8.",
    }
    assert len(failed) == 3


async def test_queries_and_conditions_of_a_database_without_an_encoding_are_in_utf8(unencoded: Database) -> None:
    await unencoded.run("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'ä'), (2, E'\\344')")
    equal = Comparison("v", Operator.EQUALS, Literal("ä"))
    assert await unencoded.rows("t", where=equal) == [{"id": 1, "v": "ä"}]
    rules = [{"tables": ["t"], "query": "SELECT id, v, 'ü' AS \"ü\" FROM t ORDER BY id"}]
    async with unencoded.source() as one:
        _, first, second = [found async for found in one.get_docs_by_rules(rules)]
    assert isinstance(first, dict)
    assert (first["v"], first["ü"]) == ("ä", "ü")
    assert second == Failed(f"{unencoded.name}/public/t/2", "The text in the column 'v' is not UTF-8.")


# Advanced rules.


async def test_queries_have_the_values_of_tables(store: Database) -> None:
    await store.run(
        *DEFINED,
        "CREATE TABLE t (id int PRIMARY KEY, a jsonb, b mood[], c date, d hstore, e money)",
        "INSERT INTO t VALUES (1, '[1.10]', '{gut}', 'infinity', 'a=>1', 2)",
    )
    found = await _queried(store, "SELECT *, id, '%' AS \"100%\" FROM t -- ;\n;")
    assert found == [
        {
            "dataset": "t",
            "database": store.name,
            "schema": "public",
            "_id": f"{store.name}/public/t/1",
            "id": 1,
            "a": [Decimal("1.10")],
            "b": ["gut"],
            "c": "infinity",
            "d": {"a": "1"},
            "e": "$2.00",
            "id:1": 1,
            "100%": "%",
        }
    ]


async def test_types_that_are_named_as_others_are_their_own(store: Database) -> None:
    await store.run(
        "CREATE SCHEMA own",
        "CREATE TYPE own.json AS ENUM ('{}')",
        "CREATE TYPE own.int4 AS (a date)",
        "CREATE TABLE t (id int PRIMARY KEY, a own.json, b own.int4, c own.json[], d json, e own.int4[])",
        "INSERT INTO t VALUES (1, '{}', ROW('2024-01-01'), ARRAY['{}']::own.json[], '{}', "
        "ARRAY[ROW('2024-01-01')]::own.int4[])",
    )
    wanted = {"id": 1, "a": "{}", "b": {"a": "2024-01-01"}, "c": ["{}"], "d": {}, "e": ["(2024-01-01)"]}
    assert await store.rows("t") == [wanted]
    [found] = await _queried(store, "SELECT * FROM t")
    assert {name: found[name] for name in wanted} == {**wanted, "b": "(2024-01-01)"}


async def test_names_in_queries_are_those_of_the_schema(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY)",
        'CREATE SCHEMA "Own"',
        f'GRANT USAGE ON SCHEMA "Own" TO {USER}',
        'CREATE TABLE "Own".t (id int PRIMARY KEY)',
        'INSERT INTO "Own".t VALUES (7)',
    )
    assert [one["id"] for one in await _queried(store, "SELECT id FROM t", schema="Own")] == [7]


async def test_a_query_that_finds_nothing_is_a_walk_of_nothing(store: Database) -> None:
    await store.run("CREATE TABLE t (id int PRIMARY KEY)")
    assert await _queried(store, "SELECT id FROM t") == []


async def _queried(store: Database, query: str, **given: Any) -> list[dict[str, Any]]:
    snippet = {"advanced_snippet": {"value": {store.name: {"t": query}}}}
    async with store.source(**given) as one:
        return [document async for document in walked(one, Filter(snippet))]
