"""The removal of a connector with all that is stored about it, while no sync of it can run."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import msgspec

from connectors.engine.indices import Identity
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
    broken off is done again, and goes on. Raises `TargetInUse` while it is synced, and then nothing is changed.
    """
    targets = await targets_of(place, connector)
    unwanted = await indices_of(place, connector) if with_indices else []
    async with _held(place, connector, targets, waiting):
        await place.connectors.update(connector.id, lambda _: {"deleted": True})
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


@asynccontextmanager
async def _held(
    place: Workplace, connector: Connector, targets: list[Identity], waiting: Callable[[str], None]
) -> AsyncIterator[None]:
    """Hold the leases of indices, but of those that another connector, which shares them, is writing to now."""
    run = uuid4().hex
    async with AsyncExitStack() as stack:
        for one in targets:
            record = await place.state.read(TargetRecord.key_of(one.uuid), TargetRecord)
            if record is not None and record.value.owner and record.value.connector not in {None, connector.id}:
                continue
            target = Target(one.name, one.name, one.uuid)
            claim = Claim(target, connector.id, run, place.instance, place.limits.lease_timeout_s)
            await stack.enter_async_context(leased(place.state, claim, place.clock, waiting=waiting))
        yield


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
