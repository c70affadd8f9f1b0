"""`connectors rules show`, `set` and `activate`: the sync rules of one connector, those in use and the draft."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from connectors.cli import table
from connectors.cli.arguments import AS_JSON, CONNECTOR, print_json
from connectors.cli.choice import chosen, offer
from connectors.cli.create import described_in, name_of
from connectors.cli.invocation import Invocation
from connectors.cli.rule_sets import EXIT_INVALID, Checked, RuleSet, show_errors
from connectors.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from connectors.services.preparing.draft import Draft
    from connectors.store.connector import Connector
    from connectors.sync.workplace import Workplace

GIVEN: Final = ("rules", "advanced_rules")
_AS_STORED: Final = frozenset({"validation", "created_at", "updated_at"})
"""What a rule set of a connector document has beside its rules, and what follows from an edit by itself."""
_STATES: Final = {"invalid": "not valid", "edited": "edited and not validated yet", "valid": "valid and not in use"}


@dataclass(frozen=True)
class Settled:
    """What became of a draft: the connector as it is now, and what a validation has found where there was one."""

    connector: "Connector"
    has_changed: bool
    validated: Checked | None = None

    @property
    def exit_code(self) -> int:
        """0, unless the draft was found not to be valid."""
        return EXIT_INVALID if self.validated is not None and not self.validated.valid else 0


@click.command(short_help="Show those in use, and the draft.")
@CONNECTOR
@AS_JSON
@click.pass_obj
def show(invocation: Invocation, *, connector_id: str | None, as_json: bool) -> None:
    """Show the sync rules of the connector ID: those in use, and the draft where it says something else."""
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    connector = asyncio.run(_connector(invocation, connector_id))
    if as_json:
        print_json(_described(connector))
    else:
        _tell(connector)


@click.command(name="set", short_help="Write those of a file as the draft.")
@CONNECTOR
@click.option(
    "--from-file",
    "file",
    type=click.File(encoding="utf-8"),
    required=True,
    help="YAML or JSON that holds the rules; - is the standard input.",
)
@click.option("--activate", "activates", is_flag=True, help="Then put them into use, as `activate` does.")
@AS_JSON
@click.pass_obj
def set_rules(invocation: Invocation, *, connector_id: str | None, file: TextIO, activates: bool, as_json: bool) -> int:
    """Write the sync rules of a FILE as the draft of the connector ID, as Kibana does.

    The file says `rules`, `advanced_rules` or both, or is a list of basic rules; what it leaves out stays as it is. A
    draft is in use when it has been found valid: by a daemon, which looks at once, or by `activate`.
    """
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    given = _given(described_in(file), name_of(file))
    settled = asyncio.run(_set(invocation, connector_id, given, activates=activates))
    return _tell_settled(settled, as_json=as_json)


@click.command(short_help="Validate the draft, and put it into use.")
@CONNECTOR
@AS_JSON
@click.pass_obj
def activate(invocation: Invocation, *, connector_id: str | None, as_json: bool) -> int:
    """Validate the draft of the connector ID, and put its sync rules into use if they are valid.

    The source is opened for that. What is wrong is told by the ids of the rules, and stored where Kibana shows it.
    Exit codes: 0 in use, 1 not valid, or the source can't be reached.
    """
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    return _tell_settled(asyncio.run(_activate(invocation, connector_id)), as_json=as_json)


def _given(content: object, name: str) -> dict[str, Any]:
    """Return the rules that a file holds. Raises a `ConfigurationError` for what holds none, or more than that."""
    from connectors.registry import nearest  # loaded only where it is wanted  # noqa: PLC0415

    match content:
        case list():
            return {"rules": content}
        case Mapping() if content.keys() & {*GIVEN, "advanced_snippet"}:
            found = {str(part): one for part, one in content.items() if part not in _AS_STORED}
        case _:
            hint = "It should hold `rules`, `advanced_rules` or both, or a list of basic rules."
            raise ConfigurationError(f"{name} holds no rules.", field="rules", hint=hint)
    if "advanced_snippet" in found:
        snippet = found.pop("advanced_snippet")
        found["advanced_rules"] = snippet.get("value") if isinstance(snippet, Mapping) else snippet
    for part in found:
        if part not in GIVEN:
            raise ConfigurationError(f"{part}: Rules have no such part.", field=part, hint=nearest(part, GIVEN))
    return found


# --- asking the store --------------------------------------------------------------------------------------------


async def _connector(invocation: Invocation, connector_id: str) -> "Connector":
    async with invocation.workplace() as place:
        connector = await chosen(place.connectors, connector_id)
        _ = connector.filtering  # what can't be read is told instead
        return connector


async def _set(invocation: Invocation, connector_id: str, given: dict[str, Any], *, activates: bool) -> Settled:
    from connectors.services.preparing.edit import edited  # noqa: PLC0415 - as above
    from connectors.store.changed_connector import store_changes  # noqa: PLC0415

    async with invocation.workplace() as place:
        connector = await chosen(place.connectors, connector_id)
        _refuse_without_rules(place, connector)
        filtering = edited(connector, given, place.clock.now())
        has_changed = filtering is not connector.document.get("filtering")
        if has_changed:
            connector = await store_changes(place.connectors, connector, {"filtering": filtering})
        if not activates:
            return Settled(connector, has_changed)
        return await _settled(place, connector, has_changed=has_changed)


async def _activate(invocation: Invocation, connector_id: str) -> Settled:
    async with invocation.workplace() as place:
        return await _settled(place, await chosen(place.connectors, connector_id), has_changed=False)


async def _settled(place: "Workplace", connector: "Connector", *, has_changed: bool) -> Settled:
    """Validate a draft, and store what was found; nothing is done for one that is in use."""
    from connectors.services.preparing.draft import Draft  # noqa: PLC0415 - as above
    from connectors.services.preparing.edit import is_in_use  # noqa: PLC0415
    from connectors.store.changed_connector import store_changes  # noqa: PLC0415

    draft = Draft.stored(connector)
    if draft is None or is_in_use(connector):
        return Settled(connector, has_changed)
    validated = await _validated(place, connector, draft)
    changes = {"filtering": draft.settled(connector, validated.validation)}
    stored = await store_changes(place.connectors, connector, changes)
    return Settled(stored, has_changed=True, validated=validated)


async def _validated(place: "Workplace", connector: "Connector", draft: "Draft") -> Checked:
    """Ask the validators of the source. Raises a `ConfigurationError` for wrong settings, and a `SourceError`."""
    from connectors.fields import Configuration  # noqa: PLC0415 - as above
    from connectors.services.preparing.examination import Means, examined  # noqa: PLC0415
    from connectors.source_class import fields_of  # noqa: PLC0415

    source = place.registry.source(_service_type(connector))
    Configuration(fields_of(source), connector.configuration, place.grants).check()
    verdict = await examined(source, connector, draft, Means(place.grants, place.storage))
    if verdict.draft is None:
        message = f"The source could not be asked about the draft of {connector.id}: {verdict.error}"
        raise SourceError(message, hint=f"`connectors check {connector.id}` tells more.")
    return Checked(RuleSet(f"{connector.id}, draft", draft.rules), verdict.draft)


def _refuse_without_rules(place: "Workplace", connector: "Connector") -> None:
    """Raise a `ConfigurationError` for a connector whose drafts nobody looks at: its source has no sync rules."""
    from connectors.registry.profile import Profile  # noqa: PLC0415 - as above
    from connectors.services.preparing.draft import has_rules  # noqa: PLC0415
    from connectors.services.preparing.filling import filled  # noqa: PLC0415

    profile = Profile.of(place.registry.source(_service_type(connector)), connector.service_type)
    features = filled(connector, profile, place.grants).get("features", connector.features)
    if not has_rules(features):
        raise ConfigurationError(f"{profile.name} has no sync rules, or they are switched off.", field="features")


def _service_type(connector: "Connector") -> str:
    if connector.service_type is None:
        hint = "`connectors sources` lists those that there are."
        raise ConfigurationError(f"The connector {connector.id} has no source.", field="service_type", hint=hint)
    return connector.service_type


# --- telling it --------------------------------------------------------------------------------------------------


def _described(connector: "Connector") -> dict[str, Any]:
    from connectors.services.preparing.draft import Draft  # noqa: PLC0415 - as above
    from connectors.services.preparing.edit import is_in_use  # noqa: PLC0415

    draft = Draft.stored(connector)
    return {
        "connector": connector.id,
        "active": connector.filtering or None,
        "draft": draft.rules if draft is not None else None,
        "draft_is_in_use": is_in_use(connector),
    }


def _tell(connector: "Connector") -> None:
    found = _described(connector)
    active, draft = RuleSet("", found["active"] or {}), RuleSet("", found["draft"] or {})
    click.echo(f"{click.style(connector.id, bold=True)}: {active} in use")
    _tell_rules(found["active"] or {})
    if found["draft_is_in_use"]:
        return
    validation = found["draft"].get("validation")
    state = validation.get("state") if isinstance(validation, Mapping) else None
    click.echo(f"\n{click.style('Draft', bold=True)}, {_STATES.get(str(state), 'not validated')}: {draft}")
    _tell_rules(found["draft"])
    if state == "invalid" and isinstance(validation, Mapping):
        click.echo()
        show_errors(validation.get("errors"))
    click.echo(f"\nTo have it validated and used at once: connectors rules activate {connector.id}")


def _tell_rules(rules: Mapping[str, Any]) -> None:
    from connectors.filtering.rule import is_default  # noqa: PLC0415 - as above

    found, snippet = rules.get("rules"), rules.get("advanced_snippet")
    basic = [one for one in found if not is_default(one)] if isinstance(found, list) else []
    if basic:
        click.echo()
        table.show(["RULE", "POLICY", "FIELD", "OPERATOR", "VALUE"], _rows(basic))
    advanced = snippet.get("value") if isinstance(snippet, Mapping) else None
    if advanced:
        click.echo(f"\nAdvanced rules\n{json.dumps(advanced, indent=2, ensure_ascii=False)}")
    if not basic and not advanced:
        click.echo("Every document is indexed.")


def _rows(rules: Sequence[object]) -> list[list[str]]:
    """Return the rules in the order in which they decide."""
    from connectors.filtering.rule import order_of  # noqa: PLC0415 - as above

    ordered = sorted((one for one in rules if isinstance(one, Mapping)), key=order_of)
    return [[str(one.get(part, "")) for part in ("id", "policy", "field", "rule", "value")] for one in ordered]


def _tell_settled(settled: Settled, *, as_json: bool) -> int:
    connector = settled.connector
    if as_json:
        validation = settled.validated.validation.wire() if settled.validated is not None else {}
        found = _described(connector)
        told = {"connector": connector.id, "changed": settled.has_changed, "draft_is_in_use": found["draft_is_in_use"]}
        print_json({**told, **validation, "draft": found["draft"]})
        return settled.exit_code
    if settled.validated is not None:
        settled.validated.tell()
        if settled.validated.valid:
            click.echo("They are in use from the next full sync on.")
        return settled.exit_code
    if _described(connector)["draft_is_in_use"]:
        click.echo(f"Nothing to do: these are the rules of {connector.id} that are in use.")
    else:
        edited = "is edited" if settled.has_changed else "is like that already"
        click.echo(f"The draft of {connector.id} {edited}: {RuleSet('', _described(connector)['draft'])}.")
        click.echo(f"A daemon uses it once it has found it valid. At once: connectors rules activate {connector.id}")
    return settled.exit_code
