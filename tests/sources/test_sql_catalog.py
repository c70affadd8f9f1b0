"""The catalog: tables and keys made of answers, as databases were recorded to give them."""

from typing import Any

import pytest
from sqlglot import exp

from connectors.errors import ConfigurationError
from connectors.sources._mysql.dialect import PERHAPS_JSON, MySQLDialect, is_json
from connectors.sources._sql.catalog import Catalog
from connectors.sources._sql.predicate import Kind
from connectors.sources._sql.statement import column, parameter

# Tables by whether they are views and their rows; columns by type, whether they may be NULL and may be read; and below
# parts of indices by whether these are primary, their column, whether all of it is in the index, which way it goes.
TABLES = [("people", 0, 12), ("Visits", 0, None), ("everybody", 1, None), ("hidden", 0, 5), ("log_1", 0, 0)]
COLUMNS = [
    ("people", "id", "int(11)", 0, 1),
    ("Visits", "who", "int(11)", 0, 1),
    ("people", "name", "varchar(20)", 1, 1),
    ("people", "salary", "int(11)", 1, 0),
    ("everybody", "id", "int(11)", 0, 1),
    ("hidden", "id", "int(11)", 0, 0),
    ("log_1", "at", "datetime", 1, 1),
]


def catalog(*keys: tuple[Any, ...], columns: list[tuple[Any, ...]] = COLUMNS) -> Catalog:
    return Catalog.of("shop", [TABLES, columns, keys], MySQLDialect().form)


def key_of(*keys: tuple[Any, ...], **types: str) -> tuple[str | None, tuple[str, ...]]:
    columns = [("people", name, kind.removesuffix("?"), kind.endswith("?"), 1) for name, kind in types.items()]
    table = catalog(*keys, columns=columns).table("people")
    return table.index, table.key


def test_all_tables_that_may_be_read_are_meant_by_a_star_and_no_view() -> None:
    assert [one.name for one in catalog().chosen(["*"])] == ["Visits", "log_1", "people"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["everybody"], ["everybody"]),
        (["*", "everybody"], ["Visits", "everybody", "log_1", "people"]),
        (["log_*", "p?ople"], ["log_1", "people"]),
        (["people", "people"], ["people"]),
        (["nothing_*"], []),
    ],
)
def test_tables_are_chosen_by_names_and_patterns(wanted: list[str], found: list[str]) -> None:
    assert [one.name for one in catalog().chosen(wanted)] == found


def test_a_table_that_is_not_there_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"'shop' has no table 'peple', .* Did you mean 'people'\?") as caught:
        catalog().chosen(["peple"])
    assert caught.value.field == "tables"


def test_columns_that_may_not_be_read_are_left_out() -> None:
    assert catalog().table("people").names == ("id", "name")
    with pytest.raises(ConfigurationError, match="hidden"):
        catalog().chosen(["hidden"])


def test_a_dataset_says_what_its_rows_hold() -> None:
    found = catalog(("people", "PRIMARY", 1, "id", 1, 0)).table("people").dataset(["updated_at", "name"])
    assert (found.name, found.group, found.primary_key, found.cursor_field, found.rows) == (
        *("people", "shop", ("id",), "name"),
        12,
    )
    assert found.schema["properties"] == {"id": {"type": "integer"}, "name": {"type": ["string", "null"]}}


def test_the_primary_key_comes_first_and_then_the_shortest() -> None:
    one, two, three = ("people", "b", 0, "x", 1, 0), ("people", "a", 0, "x", 1, 0), ("people", "a", 0, "y", 1, 0)
    primary = ("people", "PRIMARY", 1, "y", 1, 0), ("people", "PRIMARY", 1, "x", 1, 0)
    assert key_of(one, two, three, *primary, x="int", y="int") == ("PRIMARY", ("y", "x"))
    assert key_of(two, three, one, x="int", y="int") == ("b", ("x",))


@pytest.mark.parametrize(
    "kind",
    ["int?", "float", "double", "enum('a')", "set('a')", "text", "bit(3)", "json", "point", "year(4)", "unknown"],
)
def test_what_may_be_null_or_does_not_come_back_as_it_was_is_no_key(kind: str) -> None:
    assert key_of(("people", "PRIMARY", 1, "x", 1, 0), x=kind) == (None, ())


@pytest.mark.parametrize(
    "kind",
    ["int", "bigint(20) unsigned", "varchar(9)", "char(3)", "decimal(5,2)", "date", "datetime(6)", "time", "binary(4)"],
)
def test_what_orders_as_it_compares_is_a_key(kind: str) -> None:
    assert key_of(("people", "PRIMARY", 1, "x", 1, 0), x=kind) == ("PRIMARY", ("x",))


@pytest.mark.parametrize(
    "kind", ["varchar(9) character set cp932", "float", "enum('a')", "set('a')", "bit(3)", "year(4)", "text"]
)
def test_a_key_that_has_no_order_tells_rows_apart_all_the_same(kind: str) -> None:
    columns = [("people", "x", kind, 0, 1), ("people", "y", "int", 0, 1)]
    parts = [("people", "PRIMARY", 1, "x", 0, 0), ("people", "PRIMARY", 1, "y", 1, 1)]
    table = catalog(*parts, columns=columns).table("people")
    assert (table.key, table.identity, table.dataset([]).primary_key) == ((), ("x", "y"), ())


def test_what_may_be_null_tells_nothing_apart() -> None:
    columns = [("people", "x", "int", 1, 1)]
    assert catalog(("people", "u", 0, "x", 1, 0), columns=columns).table("people").identity == ()
    assert catalog(("people", "u", 0, None, 1, 0), columns=columns).table("people").identity == ()


def test_indices_of_parts_of_expressions_and_of_two_directions_are_no_keys() -> None:
    assert key_of(("people", "u", 0, "x", 0, 0), x="int") == (None, ())
    assert key_of(("people", "u", 0, None, 1, 0), x="int") == (None, ())
    assert key_of(("people", "u", 0, "x", 1, 0), ("people", "u", 0, "y", 1, 1), x="int", y="int") == (None, ())
    assert key_of(("people", "u", 0, "x", 1, 1), ("people", "u", 0, "y", 1, 1), x="int", y="int") == ("u", ("x", "y"))


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("bigint(20)", Kind.WHOLE),
        ("bigint(20) unsigned", Kind.DECIMAL),
        ("int(10) unsigned zerofill", Kind.WHOLE),
        ("double", Kind.REAL),
        ("float", Kind.OTHER),
        ("decimal(10,2) unsigned", Kind.DECIMAL),
        ("enum('a','b')", Kind.TEXT),
        ("set('a','b')", Kind.OTHER),
        ("longtext", Kind.TEXT),
        ("timestamp", Kind.CLOCK),
        ("date", Kind.DAY),
        ("varbinary(3)", Kind.BYTES),
        ("something(of, later)", Kind.OTHER),
    ],
)
def test_a_type_says_what_conditions_may_be_made(declared: str, kind: Kind) -> None:
    assert MySQLDialect().form(declared).kind is kind


def test_the_members_of_a_set_are_told() -> None:
    assert MySQLDialect().form("SET('tea','it''s','Öl')").schema["items"] == {
        "type": "string",
        "enum": ["tea", "it's", "Öl"],
    }


@pytest.mark.parametrize(
    ("server", "visible"),
    [
        ("8.4.3", "IS_VISIBLE"),
        ("5.7.44-log", None),
        ("5.5.5-10.11.6-MariaDB-log", "IGNORED"),
        ("10.4.32-MariaDB", None),
        ("11.4.2-MariaDB", "IGNORED"),
    ],
)
def test_a_server_is_asked_what_it_knows(server: str, visible: str | None) -> None:
    _, columns, keys = MySQLDialect().catalog(server)
    assert (PERHAPS_JSON in columns) is ("MariaDB" in server)
    assert [word for word in ("IS_VISIBLE", "IGNORED") if word in keys] == ([visible] if visible else [])


def test_a_column_of_json_is_told_by_its_constraint() -> None:
    shown = (
        "CREATE TABLE `t` (\n  `a``b` longtext CHARACTER SET utf8mb4 DEFAULT NULL CHECK (json_valid(`a``b`)),\n"
        "  `c` longtext COLLATE utf8mb4_bin DEFAULT 'CHECK (json_valid(`a`))',\n  `d` longtext CHECK (`d` <> '')\n)"
    )
    assert [name for name in ("a`b", "c", "d", "t") if is_json(name, shown)] == ["a`b"]


def test_a_text_has_its_values_where_the_driver_wants_them() -> None:
    class Named(MySQLDialect):
        parameters = "named"

    tree = exp.EQ(this=column("50 % :p0 `x`"), expression=parameter("p0"))
    assert MySQLDialect().text(tree) == "`50 %% :p0 ``x``` = %(p0)s"
    assert Named().text(tree) == "`50 % :p0 ``x``` = :p0"
