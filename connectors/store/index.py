"""Our own indices: created when they are missing, by whoever comes first, and given the fields that they lack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.engine import Engine
from connectors.engine.indices import AliasChange
from connectors.errors import Conflict, EngineRefused

SETTINGS: Final = {"number_of_shards": 1, "auto_expand_replicas": "0-1", "hidden": True}
WITHHELD: Final = (
    "Connectors and Kibana share this index. An engine that keeps it to itself can't be used: see docs/engines.md."
)


@dataclass(frozen=True)
class StoreIndex:
    """An index that the store keeps records in.

    What an index of somebody else's making lacks is not added when it is `shared` with other programs.
    """

    name: str
    properties: Mapping[str, Any]
    alias: str | None = None
    meta: Mapping[str, Any] | None = None
    shared: bool = False

    async def prepare(self, engine: Engine) -> None:
        """Make the index usable. Called by any number of processes at once. Raises an `EngineError`."""
        try:
            await self._prepare(engine)
        except EngineRefused as error:
            if error.hint is None and self.shared:
                error.hint = WITHHELD
            raise

    async def _prepare(self, engine: Engine) -> None:
        if self.alias is not None and await engine.indices.exists(self.alias):
            return
        if not await engine.indices.exists(self.name):
            await self._create(engine)
        elif not self.shared:
            await self._complete(engine)
        if self.alias is not None and not await engine.indices.exists(self.alias):
            await engine.indices.change_aliases([AliasChange(self.name, self.alias)])

    async def _create(self, engine: Engine) -> None:
        mappings = {"dynamic": False, "properties": self.properties}
        try:
            await engine.indices.create(
                self.name,
                mappings=mappings if self.meta is None else {**mappings, "_meta": self.meta},
                settings=SETTINGS,
                aliases=[self.alias] if self.alias is not None else [],
            )
        except Conflict:  # somebody else was first, or the answer to our own first attempt was lost
            return

    async def _complete(self, engine: Engine) -> None:
        """Add the fields that an older version did not have."""
        found = (await engine.indices.mapping(self.name)).get("properties", {})
        missing = {name: wanted for name, wanted in self.properties.items() if name not in found}
        if missing:
            await engine.indices.add_to_mapping(self.name, missing)
        for name, wanted in self.properties.items():
            kind = found.get(name, wanted).get("type", "object")
            if kind != wanted.get("type", "object"):
                raise EngineRefused(
                    f"The index {self.name} has {name} as {kind}, where {wanted['type']} is needed to find records.",
                    status=400,
                    kind="mapping",
                    hint="Reindex it into one of the right mapping: docs/state.md tells which that is.",
                )
