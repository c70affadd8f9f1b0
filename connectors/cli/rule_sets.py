"""Rule sets: sync rules that are checked together, as files have them, and what was found about each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.cli import table
from connectors.cli.wording import counted
from connectors.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.filtering.validation import FilteringValidation

EXIT_INVALID: Final = 1
_STATES: Final = ("active", "draft")


@dataclass(frozen=True)
class RuleSet:
    """Rules that are checked together: basic ones, advanced ones or both, and what of the file they are."""

    name: str
    filtering: object

    @property
    def rules(self) -> int:
        """How many basic rules there are, without the one that every set has."""
        from connectors.filtering.rule import is_default  # noqa: PLC0415 - loaded only where it is wanted

        match self.filtering:
            case {"rules": list() as rules}:
                return sum(not (isinstance(rule, Mapping) and is_default(rule)) for rule in rules)
        return 0

    @property
    def has_advanced_rules(self) -> bool:
        """Whether there are advanced rules."""
        match self.filtering:
            case {"advanced_snippet": {"value": value}}:
                return bool(value)
        return False

    def __str__(self) -> str:
        return f"{counted(self.rules, 'basic rule')}{' and advanced rules' if self.has_advanced_rules else ''}"


@dataclass(frozen=True)
class Checked:
    """A rule set and what its validation found."""

    rule_set: RuleSet
    validation: "FilteringValidation"

    @property
    def valid(self) -> bool:
        """Whether there is nothing wrong."""
        return self.validation.is_valid

    def tell(self) -> None:
        """Print it for a person: the state, and what is wrong with which rule."""
        state = click.style("valid", fg="green") if self.valid else click.style("invalid", fg="red")
        click.echo(f"{state}  {self.rule_set.name}: {self.rule_set}")
        show_errors([error.wire() for error in self.validation.errors])

    def wire(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        one = self.rule_set
        number = {"basic_rules": one.rules, "advanced_rules": one.has_advanced_rules}
        return {"name": one.name, **number, **self.validation.wire()}


def show_errors(errors: object) -> None:
    """Print what is wrong with rules, as a connector document has it: by their ids."""
    found = [
        [", ".join(map(str, error.get("ids") or [])), str(message)]
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, Mapping)
        for message in error.get("messages") or []
    ]
    if found:
        table.show(["RULE", "WHAT IS WRONG"], found)


def rule_sets(content: object, name: str) -> Iterator[RuleSet]:
    """Yield the rule sets of a file, whatever they hold. Raises a `ConfigurationError` where there are none."""
    match content:
        case {"filtering": [*elements]}:
            yield from _of_filtering(elements, name)
        case {"active": _} | {"draft": _}:
            yield from _of_filtering([content], name)
        case Mapping() if content.keys() & {"rules", "advanced_rules", "advanced_snippet"}:
            yield RuleSet(name, _as_stored(content))
        case [{"active": _} | {"draft": _}, *_]:
            yield from _of_filtering(list(content), name)
        case list():
            yield RuleSet(name, _as_stored({"rules": content}))
        case _:
            hint = "It should hold `rules`, `advanced_rules` or both, a list of rules, or the filtering of a connector."
            raise ConfigurationError(f"{name} holds no rules.", field="filtering", hint=hint)


def _of_filtering(elements: list[object], name: str) -> Iterator[RuleSet]:
    """Yield what a connector document has as its filtering: what is in use and what is being edited, a domain each."""
    for place, element in enumerate(elements):
        if not isinstance(element, Mapping):
            yield RuleSet(f"{name}, filtering[{place}]", element)
            continue
        domain = f" {element.get('domain')}" if len(elements) > 1 else ""
        for state in _STATES:
            if state in element:
                yield RuleSet(f"{name},{domain} {state}", element[state])


def _as_stored(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return rules that a person wrote as a connector document has them."""
    from connectors.store.description import numbered  # noqa: PLC0415 - loaded only where it is wanted

    found = dict(given)
    if "advanced_rules" in found:
        found["advanced_snippet"] = {"value": found.pop("advanced_rules")}
    return {**found, "rules": numbered(found["rules"])} if isinstance(found.get("rules"), list) else found
