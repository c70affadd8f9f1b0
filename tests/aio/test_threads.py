"""Blocking work in a thread: its items come in order and in bounded batches, and it is closed where it runs."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from connectors.aio.threads import Drawing, Drawings, drawn
from connectors.errors import SourceUnreachable


class Numbers:
    """Counts by steps, can be held up in one, and remembers which threads it ran in and where it was closed."""

    def __init__(self, end: int, *, step: int = 1) -> None:
        self.end = end
        self.step = step
        self.taken = 0
        self.held, self.reached, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.held.set()
        self.closed_in = ""
        self.threads: set[str] = set()

    def __iter__(self) -> Iterator[list[int]]:
        try:
            for number in range(0, self.end, self.step):
                self.threads.add(threading.current_thread().name)
                self.reached.set()
                assert self.held.wait(30)
                self.taken += 1
                yield list(range(number, number + self.step))
        finally:
            self.closed_in = threading.current_thread().name
            self.closed.set()


async def test_every_item_comes_in_order_from_one_other_thread() -> None:
    numbers = Numbers(2_500, step=10)
    assert [number async for number in drawn(numbers)] == list(range(2_500))
    assert len(numbers.threads) == 1
    assert threading.current_thread().name not in numbers.threads


async def test_nothing_yields_nothing() -> None:
    assert [number async for number in drawn(Numbers(0))] == []


async def test_no_more_than_enough_is_drawn_ahead() -> None:
    numbers = Numbers(1_000_000)
    async with aclosing(drawn(numbers, enough=10)) as drawing:
        assert await anext(drawing) == 0
        assert numbers.taken == 10


async def test_closing_in_the_middle_closes_the_work_in_its_thread_and_ends_that() -> None:
    before = set(threading.enumerate())
    numbers = Numbers(1_000_000)
    async with aclosing(drawn(numbers, enough=10)) as drawing:
        await anext(drawing)
    assert {numbers.closed_in} == numbers.threads
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before


async def test_cancelling_does_not_wait_for_a_step_that_hangs_and_the_thread_closes_the_work() -> None:
    numbers = Numbers(10)
    numbers.held.clear()

    async def draw() -> list[int]:
        return [number async for number in drawn(numbers)]

    task = asyncio.create_task(draw())
    await asyncio.to_thread(numbers.reached.wait)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not numbers.closed.is_set()
    numbers.held.set()
    assert await asyncio.to_thread(numbers.closed.wait, 30)
    assert numbers.taken == 1


async def test_work_that_yields_nothing_can_be_stopped_too() -> None:
    going = threading.Event()

    def endless() -> Iterator[list[int]]:
        while True:
            going.set()
            yield []

    async def draw() -> None:
        async for _ in drawn(endless()):
            pass

    task = asyncio.create_task(draw())
    await asyncio.to_thread(going.wait)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("enough", [1, 2, 3, 1_000])
async def test_what_the_work_raises_is_raised_after_what_it_yielded(enough: int) -> None:
    def failing() -> Iterator[list[int]]:
        yield [0, 1]
        yield []
        yield [2]
        raise LookupError("the fourth")

    async with aclosing(drawn(failing(), enough=enough)) as drawing:
        assert [await anext(drawing) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(LookupError, match="the fourth"):
            await anext(drawing)


async def test_what_was_stopped_between_two_batches_does_not_look_complete() -> None:
    numbers = Numbers(10)
    drawing = Drawing(numbers, enough=1)
    items = drawing.items()
    await anext(items)
    await drawing.stop()
    assert numbers.closed.is_set()
    with pytest.raises(SourceUnreachable, match="stopped before its end"):
        [number async for number in items]


@pytest.mark.parametrize("end", [1, 2])
async def test_what_was_stopped_in_a_step_does_not_look_complete(end: int) -> None:
    numbers = Numbers(end)
    numbers.held.clear()
    drawing = Drawing(numbers)
    first = asyncio.ensure_future(anext(drawing.items()))
    await asyncio.to_thread(numbers.reached.wait)
    await drawing.stop()
    assert not numbers.closed.is_set()
    numbers.held.set()
    with pytest.raises(SourceUnreachable, match="stopped before its end"):
        await first
    assert numbers.closed.is_set()


async def test_all_drawings_of_one_owner_are_stopped_together() -> None:
    drawings, several = Drawings(), [Numbers(10), Numbers(10)]
    walks = [drawings.drawn(numbers, enough=1) for numbers in several]
    for items in walks:
        await anext(items)
    await drawings.stop()
    assert [numbers.closed.is_set() for numbers in several] == [True, True]
    for items in walks:
        with pytest.raises(SourceUnreachable, match="stopped before its end"):
            [number async for number in items]
