"""The removal of a connector with all that is stored about it, while no sync of it can run."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import msgspec

from connectors.engine.indices import Identity
from connectors.errors import ConnectorsError
from connectors.store.connector import Connector
from connectors.store.jobs import JobStore
from connectors.store.sync_state import JobType
from connectors.store.targets import TargetRecord
from connectors.sync.index.target import Target
from connectors.sync.owner.lease import Claim, leased
from connectors.sync.workplace import Workplace


@dataclass(frozen=True)
class Removed:
    """What was removed beside the connector itself."""

    letters: int
    records: int
    jobs: int
    indices: tuple[str, ...] = ()


async def remove(
    place: Workplace,
    connector: Connector,
    *,
    with_indices: bool = False,
    waiting: Callable[[str], None] = lambda _owner: None,
) -> Removed:
    """Remove a connector, and with `with_indices` the indices that it writes to.

    The leases of these are held meanwhile, so that no sync of the connector runs; `waiting` is told whose lease has to
    be watched first. It is marked as deleted before anything else, and its document goes last: a removal that was
    broken off is done again, and goes on. A sync that has read the connector before looks for the mark when it has its
    lease, and one that had it by then is found by looking for leases again. Raises `TargetInUse` while it is synced,
    and then nothing is changed.
    """
    async with AsyncExitStack() as stack:
        targets = await _hold(stack, place, connector, (), waiting)
        await place.connectors.update(connector.id, lambda _: {"deleted": True})
        try:
            targets += await _hold(stack, place, connector, targets, waiting)
        except (ConnectorsError, asyncio.CancelledError):
            await place.connectors.update(connector.id, lambda _: {"deleted": connector.deleted})
            raise
        unwanted = await indices_of(place, connector) if with_indices else []
        letters = await place.letters.drop(connector.id)
        values = await place.storage.forget(connector.id)
        records = values + await place.state.forget(connector.id, but=TargetRecord)
        jobs = await (await JobStore.open(place.engine, place.clock)).delete_of(connector.id)
        for target in targets:
            if place.copies is not None:
                place.copies.discard(f"{target.uuid}/{connector.id}")
        deleted = [one.name for one in unwanted if await place.engine.indices.delete(one.name)]
    for target in targets:
        await _let_go(place, connector, target)
    await place.connectors.delete(connector.id)
    return Removed(letters, records, jobs, tuple(deleted))


async def indices_of(place: Workplace, connector: Connector) -> list[Identity]:
    """Return the concrete indices that the names of a connector stand for now: of documents, and of who reads them."""
    found: list[Identity] = []
    for job_type in (JobType.FULL, JobType.ACCESS_CONTROL):
        name = connector.index_for(job_type)
        found += await place.engine.indices.resolve(name) if name else []
    return found


async def targets_of(place: Workplace, connector: Connector) -> list[Identity]:
    """Return the indices that a sync of the connector may be writing to: those it means now, and those it has had."""
    found = {one.uuid: one for one in await indices_of(place, connector)}
    async for record in place.state.find(TargetRecord, connector=connector.id):
        found.setdefault(record.value.target, Identity(record.value.index, record.value.target))
    return list(found.values())


async def _hold(
    stack: AsyncExitStack,
    place: Workplace,
    connector: Connector,
    held: Collection[Identity],
    waiting: Callable[[str], None],
) -> list[Identity]:
    """Hold the leases of the connector's indices that are not held yet, until the stack is closed; return these.

    Those that another connector, which shares them, is writing to now, are left to it.
    """
    run, known = uuid4().hex, {one.uuid for one in held}
    targets = [one for one in await targets_of(place, connector) if one.uuid not in known]
    for one in targets:
        record = await place.state.read(TargetRecord.key_of(one.uuid), TargetRecord)
        if record is not None and record.value.owner and record.value.connector not in {None, connector.id}:
            continue
        target = Target(one.name, one.name, one.uuid)
        claim = Claim(target, connector.id, run, place.instance, place.limits.lease_timeout_s)
        await stack.enter_async_context(leased(place.state, claim, place.clock, waiting=waiting))
    return targets


async def _let_go(place: Workplace, connector: Connector, target: Identity) -> None:
    """Let the record of an index know nothing of the connector any more; that of an index that is gone is deleted.

    The others stay, as an epoch never falls while documents carry it.
    """
    key = TargetRecord.key_of(target.uuid)
    if target.uuid not in {one.uuid for one in await place.engine.indices.resolve(target.name)}:
        await place.state.delete(key)
        return

    def freed(record: TargetRecord | None) -> TargetRecord:
        if record is None:  # which somebody has deleted since
            return TargetRecord(target=target.uuid, index=target.name, epoch=0)
        is_ours = record.owner is None and record.connector == connector.id
        return msgspec.structs.replace(record, connector=None) if is_ours else record

    await place.state.change(key, TargetRecord, freed)
