"""The examples that authors of connectors know: they run as they are written down."""

from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.filtering.chain import validate
from tests.filtering.sources import MyDataSource, source_of
from tests.filtering.wire import Json, rule

BY_DATABASE = {
    "folder": {"table_1": "SELECT ... FROM ...;", "table_2": "SELECT ... FROM ...;"},
    "database_2": {"table_1": "SELECT ... FROM ...;"},
}


@pytest.mark.parametrize(
    ("filtering", "documents"),
    [
        (None, [{"_id": "everything"}]),
        (Filter(), [{"_id": "everything"}]),
        (Filter({"advanced_snippet": {"value": {}}, "rules": []}), [{"_id": "everything"}]),
        (
            Filter({"advanced_snippet": {"value": BY_DATABASE}}),
            [{"_id": "0", "rule": "folder"}, {"_id": "1", "rule": "database_2"}],
        ),
        (Filter({"advanced_snippet": {"value": [{"a": 1}]}}), [{"_id": "0", "rule": {"a": 1}}]),
    ],
)
async def test_documents_are_read_with_and_without_advanced_rules(
    filtering: Filter | None, documents: list[Json]
) -> None:
    assert [document async for document in source_of(MyDataSource).get_docs(filtering)] == documents


@pytest.mark.parametrize(
    ("rules", "snippet", "errors"),
    [
        ([rule("r1")], BY_DATABASE, []),
        ([rule("r1")], [{"database": 1}], []),
        ([], {"other": 1}, [("advanced_snippet", ["There is no folder."])]),
        ([rule("r1", field="secret")], {}, [("r1", ["Leave this field alone."])]),
        (
            [rule(f"r{number}", value=str(number), order=9 - number) for number in range(5)],
            None,
            [("r1", ["Three rules are enough."]), ("r0", ["Three rules are enough."])],
        ),
        (
            [rule("r1", field="secret", policy="drop")],
            None,
            [
                (
                    "r1",
                    [
                        "The rule 'r1' has the policy 'drop', which does not exist. There are include, exclude.",
                        "Leave this field alone.",
                    ],
                )
            ],
        ),
    ],
)
async def test_validators_of_a_source_are_asked_besides_the_default_ones(
    rules: list[Json], snippet: Any, errors: list[tuple[str, list[str]]]
) -> None:
    found = await validate(source_of(MyDataSource), {"rules": rules, "advanced_snippet": {"value": snippet}})
    assert [(error.ids, list(error.messages)) for error in found.errors] == [((own,), texts) for own, texts in errors]
    assert found.state == ("invalid" if errors else "valid")
