"""Oracle: what its dictionary is asked, and what becomes of the answers."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlglot

from connectors.errors import ConfigurationError
from connectors.sources._oracle import catalog
from connectors.sources._oracle.dialect import OracleDialect
from connectors.sources._sql.catalog import Catalog
from tests.sources.rehearsal import Rehearsal

DIALECT = OracleDialect()
DICTIONARY = """
CREATE TABLE ALL_TABLES (OWNER, TABLE_NAME, NUM_ROWS, DROPPED, NESTED, SECONDARY, TEMPORARY, IOT_TYPE);
CREATE TABLE ALL_MVIEWS (OWNER, CONTAINER_NAME);
CREATE TABLE ALL_MVIEW_LOGS (LOG_OWNER, LOG_TABLE);
CREATE TABLE ALL_VIEWS (OWNER, VIEW_NAME);
CREATE TABLE ALL_TAB_COLS (OWNER, TABLE_NAME, COLUMN_NAME, COLUMN_ID, DATA_TYPE, DATA_TYPE_MOD, DATA_TYPE_OWNER,
    DATA_PRECISION, DATA_SCALE, NULLABLE, CHARACTER_SET_NAME, COLLATION, HIDDEN_COLUMN, USER DEFAULT 'CONNECTORS');
CREATE TABLE ALL_JSON_COLUMNS (OWNER, TABLE_NAME, COLUMN_NAME);
CREATE TABLE ALL_TAB_PRIVS (TABLE_SCHEMA, TABLE_NAME, PRIVILEGE);
CREATE TABLE SESSION_PRIVS (PRIVILEGE);
CREATE TABLE SESSION_SCHEMA_PRIVS (SCHEMA, PRIVILEGE);
CREATE TABLE NLS_DATABASE_PARAMETERS (PARAMETER, VALUE);
CREATE TABLE ALL_CONSTRAINTS (OWNER, TABLE_NAME, CONSTRAINT_NAME, CONSTRAINT_TYPE, STATUS, VALIDATED, INDEX_OWNER,
    INDEX_NAME);
CREATE TABLE ALL_CONS_COLUMNS (OWNER, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, POSITION);
CREATE TABLE ALL_INDEXES (OWNER, INDEX_NAME, TABLE_OWNER, TABLE_NAME, TABLE_TYPE, INDEX_TYPE, UNIQUENESS, STATUS,
    VISIBILITY);
CREATE TABLE ALL_IND_COLUMNS (INDEX_OWNER, INDEX_NAME, COLUMN_NAME, COLUMN_POSITION, DESCEND);
INSERT INTO NLS_DATABASE_PARAMETERS VALUES ('NLS_CHARACTERSET', 'AL32UTF8');
"""


@pytest.fixture
def dictionary() -> Iterator[Rehearsal]:
    found = Rehearsal("oracle")
    found.run(DICTIONARY)
    yield found
    found.close()


def answers(dictionary: Rehearsal, version: str = "23.4.0.24.5") -> list[list[tuple[Any, ...]]]:
    """Return what the questions are answered with, by tables that look like those of the dictionary."""
    texts = DIALECT.catalog(f"Oracle Database {version}")
    return [list(dictionary.ask(text, {"v_group": "SHOP"}).rows) for text in texts]


def table(dictionary: Rehearsal, name: str, *columns: str, kind: str = "NUMBER", owner: str = "SHOP") -> None:
    dictionary.run(f"INSERT INTO ALL_TABLES VALUES ('{owner}', '{name}', 7, 'NO', 'NO', 'N', 'N', NULL)")
    dictionary.run(f"INSERT INTO ALL_TAB_PRIVS VALUES ('{owner}', '{name}', 'READ')")
    for place, one in enumerate(columns):
        values = (
            f"'{owner}', '{name}', '{one}', {place}, '{kind}', NULL, NULL, 10, 0, 'N', NULL, NULL, 'NO', 'CONNECTORS'"
        )
        dictionary.run(f"INSERT INTO ALL_TAB_COLS VALUES ({values})")


def column(dictionary: Rehearsal, name: str, **given: object) -> None:
    sets = ", ".join(f"{one} = {'NULL' if value is None else repr(value)}" for one, value in given.items())
    dictionary.run(f"UPDATE ALL_TAB_COLS SET {sets} WHERE COLUMN_NAME = '{name}'")


def test_tables_that_belong_to_others_are_not_there(dictionary: Rehearsal) -> None:
    for name in ("ORDERS", "BIN$x", "INNER", "DR$x", "SESSIONS", "OVERFLOW", "IOT", "MLOG$_ORDERS", "TOTALS"):
        table(dictionary, name, "ID")
    for name, what in (
        ("BIN$x", "DROPPED = 'YES'"),
        ("INNER", "NESTED = 'YES'"),
        ("DR$x", "SECONDARY = 'Y'"),
        ("SESSIONS", "TEMPORARY = 'Y'"),
        ("OVERFLOW", "IOT_TYPE = 'IOT_OVERFLOW'"),
        ("IOT", "IOT_TYPE = 'IOT'"),
    ):
        dictionary.run(f"UPDATE ALL_TABLES SET {what} WHERE TABLE_NAME = '{name}'")
    dictionary.run("INSERT INTO ALL_MVIEW_LOGS VALUES ('SHOP', 'MLOG$_ORDERS')")
    dictionary.run("INSERT INTO ALL_MVIEWS VALUES ('SHOP', 'TOTALS'), ('OTHER', 'ORDERS')")
    dictionary.run("INSERT INTO ALL_VIEWS VALUES ('SHOP', 'EVERYBODY'), ('OTHER', 'ANYBODY')")
    table(dictionary, "ELSEWHERE", "ID", owner="OTHER")
    assert sorted(answers(dictionary)[0]) == [
        ("EVERYBODY", 1, None),
        ("IOT", 0, 7),
        ("ORDERS", 0, 7),
        ("TOTALS", 1, 7),
    ]


@pytest.mark.parametrize(
    ("given", "declared"),
    [
        ({"DATA_SCALE": -2}, "NUMBER(10,-2)"),
        ({"DATA_PRECISION": "", "DATA_SCALE": ""}, "NUMBER(,)"),  # nothing, as Oracle joins it to a text
        ({"DATA_TYPE": "TIMESTAMP(6) WITH TIME ZONE"}, "TIMESTAMP(6) WITH TIME ZONE"),
        ({"DATA_TYPE": "XMLTYPE", "DATA_TYPE_OWNER": "PUBLIC"}, "XMLTYPE"),
        ({"DATA_TYPE": "SDO_GEOMETRY", "DATA_TYPE_OWNER": "MDSYS"}, "OBJECT"),
        ({"DATA_TYPE": "VARCHAR2", "CHARACTER_SET_NAME": "CHAR_CS", "COLLATION": "USING_NLS_COMP"}, "VARCHAR2"),
        ({"DATA_TYPE": "NVARCHAR2", "CHARACTER_SET_NAME": "NCHAR_CS"}, "NVARCHAR2"),
        ({"DATA_TYPE": "VARCHAR2", "COLLATION": "BINARY_CI"}, "VARCHAR2 in other characters"),
    ],
)
def test_a_column_is_declared_in_one_way(dictionary: Rehearsal, given: dict[str, Any], declared: str) -> None:
    table(dictionary, "ORDERS", "ID")
    column(dictionary, "ID", **given)
    assert answers(dictionary)[1] == [("ORDERS", "ID", declared, 0, 1)]


@pytest.mark.parametrize(
    ("characters", "kind", "declared"),
    [
        ("WE8MSWIN1252", "VARCHAR2", "VARCHAR2"),
        ("WE8MSWIN1252", "NVARCHAR2", "NVARCHAR2 in other characters"),
        ("JA16SJIS", "VARCHAR2", "VARCHAR2 in other characters"),
    ],
)
def test_characters_that_may_be_two_are_told(dictionary: Rehearsal, characters: str, kind: str, declared: str) -> None:
    table(dictionary, "ORDERS", "ID", kind=kind)
    column(dictionary, "ID", CHARACTER_SET_NAME="CHAR_CS" if kind == "VARCHAR2" else "NCHAR_CS")
    dictionary.run(f"UPDATE NLS_DATABASE_PARAMETERS SET VALUE = '{characters}'")
    assert answers(dictionary)[1] == [("ORDERS", "ID", declared, 0, 1)]


def test_a_text_that_has_to_be_json_is_told_and_stands_there_once(dictionary: Rehearsal) -> None:
    table(dictionary, "ORDERS", "MORE", kind="CLOB")
    table(dictionary, "NATIVE", "JSON", kind="JSON")
    dictionary.run("INSERT INTO ALL_JSON_COLUMNS VALUES ('SHOP', 'ORDERS', 'MORE'), ('SHOP', 'ORDERS', 'MORE')")
    dictionary.run("INSERT INTO ALL_JSON_COLUMNS VALUES ('SHOP', 'NATIVE', 'JSON'), ('OTHER', 'X', 'MORE')")
    assert answers(dictionary)[1] == [("NATIVE", "JSON", "JSON", 0, 1), ("ORDERS", "MORE", "IS JSON", 0, 1)]


def test_what_can_not_be_read_is_not_readable(dictionary: Rehearsal) -> None:
    table(dictionary, "ORDERS", "ID", "ANY", "SEEN", "OWN")
    column(dictionary, "ANY", DATA_TYPE="ANYDATA", DATA_TYPE_OWNER="SYS")
    column(dictionary, "OWN", DATA_TYPE="ORDER_T", DATA_TYPE_OWNER="SHOP", DATA_TYPE_MOD="REF", NULLABLE="Y")
    column(dictionary, "SEEN", HIDDEN_COLUMN="YES")
    found = [(name, nullable, readable) for _, name, _, nullable, readable in answers(dictionary)[1]]
    assert found == [("ID", 0, 1), ("ANY", 0, 0), ("OWN", 1, 0)]


@pytest.mark.parametrize(
    ("version", "grant", "readable"),
    [
        ("19.3", "SELECT 1", 0),
        ("19.3", "INSERT INTO ALL_TAB_PRIVS VALUES ('SHOP', 'ORDERS', 'SELECT'), ('SHOP', 'ORDERS', 'READ')", 1),
        ("19.3", "INSERT INTO ALL_TAB_PRIVS VALUES ('SHOP', 'ORDERS', 'INSERT'), ('OTHER', 'ORDERS', 'READ')", 0),
        ("19.3", "INSERT INTO SESSION_PRIVS VALUES ('CREATE SESSION'), ('READ ANY TABLE')", 1),
        ("19.3", "INSERT INTO SESSION_SCHEMA_PRIVS VALUES ('SHOP', 'SELECT ANY TABLE')", 0),
        ("23.4", "INSERT INTO SESSION_SCHEMA_PRIVS VALUES ('SHOP', 'SELECT ANY TABLE')", 1),
        ("23.4", "INSERT INTO SESSION_SCHEMA_PRIVS VALUES ('OTHER', 'SELECT ANY TABLE')", 0),
        ("23.4", "UPDATE ALL_TAB_COLS SET USER = 'SHOP'", 1),
    ],
)
def test_grants_say_what_may_be_read(dictionary: Rehearsal, version: str, grant: str, readable: int) -> None:
    table(dictionary, "ORDERS", "ID")
    dictionary.run("DELETE FROM ALL_TAB_PRIVS")
    dictionary.run(grant)
    assert answers(dictionary, version)[1] == [("ORDERS", "ID", "NUMBER(10,0)", 0, readable)]


def key(dictionary: Rehearsal, name: str, *columns: str, kind: str = "P", index: str = "NORMAL", **given: str) -> None:
    """Make a constraint with its index, or an index alone where the constraint has no kind."""
    status, validated, unique = (
        given.get(one, usual)
        for one, usual in (("STATUS", "ENABLED"), ("VALIDATED", "VALIDATED"), ("UNIQUENESS", "UNIQUE"))
    )
    visible, valid = given.get("VISIBILITY", "VISIBLE"), given.get("VALID", "VALID")
    dictionary.run(
        f"INSERT INTO ALL_INDEXES VALUES ('SHOP', '{name}_I', 'SHOP', 'ORDERS', 'TABLE', '{index}', '{unique}', "
        f"'{valid}', '{visible}')"
    )
    if kind:
        dictionary.run(
            f"INSERT INTO ALL_CONSTRAINTS VALUES ('SHOP', 'ORDERS', '{name}', '{kind}', '{status}', '{validated}', "
            f"NULL, '{name}_I')"
        )
    for place, one in enumerate(columns, 1):
        dictionary.run(f"INSERT INTO ALL_CONS_COLUMNS VALUES ('SHOP', 'ORDERS', '{name}', '{one}', {place})")
        dictionary.run(f"INSERT INTO ALL_IND_COLUMNS VALUES ('SHOP', '{name}_I', '{one}', {place}, 'ASC')")


def test_keys_are_constraints_and_unique_indices(dictionary: Rehearsal) -> None:
    table(dictionary, "ORDERS", "CODE", "LINE", "OTHER")
    key(dictionary, "PK", "CODE", "LINE")
    key(dictionary, "LATER", "OTHER", kind="U", UNIQUENESS="NONUNIQUE")
    key(dictionary, "ALONE", "LINE", "SYS_NC00007$", kind="")
    key(dictionary, "PLAIN", "LINE", kind="", UNIQUENESS="NONUNIQUE")
    key(dictionary, "BROKEN", "LINE", kind="", VALID="UNUSABLE")
    assert answers(dictionary)[2] == [
        ("ORDERS", "ALONE_I", 0, "LINE", 1, 0),
        ("ORDERS", "ALONE_I", 0, "SYS_NC00007$", 1, 0),
        ("ORDERS", "LATER_I", 0, "OTHER", 1, 0),
        ("ORDERS", "PK_I", 1, "CODE", 1, 0),
        ("ORDERS", "PK_I", 1, "LINE", 1, 0),
    ]
    found = Catalog.of("SHOP", answers(dictionary), DIALECT.form).table("ORDERS")
    assert (found.key, found.index) == (("CODE", "LINE"), "PK_I")


@pytest.mark.parametrize("given", [{"STATUS": "DISABLED"}, {"VALIDATED": "NOT VALIDATED"}])
def test_a_constraint_that_does_not_hold_is_no_key(dictionary: Rehearsal, given: dict[str, str]) -> None:
    table(dictionary, "ORDERS", "CODE")
    key(dictionary, "PK", "CODE", UNIQUENESS="NONUNIQUE", **given)
    assert answers(dictionary)[2] == []


@pytest.mark.parametrize(
    "given",
    [{"index": "NORMAL/REV"}, {"VISIBILITY": "INVISIBLE"}, {"kind": "", "index": "NORMAL/REV"}, {"long": "LONG RAW"}],
)
def test_a_key_without_an_order_tells_rows_apart_and_no_more(dictionary: Rehearsal, given: dict[str, str]) -> None:
    table(dictionary, "ORDERS", "CODE", "NOTE")
    if (kind := given.pop("long", None)) is not None:
        column(dictionary, "NOTE", DATA_TYPE=kind)
    key(dictionary, "PK", "CODE", **given)
    found = Catalog.of("SHOP", answers(dictionary), DIALECT.form).table("ORDERS")
    assert (found.key, found.identity) == ((), ("CODE",))


def test_recorded_answers_become_tables() -> None:
    tables = [("ORDERS", 0, 120), ("TOTALS", 1, 3), ("EVERYBODY", 1, None), ("SECRETS", 0, 2)]
    columns = [
        ("ORDERS", "CODE", "VARCHAR2", 0, 1),
        ("ORDERS", "LINE", "NUMBER(10,0)", 0, 1),
        ("ORDERS", "ANYTHING", "ANYDATA", 1, 0),
        ("TOTALS", "DAY", "DATE", 0, 1),
        ("EVERYBODY", "ID", "NUMBER(,)", 1, 1),
        ("SECRETS", "ID", "NUMBER(10,0)", 0, 0),
    ]
    keys = [("ORDERS", "PK", 1, "CODE", 1, 0), ("ORDERS", "PK", 1, "LINE", 1, 0), ("TOTALS", "U", 0, "DAY", 1, 0)]
    found = Catalog.of("SHOP", [tables, columns, keys], DIALECT.form)
    assert [one.name for one in found.chosen(["*"])] == ["ORDERS"]
    orders, totals = found.table("ORDERS"), found.table("TOTALS")
    assert (orders.key, orders.names, orders.rows) == (("CODE", "LINE"), ("CODE", "LINE"), 120)
    assert (totals.key, totals.is_view) == (("DAY",), True)
    with pytest.raises(ConfigurationError, match="no table 'SECRETS'"):
        found.chosen(["SECRETS"])


@pytest.mark.parametrize("version", [(12, 1), (12, 2), (19, 3), (23, 4)])
def test_the_questions_are_sql_of_oracle(version: tuple[int, int]) -> None:
    server = f"Oracle Database {version[0]}.{version[1]}.0.0.0"
    texts = DIALECT.catalog(server)
    for text in texts:
        assert isinstance(sqlglot.parse_one(text, "oracle", error_level=sqlglot.ErrorLevel.RAISE), sqlglot.exp.Query)
        assert "{" not in text
    assert ("COLLATION" in texts[1]) is (version >= (12, 2))
    assert ("SESSION_SCHEMA_PRIVS" in texts[1]) is (version >= (23,))
    assert texts == (catalog.TABLES, catalog.columns(version), catalog.KEYS)
