import asyncio
import random
from contextlib import suppress

import pytest

from connectors.aio.throttle import AdaptiveLimiter
from connectors.errors import EngineDenied, EngineOverloaded
from connectors.testing.virtual_time import VirtualClock, virtual_time


class Server:
    """Works on at most `capacity` calls at once, `call_s` seconds each, and lets the others queue or refuses them."""

    def __init__(self, capacity: int, *, refuses: bool = False, call_s: float = 1.0) -> None:
        self.capacity = capacity
        self.call_s = call_s
        self.refuses = refuses
        self.done = 0
        self.refused = 0
        self.most = 0
        self._inside = 0
        self._free = asyncio.Semaphore(capacity)
        self._random = random.Random(7)

    async def call(self) -> None:
        if self.refuses and self._free.locked():
            self.refused += 1
            raise EngineOverloaded("full")
        self._inside += 1
        self.most = max(self.most, self._inside)
        try:
            async with self._free:
                await asyncio.sleep(self.call_s * self._random.uniform(0.9, 1.1))
        finally:
            self._inside -= 1
        self.done += 1


async def drive(limiter: AdaptiveLimiter, server: Server, *, callers: int, seconds: float) -> None:
    """Let that many callers call the server through the limiter for that long."""

    async def caller() -> None:
        while True:
            try:
                async with limiter.slot():
                    await server.call()
            except EngineOverloaded:
                await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(caller()) for _ in range(callers)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(("most", "first"), [(0, 1), (4, 5), (4, 0)])
def test_a_first_limit_out_of_range_is_refused(most: int, first: int) -> None:
    with pytest.raises(ValueError, match="first limit"):
        AdaptiveLimiter(most=most, first=first, clock=VirtualClock())


@pytest.mark.parametrize("capacity", [1, 4, 16])
def test_a_server_that_queues_is_kept_busy_without_a_long_queue(capacity: int) -> None:
    @virtual_time
    async def test() -> None:
        limiter, server = AdaptiveLimiter(most=64, clock=VirtualClock()), Server(capacity)
        await drive(limiter, server, callers=64, seconds=300)
        warm, server.done, server.most = server.done, 0, 0
        await drive(limiter, server, callers=64, seconds=600)
        assert server.done >= 0.9 * 600 * capacity, (capacity, warm, server.done)
        assert server.most <= 3 * capacity

    test()


@pytest.mark.parametrize("capacity", [1, 4, 16])
def test_a_server_that_refuses_is_kept_busy_and_seldom_asked_in_vain(capacity: int) -> None:
    @virtual_time
    async def test() -> None:
        limiter, server = AdaptiveLimiter(most=64, clock=VirtualClock()), Server(capacity, refuses=True)
        await drive(limiter, server, callers=64, seconds=900)
        assert server.done >= 0.6 * 900 * capacity
        assert server.refused <= 0.5 * server.done

    test()


@virtual_time
async def test_more_capacity_is_found() -> None:
    limiter, server = AdaptiveLimiter(most=32, clock=VirtualClock()), Server(2)
    await drive(limiter, server, callers=32, seconds=300)
    assert limiter.limit <= 6
    larger = Server(16)
    await drive(limiter, larger, callers=32, seconds=900)
    assert limiter.limit >= 14


@virtual_time
async def test_a_server_whose_calls_take_longer_now_is_not_taken_for_an_overloaded_one() -> None:
    limiter, server = AdaptiveLimiter(most=32, clock=VirtualClock()), Server(8)
    await drive(limiter, server, callers=32, seconds=300)
    heavier = Server(8, call_s=5)
    await drive(limiter, heavier, callers=32, seconds=3000)
    heavier.done = 0
    await drive(limiter, heavier, callers=32, seconds=3000)
    assert heavier.done >= 0.9 * 8 * 3000 / 5


@virtual_time
async def test_without_demand_the_limit_does_not_grow() -> None:
    limiter, server = AdaptiveLimiter(most=32, first=4, clock=VirtualClock()), Server(32)
    await drive(limiter, server, callers=1, seconds=300)
    assert limiter.limit == 4


@virtual_time
async def test_a_burst_of_refusals_halves_the_limit_once() -> None:
    limiter = AdaptiveLimiter(most=32, first=16, clock=VirtualClock())

    async def refused() -> None:
        async with limiter.slot():
            await asyncio.sleep(1)
            raise EngineOverloaded("full")

    await asyncio.gather(*(refused() for _ in range(16)), return_exceptions=True)
    assert limiter.limit == 8


@virtual_time
async def test_the_limit_never_falls_below_one() -> None:
    limiter = AdaptiveLimiter(most=2, clock=VirtualClock())
    for _ in range(5):
        with pytest.raises(EngineOverloaded):
            async with limiter.slot():
                raise EngineOverloaded("full")
        async with limiter.slot():
            await asyncio.sleep(1)
    assert limiter.limit == 1


@virtual_time
async def test_nothing_is_sent_until_the_server_wants_to_be_asked_again() -> None:
    limiter, clock = AdaptiveLimiter(most=4, first=4, clock=VirtualClock()), VirtualClock()
    with pytest.raises(EngineOverloaded):
        async with limiter.slot():
            raise EngineOverloaded("full", retry_after_s=30)
    async with limiter.slot():
        assert clock.monotonic() == 30


@virtual_time
async def test_a_permanent_error_says_nothing_about_load() -> None:
    limiter = AdaptiveLimiter(most=4, first=4, clock=VirtualClock())
    with pytest.raises(EngineDenied):
        async with limiter.slot():
            raise EngineDenied("no")
    assert (limiter.limit, limiter.running) == (4, 0)


@virtual_time
async def test_a_cancelled_call_and_a_cancelled_wait_free_their_places() -> None:
    limiter = AdaptiveLimiter(most=1, clock=VirtualClock())

    async def call() -> None:
        async with limiter.slot():
            await asyncio.sleep(60)

    tasks = [asyncio.create_task(call()) for _ in range(3)]
    await asyncio.sleep(1)
    assert limiter.running == 1
    for task in tasks[:2]:
        task.cancel()
    await asyncio.sleep(1)
    assert limiter.running == 1
    await tasks[2]
    assert limiter.running == 0


class Watched(AdaptiveLimiter):
    """Counts how often somebody looks whether there is a place."""

    looks = 0

    @property
    def limit(self) -> int:
        self.looks += 1
        return super().limit


@virtual_time
async def test_calls_that_wait_do_not_look_each_time_that_another_one_ends() -> None:
    limiter, server = Watched(most=1, clock=VirtualClock()), Server(1)

    async def call() -> None:
        async with limiter.slot():
            await server.call()

    await asyncio.gather(*(call() for _ in range(500)))
    assert server.done == 500
    assert limiter.looks < 10 * 500


@virtual_time
@pytest.mark.parametrize("held_s", [None, 5.0])
async def test_a_place_is_passed_on_by_a_call_that_is_cancelled_when_it_was_its_turn(held_s: float | None) -> None:
    limiter = AdaptiveLimiter(most=1, clock=VirtualClock())
    done: list[str] = []

    async def first() -> None:
        with suppress(EngineOverloaded):
            async with limiter.slot():
                await asyncio.sleep(1)
                if held_s is not None:
                    raise EngineOverloaded("full", retry_after_s=held_s)
        if held_s is not None:
            await asyncio.sleep(held_s / 2)  # the second waits for the end of the hold now
        second.cancel()

    async def call(name: str) -> None:
        async with limiter.slot():
            done.append(name)

    others = asyncio.create_task(first())
    await asyncio.sleep(0.5)
    second, third = asyncio.create_task(call("second")), asyncio.create_task(call("third"))
    async with asyncio.timeout(60):
        await asyncio.gather(others, second, third, return_exceptions=True)
    assert done == ["third"]
