"""Generators in threads: what they yield comes in order, and they are closed however it ends."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path

import pytest

from connectors.errors import SourceUnreachable
from connectors.sources._files import MOST_AT_ONCE, Walk
from connectors.sources._in_thread import InThread, in_thread
from tests.sources.folders import descriptors


class Numbers:
    """Steps that can be held up in the middle, and that tell where they run and when they were closed."""

    def __init__(self, *, most: int = 10) -> None:
        self.most = most
        self.held, self.reached, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.held.set()
        self.threads: set[int] = set()
        self.steps_taken = 0

    def steps(self) -> Generator[list[int], None, None]:
        try:
            for number in range(self.most):
                self.threads.add(threading.get_ident())
                self.reached.set()
                assert self.held.wait(30)
                self.steps_taken += 1
                yield [number] * 100
        finally:
            self.closed.set()


async def test_steps_run_in_threads_and_their_items_come_in_order() -> None:
    numbers = Numbers(most=20)
    found = [item async for item in in_thread(numbers.steps())]
    assert found == [number for number in range(20) for _ in range(100)]
    assert threading.get_ident() not in numbers.threads
    assert numbers.closed.is_set()


async def test_an_error_of_a_step_is_raised(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable):
        [entry async for entry in in_thread(Walk(tmp_path / "missing").steps())]


async def test_a_walk_that_is_closed_in_the_middle_frees_its_descriptors(tmp_path: Path) -> None:
    for number in range(3 * MOST_AT_ONCE):
        (tmp_path / str(number)).touch()
    before = descriptors()
    async with aclosing(in_thread(Walk(tmp_path).steps())) as entries:
        await anext(entries)
        assert descriptors() == before + 3
    assert descriptors() == before


async def test_cancelling_does_not_wait_for_the_thread_and_the_thread_closes_the_steps() -> None:
    numbers = Numbers()
    numbers.held.clear()

    async def read() -> list[int]:
        return [item async for item in in_thread(numbers.steps())]

    reading = asyncio.create_task(read())
    await asyncio.to_thread(numbers.reached.wait)
    reading.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert not numbers.closed.is_set()
    numbers.held.set()
    assert await asyncio.to_thread(numbers.closed.wait, 30)


async def test_a_cancelled_walk_takes_no_further_step() -> None:
    numbers = Numbers(most=10**9)
    numbers.held.clear()
    reading = asyncio.create_task(anext(in_thread(numbers.steps())))
    await asyncio.to_thread(numbers.reached.wait)
    reading.cancel()
    numbers.held.set()
    assert await asyncio.to_thread(numbers.closed.wait, 30)


async def test_items_are_handed_over_when_they_are_enough() -> None:
    numbers = Numbers()
    async with aclosing(in_thread(numbers.steps(), enough=200)) as items:
        await anext(items)
        assert numbers.steps_taken == 2


async def test_what_was_stopped_does_not_look_complete() -> None:
    numbers = Numbers()
    running = InThread(numbers.steps(), enough=1)
    items = running.items()
    await anext(items)
    running.stop()
    assert numbers.closed.is_set()
    with pytest.raises(SourceUnreachable, match="stopped before its end"):
        [item async for item in items]


async def test_what_is_stopped_inside_of_a_step_does_not_look_complete() -> None:
    for most in (1, 2):
        numbers = Numbers(most=most)
        numbers.held.clear()
        running = InThread(numbers.steps())
        first = asyncio.create_task(anext(running.items()))
        await asyncio.to_thread(numbers.reached.wait)
        running.stop()
        assert not numbers.closed.is_set()
        numbers.held.set()
        with pytest.raises(SourceUnreachable, match="stopped before its end"):
            await first
        assert numbers.closed.is_set()
