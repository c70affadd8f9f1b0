"""Rehearsals: what stands in for servers that can't be had understands their dialects, and nothing else."""

from collections.abc import Iterator

import pytest

from tests.sources.rehearsal import Refusal, Rehearsal, Tongue


@pytest.fixture(params=["tsql", "oracle"])
def rehearsal(request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    tongue = Tongue(loaded=lambda declared, value: bool(value) if declared == "flag" else value)
    found = Rehearsal(request.param, {"SELECT what": [(1, "a")]}, schema="own", tongue=tongue)
    found.run("CREATE TABLE people (id int PRIMARY KEY, name text COLLATE NOCASE UNIQUE NOT NULL, good flag)")
    found.run("CREATE VIEW grown AS SELECT id FROM people; INSERT INTO people VALUES (1, 'Ann', 1), (2, 'b', 0)")
    yield found
    found.close()


def marked(rehearsal: Rehearsal, name: str) -> str:
    return f":{name}" if rehearsal.dialect == "oracle" else f"%({name})s"


def paged(rehearsal: Rehearsal, condition: str) -> str:
    most = marked(rehearsal, "most")
    if rehearsal.dialect == "oracle":
        return f'SELECT "id", "good" FROM "own"."people" WHERE {condition} ORDER BY "id" FETCH FIRST {most} ROWS ONLY'
    return f"SELECT TOP ({most}) [id], [good] FROM [own].[people] WHERE {condition} ORDER BY [id]"


def test_a_page_is_answered_by_its_values_and_declared_types(rehearsal: Rehearsal) -> None:
    text = paged(rehearsal, f"name <> {marked(rehearsal, 'p0')}")
    answer = rehearsal.ask(text, {"p0": "b", "most": 5})
    assert (answer.names, answer.declared, list(answer.rows)) == (["id", "good"], ["int", "flag"], [(1, True)])


def test_what_is_recorded_is_answered_as_it_was(rehearsal: Rehearsal) -> None:
    assert list(rehearsal.ask("SELECT what", {}).rows) == [(1, "a")]


def test_a_snapshot_stays_as_it_was(rehearsal: Rehearsal) -> None:
    one = rehearsal.conversation()
    one.begin()
    before = list(one.ask("SELECT id FROM people").rows)
    rehearsal.run("DELETE FROM people")
    assert list(one.ask("SELECT id FROM people").rows) == before == [(1,), (2,)]
    one.end()
    assert list(one.ask("SELECT id FROM people").rows) == []
    one.close()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT id FROM people LIMIT 1", "syntax"),
        ("SELECT id FROM people WHERE (id, name) > (1, 'a')", "syntax"),
        ("SELECT id FROM people WHERE NOT (id > 1) = 1", "syntax"),
        ("SELECT id FROM people WHERE (id > 1) IS TRUE", "syntax"),
        ("SELECT id FROM people WHERE 1", "syntax"),
        ("SELECT id FROM people WHERE good AND id = 1", "syntax"),
        ("SELECT FROM WHERE", "syntax"),
        ("SELECT 1; SELECT 2", "syntax"),
        ("DELETE FROM people", "syntax"),
        ("SELECT id FROM other.people", "table"),
        ("SELECT id FROM nobody", "table"),
        ("SELECT nothing FROM people", "column"),
    ],
)
def test_what_the_dialect_lacks_is_refused(rehearsal: Rehearsal, text: str, kind: str) -> None:
    with pytest.raises(Refusal) as caught:
        rehearsal.ask(text)
    assert caught.value.kind == kind


@pytest.mark.parametrize("given", [{}, {"most": 1}, {"p0": 1, "p1": 2}])
def test_values_and_marks_have_to_be_the_same(rehearsal: Rehearsal, given: dict[str, object]) -> None:
    with pytest.raises(Refusal, match="parameters"):
        rehearsal.ask(paged(rehearsal, f"id > {marked(rehearsal, 'p0')}"), given)


def test_a_value_too_much_is_one_where_the_driver_says_so(rehearsal: Rehearsal) -> None:
    text, given = paged(rehearsal, f"id > {marked(rehearsal, 'p0')}"), {"most": 1, "p0": 1, "p1": 2}
    if rehearsal.dialect == "tsql":
        assert list(rehearsal.ask(text, given).rows) == [(2, False)]
        return
    with pytest.raises(Refusal, match="parameters"):
        rehearsal.ask(text, given)


def test_parts_of_a_union_may_stand_in_parentheses(rehearsal: Rehearsal) -> None:
    assert list(rehearsal.ask("(SELECT id FROM people) UNION ALL (SELECT 7 AS id)").rows) == [(1,), (2,), (7,)]


def test_the_highest_value_is_of_the_type_of_its_column(rehearsal: Rehearsal) -> None:
    answer = rehearsal.ask("SELECT MAX(good) FROM own.people")
    assert (answer.declared, list(answer.rows)) == (["flag"], [(True,)])


def test_its_catalog_is_that_of_sqlite(rehearsal: Rehearsal) -> None:
    tables, columns, keys = rehearsal.catalog()
    assert tables == [("grown", True, None), ("people", False, 2)]
    assert columns == [
        ("grown", "id", "int", True, True),
        ("people", "id", "int", False, True),
        ("people", "name", "text collate NOCASE", False, True),
        ("people", "good", "flag", True, True),
    ]
    unique = ("people", "sqlite_autoindex_people_2", False, "name", True, False)
    assert keys == [("people", "PRIMARY", True, "id", True, False), unique]
