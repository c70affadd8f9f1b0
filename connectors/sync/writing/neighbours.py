"""Neighbours: the other connectors that have documents in an index, which are theirs and left alone."""

from collections.abc import Sequence

from connectors.engine.records import StoredDocument
from connectors.store.connectors import ConnectorStore
from connectors.sync.index.mark import FIELD


class Neighbours:
    """Tells whose a stored document is, for one sync.

    A document is its connector's by the mark alone, as long as there is that connector: what one that was deleted left
    behind is anybody's. In a `shared` index every document that may be new is looked at before it is written; in
    another one only what is in the way, because there nobody else's should be.
    """

    def __init__(self, connectors: ConnectorStore, connector: str, *, shared: bool) -> None:
        self.shared = shared
        self._connectors = connectors
        self._are_there = {connector: False}
        """What is known of connectors: our own is nobody else."""

    async def owners(self, found: Sequence[StoredDocument | None]) -> list[str | None]:
        """Return for each document the other connector whose it is, None where it is nobody else's."""
        return [await self._owner(one) if one is not None else None for one in found]

    async def are_of(self, name: str) -> bool:
        """Return whether the documents that carry this name are another connector's."""
        if name not in self._are_there:
            connector = await self._connectors.get(name)
            self._are_there[name] = connector is not None and not connector.deleted
        return self._are_there[name]

    async def _owner(self, found: StoredDocument) -> str | None:
        mark = found.source.get(FIELD)
        name = mark.get("c") if isinstance(mark, dict) else None
        return name if isinstance(name, str) and name and await self.are_of(name) else None


def taken(owner: str) -> tuple[str, str]:
    """Return the cause and the reason why a document of another connector is not written to."""
    return "another connector's", f"The index has a document of this id that belongs to the connector {owner!r}."
