"""A blocking iterator in a thread: in order, in bounded batches, closed where it runs."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from connectors.aio.threads import drawn


class Numbers:
    """Counts by steps of one, and remembers which threads it ran in and where it was closed."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.reached = 0
        self.closed_in: str | None = None
        self.threads: set[str] = set()

    def __iter__(self) -> Iterator[list[int]]:
        try:
            for number in range(self.end):
                self.reached = number
                self.threads.add(threading.current_thread().name)
                yield [number]
        finally:
            self.closed_in = threading.current_thread().name


async def test_every_item_comes_in_order_from_one_other_thread() -> None:
    numbers = Numbers(2_500)
    assert [number async for number in drawn(numbers)] == list(range(2_500))
    assert len(numbers.threads) == 1
    assert threading.current_thread().name not in numbers.threads


async def test_nothing_yields_nothing() -> None:
    assert [number async for number in drawn(Numbers(0))] == []


async def test_no_more_than_a_batch_is_drawn_ahead() -> None:
    numbers = Numbers(1_000_000)
    async with aclosing(drawn(numbers, most=10)) as drawing:
        assert await anext(drawing) == 0
        assert numbers.reached == 9


async def test_a_slow_iterator_is_not_waited_for_longer_than_a_slice() -> None:
    gate = threading.Event()

    def slow() -> Iterator[list[int]]:
        yield [1]
        gate.wait(10)
        yield [2]

    async with aclosing(drawn(slow(), slice_s=0)) as drawing:
        assert await anext(drawing) == 1
        gate.set()
        assert [number async for number in drawing] == [2]


async def test_closing_in_the_middle_closes_the_iterator_in_its_thread_and_ends_that() -> None:
    before = set(threading.enumerate())
    numbers = Numbers(1_000_000)
    async with aclosing(drawn(numbers, most=10)) as drawing:
        await anext(drawing)
    assert {numbers.closed_in} == numbers.threads
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before


async def test_cancelling_ends_a_batch_that_is_being_drawn() -> None:
    going = threading.Event()

    def endless() -> Iterator[list[int]]:
        while True:
            going.set()
            yield []

    async def draw() -> None:
        async for _ in drawn(endless(), most=1_000_000_000, slice_s=1_000):
            pass

    task = asyncio.create_task(draw())
    await asyncio.to_thread(going.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("most", [1, 2, 3, 1_000])
async def test_what_the_iterator_raises_is_raised_after_what_it_yielded(most: int) -> None:
    def failing() -> Iterator[list[int]]:
        yield [0, 1]
        yield []
        yield [2]
        raise LookupError("the fourth")

    async with aclosing(drawn(failing(), most=most)) as drawing:
        assert [await anext(drawing) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(LookupError, match="the fourth"):
            await anext(drawing)
