"""Sources and validators of every kind that somebody may write."""

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

from connectors.byoc import Filter
from connectors.fields import Configuration, Fields
from connectors.filtering.chain import validate
from connectors.filtering.validation import (
    AdvancedRules,
    AdvancedRulesValidator,
    BasicRulesSetValidator,
    BasicRuleValidator,
    SyncRuleValidationResult,
    WireRule,
)
from connectors.source import BaseDataSource

SNIPPET = "advanced_snippet"
DEFECT = "This is a defect of the source, not of the rules."
Result = SyncRuleValidationResult


class MyValidator(AdvancedRulesValidator):
    def validate(self, advanced_rules: AdvancedRules) -> SyncRuleValidationResult:
        if "folder" in advanced_rules or isinstance(advanced_rules, list):
            return SyncRuleValidationResult.valid_result(SyncRuleValidationResult.ADVANCED_RULES)
        return SyncRuleValidationResult.invalid_result(SyncRuleValidationResult.ADVANCED_RULES, "There is no folder.")


class MyBasicRuleValidator(BasicRuleValidator):
    @classmethod
    def validate(cls, rule: WireRule) -> SyncRuleValidationResult:
        if rule["field"] == "secret":
            return SyncRuleValidationResult.invalid_result(rule["id"], "Leave this field alone.")
        return SyncRuleValidationResult.valid_result(rule["id"])


class MyBasicRulesSetValidator(BasicRulesSetValidator):
    @classmethod
    def validate(cls, set_of_rules: Sequence[WireRule]) -> list[SyncRuleValidationResult]:
        return [
            SyncRuleValidationResult.invalid_result(rule["id"], "Three rules are enough.") for rule in set_of_rules[3:]
        ]


class MyDataSource(BaseDataSource):
    name = "Mine"

    async def ping(self) -> None:
        pass

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Any]:
        if filtering and filtering.has_advanced_rules():
            advanced_rules = filtering.get_advanced_rules()
            for place, rule in enumerate(advanced_rules):
                yield {"_id": str(place), "rule": rule}
        else:
            yield {"_id": "everything"}

    def advanced_rules_validators(self) -> list[Any]:
        return [MyValidator()]

    @classmethod
    def basic_rules_validators(cls) -> list[Any]:
        return (BaseDataSource.basic_rule_validators()  # noqa: RUF005 - as it is written down
                + [MyBasicRuleValidator, MyBasicRulesSetValidator])  # fmt: skip


def source_of(kind: type[BaseDataSource]) -> BaseDataSource:
    return kind(Configuration(Fields(), {}))


class Never(BasicRuleValidator):
    @classmethod
    def validate(cls, rule: Any) -> Result:
        return bad(rule["id"], cls.__name__)


def source(*basic: Any, advanced: Any = (), **more: Any) -> Any:
    """A source of no base class, with these validators."""
    methods = {"basic_rules_validators": lambda: list(basic), "advanced_rules_validators": lambda: advanced}
    return SimpleNamespace(**methods, **more)


def bad(own: str, message: str) -> Result:
    return Result.invalid_result(own, message)


async def errors(asked: object, rules: Any = (), snippet: Any = None, **more: Any) -> dict[str, list[str]]:
    found = await validate(asked, {"rules": list(rules), SNIPPET: {"value": snippet}}, **more)
    assert found.wire() == {
        "state": "invalid" if found.errors else "valid",
        "errors": [{"ids": list(error.ids), "messages": list(error.messages)} for error in found.errors],
    }
    return {error.ids[0]: list(error.messages) for error in found.errors}
