"""The named operations on indices, their aliases and their mappings, and on the pipelines that lead into them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from connectors.engine.flavor import Flavor
from connectors.engine.lane import Lane
from connectors.engine.stamp import Stamp, read_stamp
from connectors.errors import IndexMissing


@dataclass(frozen=True)
class Identity:
    """A concrete index: a name can be given to another index later, a UUID can't."""

    name: str
    uuid: str


@dataclass(frozen=True)
class Description:
    """What a concrete index is like.

    `aliases` says of each whether writes to it go to this index, and None where nobody said; `data_stream` names the
    one that the index is a part of. `settings` and `mappings` are what the engine shows of both.
    """

    identity: Identity
    aliases: Mapping[str, bool | None]
    settings: Mapping[str, Any]
    mappings: Mapping[str, Any]
    data_stream: str | None = None

    @property
    def is_closed(self) -> bool:
        """Whether it takes neither reads nor writes."""
        return self.settings.get("verified_before_close") == "true"

    @property
    def blocks(self) -> list[str]:
        """The settings that keep writes out, by their full names."""
        found = self.settings.get("blocks", {})
        return [f"index.blocks.{name}" for name in _BLOCKS if found.get(name) == "true"]


@dataclass(frozen=True)
class AliasChange:
    """One of several changes of aliases that happen at once, or not at all."""

    index: str
    alias: str
    remove: bool = False
    is_write_index: bool | None = None

    def action(self) -> dict[str, Any]:
        """Return the change as the engine takes it."""
        change: dict[str, Any] = {"index": self.index, "alias": self.alias}
        if self.remove:
            return {"remove": {**change, "must_exist": True}}
        if self.is_write_index is not None:
            change["is_write_index"] = self.is_write_index
        return {"add": change}


_BLOCKS: Final = ("write", "read_only", "read_only_allow_delete")


class _Alias(msgspec.Struct, frozen=True):
    is_write_index: bool | None = None


class _Settings(msgspec.Struct, frozen=True):
    index: dict[str, Any]


class _Described(msgspec.Struct, frozen=True):
    settings: _Settings
    aliases: dict[str, _Alias] = {}
    mappings: dict[str, Any] = {}
    data_stream: str | None = None

    def named(self, index: str) -> Description:
        aliases = {name: alias.is_write_index for name, alias in sorted(self.aliases.items())}
        own = self.settings.index
        return Description(Identity(index, str(own["uuid"])), aliases, own, self.mappings, self.data_stream)


class _Uuid(msgspec.Struct, frozen=True):
    settings: dict[str, dict[str, Any]]


class _Mappings(msgspec.Struct, frozen=True):
    mappings: dict[str, Any]


class _Aliases(msgspec.Struct, frozen=True):
    aliases: dict[str, dict[str, Any]]


class Indices:
    """Creates, describes and deletes indices. Every operation has a time limit and raises an `EngineError`."""

    def __init__(self, lane: Lane, flavor: Flavor) -> None:
        self._lane = lane
        self._flavor = flavor

    async def create(
        self,
        name: str,
        *,
        mappings: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        aliases: Sequence[str] = (),
    ) -> None:
        """Create an index. Raises `Conflict` when there is one of that name, which may be this call's own work."""
        await self._lane.call(
            f"create the index {name}",
            lambda client: client.indices.create(
                index=name, mappings=mappings, settings=settings, aliases={alias: {} for alias in aliases}
            ),
            object,
        )

    async def exists(self, name: str) -> bool:
        """Return whether there is an index or alias of that name."""
        return bool(await self.resolve(name))

    async def resolve(self, name: str) -> list[Identity]:
        """Return the concrete indices that a name stands for, in the order of their names; none when it is unknown."""
        try:
            found = await self._lane.call(
                f"find out what {name} is",
                lambda client: client.indices.get_settings(index=name, name="index.uuid"),
                dict[str, _Uuid],
            )
        except IndexMissing:
            return []
        return [Identity(index, str(found[index].settings["index"]["uuid"])) for index in sorted(found)]

    async def describe(self, name: str) -> list[Description]:
        """Return what the concrete indices of a name are like, in the order of their names; none when it is unknown."""
        try:
            found = await self._lane.call(
                f"find out what {name} is like", lambda client: client.indices.get(index=name), dict[str, _Described]
            )
        except IndexMissing:
            return []
        return [found[index].named(index) for index in sorted(found)]

    async def delete(self, name: str) -> bool:
        """Delete a concrete index; False when there was none."""
        try:
            await self._lane.call(f"delete the index {name}", lambda client: client.indices.delete(index=name), object)
        except IndexMissing:
            return False
        return True

    async def mapping(self, name: str) -> dict[str, Any]:
        """Return the mapping of a concrete index."""
        found = await self._lane.call(
            f"read the mapping of {name}",
            lambda client: client.indices.get_mapping(index=name),
            dict[str, _Mappings],
        )
        return found[name].mappings

    async def add_to_mapping(self, name: str, properties: Mapping[str, Any]) -> None:
        """Add fields to a mapping. Raises `EngineRefused` for a field that is there with another type."""
        await self._lane.call(
            f"add fields to {name}",
            lambda client: client.indices.put_mapping(index=name, properties=properties),
            object,
        )

    async def aliases(self, name: str) -> dict[str, list[str]]:
        """Return the aliases of each concrete index that a name stands for."""
        found = await self._lane.call(
            f"read the aliases of {name}", lambda client: client.indices.get_alias(index=name), dict[str, _Aliases]
        )
        return {index: sorted(answer.aliases) for index, answer in sorted(found.items())}

    async def change_aliases(self, changes: Sequence[AliasChange]) -> None:
        """Change aliases, all at once or not at all."""
        names = ", ".join(sorted({change.alias for change in changes}))
        await self._lane.call(
            f"change the aliases {names}",
            lambda client: client.indices.update_aliases(actions=[change.action() for change in changes]),
            object,
        )

    async def pipeline_exists(self, name: str) -> bool:
        """Return whether there is an ingest pipeline of that name; the embedded engine has none."""
        if self._flavor is Flavor.EMBEDDED:
            return False
        found = await self._lane.call(
            f"look for the pipeline {name}", lambda client: client.ingest.get_pipeline(id=name), dict[str, Any]
        )
        return name in found

    async def stamp(self, name: str) -> Stamp | None:
        """Return where a concrete index stands; None when that can't be told right now."""
        return await read_stamp(self._lane, name)
