"""SQL Server: what is asked of it, what becomes of its types, and which of its rows are found, by a rehearsal."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlglot
from sqlglot.errors import ErrorLevel

from connectors.errors import ConfigurationError, SourceError
from connectors.literal import Literal, Operator
from connectors.predicate import ALWAYS, And, Comparison, Not, Or, Predicate
from connectors.sources._mssql.connection import DESCRIBED, SERVER, SETTINGS, UNDO
from connectors.sources._mssql.dialect import MSSQLDialect
from connectors.sources._mssql.values import finest_of, in_utc, json_of, plain_of
from connectors.sources._sql.catalog import Catalog
from connectors.sources._sql.form import Form
from connectors.sources._sql.page import Statements
from connectors.sources._sql.predicate import Kind
from connectors.sources._sql.statement import parameter
from connectors.sources._sql.table import Table, TableColumn
from tests.sources.rehearsal import Refusal, in_sqlite, native
from tests.sources.tds import ACCENTS, OLD, Database, made
from tests.sources.walks import ids

DIALECT = MSSQLDialect()

# What the three questions return of a database, as SQL Server writes it: sys.types and the rules of sys.columns.
TABLES = [
    ("orders", 0, 1_204_332),
    ("Order Details", 0, 5_000),
    ("codes", 0, 12),
    ("heap", 0, 7),
    ("grown", 1, None),
]
COLUMNS = [
    ("orders", "id", "int", False, 1),
    ("orders", "number", "nvarchar(20) collate SQL_Latin1_General_CP1_CI_AS", False, 1),
    ("orders", "placed", "datetime2(7)", False, 1),
    ("orders", "secret", "varchar(max) collate SQL_Latin1_General_CP1_CI_AS", True, 0),
    ("orders", "total", "decimal(19, 4)", True, 1),
    ("Order Details", "order", "int", False, 1),
    ("Order Details", "line", "smallint", False, 1),
    ("Order Details", "twice", "float", True, 1),
    ("codes", "code", "char(3) collate Latin1_General_BIN2", False, 1),
    ("codes", "id", "uniqueidentifier", False, 1),
    ("codes", "maybe", "int", True, 1),
    ("heap", "v", "sql_variant", True, 1),
    ("grown", "id", "int", True, 1),
    ("hidden", "id", "int", False, 0),
]
KEYS = [
    ("orders", "PK_orders", True, "id", 1, False),
    ("orders", "AK_number", False, "number", 1, False),
    ("Order Details", "PK]Details", True, "order", 1, False),
    ("Order Details", "PK]Details", True, "line", 1, False),
    ("codes", "AK_maybe", False, "maybe", 1, False),
    ("codes", "AK_id", False, "id", 1, False),
    ("codes", "AK_mixed", False, "code", 1, False),
    ("codes", "AK_mixed", False, "id", 1, True),
]


@pytest.fixture
def shop() -> Iterator[Database]:
    with made() as found:
        yield found


def catalog() -> Catalog:
    return Catalog.of("dbo", [TABLES, COLUMNS, KEYS], DIALECT.form)


def statement(table: Table, where: Predicate = ALWAYS, *, after: Any = None) -> str:
    return Statements(DIALECT, table, table.names, where, table.key).page(after, 10)[0]


# The catalog.


def test_the_tables_of_a_recorded_catalog_have_their_keys() -> None:
    tables = {one.name: one for one in catalog().chosen(["*"])}
    assert {name: (one.key, one.index, one.rows) for name, one in tables.items()} == {
        "orders": (("id",), "PK_orders", 1_204_332),
        "Order Details": (("order", "line"), "PK]Details", 5_000),
        "codes": (("id",), "AK_id", 12),
        "heap": ((), None, 7),
    }
    assert tables["orders"].names == ("id", "number", "placed", "total")  # no column that may not be read
    with pytest.raises(ConfigurationError, match="no table 'hidden'"):
        catalog().chosen(["hidden"])
    assert catalog().chosen(["grown"])[0].is_view


@pytest.mark.parametrize("text", [*DIALECT.catalog("16.0"), SERVER, DESCRIBED])
def test_each_question_is_a_statement_of_the_dialect(text: str) -> None:
    own = native(text, "tsql")
    (tree,) = sqlglot.parse(own, "tsql", error_level=ErrorLevel.RAISE)
    assert tree is not None
    assert tree.sql("tsql")
    with pytest.raises(Refusal, match="no such schema: sys"):
        in_sqlite(own, "tsql", "dbo")


@pytest.mark.parametrize("text", [SETTINGS.format(timeout_ms=1), UNDO])
def test_each_command_is_one_of_the_dialect(text: str) -> None:
    assert None not in sqlglot.parse(text, "tsql", error_level=ErrorLevel.RAISE)


# Statements.


def test_a_page_is_read_by_its_index_behind_a_key_of_several_columns() -> None:
    table = catalog().chosen(["Order Details"])[0]
    source = "[dbo].[Order Details] WITH (INDEX([PK]]Details]))"
    order, line = "CAST(%(k0)s AS INTEGER)", "CAST(%(k1)s AS SMALLINT)"
    assert statement(table, after=(1, 2)) == (
        f"SELECT TOP (%(most)s) [order], [line], [twice] FROM {source} WHERE [order] >= {order} AND "
        f"([order] > {order} OR ([order] = {order} AND [line] > {line})) ORDER BY [order], [line]"
    )


def test_a_first_page_has_no_condition_and_the_whole_no_order() -> None:
    table = catalog().chosen(["orders"])[0]
    columns = "[id], [number], CAST([placed] AS NVARCHAR(40)), [total]"
    assert statement(table) == (
        f"SELECT TOP (%(most)s) {columns} FROM [dbo].[orders] WITH (INDEX([PK_orders])) ORDER BY [id]"
    )
    whole = Statements(DIALECT, table, table.names, ALWAYS, ()).whole()[0]
    assert whole == f"SELECT {columns} FROM [dbo].[orders]"


@pytest.mark.parametrize(
    ("declared", "given"),
    [
        ("bigint", "CAST(:k AS BIGINT)"),
        ("nvarchar(20) collate Latin1_General_CI_AS", "CAST(:k AS NVARCHAR(20))"),
        ("varchar(20) collate Greek_CI_AS", "CAST(:k COLLATE Greek_CI_AS AS VARCHAR(20))"),
        ("char(3)", "CAST(:k AS CHAR(3))"),
        ("datetime", "CAST(:k AS DATETIME)"),
        ("datetime2(3)", "CAST(:k AS DATETIME2(3))"),
        ("datetimeoffset(7)", "CAST(:k AS DATETIMEOFFSET(7))"),
        ("time(0)", "CAST(:k AS TIME(0))"),
        ("decimal(38, 10)", "CAST(:k AS NUMERIC(38, 10))"),
        ("money", "CAST(:k AS MONEY)"),
        ("bit", "CAST(:k AS BIT)"),
        ("uniqueidentifier", "CAST(:k AS UNIQUEIDENTIFIER)"),
        ("varbinary(16)", "CAST(:k AS VARBINARY(16))"),
        ("timestamp", "CAST(:k AS BINARY(8))"),
    ],
)
def test_a_value_of_a_key_has_the_type_of_its_column(declared: str, given: str) -> None:
    form = DIALECT.form(declared)
    assert form.in_keys
    assert form.given is not None
    assert form.given(parameter("k")).sql("tsql") == given


@pytest.mark.parametrize(
    "declared",
    [
        *("float", "real", "nvarchar(max)", "varchar(max) collate Greek_CI_AS", "text", "ntext", "varbinary(max)"),
        *("image", "xml", "sql_variant", "hierarchyid", "geometry", "json", "vector", "assembly", "surprise", "?"),
    ],
)
def test_what_has_no_order_of_its_own_is_in_no_key(declared: str) -> None:
    assert not DIALECT.form(declared).in_keys


@pytest.mark.parametrize(
    ("declared", "selected"),
    [
        ("varchar(20) collate Greek_CI_AS", "CAST([c] AS NVARCHAR(20))"),
        ("varchar(8000)", "CAST([c] AS NVARCHAR(MAX))"),
        ("text", "CAST([c] AS NVARCHAR(MAX))"),
        ("xml", "CAST([c] AS NVARCHAR(MAX))"),
        ("image", "CAST([c] AS VARBINARY(MAX))"),
        ("hierarchyid", "[c].ToString()"),
        ("geography", "[c].STAsText()"),
        ("datetime2(7)", "CAST([c] AS NVARCHAR(40))"),
        ("datetime2(6)", "[c]"),
        ("nvarchar(20)", "[c]"),
        ("int", "[c]"),
    ],
)
def test_a_column_is_asked_for_in_a_form_that_the_driver_knows(declared: str, selected: str) -> None:
    assert TableColumn("c", declared, nullable=True, form=DIALECT.form(declared)).selected.sql("tsql") == selected


# Conditions.

WORDS = [*("", " ", "a", "A", "a ", " a", "ab", "ba", "a%b", "[a]", "é", "É", "ß", "ss", "😀", "\uffff", "a😀"), None]


def is_so(field: str, how: Operator, text: str) -> Comparison:
    return Comparison(field, how, Literal(text))


@pytest.mark.parametrize("declared", [f"nvarchar(9) COLLATE {ACCENTS}", f"char(9) COLLATE {OLD}"])
async def test_texts_are_told_apart_by_each_character(shop: Database, declared: str) -> None:
    await shop.run(f"CREATE TABLE t (id int PRIMARY KEY, v {declared})")
    for number, word in enumerate(WORDS):
        stored = word if word is None or declared.startswith("nv") else word.ljust(9)
        shop.server.rehearsal.opened().execute("INSERT INTO t VALUES (?, ?)", (number, stored))
    rows: list[Any] = await shop.rows("t")
    for how in (Operator.EQUALS, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.CONTAINS):
        for word in filter(None, WORDS):
            wanted = [one["id"] for one in rows if one["v"] is not None and _holds(how, one["v"], word)]
            found = ids(await shop.rows("t", where=is_so("v", how, word)))
            assert set(wanted) <= set(found), (how, word)
            assert len(found) < len(WORDS) or word == " ", (how, word)


def _holds(how: Operator, value: str, word: str) -> bool:
    match how:
        case Operator.EQUALS:
            return value == word
        case Operator.STARTS_WITH:
            return value.startswith(word)
        case Operator.ENDS_WITH:
            return value.endswith(word)
    return word in value


def condition(kind: str, where: Predicate) -> str:
    table = Table("dbo", "t", (TableColumn("a", kind, nullable=True, form=DIALECT.form(kind)),))
    text = Statements(DIALECT, table, ["a"], where, ()).whole()[0]
    return text.partition(" WHERE ")[2]


def test_conditions_are_those_of_the_dialect() -> None:
    more, less = is_so("a", Operator.GREATER, "5"), is_so("a", Operator.LESS, "2.5")
    assert condition("int", more) == "[a] > %(p0)s"
    assert condition("int", Not(more)) == "CASE WHEN [a] > %(p0)s THEN 1 ELSE 0 END = 0"
    assert condition("int", And((more, Or((less, Not(more)))))) == (
        "[a] > %(p0)s AND ([a] <= %(p1)s OR CASE WHEN [a] > %(p2)s THEN 1 ELSE 0 END = 0)"
    )
    assert condition("int", is_so("a", Operator.GREATER, "1e30")) == "(1 = 0)"
    assert condition("int", is_so("a", Operator.LESS, "1e30")) == "NOT [a] IS NULL"
    assert condition("bit", is_so("a", Operator.EQUALS, "true")) == "[a] = 1"
    exact = "CAST([a] AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2"
    assert condition("varchar(5)", is_so("a", Operator.EQUALS, "x")) == f"[a] = %(p0)s AND {exact} = %(p0)s"
    assert condition("varchar(5)", is_so("a", Operator.CONTAINS, "x")) == f"CHARINDEX(%(p0)s, {exact}) >= 1"
    assert condition("varchar(5)", is_so("a", Operator.ENDS_WITH, "x")) == (
        f"RIGHT(RTRIM({exact}), LEN(%(p0)s COLLATE Latin1_General_100_BIN2)) = %(p0)s"
    )


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("varchar(5)", is_so("a", Operator.GREATER, "x")),
        ("varchar(5)", Not(is_so("a", Operator.EQUALS, "x"))),
        ("varchar(5)", is_so("a", Operator.EQUALS, "x" * 4_001)),
        ("int", is_so("a", Operator.CONTAINS, "1" * 4_001)),
        ("decimal(38, 10)", is_so("a", Operator.GREATER, "1e29")),
        ("decimal(38, 10)", is_so("a", Operator.GREATER, "1e-11")),
        ("datetime", is_so("a", Operator.GREATER, "yesterday")),
        ("datetime", Not(is_so("a", Operator.GREATER, "2024-01-01"))),
        ("datetime", is_so("a", Operator.GREATER, "0001-01-01T00:00:00")),
        ("time(3)", is_so("a", Operator.GREATER, "10:00")),
        ("text", is_so("a", Operator.EQUALS, "x")),
    ],
)
def test_what_can_not_be_said_alike_is_left_out(kind: str, where: Predicate) -> None:
    assert condition(kind, where) in {"", "CASE WHEN (1 = 0) THEN 1 ELSE 0 END = 0"}


def test_a_number_beyond_all_others_is_compared_with_none() -> None:
    assert condition("float", is_so("a", Operator.LESS, "1e400")) == "NOT [a] IS NULL"


@pytest.mark.parametrize("how", [Operator.EQUALS, Operator.GREATER, Operator.GREATER_OR_EQUAL, Operator.LESS])
async def test_times_are_found_though_they_are_read_with_fewer_digits(shop: Database, how: Operator) -> None:
    await shop.run("CREATE TABLE t (id int PRIMARY KEY, v datetime)")
    await shop.run("INSERT INTO t VALUES (1, '2024-01-31 10:00:00.0033333'), (2, '2024-02-01 00:00:00.0000000')")
    found = ids(await shop.rows("t", where=is_so("v", how, "2024-01-31T10:00:00.003")))
    assert found[:1] == ([1] if how is not Operator.GREATER else found[:1])
    assert ids(await shop.rows("t", where=is_so("v", Operator.LESS, "2024-01-30"))) == []
    assert ids(await shop.rows("t", where=is_so("v", Operator.EQUALS, "2024-02-01"))) == [2]


def test_more_conditions_than_a_statement_may_have_values_are_left_out() -> None:
    wide = Or(tuple(is_so("a", Operator.EQUALS, str(number)) for number in range(2_500)))
    table = Table("dbo", "t", (TableColumn("a", "int", nullable=True, form=DIALECT.form("int")),))
    assert len(Statements(DIALECT, table, ["a"], wide, ()).whole()[1]) < 2_090


# Values.


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (time(10, 5), "10:05:00"),
        (datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), datetime(2024, 1, 1, tzinfo=UTC)),
        (datetime(2024, 1, 1), datetime(2024, 1, 1)),  # noqa: DTZ001 - as the driver returns it
        (date(2024, 1, 1), date(2024, 1, 1)),
        (Decimal("1.5"), Decimal("1.5")),
        ("a ", "a "),
        (b"a", b"a"),
    ],
)
def test_a_value_of_any_type_is_as_documents_have_that_type(value: Any, wanted: Any) -> None:
    assert (plain_of(value), type(plain_of(value))) == (wanted, type(wanted))


def test_the_finest_times_keep_their_last_digit() -> None:
    assert finest_of("2024-01-31 10:00:00.1234567") == "2024-01-31T10:00:00.1234567"
    assert finest_of("2024-01-31 10:00:00.1234567 -02:30") == "2024-01-31T10:00:00.1234567-02:30"
    assert finest_of("10:00:00.1234567") == "10:00:00.1234567"


def test_json_is_what_it_holds_and_else_a_text() -> None:
    assert [json_of(text) for text in ('{"a": 1.10}', "{", "[" * 10**6)] == [{"a": Decimal("1.10")}, "{", "[" * 10**6]
    assert in_utc(datetime(2024, 1, 1)) == datetime(2024, 1, 1)  # noqa: DTZ001


async def test_rows_hold_what_documents_have(shop: Database) -> None:
    await shop.run(
        f"""CREATE TABLE t (id int PRIMARY KEY, c varchar(9) COLLATE {OLD}, f char(5) COLLATE {OLD}, d decimal(9, 2),
            m money, r real, b bit, g uniqueidentifier, o datetimeoffset(3), t time(3), j json, v vector,
            p geometry)""",
        """INSERT INTO t VALUES (1, 'a ', 'a    ', 1.5, 2.25, 1.1, 1, '0000000A-0000-0000-0000-00000000000F',
            '2024-01-31 10:00:00.5000000 +00:00', '10:00:00.5000000', '{"a": 1}', '[1, 2.5]', 'POINT (1 2)')""",
    )
    [row] = await shop.rows("t")
    assert row == {
        "id": 1,
        "c": "a ",
        "f": "a",
        "d": Decimal("1.5"),
        "m": Decimal("2.25"),
        "r": 1.1,
        "b": True,
        "g": "0000000a-0000-0000-0000-00000000000f",
        "o": datetime(2024, 1, 31, 10, 0, 0, 500_000, tzinfo=UTC),
        "t": "10:00:00.500000",
        "j": {"a": 1},
        "v": [1.0, 2.5],
        "p": "POINT (1 2)",
    }


# Keys.


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("uniqueidentifier COLLATE guid", [f"{n % 7:08}-0000-0000-000{n % 3}-0000000000{n:02}" for n in range(12)]),
        ("datetime", [f"2024-01-31 10:00:0{n // 300}.{n % 300 * 10_000_000 // 300:07}" for n in range(0, 900, 61)]),
        ("datetime2(7)", [f"2024-01-31 10:00:00.123456{n}" for n in range(10)]),
        ("datetimeoffset(7)", [f"2024-01-31 10:00:00.123456{n} +00:00" for n in range(10)]),
        (f"varchar(9) COLLATE {OLD}", ["a", "B", "c ", "D", "é", "ß", "a-b", "ab", "_", ""]),
        ("binary(2)", None),
    ],
)
async def test_each_row_is_read_once_in_pages_of_any_size(
    shop: Database, declared: str, values: list[str] | None, size: int
) -> None:
    await shop.run(f"CREATE TABLE t (v {declared} NOT NULL, n int NOT NULL, PRIMARY KEY (v, n))")
    marks = values if values is not None else [bytes([n % 3, n]) for n in range(10)]
    writer = shop.server.rehearsal.opened()
    for n, one in enumerate([*marks, *marks[:3]]):
        writer.execute("INSERT INTO t VALUES (?, ?)", (one, n))
    rows: list[Any] = await shop.rows("t", given={"fetch_size": size})
    assert sorted(ids(rows, "n")) == list(range(len(marks) + 3))
    ordered = writer.execute("SELECT n FROM t ORDER BY v, n").fetchall()
    assert ids(rows, "n") == [n for (n,) in ordered]
    documents = await shop.documents(fetch_size=size)
    assert len({one["_id"] for one in documents}) == len(rows)


async def test_bytes_are_sent_as_bytes_and_not_as_a_text(shop: Database) -> None:
    await shop.run("CREATE TABLE t (v varbinary(4) PRIMARY KEY)", "INSERT INTO t VALUES (x'01'), (x'ff00')")
    assert ids(await shop.rows("t", given={"fetch_size": 1}), "v") == [b"\x01", b"\xff\x00"]


async def test_a_query_is_run_as_it_stands_and_columns_without_names_have_their_places(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id int PRIMARY KEY, g uniqueidentifier, f char(3), r real)")
    await shop.run("INSERT INTO t VALUES (1, '0000000A-0000-0000-0000-00000000000F', 'a  ', 1.1)")
    query = "SELECT t.*, 7 AS [of, brackets] FROM dbo.t -- '%(x)s'\n;"
    async with shop.source() as one:
        rows = [row async for row in one.native_query(query)]
    guid = "0000000a-0000-0000-0000-00000000000f"
    assert rows == [{"id": 1, "g": guid, "f": "a", "r": 1.1, "of, brackets": 7}]
    assert shop.server.statements[-1] == query
    assert shop.server.given[-1] is None


async def test_another_schema_has_other_tables(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id int PRIMARY KEY)")
    async with shop.source(schema="sales") as one:
        assert await one.datasets() == []
    with pytest.raises(ConfigurationError, match="no table"):
        await shop.documents(schema="sales", tables="t")


async def test_documents_say_where_they_are_from(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    assert await shop.documents() == [
        {"_id": "shop/dbo/t/1", "id": 1, "dataset": "t", "database": "shop", "schema": "dbo"}
    ]


def test_an_unknown_type_stays_as_it_is() -> None:
    assert DIALECT.form("surprise") == Form(made=plain_of)
    assert DIALECT.form("(") == Form(made=plain_of)
    assert DIALECT.form("ntext").kind is Kind.OTHER


async def test_a_table_that_was_dropped_meanwhile_is_an_error(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    async with shop.source() as one:
        [dataset] = await one.datasets()
        await one.close()
    async with shop.source() as one:
        [dataset] = await one.datasets()
        await shop.run("DROP TABLE t")
        one._sessions.renew()
        with pytest.raises(SourceError, match="no such table"):
            [True async for _ in one.read(dataset)]
