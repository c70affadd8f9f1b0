"""MySQL: advanced rules, each a query that is run as it was written."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.dataset import Dataset
from connectors.errors import ConfigurationError
from connectors.filtering.chain import validate
from connectors.row_walk import closing_walk
from connectors.sources._sql.queries import InvalidQuery, queries_of, single
from connectors.sources._sql.row import maker_of, unique
from connectors.sources._sql.session import ResultColumn
from tests.sources.mariadb import Database
from tests.sources.walks import walked

PEOPLE = (
    "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20), city INT, likes SET('tea', 'coffee'), bits BIT(9))",
    "INSERT INTO people VALUES (1, 'Ann', 1, 'tea', 5), (2, 'Bob', 1, 'tea,coffee', 6), (3, 'Eve', 2, '', 7)",
    "CREATE TABLE cities (id INT PRIMARY KEY, name VARCHAR(20), founded DATE)",
    "INSERT INTO cities VALUES (1, 'Rome', '0000-00-00'), (2, 'Oslo', '1048-01-01')",
    "CREATE TABLE visits (person INT, city INT, n DECIMAL(5, 2), PRIMARY KEY (person, city))",
    "INSERT INTO visits VALUES (1, 1, 1.5), (1, 2, 2), (3, 2, 0)",
    "CREATE TABLE notes (text TEXT)",
)


@pytest.fixture
async def town(shop: Database) -> Database:
    await shop.run("SET sql_mode = ''", *PEOPLE)
    return shop


def filtering(rules: Any) -> dict[str, Any]:
    return {"rules": [], "advanced_snippet": {"value": rules}}


async def found(town: Database, *rules: Any) -> list[dict[str, Any]]:
    given = rules[0] if len(rules) == 1 and "query" not in rules[0] else list(rules)
    async with town.source() as one:
        assert (await validate(one, filtering(given))).errors == ()
        return [document async for document in walked(one, Filter(filtering(given)))]


def rule(query: str, *tables: str, **more: Any) -> dict[str, Any]:
    return {"tables": list(tables or ("people",)), "query": query, **more}


async def test_rows_with_the_key_of_their_table_are_its_documents(town: Database) -> None:
    documents = {one["_id"]: one for one in await town.documents()}
    for one in await found(town, rule("SELECT * FROM people WHERE id < 3")):
        assert one == documents.pop(one["_id"])
    assert [one["name"] for one in documents.values() if one["dataset"] == "people"] == ["Eve"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("SELECT id FROM people;", {1, 2, 3}),
        ("  SELECT id FROM people WHERE name <> ';' -- not ;\n ;  -- the end", {1, 2, 3}),
        ("/* one; */ (SELECT id FROM people WHERE id = 1) UNION (SELECT id FROM cities) ORDER BY 1", {1, 2}),
        ("WITH p AS (SELECT * FROM people) SELECT id FROM p WHERE city = (SELECT MAX(id) FROM cities)", {3}),
        ("SELECT city AS id, COUNT(*) FROM people GROUP BY city WITH ROLLUP HAVING city IS NOT NULL", {1, 2}),
        ("SELECT id FROM people WHERE name LIKE '%n%' OR name LIKE '%%v%' LIMIT 2", {1, 3}),
        ('SELECT id FROM people WHERE name = "Ann"', {1}),
        ("select\tSTRAIGHT_JOIN SQL_NO_CACHE id from people force index (primary) where id & 1", {1, 3}),
        ("SELECT id, RANK() OVER (ORDER BY name) FROM people", {1, 2, 3}),
        (
            "WITH RECURSIVE n AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 4) SELECT id FROM n",
            {1, 2, 3, 4},
        ),
    ],
)
async def test_any_select_is_run_as_it_is(town: Database, query: str, wanted: set[int]) -> None:
    assert {one["id"] for one in await found(town, rule(query))} == wanted


async def test_columns_of_the_result_tell_documents_apart(town: Database) -> None:
    query = (
        "SELECT p.name AS who, c.name AS place, v.n FROM visits v JOIN people p ON p.id = v.person JOIN cities c "
        "ON c.id = v.city"
    )
    documents = await found(town, rule(query, "visits", "people", "cities", id_columns=["who", "place"]))
    assert {one["_id"]: one["n"] for one in documents} == {
        f"{town.name}/visits, people, cities/Ann/Rome": Decimal("1.50"),
        f"{town.name}/visits, people, cities/Ann/Oslo": Decimal("2.00"),
        f"{town.name}/visits, people, cities/Eve/Oslo": Decimal("0.00"),
    }
    assert {one["dataset"] for one in documents} == {"visits, people, cities"}


async def test_the_keys_of_several_tables_tell_documents_apart(town: Database) -> None:
    query = "SELECT person, v.city, id, name FROM visits v JOIN people ON id = person"
    documents = await found(town, rule(query, "visits", "people"))
    assert {one["_id"] for one in documents} == {
        f"{town.name}/visits, people/{key}" for key in ("1/1/1", "1/2/1", "3/2/3")
    }


async def test_rows_without_a_key_are_told_apart_by_all_they_hold(town: Database) -> None:
    documents = await found(town, {town.name: {"people": "SELECT city, COUNT(*) AS n FROM people GROUP BY city"}})
    assert sorted((one["city"], one["n"]) for one in documents) == [(1, 2), (2, 1)]
    assert len({one["_id"] for one in documents}) == 2
    assert all("/people/row-" in one["_id"] for one in documents)


async def test_values_are_what_tables_have(town: Database) -> None:
    query = "SELECT p.id, likes, bits, founded, p.name, c.name FROM people p JOIN cities c ON c.id = city ORDER BY p.id"
    first, second, third = await found(town, rule(query))
    assert (first["likes"], second["likes"], third["likes"]) == (["tea"], ["tea", "coffee"], [])
    assert (first["bits"], first["founded"], third["founded"]) == (5, None, date(1048, 1, 1))
    assert (first["name"], first["name:1"]) == ("Ann", "Rome")


async def test_a_walk_by_rules_has_no_checkpoints_and_reads_no_tables(town: Database) -> None:
    await town.run("INSERT INTO people SELECT seq, seq, 1, '', 1 FROM seq_10_to_3000")
    async with town.source() as one:
        rules = Filter(filtering([rule("SELECT * FROM people")]))
        async with closing_walk(one.get_docs_from(None, rules)) as walk:
            first, *others = [each async for each in walk]
    assert isinstance(first, Dataset)
    assert first.name == "people"
    assert [type(each) for each in others] == [dict] * 2994


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([{"tables": ["people"]}], "needs 'query'"),
        ([rule("SELECT 1", "people", more=1)], "knows no 'more'"),
        ([rule("")], "can't be empty"),
        ({"shop": "SELECT 1"}, "an object"),
        ([rule("SELECT 1", "people", "no", "nor")], "rules[0]: Tables not found or inaccessible: no, nor."),
        ([rule("SELECT 1 AS id"), rule("SELECT x FROM people")], "rules[1]: 127.0.0.1:"),
        ([rule("SELECT x FROM people")], "Unknown column 'x'"),
        ([rule("SELECT * FROM mysql.user")], "SELECT command denied"),
        ([rule("SELECT name FROM people", id_columns=["id"])], "rules[0]: Its result has no column 'id', but 'name'."),
        ([rule("SELECT id FROM people WHERE")], "rules[0]: 127.0.0.1:"),
        ([rule("SELECT 1; SELECT 2")], "rules[0]: It has to be one statement."),
        ([rule("UPDATE people SET id = 1")], "rules[0]: It has to be a SELECT."),
        ([rule("CALL something()")], "rules[0]: It "),
        ([rule("nonsense (")], "rules[0]: It is no SELECT."),
        ([rule("-- nothing")], "rules[0]: It has to be one statement."),
        ([rule("SELECT * FROM people FOR UPDATE")], "rules[0]: It may lock nothing and write nowhere."),
        ({"other": {"people": "SELECT 1"}}, "rules.other: This connector reads"),
    ],
)
async def test_what_can_not_be_run_is_refused_with_its_place(town: Database, rules: Any, words: str) -> None:
    async with town.source() as one:
        errors = (await validate(one, filtering(rules))).errors
    assert [error.ids for error in errors] == [("advanced_snippet",)]
    assert words in " ".join(errors[0].messages)


async def test_what_a_server_hides_in_a_comment_is_refused_by_it(town: Database) -> None:
    rules = [rule("SELECT id FROM people /*! ; DROP TABLE people */")]
    async with town.source() as one:
        assert "syntax" in str((await validate(one, filtering(rules))).errors)
    assert await town.run("SELECT COUNT(*) FROM people") == [(3,)]


async def test_a_function_that_writes_is_refused_by_the_server(town: Database) -> None:
    await town.run(
        "CREATE FUNCTION writes() RETURNS INT MODIFIES SQL DATA DETERMINISTIC "
        "BEGIN INSERT INTO notes VALUES ('x'); RETURN 1; END",
        f"GRANT EXECUTE ON {town.name}.* TO 'connectors'@'127.0.0.1'",
    )
    async with town.source() as one:
        with pytest.raises(Exception, match="only read, and this would write"):
            [each async for each in walked(one, Filter(filtering([rule("SELECT writes() AS id")])))]
    assert await town.run("SELECT COUNT(*) FROM notes") == [(0,)]


def test_queries_that_were_never_checked_are_no_setting() -> None:
    with pytest.raises(ConfigurationError, match="one statement"):
        queries_of([rule("SELECT 1; SELECT 2")], "shop", "mysql")


@pytest.mark.parametrize("text", ["SELECT 1 AS a;", "SELECT 1 AS a ; -- done", "SELECT 1 AS a;;"])
def test_a_semicolon_at_the_end_is_left_out(text: str) -> None:
    assert single(text, "mysql").rstrip() == "SELECT 1 AS a"


def test_what_is_not_understood_here_is_left_to_the_database() -> None:
    text = "SELECT a FROM t PROCEDURE ANALYSE(10, 2000) 'x' ] ["
    assert single(text, "mysql") == text
    with pytest.raises(InvalidQuery):
        single("[ SELECT", "mysql")


def test_names_that_come_twice_have_a_number() -> None:
    assert unique(["a", "b", "a", "a:1", "a"]) == ["a", "b", "a:1", "a:1:1", "a:2"]


def test_rows_are_made_of_names_of_any_kind() -> None:
    names = ["a", "'", '"', "\\", "\n", "{x}", "é\u2028", "v0"]
    make = maker_of([ResultColumn(one, str if one == "'" else None) for one in names])
    assert make(tuple(range(8))) == dict(zip(names, [0, "1", *range(2, 8)], strict=True))
    assert make((None,) * 8) == dict.fromkeys(names)


async def test_a_table_that_went_since_its_rule_was_checked_is_named(town: Database) -> None:
    async with town.source() as one:
        with pytest.raises(ConfigurationError, match=r"rules\[0\]: Tables not found or inaccessible: gone\."):
            [each async for each in walked(one, Filter(filtering([rule("SELECT 1 AS id", "gone")])))]
