"""The writer in virtual time: batches, what waits, and how it ends."""

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest

from connectors.errors import (
    EngineDenied,
    EngineRefused,
    JobLost,
)
from connectors.store.targets import TargetRecord
from connectors.sync.index.mark import version
from connectors.sync.writing.batch import BESIDE_LINE
from connectors.sync.writing.writer import WriterLimits
from connectors.testing.virtual_time import virtual_time
from tests.sync.small_engine import SmallEngine, answer_lost, answering, away, raising
from tests.sync.writing.world import BUSY, INDEX, NOW_MS, World, others, write

# --- batches -----------------------------------------------------------------------------------------------------


@virtual_time
async def test_a_batch_is_sent_when_it_has_its_number_of_documents() -> None:
    world = World(batch_documents=3)
    async with world.writing() as writer:
        for doc_id in "abcdefg":
            await writer.put(write(doc_id), b"{}")
        await asyncio.sleep(1)
        assert world.sent == [["a", "b", "c"], ["d", "e", "f"]]
        await writer.drain()
        assert world.sent[2:] == [["g"]]
        await writer.drain()
    assert len(world.sent) == 3
    assert world.versions == {
        **dict.fromkeys("abc", version(NOW_MS, 1)),
        **dict.fromkeys("def", version(NOW_MS, 2)),
        "g": version(NOW_MS, 3),
    }
    assert world.noted.ids("written") == list("abcdefg")


@virtual_time
async def test_a_batch_is_sent_when_it_has_its_number_of_bytes() -> None:
    world = World(batch_bytes=1_000)
    await world.write("a", "b", "c", body=b'{"n":"%b"}' % (b"x" * 500))
    assert world.sent == [["a", "b"], ["c"]]


@virtual_time
async def test_what_was_written_is_the_document_with_its_mark() -> None:
    world = World()
    writer = await world.write("a")
    assert world.engine.index(INDEX).sources == {
        "a": {"_sync": {"f": 1, "d": 0, "o": version(NOW_MS, 1), "c": "c"}, "n": 1}
    }
    assert (writer.counted, world.engine.index(INDEX).writes) == (1, 1)


@virtual_time
async def test_counters_count_requests_and_what_was_in_them() -> None:
    world = World(batch_documents=2)
    world.engine.bulks += [answering(b=BUSY), answer_lost]
    writer = await world.write("a", "b", "c")
    sizes = [len(body) for body in world.engine.bodies]
    report = world.report
    assert (report.requests, report.sent, report.sent_bytes) == (len(sizes), sum(map(len, world.sent)), sum(sizes))
    assert report.requests == 4
    assert writer.counted == 3
    assert world.engine.index(INDEX).writes == 4  # c twice: the audit will see it


@virtual_time
async def test_several_batches_are_on_their_way_at_once_and_no_more_than_the_limiter_lets() -> None:
    world = World(latency_s=1.0, batch_documents=1, at_once=3)
    most = 0

    def watch(_engine: SmallEngine, apply: Any) -> Any:
        nonlocal most
        most = max(most, world.limiter.running)
        return apply()

    world.engine.bulks += [watch] * 9
    await world.write(*"abcdefghi")
    assert most == 3
    assert world.clock.monotonic() == pytest.approx(3.0)


@virtual_time
async def test_bytes_on_their_way_stay_within_their_budget() -> None:
    world = World(latency_s=1.0, at_once=16, batch_bytes=1_000, waiting_bytes=4_500)
    sizes = random.Random(1)
    async with world.writing() as writer:
        for number in range(200):
            await writer.put(write(f"d{number}"), b'{"n":"%b"}' % (b"x" * sizes.randrange(900)))
        await writer.drain()
    assert 2_000 < world.engine.most_flying_bytes <= 4_500 - BESIDE_LINE
    assert len(world.noted.ids("written")) == 200


@virtual_time
async def test_of_small_documents_what_is_around_them_counts_too() -> None:
    world = World(latency_s=1.0, at_once=90, batch_documents=10, batch_bytes=50_000, waiting_bytes=100_000)
    async with world.writing() as writer:
        for number in range(1_000):
            await writer.put(write(f"d{number:03}"), b'{"n":1}')
        await writer.drain()
    a_batch = len(world.engine.bodies[0]) + 10 * BESIDE_LINE
    assert world.engine.most_flying_bytes == 100_000 // a_batch * len(world.engine.bodies[0])


@virtual_time
async def test_a_document_that_is_larger_than_the_budget_goes_alone() -> None:
    world = World(latency_s=1.0, batch_bytes=100, waiting_bytes=100)
    await world.write("a", "b", "c", body=b'{"n":"%b"}' % (b"x" * 500))
    assert world.sent == [["a"], ["b"], ["c"]]
    assert world.engine.most_flying_bytes == max(map(len, world.engine.bodies))


@pytest.mark.parametrize(
    "limits", [{"batch_documents": 0}, {"batch_bytes": 0}, {"batch_bytes": 10, "waiting_bytes": 9}]
)
def test_limits_that_let_nothing_through_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="there has to be room"):
        WriterLimits(**limits)


# --- draining ----------------------------------------------------------------------------------------------------


@virtual_time
async def test_drain_returns_when_all_that_was_put_before_it_is_known() -> None:
    world = World(latency_s=0.5, batch_documents=3, at_once=2, batch_bytes=200, waiting_bytes=500)
    chance = random.Random(2)
    world.engine.bulks += [chance.choice([None, answer_lost, answering(), away]) for _ in range(60)]
    put: set[str] = set()

    async def worker(number: int) -> None:
        for turn in range(20):
            doc_id = f"{number}-{turn}"
            await writer.put(write(doc_id), b"{}")
            put.add(doc_id)
            if chance.random() < 0.3:
                before = set(put)
                await writer.drain()
                assert before <= set(world.noted.ids("written"))
            await asyncio.sleep(chance.random())

    async with world.writing() as writer:
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(worker(number))
        await writer.drain()
    assert len(world.noted.ids("written")) == 80
    assert world.noted.each_once


@virtual_time
async def test_what_was_cut_off_has_passed_when_all_before_it_is_known() -> None:
    world = World(latency_s=0.1, batch_documents=1, at_once=4)
    world.engine.bulks += [away] * 3
    async with world.writing() as writer:
        await writer.put(write("before"), b"{}")
        cut = await writer.cut()
        await writer.put(write("after"), b"{}")
        world.engine.latency_s = 50.0
        await writer.passed(cut)
        assert "before" in world.noted.ids("written")
        await writer.drain()
    assert world.versions["before"] < cut < world.versions["after"]


@virtual_time
async def test_a_put_that_is_cancelled_while_it_waits_loses_nothing() -> None:
    world = World(latency_s=10.0, batch_documents=1, batch_bytes=100, waiting_bytes=100)
    async with world.writing() as writer:
        await writer.put(write("a"), b"{}")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await writer.put(write("b"), b"{}")
        await writer.drain()
    assert world.noted.ids("written") == ["a", "b"]


# --- the lease ---------------------------------------------------------------------------------------------------


@virtual_time
async def test_nothing_is_sent_under_a_lease_that_is_old_and_lost() -> None:
    world = World()
    with pytest.raises(JobLost):
        async with world.writing() as writer:
            await world.take_over()
            world.control.is_away = True  # so that renewals do not tell
            await asyncio.sleep(50)
            world.control.is_away = False
            await writer.put(write("a"), b"{}")
            await writer.drain()
    assert world.engine.bodies == []


@virtual_time
async def test_each_attempt_makes_sure_of_the_lease() -> None:
    world = World()
    with pytest.raises(JobLost):
        async with world.writing() as writer:
            world.engine.is_away = True
            await writer.put(write("a"), b"{}")
            await asyncio.sleep(1)
            await world.take_over()
            world.engine.is_away = False
            await writer.drain()
            await asyncio.sleep(100)
    assert len(world.noted.told) <= 1


@virtual_time
async def test_a_state_index_that_refuses_is_no_matter_of_the_batch() -> None:
    world = World()
    refusal = EngineRefused("The state index takes nothing.", status=400, kind="x")
    with pytest.raises(EngineRefused) as raised:
        async with world.writing() as writer:
            world.control.is_away = True
            await asyncio.sleep(45)
            world.control.is_away = False
            world.control.writes += [raising(refusal)] * 10
            await writer.put(write("a"), b"{}")
            await writer.put(write("b"), b"{}")
            await writer.drain()
    assert raised.value is refusal
    assert (world.engine.bodies, world.noted.told) == ([], [])


# --- the end -----------------------------------------------------------------------------------------------------


@virtual_time
async def test_an_error_of_one_batch_ends_the_block_and_every_put_with_that_error() -> None:
    world = World(batch_documents=1, batch_bytes=100, waiting_bytes=400, latency_s=0.1)
    error = EngineDenied("No.")
    ends: list[BaseException] = []

    async def stage(number: int) -> None:
        try:
            for turn in range(1_000):
                await writer.put(write(f"{number}-{turn}"), b"{}")
        except BaseException as end:
            ends.append(end)
            raise

    world.engine.bulks += [None] * 20 + [raising(error)]
    with pytest.raises(EngineDenied) as raised:
        async with world.writing() as writer, asyncio.TaskGroup() as stages:
            for number in range(6):
                stages.create_task(stage(number))
    assert raised.value is error
    assert len(ends) == 6
    assert {type(one) for one in ends} <= {EngineDenied, asyncio.CancelledError}
    assert not others()


@virtual_time
async def test_what_is_put_after_an_error_is_told_of_it() -> None:
    world = World(batch_documents=1)
    error = EngineDenied("No.")
    world.engine.bulks.append(raising(error))
    with pytest.raises(EngineDenied):
        async with world.writing() as writer:
            await writer.put(write("a"), b"{}")
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(10)
            with pytest.raises(EngineDenied) as raised:
                await writer.put(write("b"), b"{}")
            assert raised.value is error


@virtual_time
@pytest.mark.parametrize("seed", range(40))
async def test_cancelling_at_any_moment_leaves_no_task_and_no_room_taken(seed: int) -> None:
    chance = random.Random(seed)
    world = World(latency_s=0.2, at_once=3, batch_documents=2, batch_bytes=150, waiting_bytes=500)
    busy = answering(**{f"d{number}": BUSY for number in range(0, 99, 3)})
    world.engine.bulks += [chance.choice([None, answer_lost, away, busy]) for _ in range(50)]
    writers = []

    async def work() -> None:
        async with world.writing() as writer:
            writers.append(writer)
            for number in range(99):
                await writer.put(write(f"d{number}"), b"{}")
            await writer.drain()

    task = asyncio.create_task(work())
    if seed % 4:
        await asyncio.sleep(chance.random() * 4)
    else:  # just when something was started
        for _ in range(seed):
            await asyncio.sleep(0)
        await asyncio.sleep(0.2 * chance.randrange(3))
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not others()
    assert [writer._budget.used for writer in writers] in ([], [0])
    record = await world.state.read(TargetRecord.key_of("uuid"), TargetRecord)
    assert record is None or record.value.owner is None
