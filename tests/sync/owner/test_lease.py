"""The lease: who may write to a target, and that each version is given once."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.aio.clock import Clock, SystemClock
from connectors.engine import open_engine
from connectors.errors import EngineFailed, EngineOverloaded, EngineUnreachable, JobLost, TargetInUse
from connectors.settings import EngineSettings
from connectors.store.state import StateStore
from connectors.store.targets import TargetRecord
from connectors.sync.index.mark import MOST_BATCHES, epoch_of, version
from connectors.sync.index.target import Target
from connectors.sync.owner.instance import Instance
from connectors.sync.owner.lease import MOST_AHEAD_S, RENEWALS, Claim, Lease, leased
from connectors.testing.virtual_time import START, VirtualClock, virtual_time
from tests.engine.conftest import Impatient
from tests.sync.small_engine import SmallEngine, answer_lost, away
from tests.torture.faulty_engine import FaultyEngine

TARGET = Target("docs", "docs-000001", "uuid-1")
KEY = TargetRecord.key_of(TARGET.uuid)
ELSEWHERE = Instance("far", "another boot/pid:[1]", 7, "5")
NOW_MS = int(START.timestamp() * 1000)
TIMEOUT_S = 60.0


def claim(run: str = "run-1", instance: Instance | None = None, connector: str = "c") -> Claim:
    return Claim(TARGET, connector, run, instance or Instance.current(), TIMEOUT_S)


@dataclass
class World:
    """A state index, and one clock for all."""

    clock: VirtualClock = field(default_factory=VirtualClock)

    def __post_init__(self) -> None:
        self.engine = SmallEngine(self.clock)
        self.state = StateStore(self.engine, self.clock)

    async def record(self) -> TargetRecord:
        found = await self.state.read(KEY, TargetRecord)
        assert found is not None
        return found.value

    async def leave(self, **more: Any) -> None:
        """Leave behind what somebody else wrote."""
        record = TargetRecord(target=TARGET.uuid, index=TARGET.index, epoch=5, lease=9, connector="other", run="old")
        values = {name: getattr(record, name) for name in record.__struct_fields__}
        await self.state.put(KEY, TargetRecord(**{**values, **more}))

    def leased(self, run: str = "run-1", clock: Clock | None = None, **more: Any) -> Any:
        return leased(self.state, claim(run, **more), clock or self.clock)


# --- claiming ----------------------------------------------------------------------------------------------------


@virtual_time
async def test_a_target_without_a_record_is_claimed_under_the_present_moment() -> None:
    world = World()
    async with world.leased() as lease:
        assert lease.epoch == NOW_MS
        assert await world.record() == TargetRecord(
            target="uuid-1",
            index="docs-000001",
            epoch=NOW_MS,
            lease=0,
            owner=str(Instance.current()),
            connector="c",
            run="run-1",
        )
    ended = await world.record()
    assert (ended.owner, ended.run, ended.connector, ended.epoch) == (None, None, "c", NOW_MS)


@virtual_time
async def test_a_lease_that_was_given_back_is_claimed_at_once_under_a_higher_epoch() -> None:
    world = World()
    async with world.leased() as first:
        pass
    async with world.leased("run-2") as second:
        assert second.epoch == first.epoch + 1
    assert world.clock.monotonic() == 0.0


@virtual_time
async def test_epochs_rise_when_the_clock_jumps_back() -> None:
    world, epochs = World(), []
    for jump_h in (0, -48, -1, 72, -300):
        world.clock.jump(timedelta(hours=jump_h))
        async with world.leased() as lease:
            epochs.append(lease.epoch)
    day = 86_400_000
    assert epochs == [NOW_MS, NOW_MS + 1, NOW_MS + 2, NOW_MS + day - 3_600_000, NOW_MS + day - 3_600_000 + 1]


@virtual_time
async def test_of_many_who_claim_at_once_one_wins_and_the_others_find_it_alive() -> None:
    world = World()
    world.engine.latency_s = 0.01
    inside, refused = 0, []

    async def one(number: int) -> None:
        nonlocal inside
        await asyncio.sleep(number * 0.003)
        try:
            async with world.leased(f"run-{number}", instance=replace(ELSEWHERE, pid=number)):
                inside += 1
                assert inside == 1
                await asyncio.sleep(200)
                inside -= 1
        except TargetInUse as error:
            refused.append(str(error))

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(one(number))
    who = "The index docs-000001 is being written to by process 0 on far (connector c)."
    assert refused == [f"{who} Wait for that sync to end, or stop it."] * 4


@virtual_time
async def test_a_living_owner_is_found_out_by_its_next_renewal() -> None:
    told: list[str] = []
    world = World()
    async with world.leased(instance=ELSEWHERE):
        with pytest.raises(TargetInUse):
            async with leased(world.state, claim("run-2"), world.clock, waiting=told.append):
                pytest.fail("it was taken over")
        assert world.clock.monotonic() <= 2 * TIMEOUT_S / RENEWALS
    assert told == ["process 7 on far"]


@virtual_time
async def test_a_counter_that_stands_still_is_taken_over_after_its_whole_timeout() -> None:
    told: list[str] = []
    world = World()
    await world.leave(owner=str(ELSEWHERE), epoch=NOW_MS + 7, lease=3)
    async with leased(world.state, claim(), world.clock, waiting=told.append) as lease:
        assert world.clock.monotonic() == pytest.approx(TIMEOUT_S)
        assert lease.epoch == NOW_MS + TIMEOUT_S * 1000
        assert (await world.record()).lease == 4
    assert told == ["process 7 on far"]


@virtual_time
async def test_an_owner_that_no_version_knows_is_waited_for_and_named_as_it_is() -> None:
    told: list[str] = []
    world = World()
    await world.leave(owner="somebody")
    async with leased(world.state, claim(), world.clock, waiting=told.append):
        assert world.clock.monotonic() == pytest.approx(TIMEOUT_S)
    assert told == ["somebody"]


def killed() -> str:
    """Return who a process was that has been killed."""
    says = "from connectors.sync.owner.instance import Instance; print(Instance.current(), flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", says], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process as one:
        assert one.stdout is not None
        owner = one.stdout.readline().rstrip("\n")
        one.kill()
    return owner


@virtual_time
async def test_a_process_that_was_killed_is_taken_over_at_once() -> None:
    world = World()
    await world.leave(owner=killed())
    async with world.leased() as lease:
        assert world.clock.monotonic() == 0.0
        assert lease.epoch == NOW_MS


@virtual_time
async def test_a_lease_that_is_given_back_while_it_is_watched_is_claimed_then() -> None:
    world = World()
    await world.leave(owner=str(ELSEWHERE))

    async def give_back() -> None:
        await asyncio.sleep(15)
        await world.leave(lease=9)

    async with asyncio.TaskGroup() as group:
        group.create_task(give_back())
        async with world.leased():
            assert world.clock.monotonic() == pytest.approx(20)


@virtual_time
async def test_who_takes_over_at_the_last_moment_is_who_is_named() -> None:
    world = World()
    await world.leave(owner=str(ELSEWHERE), connector="old")

    async def take_over() -> None:
        await asyncio.sleep(45)
        await world.leave(owner=str(replace(ELSEWHERE, pid=8)), connector="new", epoch=6, lease=10)

    async with asyncio.TaskGroup() as group:
        group.create_task(take_over())
        with pytest.raises(TargetInUse, match=r"process 8 on far \(connector new\)"):
            async with world.leased():
                pytest.fail("it was taken over")


@virtual_time
async def test_a_record_that_was_made_anew_with_the_same_counter_is_that_of_another_owner() -> None:
    world = World()
    await world.leave(owner=str(ELSEWHERE), lease=0)

    async def make_anew() -> None:
        await asyncio.sleep(15)
        await world.leave(owner=str(replace(ELSEWHERE, pid=8)), lease=0)

    async with asyncio.TaskGroup() as group:
        group.create_task(make_anew())
        with pytest.raises(TargetInUse, match="process 8 on far"):
            async with world.leased():
                pytest.fail("it was taken over")
    assert world.clock.monotonic() == pytest.approx(20)


@virtual_time
async def test_an_observer_that_can_not_read_takes_nothing_over() -> None:
    world = World()
    await world.leave(owner=str(ELSEWHERE))

    async def go_away() -> None:
        await asyncio.sleep(25)
        world.engine.is_away = True

    async with asyncio.TaskGroup() as group:
        group.create_task(go_away())
        with pytest.raises(EngineUnreachable):
            async with world.leased():
                pytest.fail("it was taken over")
    world.engine.is_away = False
    assert (await world.record()).owner == str(ELSEWHERE)


# --- being taken over --------------------------------------------------------------------------------------------


@asynccontextmanager
async def lost_lease(world: World) -> AsyncIterator[Lease]:
    """A lease whose target somebody else owns by now, which does not know it yet."""
    with pytest.raises(JobLost, match="Another sync has taken over the index docs-000001"):
        async with world.leased() as lease:
            await world.leave(owner=str(ELSEWHERE), epoch=lease.epoch + 1, run="run-2")
            yield lease
            await asyncio.sleep(2 * TIMEOUT_S)


@virtual_time
async def test_the_block_ends_when_the_target_is_taken_over() -> None:
    world = World()
    async with lost_lease(world):
        pass
    assert world.clock.monotonic() == pytest.approx(TIMEOUT_S / RENEWALS)
    found = await world.record()
    assert (found.owner, found.run) == (str(ELSEWHERE), "run-2")  # nothing of the other's was given back


@virtual_time
async def test_who_lost_the_target_can_rise_above_nothing() -> None:
    async with lost_lease(World()) as lease:
        before = await lease.next_version()
        with pytest.raises(JobLost):
            await lease.rise_above(before)
        assert lease.epoch == epoch_of(before)


@virtual_time
async def test_who_lost_the_target_is_told_when_its_last_renewal_is_old() -> None:
    world = World()
    async with lost_lease(world) as lease:
        await lease.ensure()  # young enough to be believed
        world.engine.is_away = True
        await asyncio.sleep(TIMEOUT_S * 2 / 3 + 0.1)
        world.engine.is_away = False
        with pytest.raises(JobLost):
            await lease.ensure()


@virtual_time
async def test_another_lease_of_the_same_process_and_run_is_another_lease() -> None:
    world = World()
    with pytest.raises(JobLost):
        async with world.leased() as lease:
            found = await world.record()
            await world.leave(owner=found.owner, run=found.run, epoch=lease.epoch + 1, lease=found.lease + 1)
            await lease.renew()


# --- renewing ----------------------------------------------------------------------------------------------------


@virtual_time
async def test_a_lease_is_renewed_all_the_time() -> None:
    world = World()
    async with world.leased():
        await asyncio.sleep(10 * TIMEOUT_S + 1)
        assert (await world.record()).lease == 10 * RENEWALS


@virtual_time
async def test_making_sure_costs_nothing_while_the_last_renewal_is_young() -> None:
    world = World()
    async with world.leased() as lease:
        before = world.engine.calls
        for _ in range(100):
            await lease.ensure()
        assert world.engine.calls == before
        world.engine.is_away = True
        await asyncio.sleep(TIMEOUT_S * 2 / 3)
        await lease.ensure()  # exactly at the limit
        await asyncio.sleep(0.1)
        with pytest.raises(EngineUnreachable):
            await lease.ensure()
        world.engine.is_away = False
        await lease.ensure()
        before = world.engine.calls
        await lease.ensure()
        assert world.engine.calls == before


@virtual_time
async def test_a_confirmation_is_as_old_as_its_request() -> None:
    world = World()
    async with world.leased() as lease:
        world.engine.latency_s = 35.0
        await lease.renew()
        world.engine.latency_s = 0.0
        world.engine.is_away = True
        await asyncio.sleep(6)
        with pytest.raises(EngineUnreachable):
            await lease.ensure()
        world.engine.is_away = False


@virtual_time
async def test_a_lease_outlives_an_engine_that_is_away() -> None:
    world = World()
    async with world.leased() as lease:
        world.engine.is_away = True
        await asyncio.sleep(10 * TIMEOUT_S)
        world.engine.is_away = False
        await lease.ensure()
        assert (await world.record()).lease == 1


@virtual_time
async def test_a_renewal_whose_answer_never_came_is_our_own() -> None:
    world = World()
    async with world.leased() as lease:
        for number in range(1, 4):
            world.engine.writes.append(answer_lost)
            with pytest.raises(EngineUnreachable):
                await lease.renew()
            await lease.renew()
            assert (await world.record()).lease == 2 * number
    assert (await world.record()).owner is None


@virtual_time
async def test_a_rise_whose_answer_never_came_is_our_own() -> None:
    world = World()
    async with world.leased() as lease:
        given = [await lease.next_version() for _ in range(3)]
        world.engine.writes.append(answer_lost)
        with pytest.raises(EngineUnreachable):
            await lease.rise_above(given[-1])
        assert (await world.record()).epoch == NOW_MS + 1
        given.append(await lease.next_version())
        await lease.renew()
        given.append(await lease.next_version())
        await lease.rise_above(given[-1])
        given.append(await lease.next_version())
        assert given == sorted(set(given))
        assert (await world.record()).epoch == lease.epoch == NOW_MS + 2


@virtual_time
async def test_a_lease_is_given_back_by_who_is_cancelled_in_mid_renewal() -> None:
    world = World()
    world.engine.latency_s = 1.0

    async def work() -> None:
        async with world.leased():
            await asyncio.sleep(1_000)

    async def cancelled_at(seconds: float) -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])

    await cancelled_at(2.75 + TIMEOUT_S / RENEWALS)
    assert await world.record() == TargetRecord(
        target="uuid-1", index="docs-000001", epoch=NOW_MS + 1_000, lease=1, connector="c"
    )


@virtual_time
async def test_a_lease_that_can_not_be_given_back_ends_by_itself() -> None:
    world = World()
    async with world.leased():
        world.engine.is_away = True
    world.engine.is_away = False
    async with world.leased("run-2"):
        assert world.clock.monotonic() == pytest.approx(TIMEOUT_S)


@virtual_time
async def test_a_claim_whose_answer_was_lost_once_is_found_again() -> None:
    world = World()
    world.engine.writes.append(away)
    with pytest.raises(EngineUnreachable):
        async with world.leased():
            pytest.fail("nothing was claimed")
    assert await world.state.read(KEY, TargetRecord) is None


# --- versions ----------------------------------------------------------------------------------------------------


@virtual_time
async def test_versions_are_those_of_the_epoch_in_their_order() -> None:
    async with World().leased() as lease:
        assert [await lease.next_version() for _ in range(3)] == [version(NOW_MS, batch) for batch in (1, 2, 3)]


@virtual_time
async def test_the_owner_rises_above_any_version_and_no_higher_than_it_has_to() -> None:
    world = World()
    async with world.leased() as lease:
        first = await lease.next_version()
        await lease.rise_above(version(NOW_MS + 9, 1_000))
        assert await lease.next_version() == version(NOW_MS + 10, 1)
        calls = world.engine.calls
        await lease.rise_above(first)  # which it is above already
        assert world.engine.calls == calls
        current = await lease.next_version()
        await lease.rise_above(current)
        assert await lease.next_version() == version(NOW_MS + 11, 1)
        assert (await world.record()).epoch == NOW_MS + 11


@virtual_time
async def test_no_version_is_given_twice_to_many_who_ask_and_rise_at_once() -> None:
    world = World()
    world.engine.latency_s = 0.01
    given: list[int] = []

    async def worker(number: int) -> None:
        for turn in range(30):
            await asyncio.sleep(0.001 * ((number * 7 + turn * 3) % 11))
            given.append(await lease.next_version())
            if (number + turn) % 5 == 0:
                met = given[-1]
                await lease.rise_above(met)
                given.append(await lease.next_version())
                assert given[-1] > met
            if turn % 7 == number:
                await lease.renew()

    async with world.leased() as lease, asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(worker(number))
    assert given == sorted(set(given))


@virtual_time
async def test_the_epoch_rises_when_its_batches_run_out() -> None:
    world = World()
    async with world.leased() as lease:
        world.engine.latency_s = 0.01
        for _ in range(MOST_BATCHES - 4):
            await lease.next_version()
        assert await lease.next_version() == version(NOW_MS, MOST_BATCHES - 3)
        given = sorted(await asyncio.gather(*[lease.next_version() for _ in range(4)]))
        expected = [version(NOW_MS, MOST_BATCHES - 2), version(NOW_MS, MOST_BATCHES - 1)]
        assert given == [*expected, version(NOW_MS + 1, 1), version(NOW_MS + 1, 2)]
        assert (await world.record()).epoch == NOW_MS + 1


@virtual_time
async def test_a_version_of_no_clock_like_ours_is_out_of_reach() -> None:
    async with World().leased() as lease:
        ahead_ms = int(MOST_AHEAD_S * 1000)
        assert lease.is_within_reach(version(NOW_MS + ahead_ms - 1, 5))
        assert not lease.is_within_reach(version(NOW_MS + ahead_ms, 0))


@virtual_time
async def test_what_was_written_before_a_clock_was_set_back_is_within_reach() -> None:
    world = World()
    async with world.leased() as ahead:
        await ahead.rise_above(version(NOW_MS, 1))
    world.clock.jump(timedelta(days=-400))
    async with world.leased("run-2") as lease:
        assert lease.epoch == NOW_MS + 2
        assert lease.is_within_reach(version(lease.epoch, MOST_BATCHES - 1) + 5)
        assert lease.is_within_reach(version(lease.epoch, 1) + 1)


# --- over a connection that breaks -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
async def test_an_owner_never_loses_its_target_to_lost_answers(seed: int) -> None:
    clock, given, failed = SystemClock(), [], 0
    async with FaultyEngine(seed, fault_rate=0.0) as faulty, asyncio.timeout(30):
        settings = EngineSettings(host=faulty.url, attempts=2, control_timeout_s=0.1)
        async with open_engine(settings, Impatient()) as engine:
            state = StateStore(engine.control)
            async with leased(state, claim(), clock) as lease:
                faulty.fault_rate = 0.5
                for turn in range(25):
                    given.append(await lease.next_version())
                    try:
                        await (lease.rise_above(given[-1]) if turn % 3 == 0 else lease.renew())
                    except (EngineUnreachable, EngineFailed, EngineOverloaded):
                        failed += 1
                await faulty.settle()
                faulty.fault_rate = 0.0
                await lease.renew()
                found = await state.read(KEY, TargetRecord)
                assert found is not None
                assert found.value.epoch == lease.epoch
            found = await state.read(KEY, TargetRecord)
            assert found is not None
            assert found.value.owner is None
    assert given == sorted(set(given))
    assert failed > 0
