"""Oracle: what becomes of its values, how its tables are found and asked, and what its errors mean."""

import array
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import oracledb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.byoc import Filter
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
from connectors.sources._oracle.dialect import OracleDialect
from connectors.sources._oracle.errors import explained
from connectors.sources._oracle.results import Columns, fetched_as, rows_at_once
from connectors.sources._oracle.values import (
    file_of,
    instant_of,
    json_of,
    moment_of,
    months_of,
    number_of,
    plain_of,
    span_of,
    text_of,
    unpadded,
)
from connectors.sources._sql.address import Address
from connectors.sources._sql.catalog import Catalog
from connectors.sources._sql.page import Statements
from connectors.sources._sql.predicate import Kind
from connectors.sources._sql.table import Table
from tests.sources.oracle_stand_in import SERVICE, Connection, described, dpy, made, ora
from tests.sources.walks import ids, walked

HERE = Address("db.example.org", 1521, "CONNECTORS", "FREEPDB1")
DIALECT = OracleDialect()


# Values.


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Decimal(5), 5),
        (Decimal("-0"), 0),
        (Decimal("1.5"), Decimal("1.5")),
        (Decimal("123456789012345678901234567890.0000000001"), Decimal("123456789012345678901234567890.0000000001")),
        (Decimal("1e125"), 10**125),
        (7, 7),
    ],
)
def test_a_number_is_whole_where_it_can_be(value: Any, wanted: Any) -> None:
    found = number_of(value)
    assert (type(found), found) == (type(wanted), wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (" 2024-02-29T23:59:59", datetime(2024, 2, 29, 23, 59, 59)),  # noqa: DTZ001
        (" 0001-01-01T00:00:00.000000000", datetime(1, 1, 1)),  # noqa: DTZ001
        (" 9999-12-31T23:59:59.999999000", datetime(9999, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001
        (" 2024-01-01T00:00:00.000000001", "2024-01-01T00:00:00.000000001"),
        ("-0044-03-15T12:00:00", "-0044-03-15T12:00:00"),
        (" 0000-01-01T00:00:00", "0000-01-01T00:00:00"),
        (datetime(2024, 1, 1), datetime(2024, 1, 1)),  # noqa: DTZ001
    ],
)
def test_a_time_is_one_where_python_has_it(text: Any, wanted: Any) -> None:
    assert moment_of(text) == wanted


def test_an_instant_is_in_utc() -> None:
    assert instant_of(" 2024-01-01T10:00:00.500000000") == datetime(2024, 1, 1, 10, 0, 0, 500_000, UTC)
    assert instant_of("-0044-03-15T12:00:00.000000000") == "-0044-03-15T12:00:00.000000000+00:00"


@given(st.datetimes())
def test_what_is_written_of_a_time_is_read_as_that(moment: datetime) -> None:
    assert moment_of(text_of(moment)) == moment
    assert text_of(moment.replace(tzinfo=UTC)) == text_of(moment)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (timedelta(0), "PT0S"),
        (timedelta(days=3, hours=4, minutes=5, seconds=6.5), "P3DT4H5M6.5S"),
        (timedelta(days=-1, hours=-2), "P-1DT-2H"),
        (timedelta(microseconds=-1), "PT-0.000001S"),
        (timedelta(days=999_999_999), "P999999999D"),
    ],
)
def test_a_span_is_in_iso_8601(value: timedelta, wanted: str) -> None:
    assert span_of(value) == wanted


@pytest.mark.parametrize(
    ("years", "months", "wanted"), [(1, 2, "P1Y2M"), (-1, -2, "P-1Y-2M"), (0, 0, "PT0S"), (3, 0, "P3Y")]
)
def test_months_are_in_iso_8601(years: int, months: int, wanted: str) -> None:
    assert months_of(oracledb.IntervalYM(years, months)) == wanted
    assert plain_of(oracledb.IntervalYM(years, months)) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ('{"a": [1.10, 12345678901234567890, null]}', {"a": [Decimal("1.10"), 12345678901234567890, None]}),
        (b'{"a": "\xc3\xbc"}', {"a": "ü"}),
        ("{", "{"),
        ("[" * 10**6, "[" * 10**6),
        ({"a": Decimal(1)}, {"a": 1}),
    ],
)
def test_json_is_what_it_holds(value: Any, wanted: Any) -> None:
    assert json_of(value) == wanted


def test_values_with_parts_become_objects_and_lists() -> None:
    kind = SimpleNamespace(iscollection=False, attributes=[SimpleNamespace(name="X"), SimpleNamespace(name="SCAN")])
    point = SimpleNamespace(type=kind, X=Decimal("1.5"), SCAN=SimpleNamespace(getchunksize=None, type="a LOB"))
    several = SimpleNamespace(type=SimpleNamespace(iscollection=True), aslist=lambda: [point, None])
    sparse = oracledb.SparseVector(9, [2], [0.5])
    assert plain_of(several) == [{"X": Decimal("1.5"), "SCAN": None}, None]
    assert plain_of(sparse) == {"dimensions": 9, "indices": [2], "values": [0.5]}
    assert plain_of({"v": array.array("b", [1, -1]), "t": timedelta(hours=1)}) == {"v": [1, -1], "t": "PT1H"}
    assert plain_of("7") == "7"
    assert file_of(SimpleNamespace(getfilename=lambda: ("SCANS", "a.pdf"))) == "SCANS/a.pdf"
    assert unpadded("a b  ") == "a b"


# What the driver is told.


def variables(*columns: oracledb.FetchInfo) -> list[oracledb.Var | None]:
    """Return what is asked for, of cursors of the driver's own."""
    with made() as database:
        cursor = Connection(database.server).cursor()
        return [fetched_as(cursor, one) for one in columns]


async def test_the_driver_returns_what_can_be_kept() -> None:
    wanted = [
        (described("clob", oracledb.DB_TYPE_CLOB), oracledb.DB_TYPE_LONG),
        (described("nclob", oracledb.DB_TYPE_NCLOB), oracledb.DB_TYPE_LONG_NVARCHAR),
        (described("blob", oracledb.DB_TYPE_BLOB), oracledb.DB_TYPE_LONG_RAW),
        (described("json", oracledb.DB_TYPE_CLOB, is_json=True), oracledb.DB_TYPE_LONG),
        (described("short", oracledb.DB_TYPE_VARCHAR, is_json=True, max_size=99), oracledb.DB_TYPE_VARCHAR),
        (described("oson", oracledb.DB_TYPE_BLOB, is_json=True, is_oson=True), None),
        (described("native", oracledb.DB_TYPE_JSON, is_json=True, is_oson=True), None),
        (described("text", oracledb.DB_TYPE_VARCHAR, max_size=10), None),
        (described("id", oracledb.DB_TYPE_NUMBER, precision=10), oracledb.DB_TYPE_NUMBER),
        (described("price", oracledb.DB_TYPE_NUMBER, precision=10, scale=2), oracledb.DB_TYPE_NUMBER),
    ]
    found = variables(*(one for one, _ in wanted))
    assert [one if one is None else one.type for one in found] == [kind for _, kind in wanted]
    assert all(one is None or one.num_elements == 100 for one in found)


def test_as_many_rows_come_at_once_as_are_not_too_large() -> None:
    number, text = described("n", oracledb.DB_TYPE_NUMBER), described("t", oracledb.DB_TYPE_VARCHAR, max_size=4_000)
    assert rows_at_once([number]) == 1_000
    assert rows_at_once([text] * 10) == 1024 * 1024 // 160_008
    assert rows_at_once([number, described("c", oracledb.DB_TYPE_CLOB)]) == 7
    assert rows_at_once([described("c", oracledb.DB_TYPE_CLOB)] * 100) == 1


def test_rows_are_as_large_as_their_texts() -> None:
    columns = Columns([described("n", oracledb.DB_TYPE_NUMBER), described("t", oracledb.DB_TYPE_CLOB)], {})
    assert columns.size_of([(1, "x" * 1_000), (2, None), (3, b"y" * 10)]) == 3 * 24 + 1_010
    assert Columns([described("v", oracledb.DB_TYPE_VECTOR)], {}).size_of([([1, 2],)]) == 16 + len("[1, 2]")


# Types.


@pytest.mark.parametrize(
    ("declared", "kind", "in_keys"),
    [
        ("NUMBER(1,0)", Kind.WHOLE, True),
        ("NUMBER(18,0)", Kind.WHOLE, True),
        ("NUMBER(19,0)", Kind.DECIMAL, True),
        ("NUMBER(12,2)", Kind.DECIMAL, True),
        ("NUMBER(5,-2)", Kind.DECIMAL, True),
        ("NUMBER(,0)", Kind.DECIMAL, True),
        ("NUMBER(,)", Kind.DECIMAL, True),
        ("FLOAT", Kind.DECIMAL, True),
        ("BINARY_FLOAT", Kind.OTHER, False),
        ("BINARY_DOUBLE", Kind.REAL, False),
        ("VARCHAR2", Kind.TEXT, True),
        ("NVARCHAR2", Kind.TEXT, True),
        ("VARCHAR2 in other characters", Kind.OTHER, False),
        ("CHAR in other characters", Kind.OTHER, False),
        ("CHAR", Kind.OTHER, True),
        ("CLOB", Kind.OTHER, False),
        ("CLOB in other characters", Kind.OTHER, False),
        ("RAW", Kind.BYTES, True),
        ("BLOB", Kind.BYTES, False),
        ("DATE", Kind.DAY, True),
        ("TIMESTAMP(0)", Kind.CLOCK, True),
        ("TIMESTAMP(6)", Kind.CLOCK, True),
        ("TIMESTAMP(9)", Kind.OTHER, True),
        ("TIMESTAMP(6) WITH TIME ZONE", Kind.INSTANT, False),
        ("TIMESTAMP(6) WITH LOCAL TIME ZONE", Kind.INSTANT, False),
        ("TIMESTAMP(9) WITH TIME ZONE", Kind.OTHER, False),
        ("INTERVAL DAY(2) TO SECOND(6)", Kind.OTHER, False),
        ("INTERVAL YEAR(2) TO MONTH", Kind.OTHER, False),
        ("BOOLEAN", Kind.FLAG, False),
        ("IS JSON", Kind.OTHER, False),
        ("OBJECT", Kind.OTHER, False),
        ("SOMETHING NEW", Kind.OTHER, False),
    ],
)
def test_each_type_has_a_form(declared: str, kind: Kind, in_keys: bool) -> None:
    form = DIALECT.form(declared)
    assert (form.kind, form.in_keys) == (kind, in_keys)


def test_a_number_of_32_bits_has_few_digits() -> None:
    make = DIALECT.form("BINARY_FLOAT").made
    assert make is not None
    assert make(1.100000023841858) == 1.1


TABLES = [("ORDERS", 0, 120), ("SECRETS", 0, 2)]
COLUMNS = [("ORDERS", "CODE", "VARCHAR2", 0, 1), ("ORDERS", "LINE", "NUMBER(10,0)", 0, 1)]
KEYS = [("ORDERS", "ORDERS_PK", 1, "CODE", 1, 0), ("ORDERS", "ORDERS_PK", 1, "LINE", 1, 0)]


# Statements.


def table_of(**columns: str) -> Table:
    answers: list[Any] = [[("T", 0, 1)], [("T", name, kind, 0, 1) for name, kind in columns.items()], []]
    return Catalog.of("SHOP", answers, DIALECT.form).table("T")


def test_a_page_is_found_by_the_index_of_its_key() -> None:
    found = Catalog.of("SHOP", [TABLES, COLUMNS, KEYS], DIALECT.form).table("ORDERS")
    text, values = Statements(
        DIALECT, found, found.names, Comparison("LINE", Operator.GREATER, Literal("3")), found.key
    ).page(("a", 1), 50)
    assert text == (
        'SELECT /*+ INDEX_ASC("rows" "ORDERS_PK") */ "CODE", "LINE" FROM "SHOP"."ORDERS" "rows" '
        'WHERE ("CODE" >= :v_k0 AND ("CODE" > :v_k0 OR ("CODE" = :v_k0 AND "LINE" > :v_k1))) AND "LINE" > :v_p0 '
        'ORDER BY "CODE", "LINE" FETCH FIRST :v_most ROWS ONLY'
    )
    assert values == {"k0": "a", "k1": 1, "p0": 3, "most": 50}


def test_a_padded_key_is_compared_with_what_is_padded_too() -> None:
    answers: list[Any] = [[("T", 0, 1)], [("T", "C", "CHAR", 0, 1)], [("T", "PK", 1, "C", 1, 0)]]
    found = Catalog.of("SHOP", answers, DIALECT.form).table("T")
    text = Statements(DIALECT, found, found.names, And(), found.key).page(("a",), 5)[0]
    assert ' WHERE "C" > CAST(:v_k0 AS CHAR(2000)) ORDER BY ' in text


async def test_a_value_that_no_condition_needs_is_not_given() -> None:
    with made() as database:
        await database.run(
            "CREATE TABLE T (ID NUMBER(10,0) PRIMARY KEY, C VARCHAR2(9))", "INSERT INTO T VALUES (1, 'a')"
        )
        both = And((Comparison("C", Operator.EQUALS, Literal("a")), Comparison("C", Operator.EQUALS, Literal(""))))
        assert await database.rows("T", where=both) == []


def condition(table: Table, where: Any) -> str:
    text = Statements(DIALECT, table, table.names, where, ()).whole()[0]
    return text.partition(" WHERE ")[2]


@pytest.mark.parametrize(
    ("kind", "where", "wanted"),
    [
        ("VARCHAR2", Comparison("C", Operator.EQUALS, Literal("")), "1 = 0"),
        ("VARCHAR2", Comparison("C", Operator.GREATER, Literal("")), 'NOT "C" IS NULL'),
        ("VARCHAR2", Comparison("C", Operator.LESS, Literal("a")), ""),
        ("VARCHAR2", Comparison("C", Operator.EQUALS, Literal("x" * 1_001)), ""),
        ("VARCHAR2", Comparison("C", Operator.CONTAINS, Literal("a")), 'INSTR("C", :v_p0) >= 1'),
        ("VARCHAR2", Comparison("C", Operator.ENDS_WITH, Literal("a")), 'SUBSTR("C", -LENGTH(:v_p0)) = :v_p0'),
        (
            "VARCHAR2",
            Not(Comparison("C", Operator.EQUALS, Literal("a"))),
            'CASE WHEN "C" = :v_p0 THEN 1 ELSE 0 END = 0',
        ),
        ("CHAR", Comparison("C", Operator.EQUALS, Literal("a")), ""),
        ("NUMBER(5,0)", Comparison("C", Operator.STARTS_WITH, Literal("1")), 'INSTR(TO_CHAR("C"), :v_p0) = 1'),
        ("NUMBER(5,0)", Comparison("C", Operator.CONTAINS, Literal("1" * 1_001)), ""),
        ("BINARY_DOUBLE", Comparison("C", Operator.GREATER, Literal("1.5")), '"C" > :v_p0'),
        ("BINARY_DOUBLE", Comparison("C", Operator.GREATER, Literal("1e300")), ""),
        ("BINARY_DOUBLE", Not(Comparison("C", Operator.GREATER, Literal("1.5"))), ""),
        ("BOOLEAN", Comparison("C", Operator.EQUALS, Literal("yes")), '"C" = TRUE'),
        (
            "DATE",
            Comparison("C", Operator.GREATER_OR_EQUAL, Literal("2024-01-01T00:00:00.5+02:00")),
            '"C" > TO_DATE(:v_p0, \'SYYYY-MM-DD"T"HH24:MI:SS\')',
        ),
        (
            "DATE",
            Comparison("C", Operator.EQUALS, Literal("2024-01-01T00:00:00.5")),
            "\"C\" < TO_DATE(' 0001-01-01T00:00:00', 'SYYYY-MM-DD\"T\"HH24:MI:SS')",
        ),
        ("DATE", Comparison("C", Operator.GREATER, Literal("9999-12-31T23:59:59-10:00")), ""),
        ("DATE", Comparison("C", Operator.CONTAINS, Literal("2024")), ""),
        (
            "TIMESTAMP(6) WITH TIME ZONE",
            Comparison("C", Operator.GREATER, Literal("2024-01-01")),
            'SYS_EXTRACT_UTC("C") > TO_TIMESTAMP(:v_p0, \'SYYYY-MM-DD"T"HH24:MI:SS.FF9\')',
        ),
    ],
)
def test_conditions_are_said_in_oracles_words(kind: str, where: Any, wanted: str) -> None:
    assert condition(table_of(C=kind), where) == wanted


TIMES = ["-0044-03-15T12:00:00", " 0001-01-01T00:00:00", " 2024-01-31T10:00:00", " 2024-01-31T10:00:01", None]
WHEN = [
    "2024-01-31T10:00:00",
    "2024-01-31T10:00:00.5",
    "2024-01-31T12:00:00+02:00",
    "-0044",
    "abc",
    "9999-12-31",
    " 2024-06-01",
]


@pytest.mark.parametrize("how", [one for one in Operator if one is not Operator.REGEX])
@pytest.mark.parametrize("text", WHEN)
async def test_no_time_is_left_out_that_matches(how: Operator, text: str) -> None:
    with made() as database:
        await database.run("CREATE TABLE T (ID NUMBER(10,0) PRIMARY KEY, AT DATE COLLATE TIMES)")
        for place, one in enumerate(TIMES):
            await database.run(f"INSERT INTO T VALUES ({place}, {'NULL' if one is None else repr(one)})")
        rows = [row for row in await database.rows("T") if isinstance(row, dict)]
        assert len(rows) == len(TIMES)
        comparison = Comparison("AT", how, Literal(text))
        for where in (comparison, Not(comparison), Not(Not(comparison))):
            found = ids(await database.rows("T", where=where), "ID")
            assert set(found) >= {row["ID"] for row in rows if matches(where, row)}


# Keys.

MADE = {
    "NUMBER(10,0)": "n - 50",
    "NUMBER": "(n - 50) * 10",
    "NUMBER(8,2)": "(n - 20) / 8.0",
    "VARCHAR2(20)": "CASE n % 4 WHEN 0 THEN 'a' || n WHEN 1 THEN 'B ' || n WHEN 2 THEN 'ä%' || n ELSE '😀' || n END",
    "CHAR(9) COLLATE RTRIM": "char(64 + n % 26) || n",
    "RAW(9)": "CAST(char(n) || 'x' AS BLOB)",
    "DATE COLLATE TIMES": "strftime(' %Y-%m-%dT%H:%M:%S', '2024-01-01', (n * 40) || ' days')",
    "TIMESTAMP(6) COLLATE TIMES": "' 2024-01-01T00:00:00.' || printf('%06d', n * 7919) || '000'",
    "TIMESTAMP(9) COLLATE TIMES": "' 2024-01-01T00:00:00.' || printf('%09d', n)",
}


@pytest.mark.parametrize("declared", MADE)
async def test_pages_of_any_size_are_all_rows_in_one_order(declared: str) -> None:
    with made() as database:
        await database.run(
            f"CREATE TABLE T (K {declared} NOT NULL PRIMARY KEY, N NUMBER(10,0))",
            "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100) "
            f"INSERT INTO T SELECT {MADE[declared]}, n FROM s",
        )
        whole = [row[0] for row in await database.run("SELECT N FROM T ORDER BY K")]
        for size in (1, 7, 100):
            assert ids(await database.rows("T", given={"fetch_size": size}), "N") == whole
        rows = await database.rows("T")
        after = rows[41]
        assert isinstance(after, dict)
        assert ids(await database.rows("T", after=(after["K"],)), "N") == whole[42:]


async def test_a_document_is_its_row_with_where_it_is_from() -> None:
    with made() as database:
        await database.run(
            'CREATE TABLE "we/ird" ("_id" NUMBER NOT NULL, AT TIMESTAMP(6) COLLATE TIMES, PRICE NUMBER, CODE CHAR(4), '
            'PRIMARY KEY ("_id"))',
            "INSERT INTO \"we/ird\" VALUES (2, ' 2024-01-02T00:00:00.000000000', 2.5, 'ab')",
        )
        assert await database.documents(cursor_columns="AT") == [
            {
                "dataset": "we/ird",
                "database": SERVICE,
                "schema": "SHOP",
                "_id_": 2,
                "AT": datetime(2024, 1, 2),  # noqa: DTZ001
                "PRICE": Decimal("2.5"),
                "CODE": "ab",
                "_id": f'{SERVICE}/SHOP/"we%2Fird"/2',
                "_timestamp": datetime(2024, 1, 2),  # noqa: DTZ001
            }
        ]


async def test_a_table_without_a_key_is_read_all_at_once() -> None:
    with made() as database:
        await database.run(
            "CREATE TABLE T (A NUMBER(10,0), B VARCHAR2(9))", "INSERT INTO T VALUES (1, 'x'), (1, 'x'), (2, NULL)"
        )
        found = [one["_id"] for one in await database.documents()]
        assert (len(found), len(set(found))) == (3, 2)
        assert not any("FETCH FIRST" in text for text in database.server.asked)


async def test_the_schema_is_the_users_own_if_none_is_named() -> None:
    with made() as database:
        one = database.source(schema="", username="shop")
        assert (one.group, dict(one.origin)) == ("SHOP", {"database": SERVICE, "schema": "SHOP"})


async def test_an_incremental_walk_goes_on_from_the_highest_time() -> None:
    with made() as database:
        await database.run(
            "CREATE TABLE T (ID NUMBER(10,0) PRIMARY KEY, AT DATE COLLATE TIMES)",
            "INSERT INTO T VALUES (1, ' 2024-01-01T00:00:00'), (2, ' 2024-01-02T00:00:00'), (3, NULL)",
        )
        async with database.source(cursor_columns="AT") as one:
            *changes, last = [found async for found in one.get_docs_incrementally(None)]
            assert len(changes) == 3
            cursor = last.cursor  # type: ignore[union-attr]  # it is a checkpoint
            assert cursor == {"tables": {"T": {"column": "AT", "value": "2024-01-02T00:00:00+00:00"}}}
            await database.run("INSERT INTO T VALUES (4, ' 2024-01-03T00:00:00')")
            found = [getattr(each, "document", {}).get("ID") async for each in one.get_docs_incrementally(cursor)]
        assert found == [2, 4, None]


# Queries.


def filtering(*rules: dict[str, Any]) -> Filter:
    return Filter({"rules": [], "advanced_snippet": {"value": list(rules)}})


async def test_times_of_queries_keep_their_zones() -> None:
    with made() as database:
        await database.run(
            'CREATE TABLE T (ID NUMBER(10,0) PRIMARY KEY, SEEN "TIMESTAMP(6) WITH TIME ZONE", NOTE CLOB)',
            "INSERT INTO T VALUES (1, ' 2024-01-01T10:00:00.500000000+02:00', 'x'), (2, NULL, NULL)",
        )
        async with database.source() as one:
            rule = {"tables": ["T"], "query": "SELECT id, seen, note FROM t -- all of them"}
            found = [(document["ID"], document["SEEN"]) async for document in walked(one, filtering(rule))]
            assert found == [(1, datetime(2024, 1, 1, 8, 0, 0, 500_000, UTC)), (2, None)]
            with pytest.raises(SourceError, match="several columns of one name") as caught:
                [row async for row in one.native_query("SELECT seen, id, id FROM t")]
            assert caught.value.hint == "Give each column a name of its own."


async def test_a_query_without_zones_is_run_as_it_is() -> None:
    with made() as database:
        await database.run("CREATE TABLE T (ID NUMBER(10,0) PRIMARY KEY, P NUMBER)", "INSERT INTO T VALUES (1, 2.5)")
        text = "SELECT id, p, id FROM t /* ; */ WHERE '%' = '%'"
        async with database.source() as one:
            assert [row async for row in one.native_query(text)] == [{"ID": 1, "P": Decimal("2.5"), "ID:1": 1}]
        assert text in database.server.asked


@pytest.mark.parametrize(
    "text", ["DELETE FROM t", "  DROP TABLE t", "/* SELECT */ DROP TABLE t", "BEGIN NULL; END;", "SELECTED", ""]
)
async def test_what_is_no_query_is_never_sent(text: str) -> None:
    with made() as database:
        async with database.source() as one:
            session = await one.connect()
            before = list(database.server.asked)
            with pytest.raises(AccessDenied, match="only read"):
                await session.described(text)
            with pytest.raises(AccessDenied, match="only read"):
                async with session.streamed(text):
                    pass
            assert database.server.asked == before
            assert session.usable
            await session.close()


async def test_a_date_of_a_query_that_python_has_not_is_told() -> None:
    with made() as database:
        await database.run(
            "CREATE TABLE T (ID NUMBER(10,0) PRIMARY KEY, AT DATE)", "INSERT INTO T VALUES (1, '-0044-03-15T12:00:00')"
        )
        async with database.source() as one:
            with pytest.raises(SourceError, match="a value that Python has not") as caught:
                [row async for row in one.native_query("SELECT at FROM t")]
        assert "TO_CHAR" in str(caught.value.hint)


# Errors.


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ora(1017), AccessDenied, "refuses the user 'CONNECTORS'"),
        (ora(28000, "The account is locked."), AccessDenied, "locked"),
        (ora(28001, "The account has expired."), AccessDenied, "expired"),
        (dpy(3015, verifier_type=0x939), AccessDenied, "verifier"),
        (dpy(6001, service_name="x", host="h", port=1), ConfigurationError, "no service 'FREEPDB1'"),
        (ora(12514), ConfigurationError, "no service"),
        (dpy(6003, sid="x", host="h", port=1), ConfigurationError, "no SID 'FREEPDB1'"),
        (ora(12505), ConfigurationError, "no SID"),
        (ora(1435), ConfigurationError, "no such schema"),
        (dpy(3010), ConfigurationError, "too old"),
        (dpy(2018, name="ewallet.pem"), ConfigurationError, "no wallet"),
        (
            ora(12660, "Encryption or crypto-checksumming parameters incompatible"),
            ConfigurationError,
            "wants an encrypted",
        ),
        (ora(942), AccessDenied, "table or view does not exist"),
        (ora(1031, "insufficient privileges"), AccessDenied, "insufficient privileges"),
        (ora(1456), AccessDenied, "only read"),
        (ora(1555), SourceUnreachable, "snapshot too old"),
        (
            ora(604, "error occurred at recursive SQL level 1\nORA-01555: snapshot too old"),
            SourceUnreachable,
            "too old",
        ),
        (ora(1466, "unable to read data - table definition has changed"), SourceUnreachable, "definition has changed"),
        (ora(60, "deadlock detected while waiting for resource"), SourceUnreachable, "deadlock"),
        (ora(1013), SourceUnreachable, "cancel"),
        (ora(3113), SourceUnreachable, "can't be reached"),
        (ora(28, "your session has been killed"), SourceUnreachable, "can't be reached"),
        (ora(1033, "ORACLE initialization or shutdown in progress"), SourceUnreachable, "shutdown in progress"),
        (dpy(4011), SourceUnreachable, "the database or network closed the connection"),
        (dpy(6000, error_code=12528), SourceUnreachable, "Listener refused connection"),
        (
            dpy(6005, context_error_message="[Errno 113] No route to host", connection_id="x=="),
            SourceUnreachable,
            "No route",
        ),
        (ConnectionRefusedError(111, "Connection refused"), SourceUnreachable, "Connection refused"),
        (TimeoutError(), SourceUnreachable, "no answer came in time"),
        (ora(18, "maximum number of sessions exceeded"), Throttled, "sessions"),
        (ora(20, "maximum number of processes (300) exceeded"), Throttled, "processes"),
        (ora(2391, "exceeded simultaneous SESSIONS_PER_USER limit"), Throttled, "SESSIONS_PER_USER"),
        (dpy(6000, error_code=12516), Throttled, "Listener refused connection"),
        (dpy(6000, error_code=12519), Throttled, "Listener refused connection"),
        (dpy(4024, timeout=1_000), SourceError, "call timeout of 1000 ms exceeded"),
        (ora(904, '"X": invalid identifier'), SourceError, "invalid identifier"),
    ],
)
def test_errors_say_what_they_mean(error: Exception, kind: type[ConnectorsError], words: str) -> None:
    found = explained(error, HERE)
    assert type(found) is kind
    assert words in str(found)
    assert not any(noise in str(found) for noise in ("Help:", "https://", "CONNECTION_ID", "Similar to", "\n"))


def test_a_statement_that_took_too_long_says_what_to_set() -> None:
    assert "statement_timeout_s" in str(explained(dpy(4024, timeout=1_000), HERE).hint)
