"""The removal of a connector: beside syncs of it, and beside those of others into the same index."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from connectors.engine.indices import Identity
from connectors.errors import ConfigurationError, TargetInUse
from connectors.storage import MemoryBackend
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore, Update
from connectors.store.record import Record, Versioned
from connectors.store.state import StateStore
from connectors.store.sync_state import SyncState
from connectors.store.targets import TargetRecord
from connectors.sync.foreground import run_foreground
from connectors.sync.index.target import Target, find_target
from connectors.sync.owner.lease import Claim, leased
from connectors.sync.removal import remove
from connectors.sync.workplace import Workplace
from tests.sync.staged import Act, connector_of, staged, workplace

T = TypeVar("T", bound=Record)


@asynccontextmanager
async def synced(folder: Path) -> AsyncIterator[tuple[Workplace, Target]]:
    """Provide a workplace where a lease is waited for a moment only, and what its connector was synced into."""
    async with workplace(folder, staged()) as opened:
        place = replace(opened, limits=replace(opened.limits, lease_timeout_s=1.2))
        await run_foreground(place, await connector_of(place))
        target = await find_target(place.engine, "docs")
        assert target is not None
        yield place, target


async def record_of(place: Workplace, target: Target) -> TargetRecord:
    found = await place.state.read(TargetRecord.key_of(target.uuid), TargetRecord)
    assert found is not None
    return found.value


async def test_a_sync_that_waited_for_the_removal_finds_no_connector(tmp_path: Path) -> None:
    async with synced(tmp_path) as (place, target):
        connector = await place.connectors.get("c")
        assert connector is not None
        waiting = asyncio.Event()
        async with leased(place.state, Claim(target, "c", "removal", place.instance), place.clock):
            task = asyncio.create_task(run_foreground(place, connector, waiting=lambda _: waiting.set()))
            await waiting.wait()
            await place.connectors.update("c", lambda _: {"deleted": True})
        with pytest.raises(ConfigurationError, match="The connector 'c' was deleted meanwhile"):
            await task


async def test_an_index_that_stays_keeps_its_epoch_and_forgets_the_connector(tmp_path: Path) -> None:
    async with synced(tmp_path) as (place, target):
        before = await record_of(place, target)
        connector = await place.connectors.get("c")
        assert connector is not None
        removed = await remove(place, connector)
        after = await record_of(place, target)
        assert (removed.letters, removed.records, removed.indices) == (0, 1, ())
        assert (after.owner, after.connector, after.epoch >= before.epoch) == (None, None, True)
        assert await place.connectors.get("c") is None


async def test_a_sync_of_another_connector_into_the_same_index_is_not_waited_for(tmp_path: Path) -> None:
    async with synced(tmp_path) as (place, target):
        connector = await place.connectors.get("c")
        assert connector is not None
        async with leased(place.state, Claim(target, "d", "run", place.instance), place.clock) as lease:
            await remove(place, connector, waiting=pytest.fail)
            await lease.confirm()
            assert (await record_of(place, target)).connector == "d"
        assert await place.connectors.get("c") is None


async def test_what_its_source_remembered_goes_with_a_connector_wherever_it_is_kept(tmp_path: Path) -> None:
    async with synced(tmp_path) as (place, _):
        elsewhere = replace(place, storage=MemoryBackend())
        for one in (place, elsewhere):
            for name in ("c", "d"):
                await one.storage_of(name).set("token", "secret")
        connector = await place.connectors.get("c")
        assert connector is not None
        await remove(elsewhere, connector)
        found = [await one.storage_of(name).get("token") for one in (place, elsewhere) for name in ("c", "d")]
        assert found == [None, "secret", None, "secret"]


# A sync that begins at the same instant: it has read the connector before that was marked as deleted.


class Marked(ConnectorStore):
    """Connectors; before one of them is marked as deleted, something else happens."""

    def __init__(self, place: Workplace, before: Act) -> None:
        super().__init__(place.engine.control)
        self._before: Act | None = before

    async def update(self, connector_id: str, update: Update) -> Connector:
        before, self._before = self._before, None
        if before is not None:
            await before()
        return await super().update(connector_id, update)


class Claiming(StateStore):
    """Records; before a target is claimed for the first time, something else happens."""

    def __init__(self, place: Workplace, before: Act) -> None:
        super().__init__(place.engine.control, place.clock)
        self._before = before

    async def create(self, key: str, value: T) -> Versioned[T]:
        if isinstance(value, TargetRecord):
            await self._before()
        return await super().create(key, value)


async def left(place: Workplace) -> tuple[list[Identity], int, Connector | None]:
    """Return what there is of indices, records and the connector."""
    records = [one async for one in place.state.find(TargetRecord)] + [one async for one in place.state.find(SyncState)]
    indices = [one for name in ("docs", "docs-000001") for one in await place.engine.indices.resolve(name)]
    return indices, len(records), await place.connectors.get("c")


async def test_a_sync_that_begins_after_the_removal_makes_no_index_again(tmp_path: Path) -> None:
    async with synced(tmp_path) as (place, _):
        connector = await place.connectors.get("c")
        assert connector is not None
        await remove(place, connector, with_indices=True)
        with pytest.raises(ConfigurationError, match="The connector 'c' was deleted meanwhile"):
            await run_foreground(place, connector)
        assert await left(place) == ([], 0, None)


@pytest.mark.parametrize("with_indices", [False, True])
async def test_a_sync_that_claims_its_first_index_after_the_removal_writes_nothing(
    tmp_path: Path, *, with_indices: bool
) -> None:
    async with workplace(tmp_path, staged()) as place:
        connector = await connector_of(place)

        async def removing() -> None:
            await remove(place, connector, with_indices=with_indices)

        with pytest.raises(ConfigurationError, match="The connector 'c' was deleted meanwhile"):
            await run_foreground(replace(place, state=Claiming(place, removing)), connector)
        indices, _, found = await left(place)
        assert (len(indices), found) == (0 if with_indices else 2, None)
        for one in indices:
            await place.engine.data.refresh(one.name)
            assert await place.engine.data.count(one.name) == 0


async def test_a_sync_that_claims_an_index_before_the_mark_is_found_and_left_alone(tmp_path: Path) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def stop() -> None:
        reached.set()
        await go_on.wait()

    async with workplace(tmp_path, staged(stop)) as opened:
        place = replace(opened, limits=replace(opened.limits, lease_timeout_s=1.2))
        connector = await connector_of(place)
        running: list[asyncio.Task[object]] = []

        async def begin() -> None:
            running.append(asyncio.create_task(run_foreground(place, connector)))
            await reached.wait()

        with pytest.raises(TargetInUse):
            await remove(replace(place, connectors=Marked(place, begin)), connector, with_indices=True)
        go_on.set()
        await running[0]
        found = await place.connectors.get("c")
        assert found is not None
        assert (found.deleted, found.document["last_sync_status"]) == (False, "completed")
        target = await find_target(place.engine, "docs")
        assert target is not None
        await place.engine.data.refresh(target.index)
        assert await place.engine.data.count(target.index) == 3
        removed = await remove(place, found, with_indices=True)
        assert removed.indices == (target.index,)
        assert await left(place) == ([], 0, None)


async def test_a_sync_that_ends_while_the_removal_waits_for_it_is_removed_with_its_index(tmp_path: Path) -> None:
    async with workplace(tmp_path, staged()) as place:
        connector = await connector_of(place)

        async def sync() -> None:
            await run_foreground(place, connector)

        removed = await remove(replace(place, connectors=Marked(place, sync)), connector, with_indices=True)
        assert removed.indices == ("docs-000001",)
        assert await left(place) == ([], 0, None)
