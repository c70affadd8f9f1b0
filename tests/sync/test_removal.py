"""The removal of a connector: beside syncs of it, and beside those of others into the same index."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.errors import ConfigurationError
from connectors.storage import MemoryBackend
from connectors.store.targets import TargetRecord
from connectors.sync.foreground import run_foreground
from connectors.sync.index.target import Target, find_target
from connectors.sync.owner.lease import Claim, leased
from connectors.sync.removal import remove
from connectors.sync.workplace import Workplace
from tests.sync.staged import connector_of, staged, workplace


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
