"""The chain: every validator is asked, of whatever kind, and nothing but its word makes rules valid."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.filtering.basic import DEFAULT_VALIDATORS, RuleByItself
from connectors.filtering.chain import LIMIT_S, ValidatedRules, validate, validate_all
from connectors.filtering.findings import LONGEST_ID, LONGEST_MESSAGE
from connectors.filtering.rule import Rule, is_default
from connectors.filtering.schema import AdvancedRulesSchemaValidator
from connectors.filtering.validation import (
    AdvancedRulesValidator,
    BasicRulesSetValidator,
    BasicRuleValidator,
    FilteringValidation,
    RuleError,
)
from connectors.source import BaseDataSource
from tests.filtering.sources import (
    DEFECT,
    SNIPPET,
    MyDataSource,
    MyValidator,
    Never,
    Result,
    bad,
    errors,
    source,
    source_of,
)
from tests.filtering.wire import ANYTHING, HOSTILE, Json, almost_rules, rule

VALID = FilteringValidation()
# What is said and how it is told.


def test_what_is_said_is_told_as_the_protocol_has_it() -> None:
    found = FilteringValidation((RuleError(("r1",), ("One.", "Two.")),))
    assert found.wire() == {"state": "invalid", "errors": [{"ids": ["r1"], "messages": ["One.", "Two."]}]}
    assert (found.is_valid, VALID.is_valid) == (False, True)
    assert VALID.wire() == {"state": "valid", "errors": []}


async def test_messages_of_one_id_are_one_error_each_message_once_and_in_order() -> None:
    class Strict(BasicRuleValidator):
        @classmethod
        def validate(cls, rule: Any) -> list[Result]:
            return [bad(rule["id"], "No."), bad(rule["id"], "No."), bad("r1", "Never.")]

    class All(BasicRulesSetValidator):
        @classmethod
        def validate(cls, set_of_rules: Any) -> list[Result]:
            return [bad("r2", "All."), bad("r1", "No.")]

    assert await errors(source(Strict, All), [rule("r2"), rule("r1")]) == {
        "r2": ["No.", "All."],
        "r1": ["Never.", "No."],
    }


async def test_what_could_not_be_stored_or_is_too_long_is_changed() -> None:
    def told(rule: Any) -> Result:
        return bad(rule["id"], "x\ud800" * LONGEST_MESSAGE)

    found = await errors(source(SimpleNamespace(validate=told)), [rule("\ud800" + "i" * LONGEST_ID)])
    (own,), ((message,),) = found.keys(), found.values()
    assert own == "?" + "i" * (LONGEST_ID - 2) + "…"
    assert message == "x?" * (LONGEST_MESSAGE // 2 - 1) + "x…"


# Which validators are asked, and about what.


def test_a_validator_has_half_a_minute() -> None:
    assert LIMIT_S == 30.0


async def test_a_source_without_any_method_has_the_default_validators() -> None:
    assert await errors(object(), [rule("r1", policy="no")]) == {
        "r1": ["The rule 'r1' has the policy 'no', which does not exist. There are include, exclude."]
    }
    assert await errors(object(), [rule()]) == {}
    assert await errors(source_of(BaseDataSource), [rule("r1", order=None)]) == {
        "r1": ["The rule 'r1' needs an order, the number by which rules are sorted."]
    }


async def test_validators_may_be_classes_or_instances_and_plain_or_async() -> None:
    class OfInstance(BasicRuleValidator):
        async def validate(self, rule: Any) -> Result:  # type: ignore[override]
            await asyncio.sleep(0)
            return bad(rule["id"], "OfInstance")

    class OfClass(BasicRulesSetValidator):
        @classmethod
        async def validate(cls, set_of_rules: Sequence[Any]) -> list[Result]:
            return [bad(one["id"], "OfClass") for one in set_of_rules]

    class Advanced(AdvancedRulesValidator):
        def validate(self, advanced_rules: Any) -> Awaitable[Result]:
            return answer(bad(SNIPPET, f"Advanced {advanced_rules}"))

    async def answer(result: Result) -> Result:
        return result

    async def validators() -> list[Any]:
        return [OfInstance(), OfInstance, OfClass, OfClass()]

    asked = SimpleNamespace(basic_rules_validators=validators, advanced_rules_validators=lambda: [Advanced, Advanced()])
    assert await errors(asked, [rule()], [1]) == {"r1": ["OfInstance", "OfClass"], SNIPPET: ["Advanced [1]"]}
    one = source(advanced=Advanced)
    assert await errors(one, [], {"a": 1}) == {SNIPPET: ["Advanced {'a': 1}"]}
    assert await errors(source(advanced=(Advanced(),)), [], {"a": 1}) == {SNIPPET: ["Advanced {'a': 1}"]}
    assert await errors(SimpleNamespace(basic_rules_validators=OfClass), [rule()]) == {"r1": ["OfClass"]}


async def test_validators_of_no_base_class_are_known_by_the_name_of_their_parameter() -> None:
    class Each:
        def validate(self, rule: Any) -> Result:
            return bad(rule["id"], "Each")

    class All:
        @staticmethod
        def validate(rules: Any) -> list[Result]:
            return [bad(one["id"], "All") for one in rules]

    class Neither:
        def validate(self, something: Any) -> None:
            raise AssertionError

    assert await errors(source(Each, All, Neither), [rule()]) == {
        "r1": ["Each", "All"],
        "rules": [
            (
                "Neither failed: TypeError: it has to extend BasicRuleValidator or BasicRulesSetValidator, or name "
                f"its parameter `rule` or `set_of_rules`. {DEFECT}"
            )
        ],
    }


async def test_the_default_rule_is_left_out_and_sets_are_in_the_order_in_which_they_decide() -> None:
    asked: list[str] = []

    def each(rule: Any) -> list[Result]:
        asked.append(rule.get("id"))
        return []

    def together(set_of_rules: Any) -> list[Result]:
        asked.append(",".join(str(one.get("id")) for one in set_of_rules))
        return []

    validators = source(SimpleNamespace(validate=each), SimpleNamespace(validate=together))
    wires = [rule("DEFAULT", policy="include"), rule("late", order=5), rule("odd", order="x"), rule("soon", order=-1)]
    assert await errors(validators, wires) == {}
    assert asked == ["late", "odd", "soon", "soon,late,odd"]


async def test_advanced_validators_are_asked_only_about_rules_that_are_there() -> None:
    asked = source_of(MyDataSource)
    nothing: list[Any] = [None, {}, []]
    for snippet in nothing:
        assert await errors(asked, [], snippet) == {}
    assert await errors(asked, [], {"a": 1}) == {SNIPPET: ["There is no folder."]}
    assert await validate(asked, {}) == VALID


class Older(BaseDataSource):
    @classmethod
    def basic_rule_validators(cls) -> list[Any]:
        return [*super().basic_rule_validators(), Never]


class Newer(BaseDataSource):
    @classmethod
    def basic_rules_validators(cls) -> list[Any]:
        return [*super().basic_rule_validators(), Never]


class Replacing(BaseDataSource):
    @classmethod
    def basic_rules_validators(cls) -> list[Any]:
        return [Never]


class Both(Replacing):
    @classmethod
    def basic_rule_validators(cls) -> list[Any]:
        return [RuleByItself, Never]


class Below(Older):
    pass


@pytest.mark.parametrize(
    ("kind", "messages"),
    [
        (Older, ["default", "Never"]),
        (Below, ["default", "Never"]),
        (Newer, ["default", "Never"]),
        (Replacing, ["Never"]),
        (Both, ["Never", "default"]),
    ],
)
async def test_both_names_of_the_method_count(kind: type[BaseDataSource], messages: list[str]) -> None:
    default = "The rule 'r1' needs a value to compare with."
    expected = [default if one == "default" else one for one in messages]
    assert await errors(source_of(kind), [rule(value="")]) == {"r1": expected}


async def test_a_validator_that_both_names_return_is_asked_once() -> None:
    calls: list[str] = []

    def each(rule: Any) -> list[Result]:
        calls.append(rule["id"])
        return []

    validator = SimpleNamespace(validate=each)
    methods = {"basic_rules_validators": lambda: [validator], "basic_rule_validators": lambda: [validator, validator]}
    assert await errors(SimpleNamespace(**methods), [rule()]) == {}
    assert calls == ["r1"]


# What a source has rules of.


class Without(BaseDataSource):
    name = "Files"
    basic_rules_enabled = False


class With(BaseDataSource):
    advanced_rules_enabled = True


class Off(MyDataSource):
    name = "Off"
    advanced_rules_enabled = False


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            source_of(Without),
            {
                "r1": ["Files has no basic rules. Remove this one."],
                SNIPPET: ["Files has no advanced rules. Remove them."],
            },
        ),
        (source_of(With), {}),
        (source_of(MyDataSource), {}),
        (source_of(Off), {SNIPPET: ["Off has no advanced rules. Remove them."]}),
        (object(), {SNIPPET: ["object has no advanced rules. Remove them."]}),
        (source(advanced=[MyValidator]), {}),
        (
            source(advanced=[MyValidator], advanced_rules_enabled=False),
            {SNIPPET: ["SimpleNamespace has no advanced rules. Remove them."]},
        ),
    ],
)
async def test_rules_that_a_source_does_not_have_are_errors(asked: object, expected: Json) -> None:
    assert await errors(asked, [rule("DEFAULT", policy="include"), rule()], {"folder": 1}) == expected


async def test_other_tasks_get_their_turn_while_very_many_rules_are_checked() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert await errors(source(RuleByItself), [rule(str(number)) for number in range(1_000)]) == {}
    task.cancel()
    assert turns == 10


# Filtering of whatever shape.


@pytest.mark.parametrize(
    ("filtering", "expected"),
    [
        (None, {"rules": ["The filtering is nothing, not an object."]}),
        ([], {"rules": ["The filtering is a list, not an object."]}),
        ({}, {}),
        ({"rules": None, SNIPPET: None}, {}),
        ({"rules": "r1"}, {"rules": ["The basic rules are 'r1', not a list."]}),
        ({"rules": [5]}, {"rules[0]": ["rules[0] is 5, not an object."]}),
        ({"rules": [{**rule(), "id": 1}]}, {"rules[0]": ["The rule without an id has 1 as its id, which is no text."]}),
        ({SNIPPET: [1]}, {SNIPPET: ["The advanced snippet is a list, not an object."]}),
        ({SNIPPET: {"value": 5}}, {SNIPPET: ["The advanced rules are 5, neither an object nor a list."]}),
    ],
)  # fmt: skip
async def test_filtering_of_another_shape_is_an_error(filtering: Any, expected: Mapping[str, list[str]]) -> None:
    found = await validate(source_of(MyDataSource), filtering)
    assert {error.ids[0]: list(error.messages) for error in found.errors} == expected


async def test_a_default_rule_that_excludes_is_an_error() -> None:
    found = await errors(object(), [rule("DEFAULT"), rule("DEFAULT", policy="include")])
    assert [one[:60] for one in found["DEFAULT"]] == [
        "The rule 'DEFAULT' has 'exclude' as its policy, which has no effect"[:60],
        "2 rules have the id 'DEFAULT', and rules with that id have no effect"[:60],
    ]


class Schema(AdvancedRulesSchemaValidator):
    schema: ClassVar = {"type": "array", "items": {"type": "object", "required": ["a"]}}


FILTERINGS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "rules": st.lists(almost_rules() | HOSTILE, max_size=5) | HOSTILE,
        SNIPPET: st.fixed_dictionaries({"value": HOSTILE}) | HOSTILE,
    },
)


@given(FILTERINGS | ANYTHING)
async def test_whatever_the_filtering_is_there_is_an_answer_that_can_be_stored(filtering: Any) -> None:
    found = await validate(source(*DEFAULT_VALIDATORS, advanced=[Schema()]), filtering)
    for error in found.errors:
        assert all(text.encode() for text in (*error.ids, *error.messages))
    if found.is_valid:
        for one in filtering.get("rules") or ():
            assert is_default(one) or isinstance(Rule.of(one), Rule)


# The whole filtering of a connector.


async def test_every_rule_set_of_the_only_domain_is_validated_where_it_stands() -> None:
    good, wrong = {"rules": [rule()]}, {"rules": [rule(value=None)]}
    error = RuleError(("r1",), ("The rule 'r1' needs a value to compare with.",))
    filtering = [
        {"domain": "other", "active": wrong, "draft": wrong},
        {"domain": "DEFAULT", "active": good, "draft": wrong},
        {"domain": "DEFAULT", "active": None},
        5,
        {"domain": "DEFAULT", "draft": []},
    ]
    assert await validate_all(object(), filtering) == (
        ValidatedRules((1, "active"), VALID),
        ValidatedRules((1, "draft"), FilteringValidation((error,))),
        ValidatedRules((3,), FilteringValidation((RuleError(("rules",), ("filtering[3] is 5, not an object.",)),))),
        ValidatedRules(
            (4, "draft"), FilteringValidation((RuleError(("rules",), ("The filtering is a list, not an object.",)),))
        ),
    )


@pytest.mark.parametrize("filtering", [None, [], [{"domain": "other"}], [{"domain": "DEFAULT"}], [{}]])
async def test_a_connector_without_rules_has_nothing_to_validate(filtering: Any) -> None:
    assert await validate_all(object(), filtering) == ()


@given(ANYTHING | st.lists(st.fixed_dictionaries({"domain": st.just("DEFAULT")}, optional={"draft": FILTERINGS})))
async def test_whatever_a_connector_has_as_its_filtering_there_is_an_answer(filtering: Any) -> None:
    for found in await validate_all(object(), filtering):
        assert found.validation.state in {"valid", "invalid"}


async def test_filtering_that_is_no_list_is_an_error_of_the_whole() -> None:
    error = RuleError(("rules",), ("The filtering is an object, not a list.",))
    assert await validate_all(object(), {"rules": []}) == (ValidatedRules((), FilteringValidation((error,))),)
