"""`connectors rules`: checks sync rules that are in a file, without an engine."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from connectors.cli import table
from connectors.cli.assignments import Assignment, configured
from connectors.cli.invocation import Invocation
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


@dataclass(frozen=True)
class Checked:
    """A rule set and what its validation found."""

    rule_set: RuleSet
    validation: "FilteringValidation"

    @property
    def valid(self) -> bool:
        """Whether there is nothing wrong."""
        return self.validation.is_valid


@click.group()
def rules() -> None:
    """Work on sync rules."""


@rules.command()
@click.option("--source", "service_type", required=True, help="Service type of the source that the rules are for.")
@click.option(
    "--set",
    "assignments",
    type=Assignment(),
    multiple=True,
    help="A setting of the source that its rules depend on; may be repeated. What is not set has an example value.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.pass_obj
def check(
    invocation: Invocation, service_type: str, assignments: tuple[tuple[str, str], ...], file: TextIO, *, as_json: bool
) -> int:
    """Check the sync rules in a FILE (- is the standard input) and say what is wrong with each.

    The file holds a rule set {"rules": […], "advanced_snippet": {"value": …}}, a list of basic rules, or the filtering
    of a connector document. Exit codes: 0 valid, 1 not valid, 2 not to be read.
    """
    from connectors.source import made  # noqa: PLC0415 - loaded only where it is wanted
    from connectors.storage import Storage  # noqa: PLC0415

    source = invocation.registry.source(service_type)
    configuration = configured(source, dict(assignments), invocation.settings.exposed_secrets)
    name = "stdin" if file.name in {"-", "<stdin>"} else file.name
    sets = list(rule_sets(_content(file, name), name))
    checked = asyncio.run(_check(made(source, configuration, Storage.in_memory()), sets))
    if as_json:
        click.echo(json.dumps([_described(one) for one in checked], indent=2, ensure_ascii=False))
    else:
        for one in checked:
            _tell(one)
    return 0 if all(one.valid for one in checked) else EXIT_INVALID


def rule_sets(content: object, name: str) -> Iterator[RuleSet]:
    """Yield the rule sets of a file, whatever they hold. Raises a `ConfigurationError` where there are none."""
    match content:
        case {"filtering": [*elements]}:
            yield from _of_filtering(elements, name)
        case {"active": _} | {"draft": _}:
            yield from _of_filtering([content], name)
        case {"rules": _} | {"advanced_snippet": _}:
            yield RuleSet(name, content)
        case [{"active": _} | {"draft": _}, *_]:
            yield from _of_filtering(list(content), name)
        case list():
            yield RuleSet(name, {"rules": content})
        case _:
            hint = 'It should hold {"rules": […], "advanced_snippet": {"value": …}}, a list of rules, or a filtering.'
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


def _content(file: TextIO, name: str) -> object:
    try:
        content: object = json.load(file)
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name} is not text in UTF-8.", field="filtering") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name} is not JSON: {error}.", field="filtering") from None
    return content


async def _check(source: Any, sets: list[RuleSet]) -> list[Checked]:  # noqa: ANN401 - of any class
    from connectors.filtering.chain import validate  # noqa: PLC0415 - as above

    try:
        return [Checked(one, await validate(source, one.filtering)) for one in sets]
    finally:
        if hasattr(source, "close"):  # a validator may have opened something
            await source.close()


def _described(checked: Checked) -> dict[str, Any]:
    one = checked.rule_set
    counted = {"basic_rules": one.rules, "advanced_rules": one.has_advanced_rules}
    return {"name": one.name, **counted, **checked.validation.wire()}


def _tell(checked: Checked) -> None:
    one = checked.rule_set
    state = click.style("valid", fg="green") if checked.valid else click.style("invalid", fg="red")
    counted = f"{one.rules} basic rule{'' if one.rules == 1 else 's'}"
    click.echo(f"{state}  {one.name}: {counted}{' and advanced rules' if one.has_advanced_rules else ''}")
    found = [[", ".join(error.ids), message] for error in checked.validation.errors for message in error.messages]
    if found:
        table.show(["RULE", "WHAT IS WRONG"], found)
