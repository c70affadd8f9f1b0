"""`connectors set`: changes settings of a connector, checked as those of a new one are."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from connectors.cli import overview, table
from connectors.cli.arguments import AS_JSON, CONNECTOR, print_json
from connectors.cli.assignments import Assignment, as_stored
from connectors.cli.choice import chosen, offer
from connectors.cli.index_use import check_unused
from connectors.cli.invocation import Invocation
from connectors.cli.shown_settings import shown_settings

if TYPE_CHECKING:
    from connectors.fields import Fields
    from connectors.store.connector import Connector
    from connectors.sync.workplace import Workplace

Assignments = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Change:
    """One thing that is other than before, with both values as they may be shown."""

    name: str
    before: str
    now: str


@dataclass(frozen=True)
class Changed:
    """A connector that was changed, and what follows from that."""

    connector: "Connector"
    changes: list[Change]
    follows: list[str]


@click.command(name="set", short_help="Change settings of a connector.")
@CONNECTOR
@click.argument("assignments", metavar="[NAME=VALUE]...", nargs=-1, type=Assignment())
@click.option("--index", "index_name", help="The index, or alias, that it writes to.")
@click.option("--name", help="What people call it.")
@click.option("--description", help="What it is for.")
@click.option("--language", help="The language of its documents, such as en.")
@click.option("--pipeline", help="The ingest pipeline that its documents go through.")
@click.option("--full", metavar="CRON", help="When full syncs are due, as a Quartz expression.")
@click.option("--incremental", metavar="CRON", help="When incremental syncs are due.")
@click.option("--access-control", metavar="CRON", help="When access-control syncs are due.")
@click.option(
    "--sync",
    "sync_settings",
    metavar="NAME=VALUE",
    multiple=True,
    type=Assignment(),
    help="How its syncs behave, such as delete_guard.count=500; may be repeated.",
)
@AS_JSON
@click.pass_obj
def set_settings(
    invocation: Invocation,
    /,
    *,
    connector_id: str | None,
    assignments: Assignments,
    as_json: bool,
    **own: Any,  # noqa: ANN401 - a text or none, but for --sync
) -> None:
    """Change settings of the connector ID: those of its source as NAME=VALUE, its own as options.

    `connectors sources show SERVICE_TYPE` lists the settings of a source. A list is written with commas; NAME= empties
    a setting, so that its default counts. All of it is checked as `connectors create` does, and nothing is stored if
    anything is wrong. Schedules are switched on and off by `connectors enable` and `disable`.
    """
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    wanted = _description(assignments, own)
    if not wanted:
        raise click.UsageError("Say what to set: NAME=VALUE, or one of the options.", click.get_current_context())
    changed = asyncio.run(_set(invocation, connector_id, wanted))
    if as_json:
        print_json(_described(changed))
        return
    _tell(changed)


def _description(assignments: Assignments, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be other, in the form that the description of a new connector has."""
    plain = ("index_name", "name", "description", "language", "pipeline")
    found: dict[str, Any] = {name: own[name] for name in plain if own[name] is not None}
    if assignments:
        found["configuration"] = dict(assignments)
    schedules = {kind: {"interval": own[kind]} for kind in overview.KINDS if own[kind] is not None}
    if schedules:
        found["scheduling"] = schedules
    for name, text in own["sync_settings"]:
        place = found.setdefault("sync", {})
        *sections, last = name.split(".")
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise click.UsageError(
                    f"--sync {section} is given both a value and parts.", click.get_current_context()
                )
        place[last] = _value_of(text)
    return found


def _value_of(text: str) -> object:
    """Return a number or a flag where a text is one in JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, bool | int | float) else text


# --- changing it -------------------------------------------------------------------------------------------------


async def _set(invocation: Invocation, connector_id: str, wanted: dict[str, Any]) -> Changed:
    from connectors.store.changed_connector import changes_of, store_changes  # noqa: PLC0415

    async with invocation.workplace() as place:
        connector = await chosen(place.connectors, connector_id)
        fields = _fields(place, connector) if "configuration" in wanted else None
        if fields is not None:
            texts = wanted["configuration"].items()
            typed = {name: as_stored(fields[name], text) if name in fields else text for name, text in texts}
            wanted = {**wanted, "configuration": typed}
        changes = await changes_of(connector, wanted, place.registry, place.grants, place.clock.now())
        if "index_name" in changes:
            changed = replace(connector, document={**connector.document, **changes})
            await check_unused(place.engine, place.connectors, changed, changes["index_name"])
        after = await store_changes(place.connectors, connector, changes) if changes else connector
        left = connector.index_name if after.index_name != connector.index_name else None
        if left is not None and not await place.engine.indices.exists(left):
            left = None
        differences = list(_differences(place, fields, connector, after))
        return Changed(after, differences, list(_follows(fields, connector, after, left)))


def _fields(place: "Workplace", connector: "Connector") -> "Fields | None":
    """Return the settings that the source has. Raises a `ConfigurationError` for a source that can't be used."""
    from connectors.source_class import fields_of  # noqa: PLC0415 - as above

    return fields_of(place.registry.source(connector.service_type)) if connector.service_type else None


# --- telling it --------------------------------------------------------------------------------------------------


def _differences(
    place: "Workplace", fields: "Fields | None", before: "Connector", after: "Connector"
) -> Iterator[Change]:
    """Yield what is other than before."""
    old, new = ([*_own_of(one), *_settings_of(place, fields, one)] for one in (before, after))
    texts = {name: text for name, text, _ in old}
    values = {name: value for name, _, value in old}
    for name, text, value in new:
        if value != values.get(name):
            yield Change(name, texts.get(name, ""), text)


def _own_of(connector: "Connector") -> Iterator[tuple[str, str, object]]:
    """Yield what a connector has of its own: a name for it, how it is shown, and the value."""
    document = connector.document
    for name in ("index_name", "name", "description", "language"):
        yield name, str(document.get(name) or ""), document.get(name)
    pipeline = document.get("pipeline")
    yield "pipeline", str(pipeline.get("name") or "") if isinstance(pipeline, Mapping) else "", pipeline
    for kind, schedule in connector.schedules.items():
        yield f"{overview.KINDS[kind]} syncs", schedule.interval or "", schedule.interval
    sync = document.get("sync")
    yield "sync", json.dumps(sync, ensure_ascii=False) if sync else "", sync
    yield "status", connector.status.value if connector.status else "unset", connector.status


def _settings_of(
    place: "Workplace", fields: "Fields | None", connector: "Connector"
) -> Iterator[tuple[str, str, object]]:
    """Yield the settings of the source in the same form; none where they can't have changed."""
    from connectors.fields import Configuration  # noqa: PLC0415 - as above

    if fields is not None:
        stored = connector.configuration
        for one in shown_settings(stored, Configuration(fields, stored, place.grants)):
            found = stored.get(one.name)
            yield one.name, one.text, found.get("value") if isinstance(found, Mapping) else found


def _follows(fields: "Fields | None", before: "Connector", after: "Connector", left: str | None) -> Iterator[str]:
    """Yield what a person has to know about what was changed; `left` is an index that is not written to any more."""
    if after.index_name != before.index_name:
        yield f"The next full sync reads all of the source and writes it to {after.index_name}."
        if left is not None:
            yield f"What is in {left} stays there, and is not kept up to date any more."
    elif _shapes(fields, before, after):
        yield "That decides which documents there are or what is in them: the next full sync reads all of them again."
    if after.language != before.language:
        yield "The language counts for an index that is made from now on. One that is there keeps its own."
    off = [
        kind
        for kind, schedule in after.schedules.items()
        if not schedule.enabled and schedule != before.schedules[kind]
    ]
    for kind in off:
        option = "" if kind == "full" else f" --{kind.replace('_', '-')}"
        yield f"The schedule of {overview.KINDS[kind]} syncs is off: connectors enable {after.id}{option}"
    if after.status != before.status:
        yield f"It can be synced now: connectors sync {after.id}"


def _shapes(fields: "Fields | None", before: "Connector", after: "Connector") -> bool:
    if before.document.get("pipeline") != after.document.get("pipeline"):
        return True
    old, new = before.configuration, after.configuration
    return any(one.shapes_documents and old.get(name) != new.get(name) for name, one in (fields or {}).items())


def _described(changed: Changed) -> dict[str, Any]:
    return {
        "connector": changed.connector.id,
        "changes": [{"name": one.name, "before": one.before, "now": one.now} for one in changed.changes],
        "follows": changed.follows,
    }


def _tell(changed: Changed) -> None:
    if not changed.changes:
        click.echo(f"Nothing has changed: {changed.connector.id} is like that already.")
        return
    table.show(["SETTING", "BEFORE", "NOW"], [[one.name, one.before, one.now] for one in changed.changes])
    for number, line in enumerate(changed.follows):
        click.echo(line if number else f"\n{line}")
