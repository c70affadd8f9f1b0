"""MySQL: what becomes of its values, which of its tables are read, and in what pages."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import asyncmy
import pytest

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.dataset import Dataset
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
from connectors.sources._mysql.errors import explained
from connectors.sources._mysql.values import json_of
from connectors.sources._sql.address import Address
from connectors.sources._sql.page import MOST_BYTES, PageSize, Statements
from connectors.sources._sql.session import Fetched
from connectors.sources._tls import pem_of
from connectors.sources.mysql import MySQLDataSource
from fixtures.mysql.server import USER
from tests.sources.mariadb import Database
from tests.sources.walks import ids, walked

HERE = Address("db.example.org", 3306, "me", "shop")


# Values.


@pytest.mark.parametrize(
    ("declared", "literal", "value"),
    [
        ("TINYINT(1)", "1", 1),
        ("BIGINT UNSIGNED", "18446744073709551615", 18446744073709551615),
        ("INT(5) ZEROFILL", "7", 7),
        ("DECIMAL(40,10)", "-123456789012345678901234567890.0000000001", None),
        ("FLOAT", "123456.78", 123456.78),
        ("FLOAT", "1.1", 1.1),
        ("FLOAT", "16777217", 16777216.0),
        ("DOUBLE", "0.1", 0.1),
        ("BIT(64)", "b'1000000000000000000000000000000000000000000000000000000000000001'", 2**63 + 1),
        ("YEAR", "1987", 1987),
        ("DATE", "'2024-02-29'", date(2024, 2, 29)),
        ("DATE", "'0000-00-00'", None),
        ("DATE", "'2024-00-00'", None),
        ("DATETIME", "'0000-00-00 00:00:00'", None),
        ("DATETIME(6)", "'2024-02-29 23:59:59.000001'", datetime(2024, 2, 29, 23, 59, 59, 1)),  # noqa: DTZ001
        ("TIMESTAMP", "'2024-03-31 02:30:00'", datetime(2024, 3, 31, 2, 30)),  # noqa: DTZ001
        ("TIME", "'-838:59:59'", "-838:59:59"),
        ("TIME(3)", "'1:02:03.5'", "01:02:03.500"),
        ("CHAR(5)", "'ab  '", "ab"),
        ("VARCHAR(9)", "'ab  '", "ab  "),
        ("VARCHAR(9) CHARACTER SET latin1", "'Größe €'", "Größe €"),
        ("TEXT", "'\\0 \\\\ \\' 👩‍👩‍👧'", "\0 \\ ' 👩‍👩‍👧"),
        ("BINARY(3)", "'a'", b"a\0\0"),
        ("BLOB", "x'00FF'", b"\0\xff"),
        ("ENUM('x','it''s')", "2", "it's"),
        ("SET('x','y z')", "3", ["x", "y z"]),
        ("SET('x','y z')", "''", []),
        ("JSON", "'{\"a\": [1.10, 12345678901234567890, null]}'", {"a": [Decimal("1.10"), 12345678901234567890, None]}),
        ("JSON", "'7'", 7),
        ("POINT", "ST_GeomFromText('POINT(1 -2.5)')", {"type": "Point", "coordinates": [1.0, -2.5]}),
        ("UUID", "'123e4567-e89b-12d3-a456-426655440000'", "123e4567-e89b-12d3-a456-426655440000"),
        ("INET6", "'2001:db8::1'", "2001:db8::1"),
    ],
)
async def test_each_type_has_a_form(shop: Database, declared: str, literal: str, value: Any) -> None:
    await shop.run(
        f"CREATE TABLE t (id INT PRIMARY KEY, v {declared} NULL)",
        "SET sql_mode = '', time_zone = '+00:00'",
        f"INSERT INTO t VALUES (1, {literal}), (2, NULL)",
    )
    wanted = Decimal(literal) if declared.startswith("DECIMAL") else value
    found = [row["v"] for row in await shop.rows("t") if isinstance(row, dict)]
    assert found == [wanted, None]
    assert type(found[0]) is type(wanted)


async def test_times_are_in_utc_whatever_the_server_thinks(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v TIMESTAMP)",
        "SET time_zone = '+05:30'",
        "INSERT INTO t VALUES (1, '2024-01-01 05:30:00')",
    )
    assert [row["v"] for row in await shop.rows("t") if isinstance(row, dict)] == [datetime(2024, 1, 1)]  # noqa: DTZ001


def test_what_is_no_json_stays_a_text() -> None:
    assert [json_of(text) for text in ("{", "[" * 10**6, '"a"')] == ["{", "[" * 10**6, "a"]


async def test_bytes_may_be_left_out_but_not_of_keys(shop: Database) -> None:
    await shop.run("CREATE TABLE t (k BINARY(2) PRIMARY KEY, b BLOB, v INT)", "INSERT INTO t VALUES ('ab', 'x', 1)")
    assert await shop.rows("t", given={"binary": "skip"}) == [{"k": b"ab", "v": 1}]


async def test_a_document_is_its_row_with_where_it_is_from(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE `we/ird` (id INT, `_id` INT, `when` DATETIME, PRIMARY KEY (id, `_id`))",
        "INSERT INTO `we/ird` VALUES (1, 2, '2024-01-02')",
    )
    assert await shop.documents(cursor_columns="when") == [
        {
            "dataset": "we/ird",
            "database": shop.name,
            "id": 1,
            "_id_": 2,
            "when": datetime(2024, 1, 2),  # noqa: DTZ001
            "_id": f'{shop.name}/"we%2Fird"/1/2',
            "_timestamp": datetime(2024, 1, 2),  # noqa: DTZ001
        }
    ]


async def clashing(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY, dataset INT, `database` INT, database_ INT)",
        "INSERT INTO t VALUES (1, 2, 3, 4), (5, 6, 7, 8)",
    )


async def test_a_column_loses_its_name_to_what_documents_say_of_themselves(shop: Database) -> None:
    await clashing(shop)
    own = {"dataset": "t", "database": shop.name}
    assert await shop.documents() == [
        {**own, "id": 1, "dataset_": 2, "database__": 3, "database_": 4, "_id": f"{shop.name}/t/1"},
        {**own, "id": 5, "dataset_": 6, "database__": 7, "database_": 8, "_id": f"{shop.name}/t/5"},
    ]


async def test_a_column_keeps_its_name_where_a_prefix_sets_them_apart(shop: Database) -> None:
    await clashing(shop)
    own = {"source_dataset": "t", "source_database": shop.name}
    first, _ = await shop.documents(field_prefix="source_")
    assert first == {**own, "id": 1, "dataset": 2, "database": 3, "database_": 4, "_id": f"{shop.name}/t/1"}
    query = [{"tables": ["t"], "query": "SELECT id, id AS source_dataset FROM t WHERE id = 1"}]
    async with shop.source(field_prefix="source_") as one:
        found = [each async for each in walked(one, Filter({"advanced_snippet": {"value": query}}))]
    assert found == [{**own, "id": 1, "source_dataset_": 1, "_id": f"{shop.name}/t/1"}]


@pytest.mark.parametrize("prefix", ["a.", "1", " ", "ä"])
async def test_a_prefix_is_made_of_plain_letters(shop: Database, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="field_prefix"):
        await shop.documents(field_prefix=prefix)


@pytest.mark.parametrize(("field", "value"), [("database", "{}"), ("database__", "3"), ("database_", "4")])
async def test_a_rule_is_about_the_document_where_a_column_has_such_a_name(
    shop: Database, field: str, value: str
) -> None:
    await clashing(shop)
    drop = {"id": "1", "policy": "exclude", "field": "id", "rule": "equals", "value": "5", "order": 1}
    keep = {"id": "2", "policy": "include", "field": field, "rule": "equals", "value": value.format(shop.name)}
    last = {"id": "3", "policy": "exclude", "field": "id", "rule": "<", "value": "9", "order": 3}
    filtering = Filter({"rules": [drop, {**keep, "order": 2}, last]})
    rules = filtering.basic_rules
    async with shop.source() as one:
        found = [each["id"] async for each in walked(one, filtering) if rules.keeps(each)]
    assert found == [1]


# Tables.


async def test_what_the_user_may_not_read_is_not_there(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE a (id INT PRIMARY KEY, secret INT)",
        "CREATE TABLE b (id INT PRIMARY KEY)",
        f"REVOKE ALL ON {shop.name}.* FROM '{USER}'@'127.0.0.1'",
        f"GRANT SELECT (id), INSERT ON {shop.name}.a TO '{USER}'@'127.0.0.1'",
        f"GRANT INSERT ON {shop.name}.b TO '{USER}'@'127.0.0.1'",
        "INSERT INTO a VALUES (1, 2)",
    )
    async with shop.opened() as (_, datasets):
        assert {name: one.columns for name, one in datasets.items()} == {"a": ("id",)}
    assert await shop.rows("a") == [{"id": 1}]
    with pytest.raises(ConfigurationError, match="no table 'b'"):
        await shop.rows("b", given={"tables": "a, b"})


async def test_a_view_is_read_where_it_is_named(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)", "CREATE VIEW v AS SELECT * FROM t"
    )
    async with shop.opened() as (_, datasets):
        assert list(datasets) == ["t"]
    assert await shop.rows("v", given={"tables": "v"}) == [{"id": 1}]


async def test_rows_without_a_key_are_told_apart_by_what_they_hold(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (a INT UNIQUE, b TEXT)",
        "INSERT INTO t VALUES (NULL, 'x'), (NULL, 'x'), (NULL, 'y'), (1, 'x')",
    )
    found = [one["_id"] for one in await shop.documents()]
    assert len(found) == 4
    assert len(set(found)) == 3
    assert all(re.fullmatch(rf"{shop.name}/t/row-[0-9a-f]{{32}}", one) for one in found)
    assert found == [one["_id"] for one in await shop.documents()]


async def test_a_key_without_an_order_makes_ids_and_no_pages(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (kind ENUM('b', 'a'), n INT, v TEXT, raw BLOB, PRIMARY KEY (kind, n))",
        "INSERT INTO t VALUES ('a', 1, 'x', 'y'), ('b', 1, 'x', 'y'), ('b', 2, 'x', 'y')",
    )
    wanted = {f"{shop.name}/t/{key}" for key in ("a/1", "b/1", "b/2")}
    assert {one["_id"] for one in await shop.documents()} == wanted
    assert await shop.rows("t", columns=(), where=And()) == [
        {"kind": "b", "n": 1},
        {"kind": "b", "n": 2},
        {"kind": "a", "n": 1},
    ]
    async with shop.source() as one:
        rules = [{"tables": ["t"], "query": "SELECT n, kind FROM t"}]
        found = [document["_id"] async for document in walked(one, Filter({"advanced_snippet": {"value": rules}}))]
    assert set(found) == wanted


async def test_a_key_whose_texts_are_not_found_again_is_read_all_at_once(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (k VARCHAR(9) CHARACTER SET cp932 COLLATE cp932_bin PRIMARY KEY, n INT)",
        "INSERT INTO t VALUES (_cp932 x'879C', 1), (_cp932 x'81BE', 2), (_cp932 x'8754', 3), (_cp932 x'EEF9', 4)",
    )
    assert sorted(ids(await shop.rows("t", given={"fetch_size": 1}), "n")) == [1, 2, 3, 4]


async def test_a_dataset_whose_key_is_another_now_has_to_be_found_anew(shop: Database) -> None:
    await shop.run("CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE NOT NULL)", "INSERT INTO t VALUES (1, 2)")
    async with shop.opened() as (_, datasets):
        await shop.run("ALTER TABLE t DROP PRIMARY KEY")
        async with shop.source() as other:
            with pytest.raises(SourceError, match="no longer"):
                [row async for row in other.read(datasets["t"])]
            [dataset] = await other.datasets()
            assert dataset.primary_key == ("b",)
            assert ids([row async for row in other.read(dataset)], "a") == [1]


async def test_behind_the_key_that_was_there_a_table_is_read_from_its_beginning(shop: Database) -> None:
    await shop.run("CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, b))", "INSERT INTO t VALUES (1, 2), (3, 4)")
    assert ids(await shop.rows("t", after=(3,)), "a") == [1, 3]
    assert ids(await shop.rows("t", after=(1, 2)), "a") == [3]


async def test_a_walk_of_a_table_without_a_key_has_no_checkpoints(shop: Database) -> None:
    await shop.run("CREATE TABLE t (a INT)", "INSERT INTO t SELECT seq FROM seq_1_to_2500")
    async with shop.source() as one:
        kinds = [type(found) for found in [each async for each in one.get_docs_from(None)]]
    assert kinds == [Dataset] + [tuple] * 2500


async def test_a_key_that_is_no_real_date_is_a_row_that_cannot_be_read(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (day DATE PRIMARY KEY)",
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        "INSERT INTO t VALUES ('0000-00-00'), ('2024-01-01'), ('2024-02-00'), ('2024-02-31'), ('2024-03-01')",
    )
    found = await shop.rows("t", given={"fetch_size": 1})
    assert [row["day"] for row in found if isinstance(row, dict)] == [date(2024, 1, 1), date(2024, 3, 1)]
    assert [one.id for one in found if isinstance(one, Failed)] == [
        f'{shop.name}/t/"0000-00-00"',
        f'{shop.name}/t/"2024-02-00"',
        f'{shop.name}/t/"2024-02-31"',
    ]


# Pages.

KEYS = {
    "INT": "CAST(seq AS SIGNED) - 50",
    "BIGINT UNSIGNED": "18446744073709551615 - seq",
    "DECIMAL(8,3)": "(seq - 20.0) / 8",
    "VARCHAR(20)": "ELT(1 + seq MOD 6, CONCAT('a', seq), CONCAT('B ', seq), CONCAT('ä%', seq), CONCAT('\\\\', seq), "
    "CONCAT('\\'', seq), CONCAT('😀', seq))",
    "VARCHAR(20) COLLATE utf8mb4_bin": "IF(seq MOD 2, CONCAT('a', seq DIV 2), CONCAT('A', seq DIV 2))",
    "CHAR(9) CHARACTER SET latin1": "CONCAT(CHAR(64 + seq USING latin1), seq)",
    "VARBINARY(9)": "CONCAT(UNHEX(HEX(seq * 255)), '\\0')",
    "DATE": "'2024-01-01' + INTERVAL seq * 40 DAY",
    "DATETIME(6)": "'2024-01-01' + INTERVAL seq MICROSECOND",
    "TIMESTAMP(3)": "'2024-03-31' + INTERVAL seq * 15 MINUTE",
    "TIME(2)": "SEC_TO_TIME((CAST(seq AS SIGNED) - 50) * 40000 / 7)",
    "UUID": "UUID()",
}


@pytest.mark.parametrize("declared", KEYS)
async def test_pages_of_any_size_are_all_rows_in_one_order(shop: Database, declared: str) -> None:
    await shop.run(f"CREATE TABLE t (k {declared} PRIMARY KEY, n INT)")
    await shop.run(f"INSERT INTO t SELECT {KEYS[declared]}, seq FROM seq_1_to_100")
    whole = [row[0] for row in await shop.run("SELECT n FROM t ORDER BY k")]
    assert len(whole) == 100
    for size in (1, 7, 100):
        assert ids(await shop.rows("t", given={"fetch_size": size}), "n") == whole
    rows = await shop.rows("t")
    after = rows[41]
    assert isinstance(after, dict)
    assert ids(await shop.rows("t", after=(after["k"],)), "n") == whole[42:]


async def test_pages_of_a_key_of_several_columns_are_found_by_its_index(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (a INT, b VARCHAR(10), c DATE, n INT, KEY (n), PRIMARY KEY (a, b, c))",
        "INSERT INTO t SELECT seq DIV 500, CONCAT('x', seq MOD 10), '2024-01-01' + INTERVAL seq DAY, seq "
        "FROM seq_1_to_5000",
    )
    async with shop.opened() as (one, datasets):
        table = one._tables["t"]
        conditions = [Comparison("n", Operator.GREATER, Literal(number)) for number in ("4990", "10")]
        for where in conditions:  # for the first of which the server would take the other index, and sort
            statements = Statements(one.dialect, table, table.names, where, table.key)
            text, given = statements.page((4, "x5", date(2025, 1, 1)), 50)
            explained = (await one._sessions.fetch(f"EXPLAIN {text}", given)).rows[0]
            assert (explained[3], explained[5]) == ("range", "PRIMARY")
            assert "filesort" not in explained[-1]
        assert len([row async for row in one.read(datasets["t"], where=conditions[1])]) == 4990


async def test_pages_by_a_unique_index_are_found_by_it(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (k VARCHAR(20) NOT NULL UNIQUE, v TEXT)",
        "INSERT INTO t SELECT CONCAT('k', seq), REPEAT('x', 100) FROM seq_1_to_2000",
    )
    async with shop.opened() as (one, _):
        table = one._tables["t"]
        text, given = Statements(one.dialect, table, table.names, And(), table.key).page(("k5",), 500)
        explained = (await one._sessions.fetch(f"EXPLAIN {text}", given)).rows[0]
        assert (explained[3], explained[5]) == ("range", "k")
        assert "filesort" not in explained[-1]


def test_pages_grow_up_to_their_bytes_and_shrink_where_rows_are_large() -> None:
    size = PageSize(5_000)
    assert size.rows == 250
    for rows, bytes_of_page, wanted in [
        (250, 25_000, 500),
        (500, 50_000, 1_000),
        (1_000, 8_388_608, 500),
        (3, 10**9, 1),
    ]:
        size.learn(Fetched([()] * rows, bytes_of_page, complete=True))
        assert size.rows == wanted
    for _ in range(20):
        size.learn(Fetched([()] * size.rows, 10, complete=True))
    assert size.rows == 5_000


async def test_a_page_that_turns_out_huge_is_not_taken_in_whole(shop: Database) -> None:
    large = MOST_BYTES // 8
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)",
        f"INSERT INTO t SELECT seq, IF(seq > 300, REPEAT('x', {large}), 'x') FROM seq_1_to_330",
    )
    sizes = []

    class Watched(MySQLDataSource):
        async def connect(self) -> Any:
            session = await super().connect()
            fetch = session.fetch

            async def watched(*given: Any, **more: Any) -> Fetched:
                page = await fetch(*given, **more)
                sizes.append(page.size)
                return page

            session.fetch = watched  # type: ignore[method-assign]
            return session

    async with Watched(shop.source().configuration) as one:
        [dataset] = await one.datasets()
        found = [row["id"] async for row in one.read(dataset) if isinstance(row, dict)]
    assert found == list(range(1, 331))
    assert MOST_BYTES < max(sizes) < MOST_BYTES + 3 * large


async def test_a_negated_condition_about_a_date_keeps_what_is_no_date(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY, day DATE)",
        "SET sql_mode = ''",
        "INSERT INTO t VALUES (1, '0000-00-00'), (2, '2024-01-01'), (3, NULL)",
    )
    where = Not(Comparison("day", Operator.LESS, Literal("2025-01-01")))
    found = await shop.rows("t", where=where)
    assert [row["id"] for row in found if isinstance(row, dict) and matches(where, row)] == [1, 3]


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1e-400"])
async def test_a_number_beyond_all_others_is_compared(shop: Database, text: str) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY, v DOUBLE)", "INSERT INTO t VALUES (1, -1), (2, 1), (3, NULL)")
    for how in (Operator.LESS, Operator.EQUALS, Operator.GREATER):
        where = Comparison("v", how, Literal(text))
        wanted = [row for row in await shop.rows("t") if isinstance(row, dict) and matches(where, row)]
        assert [
            row for row in await shop.rows("t", where=where) if isinstance(row, dict) and matches(where, row)
        ] == wanted


# Errors.


@pytest.mark.parametrize(
    ("number", "words", "kind"),
    [
        (1045, "Access denied for user 'me'", AccessDenied),
        (1044, "Access denied for user to database", AccessDenied),
        (1142, "SELECT command denied", AccessDenied),
        (1792, "Cannot execute statement in a READ ONLY transaction", AccessDenied),
        (1049, "Unknown database 'shop'", ConfigurationError),
        (3159, "Connections using insecure transport are prohibited", ConfigurationError),
        (2003, "Can't connect (certificate verify failed: CERTIFICATE_VERIFY_FAILED)", ConfigurationError),
        (0, "cryptography is required for caching_sha2_password", ConfigurationError),
        (1040, "Too many connections", Throttled),
        (1053, "Server shutdown in progress", SourceUnreachable),
        (2013, "Lost connection", SourceUnreachable),
        (1412, "Table definition has changed", SourceUnreachable),
        (0, "Not connected", ConnectorsError),
    ],
)
def test_an_error_of_the_driver_says_what_it_means(number: int, words: str, kind: type[ConnectorsError]) -> None:
    found = explained(asyncmy.errors.MySQLError(number, words), HERE)
    assert isinstance(found, kind)
    assert "db.example.org:3306" in str(found)
    assert words in str(found)


def test_a_server_that_does_not_answer_is_not_reached() -> None:
    assert "no answer came in time" in str(explained(TimeoutError(), HERE))


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"port": 1}, SourceUnreachable, "127.0.0.1:1 can't be reached"),
        ({"user": "nobody"}, AccessDenied, "refuses the user 'nobody'"),
        ({"password": ""}, AccessDenied, "refuses the user"),
        ({"database": "nothing_here"}, AccessDenied, "denied"),
        ({"tables": "nothing"}, ConfigurationError, "no table 'nothing'"),
        ({"ssl_enabled": True}, ConfigurationError, "has no encrypted connections"),
        ({"ssl_enabled": True, "ssl_ca": "nonsense"}, ConfigurationError, "certificate"),
    ],
)
async def test_ping_says_what_is_wrong(
    shop: Database, given: dict[str, Any], kind: type[ConnectorsError], words: str
) -> None:
    async with shop.source(**given) as one:
        with pytest.raises(kind, match=words):
            await one.ping()


def test_a_certificate_may_have_lost_its_lines() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\nAAAA\n-----END CERTIFICATE-----\n"
    assert pem_of(pem.replace("\n", " ")) == pem_of(pem) == pem
