"""A choice: the connector that a command is for, found by its id, or those that there are to choose from."""

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from connectors.cli import table
from connectors.cli.invocation import Invocation
from connectors.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.store.connector import Connector
    from connectors.store.connectors import ConnectorStore

MOST_NAMED: Final = 10
COLUMNS: Final = ("ID", "NAME", "SOURCE", "INDEX", "STATUS", "LAST SYNC")


async def chosen(connectors: "ConnectorStore", connector_id: str) -> "Connector":
    """Return the connector of an id. Raises a `ConfigurationError` that says which one may have been meant."""
    found = await connectors.get(connector_id)
    if found is not None and not found.deleted:
        return found
    there = [one async for one in connectors.all()]
    hint = _hint(connector_id, there)
    raise ConfigurationError(f"There is no connector {connector_id!r}.", field="id", hint=hint)


async def offer(invocation: Invocation, *, as_json: bool) -> NoReturn:
    """List the connectors that there are to a person who named none. Raises a `UsageError`."""
    async with invocation.workplace() as place:
        there = sorted([one async for one in place.connectors.all()], key=lambda one: one.id)
    if as_json:
        click.echo(json.dumps([_described(one) for one in there], indent=2, ensure_ascii=False))
    elif there:
        rows = [[str(value or "") for value in _described(one).values()] for one in there]
        table.show(COLUMNS, rows)
        click.echo()
    raise click.UsageError(
        "Say which of these connectors, by its ID." if there else f"There is no connector yet. {_BEGINNING}",
        click.get_current_context(silent=True),
    )


_BEGINNING: Final = "`connectors create` makes one, and `connectors sync --source` does so as it syncs."


def _hint(wanted: str, there: "list[Connector]") -> str:
    from connectors.registry import nearest  # noqa: PLC0415 - loaded only where it is wanted

    if not there:
        return f"There is none yet. {_BEGINNING}"
    named = [one.id for one in there if one.name == wanted]
    if named:
        return f"That is the name of {', '.join(named[:MOST_NAMED])}."
    ids = sorted(one.id for one in there)
    hint = nearest(wanted, ids)
    if hint.startswith("Known") and len(ids) > MOST_NAMED:
        return f"`connectors sync` lists the {len(ids)} that there are."
    return hint


def _described(connector: "Connector") -> dict[str, Any]:
    return {
        "id": connector.id,
        "name": connector.name,
        "service_type": connector.service_type,
        "index_name": connector.index_name,
        "status": connector.status.value if connector.status else None,
        "last_sync_status": connector.document.get("last_sync_status"),
    }
