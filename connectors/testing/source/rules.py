"""Sync rules: basic ones never make a source lose a document, advanced ones are checked before they are obeyed."""

from itertools import cycle
from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.filtering.chain import validate
from connectors.filtering.rules import Rules
from connectors.literal import text_of
from connectors.source import Document
from connectors.testing.source.case import SourceCase
from connectors.testing.source.conditions import comparisons_of
from connectors.testing.source.promise import applies, fail, promise
from connectors.testing.source.subject import Settings, Subject
from connectors.testing.source.walked import documents_of

Wire = dict[str, Any]


class SyncRules(SourceCase):
    """The filter that a walk is given."""

    async def test_no_rule_makes_the_walk_lose_a_document(self, subject: Subject, settings: Settings) -> None:
        """A source may fetch less by basic rules; what they keep has to be there."""
        applies(getattr(self.source, "basic_rules_enabled", True), "it has no basic rules")
        async with subject.opened(settings) as source:
            documents = await documents_of(source)
            for wire in rules_about(list(documents.values()), self.most_walks):
                if await problems_of(source, rules=wire):
                    continue  # as the framework does not obey them either
                keeps = Rules.of(wire).keeps
                got = await documents_of(source, Filter({"rules": wire}))
                lost = next((id_ for id_, one in documents.items() if id_ not in got and keeps(one)), None)
                text = " / ".join(f"{one['policy']} {one['field']} {one['rule']} {one['value']!r}" for one in wire)
                promise(lost is None, f"With the rules {text} the walk leaves out {lost!r}, which they keep.")

    @pytest.fixture
    def rules_needed(self) -> None:
        """Skip what is about advanced rules for a source that has none."""
        applies(getattr(self.source, "advanced_rules_enabled", False), "it has no advanced rules")

    @pytest.mark.usefixtures("rules_needed")
    async def test_valid_rules_are_valid_and_obeyed(self, subject: Subject, settings: Settings) -> None:
        """Each of `valid_rules` passes the validators, and a walk with it comes to its end."""
        promise(self.valid_rules, "Set `valid_rules` to advanced rules that work with `settings`.")
        async with subject.opened(settings) as source:
            for rules in self.valid_rules:
                problems = await problems_of(source, **advanced_of(rules))
                promise(not problems, f"The validators refuse {rules!r} of `valid_rules`: {problems}")
                try:
                    await documents_of(source, Filter(advanced_of(rules)))
                except Exception as error:  # noqa: BLE001 - whatever is raised is wrong
                    fail(f"get_docs() with {rules!r} of `valid_rules` raised {error!r}")

    @pytest.mark.usefixtures("rules_needed")
    async def test_invalid_rules_are_refused_with_a_reason(self, subject: Subject, settings: Settings) -> None:
        """Each of `invalid_rules` is refused by a validator, which does not raise."""
        promise(self.invalid_rules, "Set `invalid_rules` to advanced rules that the validators refuse.")
        async with subject.opened(settings) as source:
            for rules in self.invalid_rules:
                problems = await problems_of(source, **advanced_of(rules))
                promise(problems, f"The validators accept {rules!r} of `invalid_rules`.")
                promise(all(problems), f"The validators refuse {rules!r} and do not say why.")

    @pytest.mark.usefixtures("rules_needed")
    async def test_empty_rules_are_no_rules(self, subject: Subject, settings: Settings) -> None:
        """An empty object, which a connector begins with, and an empty list."""
        async with subject.opened(settings) as source:
            documents = await documents_of(source)
            nothing: tuple[Any, ...] = ({}, [])
            for empty in nothing:
                problems = await problems_of(source, **advanced_of(empty))
                promise(not problems, f"The validators refuse the advanced rules {empty}: {problems}")
                got = await documents_of(source, Filter(advanced_of(empty)))
                promise(
                    got.keys() == documents.keys(), f"With the advanced rules {empty} the walk yields something else."
                )


def rules_about(documents: list[Document], most: int) -> list[list[Wire]]:
    """Return basic rules of one and of two, made of what the documents hold."""
    comparisons = [one for one in comparisons_of(documents, most) if one.literal.text]
    wires = [{"field": one.field, "rule": one.operator.value, "value": one.literal.text} for one in comparisons]
    held = [
        {"field": name, "rule": "equals", "value": text}
        for one in documents
        for name, value in one.items()
        if (text := text_of(value))
    ]
    found = []
    for number, (wire, other) in enumerate(zip(wires, cycle(held), strict=False)):
        policies = ("include", "exclude") if number % 2 else ("exclude", "include")
        found.append([_rule(1, policies[0], wire), _rule(2, policies[1], other)])
    return found


def _rule(number: int, policy: str, condition: Wire) -> Wire:
    return {"id": f"rule-{number}", "policy": policy, "order": number, **condition}


async def problems_of(source: Any, **given: Any) -> list[str]:  # noqa: ANN401 - any source, and any rules
    """Return what the validators say against rules, all that the framework and the source have."""
    validation = await validate(source, {"rules": [], **given})
    return [message for error in validation.errors for message in error.messages]


def advanced_of(rules: Any) -> Wire:  # noqa: ANN401 - what the source takes as rules
    """Return advanced rules as a filter has them."""
    return {"advanced_snippet": {"value": rules}}
