import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.aio.budget import ByteBudget, Room
from connectors.testing.virtual_time import VirtualTimeLoop, virtual_time


async def is_waiting(task: "asyncio.Task[Room]") -> bool:
    await asyncio.sleep(1)
    return not task.done()


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        ByteBudget(0)


@pytest.mark.parametrize("size", [-1, 101])
@virtual_time
async def test_what_never_fits_is_refused_rather_than_waited_for(size: int) -> None:
    with pytest.raises(ValueError, match="never fit"):
        await ByteBudget(100).reserve(size)


@virtual_time
async def test_a_full_budget_makes_wait_until_room_is_released() -> None:
    budget = ByteBudget(100)
    first = await budget.reserve(60)
    second = asyncio.create_task(budget.reserve(41))
    assert await is_waiting(second)
    first.release()
    assert ((await second).size, budget.used) == (41, 41)


@virtual_time
async def test_small_ones_do_not_overtake_a_large_one() -> None:
    budget = ByteBudget(100)
    first = await budget.reserve(60)
    large = asyncio.create_task(budget.reserve(100))
    assert await is_waiting(large)
    small = asyncio.create_task(budget.reserve(1))
    assert await is_waiting(small)
    first.release()
    with await large:
        assert await is_waiting(small)
    await small
    assert budget.used == 1


@virtual_time
async def test_who_gives_up_waiting_lets_the_next_in() -> None:
    budget = ByteBudget(100)
    await budget.reserve(60)
    large, small = asyncio.create_task(budget.reserve(100)), asyncio.create_task(budget.reserve(40))
    assert await is_waiting(small)
    large.cancel()
    await small
    assert budget.used == 100


@virtual_time
async def test_who_is_cancelled_while_being_let_in_gives_the_room_back() -> None:
    budget = ByteBudget(100)
    first = await budget.reserve(100)
    second, third = asyncio.create_task(budget.reserve(100)), asyncio.create_task(budget.reserve(100))
    assert await is_waiting(second)
    first.release()
    second.cancel()
    await third
    assert (second.cancelled(), budget.used) == (True, 100)


@virtual_time
async def test_releasing_twice_is_releasing_once() -> None:
    budget = ByteBudget(100)
    room, _ = await budget.reserve(60), await budget.reserve(40)
    room.release()
    room.release()
    assert budget.used == 40


@virtual_time
async def test_a_room_grows_only_where_there_is_room_now() -> None:
    budget = ByteBudget(100)
    one, other = await budget.reserve(40), await budget.reserve(40)
    assert (one.fit(60), one.size, other.fit(41), other.size, budget.used) == (True, 60, False, 40, 100)


@virtual_time
async def test_a_room_that_shrinks_lets_others_in() -> None:
    budget = ByteBudget(100)
    room = await budget.reserve(100)
    waiting = asyncio.create_task(budget.reserve(30))
    assert await is_waiting(waiting)
    assert room.fit(70)
    await waiting
    assert budget.used == 100


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 9)), max_size=30),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 30)), max_size=8),
)
def test_whatever_is_cancelled_the_bound_holds_and_nothing_stays_reserved(
    rooms: list[tuple[int, int, int]], cancellations: list[tuple[int, int]]
) -> None:
    budget = ByteBudget(50)

    async def use(size: int, then: int, seconds: int) -> None:
        with await budget.reserve(size) as room:
            await asyncio.sleep(seconds)
            room.fit(then)
            assert 0 <= budget.used <= budget.total
            await asyncio.sleep(seconds)

    async def run() -> None:
        users = [asyncio.create_task(use(*room)) for room in rooms]
        for after, which in cancellations:
            await asyncio.sleep(after / 10)
            if users:
                users[which % len(users)].cancel()
        results = await asyncio.gather(*users, return_exceptions=True)
        assert [one for one in results if not (one is None or isinstance(one, asyncio.CancelledError))] == []

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())
    assert budget.used == 0
