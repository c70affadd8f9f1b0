"""Advanced rules with a schema: every problem at once, at its place, and nothing that stands there does harm."""

import math
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigurationError
from connectors.filtering.schema import DEEPEST, LONGEST, MOST_PROBLEMS, MOST_VALUES, AdvancedRulesSchemaValidator
from connectors.filtering.validation import SyncRuleValidationResult
from tests.filtering.wire import HOSTILE


class Folders(AdvancedRulesSchemaValidator):
    schema: ClassVar = {
        "type": "array",
        "minItems": 1,
        "maxItems": 100,
        "items": {
            "type": "object",
            "properties": {
                "pattern": {"type": "string", "minLength": 1, "pattern": "^[^/]"},
                "depth": {"type": ["integer", "null"], "minimum": 0},
                "kind": {"enum": ["file", "folder"]},
                "owner": {"type": "string", "format": "email"},
                "order": {
                    "anyOf": [{"type": "integer"}, {"properties": {"by": {"type": "string"}}, "required": ["by"]}]
                },
                "only": {"oneOf": [{"type": "string"}, {"maxLength": 3}]},
                "labels": {"propertyNames": {"pattern": "^[a-z]+$"}},
                "never": False,
            },
            "required": ["pattern"],
            "additionalProperties": False,
        },
    }


class Anything(AdvancedRulesSchemaValidator):
    schema: ClassVar = {}


def problems(validator: AdvancedRulesSchemaValidator, rules: Any) -> list[str]:
    found = validator.validate(rules)
    results = [found] if isinstance(found, SyncRuleValidationResult) else found
    assert isinstance(results, list)
    assert {one.rule_id for one in results} == {"advanced_snippet"}
    return [one.validation_message for one in results if not one.is_valid]


def test_rules_that_fit_are_valid() -> None:
    rules = [{"pattern": "a/*", "depth": 3, "kind": "file", "order": {"by": "name"}}, {"pattern": "b", "depth": None}]
    assert Folders().validate(rules) == SyncRuleValidationResult.valid_result("advanced_snippet")
    assert problems(Folders(), [MappingProxyType({"pattern": "a"})]) == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], ["rules: It can't be empty."]),
        ({}, ["rules: It has to be a list, not an object."]),
        (["a"], ["rules[0]: It has to be an object, not 'a'."]),
        ([{"patern": "a"}], ["rules[0]: It knows no 'patern'.", "rules[0]: It needs 'pattern'."]),
        ([{"pattern": "a"}, {"pattern": "/b"}], ["rules[1].pattern: It has to match ^[^/], which '/b' does not."]),
        (
            [{"pattern": 5, "depth": "3"}],
            [
                "rules[0].pattern: It has to be a text, not 5.",
                "rules[0].depth: It has to be nothing or a whole number, not '3'.",
            ],
        ),
        ([{"pattern": "a", "depth": -1}], ["rules[0].depth: It is less than the minimum of 0."]),
        ([{"pattern": "a", "depth": 0.5}], ["rules[0].depth: It has to be nothing or a whole number, not 0.5."]),
        ([{"pattern": "a", "kind": "link"}], ["rules[0].kind: It has to be 'file' or 'folder', not 'link'."]),
        ([{"pattern": "a", "owner": "me"}], ['rules[0].owner: It is not a "email".']),
        ([{"pattern": "a", "never": 1}], ["rules[0].never: There is no such thing."]),
        ([{"pattern": "a", "only": "abc"}], ["rules[0].only: It fits several possibilities of which it may fit one."]),
        (
            [{"pattern": "a", "labels": {"B": 1}}],
            ["rules[0].labels: The name 'B' can't be there. It has to match ^[a-z]+$, which 'B' does not."],
        ),
        (
            [{"pattern": "a", "order": {"by": 1}}],
            [
                (
                    "rules[0].order: It fits none of what is possible. It has to be a whole number, not an object. "
                    "Or: by: It has to be a text, not 1."
                )
            ],
        ),
        ([{"pattern": "a"}] * 101, ["rules: It has more than 100 items."]),
    ],
)
def test_every_problem_is_told_with_its_place(rules: Any, expected: list[str]) -> None:
    assert problems(Folders(), rules) == expected


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


ENDLESS: list[Any] = []
ENDLESS += [ENDLESS, ENDLESS]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"a": math.nan}], "rules[0].a: JSON has no nan."),
        ({"a": {"b": math.inf}}, "rules.a.b: JSON has no inf."),
        ([1, {"a": "x\ud800"}], "rules[1].a: The text 'x\\ud800' holds half a character."),
        ({"\udfff": 1}, "rules: The text '\\udfff' holds half a character."),
        ({"a": {1: 2}}, "rules.a: The name 1 is no text."),
        ([object()], "rules[0]: JSON has no a value of type object."),
        (nested(100_000), f"rules[0][0][0][0][0]: This is nested more than {DEEPEST} levels deep."),
        (ENDLESS, f"rules[0][0][0][0][0]: This is nested more than {DEEPEST} levels deep."),
        ([[0] * 1_000] * 1_000, f"rules: They consist of more than {MOST_VALUES:,} values."),
    ],
)
def test_what_no_json_holds_is_a_problem_too(rules: Any, expected: str) -> None:
    assert problems(Anything(), rules) == [expected]


@pytest.mark.parametrize("rules", [nested(DEEPEST), [10**4_000, -(2**70)], {"": None}, [[0] * 1_000] * 50])
def test_what_is_merely_unusual_is_none(rules: Any) -> None:
    assert problems(Anything(), rules) == []


def test_what_is_huge_is_not_printed() -> None:
    found = problems(
        Folders(), [{"pattern": "/" + "x" * 1_000_000}, {"y" * 1_000_000: 1}, {"pattern": ["z" * 1_000_000]}]
    )
    assert [len(one) <= LONGEST for one in found] == [True] * 4
    assert problems(Folders(), [{"pattern": 10**4_000}]) == [
        "rules[0].pattern: It has to be a text, not a huge number."
    ]


def test_of_very_many_problems_the_first_are_told() -> None:
    found = problems(Folders(), [{}] * (MOST_PROBLEMS + 1))
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-2:] == [f"rules[{MOST_PROBLEMS - 1}]: It needs 'pattern'.", "There are more problems than these."]
    assert len(problems(Folders(), [{}] * MOST_PROBLEMS)) == MOST_PROBLEMS


@given(HOSTILE | st.lists(st.dictionaries(st.sampled_from(["pattern", "depth", "order", "only", "labels"]), HOSTILE)))
def test_whatever_the_rules_are_there_is_an_answer(rules: Any) -> None:
    for one in problems(Folders(), rules):
        one.encode()
        assert len(one) <= LONGEST


@pytest.mark.parametrize("schema", [{"type": "strin"}, {"pattern": "(?=a)"}, {"$ref": "http://localhost:1/schema"}])
def test_a_schema_that_is_none_is_an_error_of_its_author(schema: dict[str, Any]) -> None:
    broken = type("Broken", (AdvancedRulesSchemaValidator,), {"schema": schema})
    with pytest.raises(ConfigurationError, match=r"The schema of Broken can't be used: ") as caught:
        broken().validate([1])
    assert len(str(caught.value)) <= LONGEST + 50


def test_each_class_has_its_own_schema() -> None:
    class Lists(Folders):
        schema: ClassVar = {"type": "array"}

    assert [len(problems(one, [{}])) for one in (Folders(), Lists(), Folders())] == [1, 0, 1]


def test_a_pattern_is_matched_without_backtracking() -> None:
    class Slow(AdvancedRulesSchemaValidator):
        schema: ClassVar = {"items": {"pattern": "^(x+x+)+y$"}}

    assert problems(Slow(), ["x" * 100_000]) == [f"rules[0]: It has to match ^(x+x+)+y$, which '{'x' * 60}'… does not."]
