"""The target: the one concrete index that a sync writes to, made when it is missing, and watched while it writes."""

from dataclasses import dataclass, replace
from typing import Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.aio.retry import Retry
from connectors.engine import Engine
from connectors.engine.indices import AliasChange, Description
from connectors.errors import (
    ConfigurationError,
    Conflict,
    EngineBlocked,
    EngineFailed,
    EngineRefused,
    IndexReplaced,
)
from connectors.store.index_name import FIELD, check_name, first_index, write_alias
from connectors.sync.index.content_index import (
    NewIndex,
    access_control_index,
    content_index,
    missing_fields,
    was_made_for,
)

log = logger.get(__name__)
UNWATCHED_S: Final = 1.0
"""How long a concrete index is believed to be there; who deletes it just then finds it made anew by a write of ours."""
_RETRY: Final = Retry()
_NAME_REFUSED: Final = frozenset({"invalid_index_name_exception", "invalid_alias_name_exception"})


@dataclass(frozen=True)
class Target:
    """A concrete index, and the name that a connector has for it: an alias, or that of the index.

    An engine makes an index anew when something is written to it after it was deleted, and has no other means against
    that but to write to an alias, which is gone with its index. So an index that we make has one of its own for that,
    which stands for nothing else: `alias`, None for an index that has none.
    """

    name: str
    index: str
    uuid: str
    alias: str | None = None


async def open_target(
    engine: Engine, name: str, *, language: str | None = None, access_control: bool = False, retry: Retry = _RETRY
) -> Target:
    """Return the concrete index that a name stands for now, with all that a sync needs of it.

    A missing one is created: `<name>-000001` behind the alias `<name>`, and with `access_control` the index `<name>`
    itself. Of one that is there only the mapping is ever touched, and only to add what it lacks. Any number of
    processes may do this at once; all get the same. Raises `ConfigurationError` for a name that no index can have or
    that stands for nothing that can be written to, `EngineBlocked` for an index that takes no writes, and whatever
    else the engine raises. `retry` is for the moment until what somebody else created can be seen.
    """
    check_name(name)
    found = await engine.indices.describe(name)
    if not found:
        flavor = engine.info.flavor
        if access_control:
            found = await _created(engine, name, name, access_control_index(name, flavor), retry)
        else:
            new = content_index(name, language, flavor)
            found = await _created(engine, name, first_index(name), new, retry)
    chosen = _written(name, found)
    _check_writable(chosen)
    await _complete(engine, chosen, access_control=access_control)
    return Target(name, chosen.identity.name, chosen.identity.uuid, _alias_of(chosen, name))


async def find_target(engine: Engine, name: str) -> Target | None:
    """Return the concrete index that a name stands for now, None where there is none yet. Nothing is made or changed.

    Raises what `open_target` raises for an index that documents can't be written to.
    """
    check_name(name)
    found = await engine.indices.describe(name)
    if not found:
        return None
    chosen = _written(name, found)
    _check_writable(chosen)
    missing_fields(chosen.identity.name, chosen.mappings, access_control=False)
    return Target(name, chosen.identity.name, chosen.identity.uuid, _alias_of(chosen, name))


async def unmake(engine: Engine, target: Target) -> None:
    """Delete the index of a target if it is one that we made and nothing is in it: for who made it in vain."""
    found = [one for one in await engine.indices.describe(target.index) if one.identity.uuid == target.uuid]
    if not any(was_made_for(one.mappings, target.name) for one in found):
        return
    await engine.control.refresh(target.index)
    if await engine.control.count(target.index) == 0 and await engine.indices.delete(target.index):
        log.info("Deleted an index again that was made in vain.", index=target.index)


class TargetWatch:
    """Looks whether the name of a target still means the same index."""

    def __init__(self, engine: Engine, target: Target, clock: Clock) -> None:
        self._engine = engine
        self._target = target
        self._clock = clock
        self._confirmed_at = clock.monotonic()

    async def confirm(self) -> None:
        """Look now. Raises `IndexReplaced`, and another `EngineError` when that can't be found out."""
        asked_at = self._clock.monotonic()
        await check(self._engine, self._target)
        self._confirmed_at = asked_at

    async def ensure(self) -> None:
        """Do the same before a write, if the write itself would not notice, and unless it was done a moment ago."""
        if self._target.alias is None and self._clock.monotonic() - self._confirmed_at > UNWATCHED_S:
            await self.confirm()


async def check(engine: Engine, target: Target) -> None:
    """Raise `IndexReplaced` when the name of a target means something else than it did, or nothing at all.

    It is one small request, and a second one only where an alias stands for several indices.
    """
    found = await engine.indices.resolve(target.name)
    identities = {one.name: one.uuid for one in found}
    if target.index not in identities:
        now = f"stands for {', '.join(identities)} now" if identities else "stands for nothing any more"
        raise IndexReplaced(
            f"The index {target.index} is not the target any more: {target.name} {now}.", index=target.index
        )
    if identities[target.index] != target.uuid:
        raise IndexReplaced(
            f"The index {target.index} was deleted and created anew: its UUID was {target.uuid} and is "
            f"{identities[target.index]}.",
            index=target.index,
        )
    if len(identities) > 1:
        writes = [one.identity.name for one in _write_indices(target.name, await engine.indices.describe(target.name))]
        if writes != [target.index]:
            raise IndexReplaced(
                f"The index {target.index} is not the target any more: writes to {target.name} go to "
                f"{', '.join(writes) or 'no index'} now.",
                index=target.index,
            )


def _alias_of(index: Description, name: str) -> str | None:
    alias = write_alias(index.identity.name)
    return alias if alias in index.aliases and was_made_for(index.mappings, name) else None


# --- what a name stands for --------------------------------------------------------------------------------------


def _written(name: str, found: list[Description]) -> Description:
    """Return the index that writes to a name go to. Raises `ConfigurationError` where there is no such."""
    streams = sorted({one.data_stream for one in found if one.data_stream is not None})
    if streams:
        raise ConfigurationError(
            f"The name {name} stands for the data stream {', '.join(streams)}, where documents can't be replaced.",
            field=FIELD,
            hint="Give the connector an index, an alias, or a name that is not there yet.",
        )
    writes = _write_indices(name, found)
    if len(writes) == 1:
        return writes[0]
    listed = ", ".join(one.identity.name for one in found)
    raise ConfigurationError(
        f"The alias {name} stands for {listed}, and does not say which of them is written to.",
        field=FIELD,
        hint="Set is_write_index for one of them, or give the connector the name of one.",
    )


def _write_indices(name: str, found: list[Description]) -> list[Description]:
    if len(found) == 1:
        return [one for one in found if one.aliases.get(name) is not False]
    return [one for one in found if one.aliases.get(name) is True]


def _check_writable(index: Description) -> None:
    name = index.identity.name
    if index.is_closed:
        raise ConfigurationError(
            f"The index {name} is closed.", field=FIELD, hint="Open it, or give the connector another index."
        )
    if index.blocks:
        raise EngineBlocked(
            f"The index {name} takes no writes: {', '.join(index.blocks)} is set.",
            hint="Free disk space where that is why, and take the setting from the index.",
        )


# --- making and completing it ------------------------------------------------------------------------------------


async def _created(engine: Engine, name: str, index: str, new: NewIndex, retry: Retry) -> list[Description]:
    """Create an index, and return what its name stands for then; somebody may have been quicker, and may be us."""
    names = [None if index == name else name, write_alias(index)]
    aliases = [one for one in names if one is not None]
    try:
        await engine.indices.create(index, mappings=new.mappings, settings=new.settings, aliases=aliases)
    except Conflict:
        return await retry(lambda _: _there_already(engine, name, index))
    except EngineRefused as refusal:
        if refusal.kind not in _NAME_REFUSED:
            raise
        # The name may have become an index' or an alias' own in between: then that is what it stands for.
        found = await engine.indices.describe(name)
        if not found:
            hint = "Give the connector another index."
            raise ConfigurationError(refusal.message, field=FIELD, hint=hint) from refusal
        return found
    log.info("Created an index.", index=index, target=name)
    return await retry(lambda _: _there_already(engine, name, index))


async def _there_already(engine: Engine, name: str, index: str) -> list[Description]:
    """Return what a name stands for whose index is there. Raises `EngineFailed`, to be retried, until that is seen.

    An index that we made for this name and that lost its alias gets it again; anybody else's is left alone.
    """
    found = await engine.indices.describe(name)
    if found:
        return found
    there = await engine.indices.describe(index) if index != name else []
    if not there:
        raise EngineFailed(f"Could not find the index {index}, which was created just now.", status=404)
    [lonely] = there
    if not was_made_for(lonely.mappings, name):
        raise ConfigurationError(
            f"There is an index {index} that connectors did not make for {name}, so {name} can't become its alias.",
            field=FIELD,
            hint=f"Give it the alias {name} if it may be written to; else give the connector another index.",
        )
    log.warning("An index of ours had lost its alias, and has it again.", index=index, alias=name)
    await engine.indices.change_aliases([AliasChange(index, name)])
    return [replace(lonely, aliases={**lonely.aliases, name: None})]


async def _complete(engine: Engine, index: Description, *, access_control: bool) -> None:
    """Add to the mapping of an index what it lacks."""
    name = index.identity.name
    missing = missing_fields(name, index.mappings, access_control=access_control)
    if not missing:
        return
    try:
        await engine.indices.add_to_mapping(name, missing)
    except EngineRefused as refusal:
        raise ConfigurationError(
            f"The index {name} does not take the fields that a sync needs: {refusal.message}",
            field=FIELD,
            hint="Change what the engine names, or give the connector another index.",
        ) from refusal
    log.info("Added fields to the mapping of an index.", index=name, fields=sorted(missing))
