import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from connectors.aio.clock import Clock, SystemClock
from connectors.testing.virtual_time import START, VirtualClock, VirtualTimeLoop, virtual_time


async def test_the_system_clock_is_aware_and_in_utc() -> None:
    clock: Clock = SystemClock()
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().utcoffset() == timedelta(0)


async def test_the_system_clock_waits() -> None:
    clock = SystemClock()
    started = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - started >= 0.009


def test_an_hour_of_virtual_time_takes_no_time() -> None:
    async def sleep() -> datetime:
        clock: Clock = VirtualClock()
        await clock.sleep(3600)
        return clock.now()

    started = time.monotonic()
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(sleep()) == START + timedelta(hours=1)
    assert time.monotonic() - started < 5


@virtual_time
async def test_virtual_timers_run_in_their_order() -> None:
    order = []

    async def at(seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append(seconds)

    await asyncio.gather(at(30), at(10), at(20))
    assert order == [10, 20, 30]


@virtual_time
async def test_a_jump_of_the_wall_clock_leaves_durations_alone() -> None:
    clock = VirtualClock()
    before = clock.monotonic()
    clock.jump(timedelta(hours=-2))
    assert clock.now() == START - timedelta(hours=2)
    assert clock.monotonic() == before


def test_a_deadlock_in_virtual_time_is_an_error_and_no_hang() -> None:
    @virtual_time
    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="Deadlock"):
        stuck()
