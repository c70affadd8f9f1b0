import asyncio
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.aio.queue import ByteQueue
from connectors.errors import QueueClosed
from connectors.testing.virtual_time import VirtualTimeLoop, virtual_time


def queue(*, items: int = 3, size: int = 100) -> ByteQueue[str]:
    return ByteQueue(max_items=items, max_bytes=size)


async def is_waiting(task: "asyncio.Task[None] | asyncio.Task[str]") -> bool:
    await asyncio.sleep(1)
    return not task.done()


@pytest.mark.parametrize(("items", "size"), [(0, 1), (1, 0)])
def test_a_queue_without_room_is_refused(items: int, size: int) -> None:
    with pytest.raises(ValueError, match="room"):
        queue(items=items, size=size)


@virtual_time
async def test_items_come_out_in_the_order_they_went_in() -> None:
    q = queue()
    for item in "abc":
        await q.put(item, 10)
    assert (len(q), q.bytes) == (3, 30)
    assert [await q.get() for _ in range(3)] == ["a", "b", "c"]
    assert (len(q), q.bytes) == (0, 0)


@pytest.mark.parametrize(("items", "size"), [(1, 1000), (1000, 15)])
def test_a_full_queue_makes_the_producer_wait(items: int, size: int) -> None:
    @virtual_time
    async def test() -> None:
        q = queue(items=items, size=size)
        await q.put("a", 10)
        second = asyncio.create_task(q.put("b", 10))
        assert await is_waiting(second)
        assert await q.get() == "a"
        await second
        assert await q.get() == "b"

    test()


@virtual_time
async def test_an_item_larger_than_the_queue_goes_in_alone() -> None:
    q = queue(size=100)
    await q.put("small", 1)
    large = asyncio.create_task(q.put("large", 1000))
    assert await is_waiting(large)
    await q.get()
    await large
    assert q.bytes == 1000


@virtual_time
async def test_small_items_do_not_starve_a_large_one() -> None:
    q = queue(items=10, size=100)
    await q.put("a", 60)
    large = asyncio.create_task(q.put("large", 100))
    assert await is_waiting(large)
    small = asyncio.create_task(q.put("small", 1))
    assert await is_waiting(small)
    assert [await q.get(), await q.get(), await q.get()] == ["a", "large", "small"]


@virtual_time
async def test_an_empty_queue_makes_the_consumer_wait() -> None:
    q = queue()
    consumer = asyncio.create_task(q.get())
    assert await is_waiting(consumer)
    await q.put("a", 1)
    assert await consumer == "a"


@virtual_time
async def test_closing_lets_consumers_empty_it_and_then_ends_them() -> None:
    q = queue()
    await q.put("a", 1)
    q.close()
    assert await q.get() == "a"
    with pytest.raises(QueueClosed):
        await q.get()


@virtual_time
async def test_closing_ends_every_waiting_consumer() -> None:
    q = queue()
    consumers = [asyncio.create_task(q.get()) for _ in range(3)]
    await asyncio.sleep(1)
    q.close()
    results = await asyncio.gather(*consumers, return_exceptions=True)
    assert [type(result) for result in results] == [QueueClosed] * 3


@virtual_time
async def test_closing_refuses_every_waiting_producer_and_every_later_one() -> None:
    q = queue(items=1)
    await q.put("a", 1)
    producers = [asyncio.create_task(q.put("b", 1)) for _ in range(3)]
    await asyncio.sleep(1)
    q.close()
    results = await asyncio.gather(*producers, q.put("c", 1), return_exceptions=True)
    assert [type(result) for result in results] == [QueueClosed] * 4
    assert await q.get() == "a"


@virtual_time
async def test_a_cancelled_get_loses_no_item() -> None:
    q = queue()
    first, second = asyncio.create_task(q.get()), asyncio.create_task(q.get())
    await asyncio.sleep(1)
    await q.put("a", 1)
    first.cancel()
    assert await second == "a"


@virtual_time
async def test_a_cancelled_put_takes_no_room() -> None:
    q = queue(items=1)
    await q.put("a", 1)
    first, second = asyncio.create_task(q.put("b", 1)), asyncio.create_task(q.put("c", 1))
    await asyncio.sleep(1)
    first.cancel()
    assert [await q.get(), await q.get()] == ["a", "c"]
    await second


@settings(max_examples=200)
@given(
    st.integers(1, 5),
    st.integers(1, 50),
    st.lists(st.integers(0, 80), max_size=40),
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=8),
)
def test_whatever_is_cancelled_each_item_comes_out_once_and_the_bounds_hold(
    items: int, size: int, sizes: list[int], consumers: int, cancellations: list[tuple[int, int]]
) -> None:
    q: ByteQueue[int] = ByteQueue(max_items=items, max_bytes=size)
    accepted: list[int] = []
    taken: list[int] = []

    async def produce() -> None:
        for number, bytes_ in enumerate(sizes):
            await q.put(number, bytes_)
            accepted.append(number)
            assert len(q) <= items
            assert q.bytes <= size or len(q) == 1

    async def consume() -> None:
        while True:
            taken.append(await q.get())
            await asyncio.sleep(0.5)

    async def run() -> None:
        workers = deque(asyncio.create_task(consume()) for _ in range(consumers))
        producer = asyncio.create_task(produce())
        for after, which in cancellations:
            await asyncio.sleep(after / 10)
            workers.append(asyncio.create_task(consume()))
            workers[which % len(workers)].cancel()
        await producer
        q.close()
        await asyncio.gather(*workers, return_exceptions=True)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())
    assert accepted == list(range(len(sizes)))
    assert taken == accepted
