"""`connectors show`: one connector whole, as a person reads it."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.cli import overview, table
from connectors.cli.arguments import AS_JSON, CONNECTOR, print_json
from connectors.cli.choice import chosen, offer
from connectors.cli.invocation import Invocation
from connectors.cli.shown_schedules import HEADER, ShownSchedule, shown_schedules
from connectors.cli.shown_settings import ShownSetting, shown_settings
from connectors.cli.wording import as_moment, counted
from connectors.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.engine.indices import Identity
    from connectors.fields import Configuration
    from connectors.store.connector import Connector
    from connectors.store.held import HeldSet
    from connectors.store.sync_state import SyncState
    from connectors.sync.workplace import Workplace

LONGEST: Final = 500
"""Characters of a cursor or of advanced rules that are shown; `--json` has all of them."""


@dataclass(frozen=True)
class Seen:
    """A connector, and what there is of it beside its document."""

    connector: "Connector"
    settings: list[ShownSetting]
    source: str
    """What its source is called, or why there is none."""
    indices: "list[Identity]"
    documents: int
    """How many documents of the connector are in them."""
    letters: int
    held: "list[HeldSet]"
    states: "Mapping[str, SyncState]" = field(default_factory=dict)
    schedules: list[ShownSchedule] = field(default_factory=list)
    """The custom ones."""

    @property
    def waiting(self) -> "list[HeldSet]":
        """The held deletions that nobody has decided about."""
        return [one for one in self.held if one.status.value == "held"]


@click.command(short_help="Show all of one connector.")
@CONNECTOR
@AS_JSON
@click.pass_obj
def show(invocation: Invocation, *, connector_id: str | None, as_json: bool) -> None:
    """Show all of the connector ID: settings, schedules, rules, index, syncs and what waits for a person.

    What is secret, or refers to a secret, is shown as ***.
    """
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    seen = asyncio.run(_seen(invocation, connector_id))
    if as_json:
        print_json(_described(seen))
        return
    _tell(seen)


# --- asking the store --------------------------------------------------------------------------------------------


async def _seen(invocation: Invocation, connector_id: str) -> Seen:
    async with invocation.workplace() as place:
        connector = await chosen(place.connectors, connector_id)
        configuration, source = _source(place, connector)
        indices = await place.engine.indices.resolve(connector.index_name) if connector.index_name else []
        return Seen(
            connector=connector,
            settings=list(shown_settings(connector.configuration, configuration)),
            source=source,
            indices=indices,
            documents=await _documents(place, indices, connector.id),
            letters=await place.letters.count(connector.id),
            held=await place.held.of(connector.id),
            states=await _states(place, connector.id),
            schedules=list(shown_schedules(connector, configuration)),
        )


def _source(place: "Workplace", connector: "Connector") -> "tuple[Configuration | None, str]":
    """Return what the source has as settings, and what it is called; without a source there is still enough to show."""
    from connectors.fields import Configuration  # noqa: PLC0415 - loaded only where it is wanted
    from connectors.registry.profile import Profile  # noqa: PLC0415

    if connector.service_type is None:
        return None, "none yet"
    try:
        profile = Profile.of(place.registry.source(connector.service_type), connector.service_type)
    except ConfigurationError as error:
        return None, f"{connector.service_type}: {error}"
    configuration = Configuration(profile.fields, connector.configuration, place.grants)
    return configuration, f"{connector.service_type} ({profile.name})"


async def _documents(place: "Workplace", indices: "list[Identity]", connector_id: str) -> int:
    from connectors.sync.index.mark import FIELD  # noqa: PLC0415 - as above

    query = {"term": {f"{FIELD}.c": connector_id}}
    for one in indices:
        await place.engine.data.refresh(one.name)
    return sum([await place.engine.data.count(one.name, query) for one in indices])


async def _states(place: "Workplace", connector_id: str) -> "dict[str, SyncState]":
    from connectors.store.sync_state import JobType, SyncState  # noqa: PLC0415 - as above

    found = {}
    for job_type in (JobType.FULL, JobType.ACCESS_CONTROL):
        stored = await place.state.read(SyncState.key_of(connector_id, job_type), SyncState)
        if stored is not None:
            found[job_type.value] = stored.value
    return found


# --- telling it --------------------------------------------------------------------------------------------------


def _described(seen: Seen) -> dict[str, Any]:
    connector = seen.connector
    document = connector.document
    rules, advanced, wrong = _rules(connector)
    return {
        **overview.described_of(connector),
        "description": document.get("description"),
        "language": connector.language,
        "pipeline": document.get("pipeline"),
        "sync": document.get("sync"),
        "indices": [one.name for one in seen.indices],
        "documents": seen.documents,
        "configuration": {
            one.name: {"value": one.value, "default": one.is_default, "used": one.counts} for one in seen.settings
        },
        "custom_scheduling": {one.schedule.key: one.described for one in seen.schedules},
        "rules": rules,
        "advanced_rules": advanced,
        "rules_error": wrong,
        "sync_cursor": connector.sync_cursor,
        "checkpoints": {
            kind: {
                "saved_at": state.checkpoint.saved_at.isoformat(),
                "started_at": state.checkpoint.started_at.isoformat(),
            }
            for kind, state in seen.states.items()
            if state.checkpoint
        },
        "last_indexed_document_count": document.get("last_indexed_document_count"),
        "last_deleted_document_count": document.get("last_deleted_document_count"),
        "dead_letters": seen.letters,
        "held_deletions": sum(one.number for one in seen.waiting),
    }


def _tell(seen: Seen) -> None:
    connector = seen.connector
    click.echo(f"{click.style(connector.id, bold=True)}{f': {connector.name}' if connector.name else ''}")
    _facts(_nature(seen))
    _title("Settings")
    if seen.settings:
        table.show(["NAME", "VALUE", "NOTE"], [[one.name, one.text, one.note] for one in seen.settings])
    else:
        click.echo("None.")
    _title("Schedules")
    overview.show_schedules(connector)
    if seen.schedules:
        _title("Custom schedules")
        table.show(HEADER, [one.row for one in seen.schedules])
    _title("Sync rules")
    for line in _rule_lines(connector):
        click.echo(line)
    _title("Syncs")
    _facts(_syncs(seen))
    click.echo()
    for line in _attention(seen):
        click.echo(line)


def _nature(seen: Seen) -> Iterator[tuple[str, str]]:
    connector = seen.connector
    yield "description", str(connector.document.get("description") or "")
    yield "source", seen.source
    yield "index", _index(seen)
    yield "language", connector.language or ""
    yield "pipeline", _pipeline(connector)
    yield "sync", _short(connector.document["sync"]) if connector.document.get("sync") else ""
    yield "status", connector.status.value if connector.status else "unset"
    yield "error", connector.error or ""


def _index(seen: Seen) -> str:
    name = seen.connector.index_name
    if name is None:
        return "none yet"
    if not seen.indices:
        return f"{name}, which is not there yet: the first sync makes it"
    concrete = ", ".join(one.name for one in seen.indices)
    behind = "" if concrete == name else f", which is {concrete},"
    return f"{name}{behind} with {counted(seen.documents, 'document')} of this connector"


def _pipeline(connector: "Connector") -> str:
    try:
        return str((connector.pipeline or {}).get("name") or "")
    except ConfigurationError as error:
        return error.message


def _rules(connector: "Connector") -> tuple[list[Any], Any, str | None]:
    """Return the basic rules without the one that every set has, the advanced ones, and why there are none to read."""
    from connectors.filtering.rule import is_default  # noqa: PLC0415 - as above

    try:
        found = connector.filtering
    except ConfigurationError as error:
        return [], None, error.message
    rules, snippet = found.get("rules"), found.get("advanced_snippet")
    basic = (
        [one for one in rules if not (isinstance(one, Mapping) and is_default(one))] if isinstance(rules, list) else []
    )
    return basic, (snippet.get("value") or None) if isinstance(snippet, Mapping) else None, None


def _rule_lines(connector: "Connector") -> Iterator[str]:
    rules, advanced, wrong = _rules(connector)
    for one in rules:
        parts = ("policy", "field", "rule", "value") if isinstance(one, Mapping) else ()
        yield " ".join(str(one.get(part, "?")) for part in parts) if parts else str(one)
    if advanced is not None:
        yield f"advanced: {_short(advanced)}"
    if wrong is not None:
        yield wrong
    elif not rules and advanced is None:
        yield "None: every document is indexed."


def _syncs(seen: Seen) -> Iterator[tuple[str, str]]:
    connector = seen.connector
    document = connector.document
    indexed, deleted = (document.get(f"last_{what}_document_count") or 0 for what in ("indexed", "deleted"))
    counts = f": {indexed:,} indexed, {deleted:,} deleted" if connector.last_synced else ""
    yield "last", f"{overview.last_sync(overview.described_of(connector))}{counts}"
    yield "error", str(document.get("last_sync_error") or "")
    yield "error", str(document.get("last_access_control_sync_error") or "")
    for kind, state in seen.states.items():
        what = "complete" if kind == "full" else "complete, access control"
        yield what, as_moment(state.completed.at) if state.completed is not None else ""
        if state.checkpoint is not None:
            yield "checkpoint", f"the next sync goes on with the one of {as_moment(state.checkpoint.started_at)}"
    if connector.sync_cursor is not None:
        yield "cursor", _short(connector.sync_cursor)


def _attention(seen: Seen) -> Iterator[str]:
    own = seen.connector.id
    if seen.letters:
        yield f"{counted(seen.letters, 'dead letter')}: connectors dead-letters list {own}"
    number = sum(one.number for one in seen.waiting)
    if number:
        yield f"{counted(number, 'deletion')} held back: connectors deletes list {own}"
    if not seen.letters and not number:
        yield "No dead letters, and no deletions held back."


def _title(text: str) -> None:
    click.echo(f"\n{click.style(text, bold=True)}")


def _facts(facts: Iterator[tuple[str, str]]) -> None:
    """Print what there is to say, each beside its name, and nothing of what there is nothing to say of."""
    width = table.width_of_terminal()
    there = [(name, text) for name, text in facts if text]
    longest = max((len(name) for name, _ in there), default=0)
    for name, text in there:
        lines = [text] if width is None else table.wrapped(text, width - longest - 4)
        for number, line in enumerate(lines):
            click.echo(f"  {'' if number else name:<{longest}}  {line}")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
