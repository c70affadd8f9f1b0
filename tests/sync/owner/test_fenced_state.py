"""The fenced state: who had the target before can change it no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from connectors.errors import EngineUnreachable, JobLost
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType, SyncState
from connectors.store.targets import TargetRecord
from connectors.sync.index.mark import epoch_of
from connectors.sync.index.target import Target
from connectors.sync.owner.fenced_state import FencedState
from connectors.sync.owner.instance import Instance
from connectors.sync.owner.lease import Claim, Lease, leased
from connectors.testing.virtual_time import START, VirtualClock, virtual_time
from tests.sync.small_engine import SmallEngine, answer_lost

NOW_MS = int(START.timestamp() * 1000)
KEY = SyncState.key_of("c", JobType.FULL)


@dataclass
class World:
    clock: VirtualClock = field(default_factory=VirtualClock)

    def __post_init__(self) -> None:
        self.engine = SmallEngine(self.clock)
        self.state = StateStore(self.engine, self.clock)

    @asynccontextmanager
    async def lease(self, target: str = "uuid-1") -> AsyncIterator[Lease]:
        claim = Claim(Target("docs", "docs-1", target), "c", "run", Instance.current())
        async with leased(self.state, claim, self.clock) as lease:
            yield lease

    async def taken(self, lease: Lease, job_type: JobType = JobType.FULL) -> FencedState:
        return await FencedState.taken(self.state, "c", job_type, lease)

    async def stored(self) -> SyncState:
        found = await self.state.read(KEY, SyncState)
        assert found is not None
        return found.value


@virtual_time
async def test_a_first_sync_finds_a_fresh_state_with_its_epoch() -> None:
    world = World()
    async with world.lease() as lease:
        taken = await world.taken(lease)
    assert taken.value == SyncState(connector="c", job_type=JobType.FULL, epoch=NOW_MS)
    assert await world.stored() == taken.value


@virtual_time
async def test_the_next_sync_finds_what_was_saved_under_its_own_epoch() -> None:
    world = World()
    async with world.lease() as lease:
        first = await world.taken(lease)
        await first.save(without_deletes=1)
        await first.save(without_deletes=2)
        assert first.value.without_deletes == 2
    async with world.lease() as lease:
        second = await world.taken(lease)
        assert lease.epoch == NOW_MS + 1
    assert second.value == await world.stored()
    assert (second.value.without_deletes, second.value.epoch) == (2, NOW_MS + 1)


@virtual_time
async def test_who_was_there_before_can_save_nothing_from_then_on() -> None:
    world = World()
    async with world.lease() as lease:
        first = await world.taken(lease)
    async with world.lease() as lease:
        second = await world.taken(lease)
        with pytest.raises(JobLost, match="Another sync of c has begun meanwhile"):
            await first.save(without_deletes=1)
        await second.save(without_deletes=5)
        with pytest.raises(JobLost):
            await first.save(without_deletes=1)
    assert (await world.stored()).without_deletes == 5


@virtual_time
async def test_syncs_of_another_type_are_not_in_the_way() -> None:
    world = World()
    async with world.lease() as lease, world.lease("uuid-2") as other:
        content = await world.taken(lease)
        access = await world.taken(other, JobType.ACCESS_CONTROL)
        await content.save(without_deletes=1)
        await access.save(without_deletes=2)
    assert (await world.stored()).without_deletes == 1


@virtual_time
@pytest.mark.parametrize("ahead", [0, 1, 1_000_000])
async def test_an_epoch_that_fell_behind_that_of_the_state_rises_above_it(ahead: int) -> None:
    world = World()
    await world.state.put(KEY, SyncState(connector="c", job_type=JobType.FULL, epoch=NOW_MS + ahead, without_deletes=3))
    async with world.lease() as lease:
        await lease.next_version()
        taken = await world.taken(lease)
        assert lease.epoch == NOW_MS + ahead + 1
        assert (taken.value.epoch, taken.value.without_deletes) == (lease.epoch, 3)
        assert epoch_of(await lease.next_version()) == lease.epoch


@virtual_time
async def test_syncs_to_two_indices_in_the_same_moment_fence_each_other() -> None:
    world = World()
    async with AsyncExitStack() as stack:
        leases = [await stack.enter_async_context(world.lease(f"uuid-{number}")) for number in range(3)]
        assert {lease.epoch for lease in leases} == {NOW_MS}
        states = [await world.taken(lease) for lease in leases]
        assert [state.value.epoch for state in states] == [NOW_MS, NOW_MS + 1, NOW_MS + 2]
        for state in states[:2]:
            with pytest.raises(JobLost):
                await state.save(without_deletes=1)
        await states[2].save(without_deletes=2)
    assert (await world.stored()).without_deletes == 2


@virtual_time
async def test_who_lost_the_target_can_not_take_a_state_of_a_later_owner() -> None:
    world = World()
    async with world.lease("uuid-2") as lease:
        await lease.rise_above(await lease.next_version())
        later = await world.taken(lease)
    async with world.lease() as old:
        key = TargetRecord.key_of("uuid-1")
        found = await world.state.read(key, TargetRecord)
        assert found is not None
        await world.state.put(key, msgspec.structs.replace(found.value, owner="somebody", epoch=old.epoch + 1))
        with pytest.raises(JobLost):
            await world.taken(old)
    assert await world.stored() == later.value


@virtual_time
async def test_of_two_who_take_it_at_once_the_later_one_has_it() -> None:
    world = World()
    async with world.lease() as one, world.lease("uuid-2") as other:
        world.engine.latency_s = 0.01
        states = await asyncio.gather(world.taken(one), world.taken(other))
        first, last = sorted(states, key=lambda state: state.value.epoch)
        assert last.value == await world.stored()
        assert first.value.epoch < last.value.epoch
        with pytest.raises(JobLost):
            await first.save(without_deletes=1)
        await last.save(without_deletes=2)
    assert (await world.stored()).without_deletes == 2


@virtual_time
async def test_a_save_whose_answer_never_came_is_our_own() -> None:
    world = World()
    async with world.lease() as lease:
        state = await world.taken(lease)
        world.engine.writes.append(answer_lost)
        with pytest.raises(EngineUnreachable):
            await state.save(without_deletes=1)
        await state.save(without_deletes=2)
    assert (await world.stored()).without_deletes == 2
    assert state.value.without_deletes == 2
