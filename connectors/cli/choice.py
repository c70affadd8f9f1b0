"""A choice: the connector that a command is for, found by its id, or those that there are to choose from."""

from typing import TYPE_CHECKING, Final, NoReturn

import click

from connectors.cli import overview
from connectors.cli.invocation import Invocation
from connectors.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.store.connector import Connector
    from connectors.store.connectors import ConnectorStore

MOST_NAMED: Final = 10


async def chosen(connectors: "ConnectorStore", connector_id: str) -> "Connector":
    """Return the connector of an id. Raises a `ConfigurationError` that says which one may have been meant."""
    found = await connectors.get(connector_id) if connector_id else None
    if found is not None and not found.deleted:
        return found
    there = [one async for one in connectors.all()]
    hint = _hint(connector_id, there)
    raise ConfigurationError(f"There is no connector {connector_id!r}.", field="id", hint=hint)


async def offer(invocation: Invocation, *, as_json: bool) -> NoReturn:
    """List the connectors that there are to a person who named none. Raises a `UsageError`."""
    async with invocation.workplace() as place:
        there = await overview.all_of(place.connectors)
    if there or as_json:
        overview.show(there, as_json=as_json)
    if there and not as_json:
        click.echo()
    raise click.UsageError(
        "Say which of these connectors, by its ID." if there else f"There is no connector yet. {overview.BEGINNING}",
        click.get_current_context(silent=True),
    )


def _hint(wanted: str, there: "list[Connector]") -> str:
    from connectors.registry import nearest  # noqa: PLC0415 - loaded only where it is wanted

    if not there:
        return f"There is none yet. {overview.BEGINNING}"
    named = [one.id for one in there if one.name == wanted]
    if named:
        return f"That is the name of {', '.join(named[:MOST_NAMED])}."
    ids = sorted(one.id for one in there)
    hint = nearest(wanted, ids)
    if hint.startswith("Known") and len(ids) > MOST_NAMED:
        return f"`connectors list` shows the {len(ids)} that there are."
    return hint
