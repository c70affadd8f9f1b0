"""Conditions made of predicates, on a real SQLite: they lose no row that matches, and find few others."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import apsw
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from connectors.literal import Literal, Operator
from connectors.predicate import ALWAYS, NEVER, And, Comparison, Not, Or, Predicate, matches
from connectors.sources._sql.predicate import MOST_PARAMETERS, Column, Kind
from connectors.sources._sql.statement import (
    FALSE,
    TRUE,
    Parameters,
    all_of,
    any_of,
    behind,
    column,
    is_not_true,
    is_not_true_by_case,
    page,
    parameter,
)
from connectors.sources._sqlite.dialect import SQLiteTranslator, opaque
from connectors.sources._sqlite.schema import ANYTHING, table_of

Row = dict[str, Any]
ORDERED = [Operator.GREATER, Operator.GREATER_OR_EQUAL, Operator.LESS, Operator.LESS_OR_EQUAL]
WITHIN = [Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH]

# What is a number, a flag, an instant or a pattern in one reading and not in another.
STRANGE = [
    *("", " ", "0", "1", "-1", " 1", "1 ", "+1", "1.0", "1e0", "01", "1_0", "10", "2.5", "0.1", "-0", "٣"),
    *("9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("1e400", "-1e400", "1e-400", "1e999999999", "1e-999999999", "0e999999999", "nan", "inf", "Infinity"),
    *(
        "true",
        "True",
        "t",
        "no",
        "false",
        "null",
        "a",
        "A",
        "ab",
        "b",
        "é",
        "É",
        "ß",
        "a%",
        "a_",
        "%",
        "_",
        "*",
        "?",
        "[",
    ),
    *(
        "'",
        '"',
        "\\",
        ";--",
        "a\0b",
        "\0",
        "b\0",
        "\ud800",
        "a\ud800",
        "😀",
        "\uffff",
        "x'41'",
        "0x10",
        ".*",
        "^a",
        "(",
    ),
    *(
        "2024-01-31",
        "2024-01-31T10:00:00",
        "2024-01-31T10:00:00Z",
        "2024-01-31 10:00:00.123456",
        "20240131",
        "2024-W05-3",
    ),
    *(
        "2024-01-31T00:30:00+14:00",
        "2024-01-30T23:30:00-12:00",
        "2024-02-01",
        "2024-01-29",
        " 2024-01-31",
        "2024-01-31x",
    ),
    *(
        "2024-99-99",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:00:00-05:00",
        "0001-01-02",
        "2024-02-02",
        "2024-01-31T24:00",
    ),
]
STORABLE = [text for text in STRANGE if "\ud800" not in text]
TEXTS = st.sampled_from(STRANGE) | st.text(st.sampled_from("ab1.- \0é%"), max_size=4)
NUMBERS = (
    st.integers(-3, 12) | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.sampled_from([0.1, 2.5])
)
DAYS = st.datetimes(datetime(2024, 1, 28), datetime(2024, 2, 3))  # noqa: DTZ001 - zones are added where there are any
MOMENTS = st.builds(
    lambda moment, hours: moment.replace(tzinfo=timezone(timedelta(hours=hours))).isoformat(),
    DAYS,
    st.integers(-23, 23),
)
LITERALS = (TEXTS | NUMBERS.map(str) | MOMENTS | DAYS.map(str)).map(Literal)
VALUES = (
    st.none()
    | NUMBERS
    | st.sampled_from(STORABLE)
    | st.text(st.sampled_from("ab1.- \0é%"), max_size=4)
    | MOMENTS
    | DAYS.map(str)
    | st.binary(max_size=3)
    | st.sampled_from([b"a", b"1", b"2024-01-31"])
)
TYPES = ["", "INTEGER", "INT", "REAL", "TEXT", "TEXT COLLATE NOCASE", "BLOB", "NUMERIC", "BOOLEAN", "DATETIME", "ANY"]
STRICT_TYPES = ["INTEGER", "INT", "REAL", "TEXT", "TEXT COLLATE RTRIM", "BLOB", "ANY"]
FIELDS = ["a", 'b"x', "b.c", "A", "nothing"]
NAMES = ["a", 'b"x', "b.c"]

COMPARISONS = st.builds(Comparison, st.sampled_from(FIELDS), st.sampled_from(Operator), LITERALS)
PREDICATES: st.SearchStrategy[Predicate] = st.recursive(
    COMPARISONS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts)))
        | inner.map(Not)
    ),
    max_leaves=8,
)


@st.composite
def databases(draw: st.DrawFn) -> apsw.Connection:
    """Draw a table of any types, in any encoding, with values of any storage class."""
    connection = apsw.Connection(":memory:")
    connection.pragma("encoding", draw(st.sampled_from(["UTF-8", "UTF-8", "UTF-8", "UTF-16le", "UTF-16be"])))
    strict = draw(st.booleans())
    types = draw(st.lists(st.sampled_from(STRICT_TYPES if strict else TYPES), min_size=3, max_size=3))
    declared = ", ".join(f"{quoted(name)} {kind}" for name, kind in zip(NAMES, types, strict=True))
    connection.execute(f"CREATE TABLE t({declared}) {'STRICT' if strict else ''}")
    for row in draw(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=6)):
        try:
            connection.execute("INSERT INTO t VALUES(?, ?, ?)", row)
        except apsw.ConstraintError:
            assert strict
    return connection


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def rows_of(connection: apsw.Connection) -> dict[Any, Row]:
    """Return all rows by number."""
    rows = connection.execute("SELECT rowid, * FROM t").fetchall()
    return {row[0]: dict(zip(NAMES, row[1:], strict=True)) for row in rows}


def found(connection: apsw.Connection, where: Predicate) -> set[int]:
    """Return the numbers of the rows that the condition is true of."""
    parameters = Parameters()
    translator = SQLiteTranslator(table_of(connection, "t").known_columns(), connection.pragma("encoding"))
    condition = translator.condition(where, parameters)
    text = page(
        [column("rowid")], "t", where=condition, order=[column("rowid")], limit=parameter("most"), dialect="sqlite"
    )
    return {number for (number,) in connection.execute(text, {**parameters, "most": -1})}


def matching(rows: Mapping[int, Row], where: Predicate) -> set[int]:
    return {number for number, row in rows.items() if matches(where, row)}


@given(databases(), st.lists(PREDICATES, min_size=1, max_size=8))
def test_no_row_that_matches_is_lost(connection: apsw.Connection, predicates: Sequence[Predicate]) -> None:
    rows = rows_of(connection)
    for where in predicates:
        assert matching(rows, where) <= found(connection, where), where


@given(databases(), COMPARISONS)
def test_neither_a_comparison_nor_its_opposite_loses_a_row(connection: apsw.Connection, one: Comparison) -> None:
    rows = rows_of(connection)
    for where in (one, Not(one), Not(Not(one)), And((one, Not(one))), Or((Not(one), Not(Not(one))))):
        assert matching(rows, where) <= found(connection, where), where


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le"])
@pytest.mark.parametrize("declared", ["", "TEXT COLLATE NOCASE", "NUMERIC"])
def test_each_strange_literal_finds_every_strange_value_that_matches(declared: str, encoding: str) -> None:
    connection = apsw.Connection(":memory:")
    connection.pragma("encoding", encoding)
    connection.execute(f"CREATE TABLE t(a {declared})")
    values = [
        None,
        0,
        1,
        -1,
        2.5,
        2**53 + 1,
        2**63 - 1,
        -(2**63),
        1e300,
        float("inf"),
        b"",
        b"a",
        "Ā",
        "\U00010000",
        *STORABLE,
    ]
    connection.executemany("INSERT INTO t VALUES(?)", [(value,) for value in values])
    rows = {number: {"a": value} for number, value in connection.execute("SELECT rowid, a FROM t")}
    for text in STRANGE:
        for how in Operator:
            one = Comparison("a", how, Literal(text))
            right = matching(rows, one)
            assert right <= found(connection, one), one
            assert rows.keys() - right <= found(connection, Not(one)), one


def test_dates_of_any_zone_are_found() -> None:
    zones = ["+00:00", "+14:00", "-12:00", "+23:59", "-23:59"]
    days = [f"2024-0{day}" for day in ("1-30", "1-31", "2-01", "2-02")]
    moments = [f"{day}T{hour}:30:00{zone}" for day in days for hour in ("00", "11", "23") for zone in zones] + days
    connection = table("TEXT", *moments, *(f"{day} no time" for day in days))
    rows = {number: {"a": value} for number, value in connection.execute("SELECT rowid, a FROM t")}
    for text in moments:
        for how in ORDERED:
            one = Comparison("a", how, Literal(text))
            right = matching(rows, one)
            assert right <= found(connection, one), one
            assert rows.keys() - right <= found(connection, Not(one)), one


def table(declared: str, *values: object) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE t(a {declared})")
    connection.executemany("INSERT INTO t VALUES(?)", [(value,) for value in values])
    return connection


def exactly(connection: apsw.Connection, where: Predicate) -> bool:
    rows = {number: {"a": value} for number, value in connection.execute("SELECT rowid, a FROM t")}
    return found(connection, where) == matching(rows, where)


WHOLE = st.none() | st.integers(-3, 12) | st.integers(-(2**63), 2**63 - 1)
REAL = st.none() | st.floats(allow_nan=False) | st.sampled_from([0.1, 2.5, 1.0, 1e300])
TEXT = st.none() | st.sampled_from(STORABLE) | st.text(st.sampled_from("ab1.- \0é%"), max_size=4)
PLAIN = TEXTS.map(Literal).filter(lambda one: one.number is None and one.instant is None and "\ud800" not in one.text)


@pytest.mark.parametrize(
    ("declared", "values", "operators", "literals"),
    [
        ("INTEGER) STRICT --", WHOLE, [Operator.EQUALS, *ORDERED, *WITHIN], LITERALS),
        ("INTEGER PRIMARY KEY) --", st.integers(-(2**63), 2**63 - 1), [Operator.EQUALS, *ORDERED, *WITHIN], LITERALS),
        ("REAL) STRICT --", REAL, [Operator.EQUALS, *ORDERED], LITERALS),
        ("TEXT) STRICT --", TEXT, [Operator.EQUALS, *WITHIN], LITERALS),
        ("TEXT) STRICT --", TEXT, ORDERED, PLAIN),
        ("TEXT COLLATE NOCASE", TEXT | st.binary(max_size=2), [Operator.EQUALS, *WITHIN], LITERALS),
        ("TEXT COLLATE NOCASE", TEXT | st.binary(max_size=2), ORDERED, PLAIN),
        ("INTEGER", WHOLE | REAL | st.binary(max_size=2), [Operator.EQUALS, *ORDERED], LITERALS),
        ("", WHOLE | TEXT | st.binary(max_size=2), [Operator.EQUALS, *WITHIN], LITERALS),
        ("BLOB) STRICT --", st.none() | st.binary(max_size=2), list(Operator), LITERALS),
    ],
)
@given(data=st.data())
def test_common_comparisons_find_exactly_what_matches(
    declared: str, values: Any, operators: list[Operator], literals: Any, data: st.DataObject
) -> None:
    unique = "PRIMARY" in declared
    connection = table(declared, *data.draw(st.lists(values, max_size=8, unique=unique)))
    for one in data.draw(
        st.lists(st.builds(Comparison, st.just("a"), st.sampled_from(operators), literals), max_size=8)
    ):
        assert exactly(connection, one), one
        assert exactly(connection, Not(one)), one


def test_dates_are_found_but_for_two_days() -> None:
    first = datetime(2023, 1, 1, tzinfo=UTC)
    values = [(first + timedelta(hours=7 * number)).isoformat() for number in range(2_000)]
    connection = table("TEXT", *values, "no date", "20240101", b"2024-01-01")
    rows = {number: {"a": value} for number, value in connection.execute("SELECT rowid, a FROM t")}
    for how in ORDERED:
        for where in (one := Comparison("a", how, Literal("2023-09-01T12:00:00+02:00")), Not(one)):
            more = found(connection, where) - matching(rows, where)
            assert max((abs(_days(rows[number]["a"], "2023-09-01T10:00:00+00:00")) for number in more), default=0) <= 3


def _days(value: object, other: str) -> float:
    try:
        return (datetime.fromisoformat(str(value)) - datetime.fromisoformat(other)).total_seconds() / 86_400
    except (ValueError, TypeError):
        return 0  # what is no such date is not decided


STORED: Mapping[Kind, tuple[Any, Any]] = {
    Kind.FLAG: (st.booleans(), int),
    Kind.INSTANT: (
        st.datetimes(datetime(2024, 1, 28), datetime(2024, 2, 3), timezones=st.just(UTC)),  # noqa: DTZ001
        lambda value: value.astimezone(UTC).isoformat(" ", "microseconds"),
    ),
    Kind.CLOCK: (DAYS, lambda value: value.isoformat(" ", "microseconds")),
    Kind.DAY: (st.dates(date(2024, 1, 28), date(2024, 2, 3)), date.isoformat),
    Kind.DECIMAL: (st.integers(-9, 9).map(lambda number: Decimal(number) / 2), float),
}
HALVES = st.integers(-20, 20).map(lambda number: str(Decimal(number) / 4))


@pytest.mark.parametrize("kind", STORED)
@given(data=st.data())
def test_types_of_other_databases_are_compared_exactly(kind: Kind, data: st.DataObject) -> None:
    values, stored = STORED[kind]
    rows = dict(enumerate(data.draw(st.lists(st.none() | values, min_size=1, max_size=8))))
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(number, a)")
    connection.executemany(
        "INSERT INTO t VALUES(?, ?)", [(n, None if value is None else stored(value)) for n, value in rows.items()]
    )
    literals = HALVES.map(Literal) if kind is Kind.DECIMAL else LITERALS.filter(is_in_years)
    operators = list(Operator) if kind is Kind.FLAG else [Operator.EQUALS, *ORDERED]
    for one in data.draw(
        st.lists(st.builds(Comparison, st.just("a"), st.sampled_from(operators), literals), max_size=8)
    ):
        for where in (one, Not(one)):
            text, parameters = statement([Column("a", frozenset({kind}))], where)
            got = connection.execute(text, {name: stored(value) for name, value in parameters.items()})
            assert {number for (number,) in got} == {n for n, value in rows.items() if matches(where, {"a": value})}


def is_in_years(literal: Literal) -> bool:
    try:
        return literal.instant is None or literal.instant.astimezone(UTC) is not None
    except OverflowError:
        return False


def statement(columns: Sequence[Column], where: Predicate) -> tuple[str, Parameters]:
    parameters = Parameters()
    condition = SQLiteTranslator(columns).condition(where, parameters)
    order = [column("number")]
    text = page(order, "t", where=condition, order=order, limit=exp.Literal.number(99), dialect="sqlite")
    return text, parameters


def condition_of(kinds: set[Kind], where: Predicate) -> Any:
    return SQLiteTranslator([Column("a", frozenset(kinds))]).condition(where, Parameters())


def is_so(how: Operator, text: str, field: str = "a") -> Comparison:
    return Comparison(field, how, Literal(text))


@pytest.mark.parametrize(
    ("kind", "one"),
    [
        (Kind.OTHER, is_so(Operator.EQUALS, "1")),
        (Kind.DECIMAL, is_so(Operator.EQUALS, "1" * 40)),
        (Kind.DECIMAL, is_so(Operator.EQUALS, "1e999999999")),
        (Kind.DECIMAL, is_so(Operator.CONTAINS, "1")),
        (Kind.REAL, is_so(Operator.CONTAINS, "1")),
        (Kind.INSTANT, is_so(Operator.CONTAINS, "1")),
        (Kind.DAY, is_so(Operator.STARTS_WITH, "2024")),
        (Kind.INSTANT, is_so(Operator.LESS, "0001-01-01T00:00:00+05:00")),
        (Kind.DAY, is_so(Operator.LESS, "9999-12-31T23:00:00-05:00")),
        (Kind.TEXT, is_so(Operator.GREATER, "1")),
        (Kind.TEXT, is_so(Operator.GREATER, "a\ud800")),
        (Kind.TEXT, is_so(Operator.GREATER, "0001-01-01")),
        (Kind.TEXT, is_so(Operator.GREATER, "0001-01-01T00:00:00+05:00")),
        (Kind.TEXT, is_so(Operator.REGEX, "a.*")),
        (Kind.TEXT, is_so(Operator.EQUALS, "a", "b")),
        (Kind.TEXT, is_so(Operator.EQUALS, "a", "a.a")),
    ],
)
def test_what_sql_cannot_say_is_left_undecided(kind: Kind, one: Comparison) -> None:
    assert condition_of({kind}, one) is TRUE
    assert condition_of({kind}, Not(one)) is TRUE
    assert condition_of({kind}, Not(Not(one))) is TRUE
    assert condition_of({kind}, And((one, NEVER))) is FALSE


@pytest.mark.parametrize(
    ("kind", "one"),
    [
        (Kind.BYTES, is_so(Operator.REGEX, ".*")),
        (Kind.TEXT, is_so(Operator.REGEX, "(")),
        (Kind.TEXT, is_so(Operator.CONTAINS, "\ud800")),
        (Kind.WHOLE, is_so(Operator.EQUALS, "yes")),
        (Kind.WHOLE, is_so(Operator.EQUALS, "1.5")),
        (Kind.WHOLE, is_so(Operator.GREATER, "1e999999999")),
        (Kind.DECIMAL, is_so(Operator.GREATER, "a")),
        (Kind.DAY, is_so(Operator.GREATER, "a")),
        (Kind.FLAG, is_so(Operator.GREATER, "0")),
    ],
)
def test_what_nothing_matches_is_never_true(kind: Kind, one: Comparison) -> None:
    assert condition_of({kind}, one) is FALSE
    assert condition_of({kind}, Not(one)) is TRUE
    assert condition_of({kind, Kind.BYTES}, one) is FALSE


def test_what_is_always_and_never_so_needs_no_parameter() -> None:
    assert condition_of({Kind.TEXT}, ALWAYS) is TRUE
    assert condition_of({Kind.TEXT}, Or((NEVER, Not(ALWAYS)))) is FALSE
    assert condition_of({Kind.TEXT}, Or((is_so(Operator.EQUALS, "a"), ALWAYS))) is TRUE
    assert opaque(TRUE) is TRUE


def test_no_value_stands_in_the_text() -> None:
    hostile = "'); DROP TABLE t; --"
    text, parameters = statement([Column("a", ANYTHING)], Or(tuple(is_so(how, hostile) for how in Operator)))
    assert "DROP" not in text
    assert set(parameters.values()) == {hostile}


def test_names_are_quoted_in_each_dialect() -> None:
    where = behind([column('a"`b'), column("c")], [parameter("x"), parameter("y")])
    order, most = [column("c")], parameter("z")
    texts = {
        dialect: page([column("d")], 't"`', where=where, order=order, limit=most, dialect=dialect)
        for dialect in ("sqlite", "postgres", "mysql")
    }
    assert texts == {
        "sqlite": 'SELECT "d" FROM "t""`" WHERE ("a""`b", "c") > (:x, :y) ORDER BY "c" LIMIT :z',
        "postgres": 'SELECT "d" FROM "t""`" WHERE ("a""`b", "c") > (%(x)s, %(y)s) ORDER BY "c" NULLS FIRST LIMIT %(z)s',
        "mysql": 'SELECT `d` FROM `t"``` WHERE (`a"``b`, `c`) > (:x, :y) ORDER BY `c` LIMIT :z',
    }


def test_a_long_rule_set_is_a_flat_tree() -> None:
    connection = table("INTEGER) STRICT --", *range(100))
    wide = Or(tuple(is_so(Operator.EQUALS, str(number)) for number in range(0, 6_000, 3)))
    assert exactly(connection, wide)
    assert exactly(connection, Not(wide))


def test_what_exceeds_the_parameters_of_a_statement_is_left_undecided() -> None:
    connection = table("INTEGER) STRICT --", *range(10))
    parts = tuple(is_so(Operator.EQUALS, str(number)) for number in range(MOST_PARAMETERS + 2))
    assert found(connection, Or(parts)) == set(range(1, 11))
    assert found(connection, And(tuple(Not(part) for part in parts))) == set()


@pytest.mark.parametrize("condition", ["a = 1", "a = 2", "a IS NULL"])
def test_what_is_not_true_is_the_same_by_a_case(condition: str) -> None:
    connection = table("INTEGER", 1, 2, None)
    texts = [made(sqlglot.condition(condition)).sql("sqlite") for made in (is_not_true, is_not_true_by_case)]
    one, other = (connection.execute(f"SELECT rowid FROM t WHERE {text}").fetchall() for text in texts)
    assert one == other != []
    assert [is_not_true_by_case(one) for one in (TRUE, FALSE)] == [FALSE, TRUE]


def test_what_is_nested_too_deep_is_left_undecided() -> None:
    connection = table("INTEGER", 1, 2)
    deep: Predicate = is_so(Operator.EQUALS, "1")
    for _ in range(15):
        deep = Not(And((is_so(Operator.LESS, "9"), Or((is_so(Operator.EQUALS, "5"), deep)))))
    assert matching({1: {"a": 1}, 2: {"a": 2}}, deep) <= found(connection, deep)
    for _ in range(500):
        deep = Not(deep)
    assert found(connection, deep) == {1, 2}


def test_parts_of_nothing_are_neutral() -> None:
    assert all_of([]) is TRUE
    assert any_of([]) is FALSE
