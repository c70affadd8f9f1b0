"""Who uses an index: the connectors that write to the same one, by whatever name."""

from typing import TYPE_CHECKING

from connectors.errors import ConfigurationError, IndexMissing

if TYPE_CHECKING:
    from connectors.engine import Engine
    from connectors.store.connector import Connector
    from connectors.store.connectors import ConnectorStore


async def others_of(
    engine: "Engine", connectors: "ConnectorStore", connector_id: str, index_name: str
) -> "list[Connector]":
    """Return the other connectors whose index a name stands for."""
    names = {index_name}
    try:
        aliases = await engine.indices.aliases(index_name)
    except IndexMissing:
        aliases = {}
    for index, of_index in aliases.items():
        names |= {index, *of_index}
    return [one for one in await connectors.of_index(names) if one.id != connector_id]


async def check_unused(engine: "Engine", connectors: "ConnectorStore", connector: "Connector", index_name: str) -> None:
    """Raise a `ConfigurationError` when another connector has an index, and not both of them share it."""
    others = await others_of(engine, connectors, connector.id, index_name)
    if not others or (connector.sync.shared_index and all(one.sync.shared_index for one in others)):
        return
    raise ConfigurationError(
        f"The connector {', '.join(repr(one.id) for one in others)} writes to the index {index_name} too.",
        field="index_name",
        hint="Give each its own, or set sync.shared_index in both.",
    )
