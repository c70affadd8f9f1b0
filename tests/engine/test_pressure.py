import asyncio

import pytest

from connectors.engine.pressure import LONGEST_PAUSE_S, Pressure
from connectors.errors import Conflict, EngineOverloaded
from connectors.testing.virtual_time import virtual_time
from tests.engine.conftest import Opened
from tests.engine.stub import answer, later


async def control(pressure: Pressure, seconds: float, error: Exception | None = None) -> None:
    async with pressure.control():
        await asyncio.sleep(seconds)
        if error is not None:
            raise error


async def data(pressure: Pressure) -> float:
    """Return how long a data request had to wait."""
    started = asyncio.get_running_loop().time()
    async with pressure.data():
        return asyncio.get_running_loop().time() - started


@virtual_time
async def test_while_control_is_quick_data_does_not_wait() -> None:
    pressure = Pressure(slow_after_s=1)
    running = asyncio.create_task(control(pressure, 0.9))
    await asyncio.sleep(0.5)
    assert await data(pressure) == 0
    await running


@virtual_time
async def test_while_control_is_slow_data_waits() -> None:
    pressure = Pressure(slow_after_s=1)
    running = asyncio.create_task(control(pressure, 4))
    await asyncio.sleep(1.5)
    assert pressure.high
    assert await data(pressure) == 2.5
    await running
    assert not pressure.high


@virtual_time
async def test_one_slow_request_is_enough_while_others_are_quick() -> None:
    pressure = Pressure(slow_after_s=1)
    running = asyncio.create_task(control(pressure, 4))
    await asyncio.sleep(1.5)
    await control(pressure, 0.1)
    assert pressure.high
    await running


@virtual_time
async def test_after_a_refusal_data_waits_until_control_gets_through() -> None:
    pressure = Pressure(slow_after_s=1)
    with pytest.raises(EngineOverloaded):
        await control(pressure, 0, EngineOverloaded("full"))
    waiting = asyncio.create_task(data(pressure))
    await asyncio.sleep(2)
    assert not waiting.done()
    await control(pressure, 0.5)
    assert await waiting == 2.5


@virtual_time
async def test_after_a_refusal_a_slow_success_is_not_enough() -> None:
    pressure = Pressure(slow_after_s=1)
    with pytest.raises(EngineOverloaded):
        await control(pressure, 0, EngineOverloaded("full"))
    await control(pressure, 2)
    assert pressure.high
    await control(pressure, 0.5)
    assert not pressure.high


@virtual_time
async def test_without_further_control_requests_data_waits_no_longer_than_the_longest_pause() -> None:
    pressure = Pressure(slow_after_s=1)
    with pytest.raises(EngineOverloaded):
        await control(pressure, 0, EngineOverloaded("full"))
    assert await data(pressure) == LONGEST_PAUSE_S
    assert await data(pressure) == 0


@virtual_time
async def test_data_goes_on_in_the_end_whatever_control_does() -> None:
    pressure = Pressure(slow_after_s=1)
    running = asyncio.create_task(control(pressure, 1000))
    await asyncio.sleep(1.5)
    assert await data(pressure) == LONGEST_PAUSE_S
    running.cancel()


@virtual_time
async def test_a_conflict_is_no_sign_of_pressure() -> None:
    pressure = Pressure(slow_after_s=1)
    with pytest.raises(Conflict):
        await control(pressure, 0, Conflict("x"))
    assert not pressure.high


@virtual_time
async def test_a_cancelled_slow_request_ends_the_pressure() -> None:
    pressure = Pressure(slow_after_s=1)
    running = asyncio.create_task(control(pressure, 1000))
    await asyncio.sleep(1.5)
    running.cancel()
    assert await data(pressure) == 0


async def test_a_bulk_request_waits_for_a_slow_control_request(opened: Opened) -> None:
    found = answer(200, {"_index": "docs", "_id": "1", "found": False})
    bulk = answer(200, {"took": 1, "errors": False, "items": []})
    async with opened(later(0.4, found), bulk, slow_after_s=0.1) as (engine, stub):
        slow = asyncio.create_task(engine.control.get("docs", "1"))
        await asyncio.sleep(0.2)
        assert engine.pressure.high
        await engine.data.bulk("docs", b"\n", operations=0)
        assert slow.done()
        await slow
    assert [asked.split("?")[0] for asked in stub.asked] == ["GET /docs/_doc/1", "PUT /docs/_bulk"]
