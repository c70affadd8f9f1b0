"""The writer in virtual time: what it does about each answer that an engine may give, and about none."""

import asyncio
from typing import Any

import pytest

from connectors.errors import (
    EngineBlocked,
    EngineDenied,
    EngineOverloaded,
    EngineRefused,
    EngineUnreachable,
    IndexReplaced,
)
from connectors.sync.index.mark import version
from connectors.sync.index.target import TargetWatch
from connectors.sync.writing.verdict import BLOCKED, MISSING
from connectors.testing.virtual_time import virtual_time
from tests.sync.small_engine import SmallEngine, answer_lost, answering, away, item_error, raising
from tests.sync.writing.world import BUSY, FREE, INDEX, NOW_MS, World, write

# --- what the engine takes later ---------------------------------------------------------------------------------


@virtual_time
@pytest.mark.parametrize(
    "fault",
    [
        answer_lost,
        away,
        raising(EngineOverloaded("Too much.", retry_after_s=7)),
        raising(EngineBlocked("The disk is full.")),
    ],
)
async def test_a_batch_that_is_not_answered_is_sent_again_with_the_same_bytes(fault: Any) -> None:
    world = World()
    world.engine.bulks += [fault] * 3
    writer = await world.write("a", "b")
    assert len(world.engine.bodies) == 4
    assert len(set(world.engine.bodies)) == 1
    assert world.noted.told == [("written", "a"), ("written", "b")]
    assert writer.counted == 2
    assert world.report.waiting_for is None


@virtual_time
async def test_an_engine_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    world = World()
    world.engine.bulks.append(raising(EngineOverloaded("Too much.", retry_after_s=7)))
    await world.write("a")
    assert world.clock.monotonic() >= 7


@virtual_time
@pytest.mark.parametrize(
    ("item", "says"),
    [
        (BUSY, "the reason (es_rejected_execution_exception, status 429)."),
        (item_error(429, BLOCKED, "full"), f"full ({BLOCKED}, status 429). {FREE}"),
        (item_error(403, BLOCKED), f"the reason ({BLOCKED}, status 403). {FREE}"),
        (item_error(503, "unavailable", None), "No reason given (unavailable, status 503)."),
    ],
)
async def test_what_is_refused_for_now_is_sent_again_alone(item: dict[str, Any], says: str) -> None:
    world = World()
    world.engine.bulks += [answering(b=item, d=item), answering(d=item)]
    seen: list[str | None] = []

    def watch(_engine: SmallEngine, apply: Any) -> Any:
        seen.append(world.report.waiting_for)
        return apply()

    world.engine.bulks.append(watch)
    writer = await world.write(*"abcd")
    assert world.sent == [list("abcd"), ["b", "d"], ["d"]]
    first, second, third = (body.splitlines(keepends=True) for body in world.engine.bodies)
    assert (second, third) == (first[2:4] + first[6:8], first[6:8])
    assert seen == [says]
    assert world.report.waiting_for is None
    assert world.noted.ids("written") == list("abcd")
    assert writer.counted == 4
    assert set(world.versions.values()) == {version(NOW_MS, 1)}


@virtual_time
async def test_an_engine_that_is_away_for_too_long_ends_the_sync_with_why() -> None:
    world = World(unavailable_timeout_s=600.0)
    with pytest.raises(EngineUnreachable) as raised:
        async with world.writing() as writer:
            world.engine.is_away = True
            await writer.put(write("a"), b"{}")
            await writer.drain()
    assert 580 < world.clock.monotonic() < 601
    assert world.noted.told == []
    assert "Could not reach the small engine." in str(raised.value)
    assert raised.value.__notes__[0].startswith("Gave up after ")


@virtual_time
async def test_an_engine_that_comes_back_in_time_is_written_to() -> None:
    world = World(unavailable_timeout_s=600.0)
    async with world.writing() as writer:
        for times in range(3):  # each time anew
            world.engine.is_away = True
            await writer.put(write(f"d{times}"), b"{}")
            asyncio.get_running_loop().call_later(560, setattr, world.engine, "is_away", False)
            await writer.drain()
    assert len(world.noted.ids("written")) == 3


@virtual_time
async def test_a_batch_waits_for_longer_while_the_engine_takes_anything_at_all() -> None:
    world = World(unavailable_timeout_s=100.0)
    ids = [f"d{number}" for number in range(60)]
    for number in range(60):  # one document of the batch at a time, some seconds apart
        world.engine.bulks.append(answering(**dict.fromkeys(ids[number + 1 :], BUSY)))
    await world.write(*ids)
    assert world.clock.monotonic() > 150
    assert len(world.noted.ids("written")) == 60


@virtual_time
async def test_an_engine_that_only_ever_refuses_is_as_good_as_away() -> None:
    world = World(unavailable_timeout_s=100.0)
    world.engine.bulks += [answering(a=BUSY)] * 1_000
    with pytest.raises(EngineOverloaded, match="es_rejected_execution_exception"):
        await world.write("a")
    assert 80 < world.clock.monotonic() < 101


@virtual_time
async def test_credentials_that_are_refused_end_the_sync_at_once() -> None:
    world = World()
    world.engine.bulks.append(raising(EngineDenied("No.")))
    with pytest.raises(EngineDenied):
        await world.write("a")
    assert len(world.engine.bodies) == 1


@virtual_time
async def test_credentials_that_may_not_write_to_the_index_end_the_sync_and_make_no_letters() -> None:
    world = World()
    item = item_error(403, "security_exception", "not yours")
    world.engine.bulks.append(answering(a=item, b=item))
    with pytest.raises(EngineDenied, match=r"not yours \(security_exception, status 403\). Give these credentials"):
        await world.write("a", "b")
    assert (len(world.engine.bodies), world.noted.told) == (1, [])


# --- what the engine does not take -------------------------------------------------------------------------------

MAPPING = item_error(
    400, "document_parsing_exception", "failed to parse", caused_by={"type": "x", "reason": "n is no number"}
)


@virtual_time
@pytest.mark.parametrize(
    ("item", "cause", "reason"),
    [
        (MAPPING, "document_parsing_exception", "failed to parse: n is no number"),
        (
            item_error(400, "mapper_exception", "once", caused_by={"type": "x", "reason": "once"}),
            "mapper_exception",
            "once",
        ),
        (item_error(400, "mapper_exception", None), "mapper_exception", "The engine gives no reason."),
        (
            {"_index": INDEX, "status": 200, "result": "noop", "_version": -3},
            "result noop",
            "A pipeline dropped the document.",
        ),
        (
            {"_index": "other", "status": 201, "result": "created", "_seq_no": 5, "_version": 1},
            "rerouted",
            "A pipeline sent the document to the index other.",
        ),
        (item_error(404, "index_not_found_exception") | {"_index": "other"}, "index_not_found_exception", "the reason"),
    ],
)
async def test_what_can_not_be_indexed_is_told_with_why(item: dict[str, Any], cause: str, reason: str) -> None:
    world = World()
    world.engine.bulks.append(answering(b=item))
    writer = await world.write(*"abc")
    assert world.noted.told == [("written", "c"), ("written", "a"), (cause, "b")]
    assert world.noted.reasons == {"b": reason}
    assert len(world.engine.bodies) == 1
    assert writer.counted == world.engine.index(INDEX).writes == 2


@virtual_time
async def test_what_was_written_before_a_refusal_is_told_before_it() -> None:
    world = World()
    world.engine.bulks.append(answering(b=MAPPING, c=MAPPING, e=MAPPING))
    await world.write(*"abcdef")
    in_order = [one for one in world.noted.told if one != ("written", "f")]
    cause = "document_parsing_exception"
    assert in_order == [("written", "a"), (cause, "b"), (cause, "c"), ("written", "d"), (cause, "e")]


@virtual_time
async def test_of_a_request_that_is_refused_as_a_whole_only_what_is_wrong_is_refused() -> None:
    for bad in range(9):
        world = World()

        def choosy(_engine: SmallEngine, apply: Any, world: World = world, bad: int = bad) -> Any:
            if f"d{bad}" in world.sent[-1]:
                raise EngineRefused("An id is too long.", status=400, kind="action_request_validation_exception")
            return apply()

        world.engine.bulks += [choosy] * 30
        world.engine.latency_s = 0.0
        ids = [f"d{number}" for number in range(9)]
        await world.write(*ids)
        assert world.noted.ids("written") == [one for one in ids if one != f"d{bad}"]
        assert world.noted.reasons == {f"d{bad}": "An id is too long."}
        assert len(set(world.versions.values())) == 1


def at_most(world: World, size: int) -> Any:
    def fault(_engine: SmallEngine, apply: Any) -> Any:
        if len(world.engine.bodies[-1]) > size:
            raise EngineRefused("Too large.", status=413, kind="unknown")
        return apply()

    return fault


@virtual_time
async def test_a_batch_that_is_too_large_is_halved_and_so_are_those_after_it() -> None:
    world = World(latency_s=0.0, at_once=1, batch_bytes=8_000)
    world.engine.bulks += [at_most(world, 2_500)] * 200
    async with world.writing() as writer:
        for number in range(60):
            await writer.put(write(f"d{number}"), b'{"n":"%b"}' % (b"x" * 350))
            await asyncio.sleep(1)
        await writer.drain()
    sizes = [len(body) for body in world.engine.bodies]
    assert [size > 2_500 for size in sizes].count(True) == 3  # 8,000, and its two halves
    assert len(world.noted.ids("written")) == 60
    assert max(sizes[7:]) < 2_500


@virtual_time
async def test_batches_after_one_that_is_wrong_are_as_large_as_before() -> None:
    world = World(batch_documents=4)
    world.engine.bulks.append(raising(EngineRefused("It is wrong.", status=400, kind="x")))
    async with world.writing() as writer:
        for doc_id in "abcdefghijkl":
            await writer.put(write(doc_id), b'{"n":"%b"}' % (b"x" * 100_000))
            await asyncio.sleep(1)
        await writer.drain()
    assert list(map(len, world.sent)) == [4, 2, 2, 4, 4]


@virtual_time
async def test_a_document_that_is_too_large_alone_is_refused_and_its_neighbours_are_not() -> None:
    world = World(latency_s=0.0)
    world.engine.bulks += [at_most(world, 2_500)] * 200
    async with world.writing() as writer:
        for number in range(10):
            await writer.put(write(f"d{number}"), b'{"n":"%b"}' % (b"x" * (5_000 if number == 4 else 10)))
        await writer.drain()
    assert world.noted.reasons == {"d4": "Too large."}
    assert len(world.noted.ids("written")) == 9
    assert world.noted.each_once


@virtual_time
@pytest.mark.parametrize(
    "error",
    [
        EngineUnreachable("The letters can't be written."),
        EngineRefused("A letter is refused.", status=400, kind="x"),
        EngineOverloaded("No letters now."),
    ],
)
async def test_what_goes_wrong_with_a_receipt_is_no_answer_to_the_batch(error: Exception) -> None:
    world = World()
    world.noted.error = error
    world.engine.bulks.append(answering(b=MAPPING))
    with pytest.raises(type(error)) as raised:
        await world.write(*"abc")
    assert raised.value is error
    assert len(world.engine.bodies) == 1
    assert world.noted.each_once


# --- the index ---------------------------------------------------------------------------------------------------


@virtual_time
async def test_an_index_that_is_gone_ends_the_sync_with_that() -> None:
    world = World()
    with pytest.raises(IndexReplaced) as raised:
        async with world.writing() as writer:
            del world.engine.indices[INDEX]
            await writer.put(write("a"), b"{}")
            await writer.drain()
    assert raised.value.index == INDEX
    assert str(raised.value) == f"The index {INDEX} was deleted while it was written to."


class Watch(TargetWatch):
    """Looks when it is asked, and finds another index when it is told so."""

    def __init__(self) -> None:
        self.looked = 0
        self.is_replaced = False

    async def ensure(self) -> None:
        return

    async def confirm(self) -> None:
        self.looked += 1
        if self.is_replaced:
            raise IndexReplaced("It was replaced.", index=INDEX)


@virtual_time
@pytest.mark.parametrize(
    "item",
    [item_error(404, MISSING), {"_index": "other", "status": 201, "result": "created", "_seq_no": 5, "_version": 1}],
)
async def test_what_another_index_answered_is_no_matter_of_letters_when_ours_was_replaced(item: dict[str, Any]) -> None:
    world, watch = World(), Watch()
    world.engine.bulks.append(answering(a=item, b=item))
    with pytest.raises(IndexReplaced):
        async with world.writing(watch) as writer:
            watch.is_replaced = True
            await writer.put(write("a"), b"{}")
            await writer.put(write("b"), b"{}")
            await writer.drain()
    assert world.noted.told == []
    assert watch.looked == 1


@virtual_time
async def test_an_index_that_can_not_be_found_for_a_moment_is_written_to_then() -> None:
    world, watch = World(), Watch()
    world.engine.bulks.append(answering(a=item_error(404, MISSING)))
    async with world.writing(watch) as writer:
        await writer.put(write("a"), b"{}")
        await writer.drain()
    assert world.noted.told == [("written", "a")]
    assert watch.looked == 1


@virtual_time
async def test_an_index_that_goes_in_the_middle_of_a_conflict_ends_the_sync_with_that() -> None:
    world = World()
    world.engine.index(INDEX).places["a"] = world.engine.place(INDEX, "a", version(NOW_MS + 5, 0), {})

    def last_words(engine: SmallEngine, apply: Any) -> Any:
        answer = apply()
        del engine.indices[INDEX]
        return answer

    world.engine.bulks.append(last_words)
    with pytest.raises(IndexReplaced):
        await world.write("a")
