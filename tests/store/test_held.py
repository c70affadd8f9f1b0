"""Held deletions on the embedded engine."""

import tracemalloc
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.engine import Engine
from connectors.errors import Conflict, RecordUnreadable
from connectors.store.held import CHUNK, HeldChunk, HeldSet, HeldSets, HeldStatus, _chunks
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType

NOW = datetime(2026, 11, 21, 20, 15, 30, tzinfo=UTC)


async def paged(ids: Sequence[str], size: int = 700) -> AsyncIterator[list[str]]:
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])


async def breaking_off() -> AsyncIterator[list[str]]:
    yield [f"d{number}" for number in range(CHUNK)]
    raise ConnectionError("the scan broke off")


def about(run: str, connector: str = "c", minute: int = 0) -> HeldSet:
    return HeldSet(
        connector=connector,
        run=run,
        target="uuid",
        job_type=JobType.FULL,
        reason="2,500 of 3,000 documents",
        created_at=NOW + timedelta(minutes=minute),
    )


@pytest.fixture
async def state(engine: Engine) -> StateStore:
    return await StateStore.open(engine)


@pytest.fixture
def sets(state: StateStore) -> HeldSets:
    return HeldSets(state)


async def test_what_was_held_is_read_back_in_its_order(sets: HeldSets) -> None:
    ids = [f"dö/{number}" for number in range(2_500)]
    held = await sets.hold(about("r"), paged(ids))
    assert (held.number, held.chunks, held.status) == (2_500, 3, HeldStatus.HELD)
    assert await sets.get("c", "r") == held
    assert await sets.of("c") == [held]
    read = [chunk async for chunk in sets.ids(held)]
    assert ([len(chunk) for chunk in read], [one for chunk in read for one in chunk]) == ([1_000, 1_000, 500], ids)


async def test_a_set_without_ids_is_one(sets: HeldSets) -> None:
    held = await sets.hold(about("r"), paged([]))
    assert (held.number, [chunk async for chunk in sets.ids(held)]) == (0, [])


async def test_a_set_that_was_not_finished_is_offered_to_nobody_and_goes_with_the_next(
    state: StateStore, sets: HeldSets
) -> None:
    with pytest.raises(ConnectionError):
        await sets.hold(about("r1"), breaking_off())
    assert (await sets.get("c", "r1"), await sets.of("c")) == (None, [])
    assert len([key async for key in state.keys(HeldChunk, connector="c")]) == 1
    with pytest.raises(Conflict, match="can't become approved: it is incomplete"):
        await sets.approve("c", "r1")
    held = await sets.hold(about("r2"), paged(["a"]))
    assert await sets.of("c") == [held]
    assert [one.value.run async for one in state.find(HeldChunk, connector="c")] == ["r2"]


async def test_what_a_run_holds_again_takes_the_place_of_what_it_held(state: StateStore, sets: HeldSets) -> None:
    await sets.hold(about("r"), paged([f"d{number}" for number in range(2_500)]))
    held = await sets.hold(about("r"), paged(["a", "b"]))
    assert [chunk async for chunk in sets.ids(held)] == [["a", "b"]]
    assert len([key async for key in state.keys(HeldChunk, connector="c")]) == 1


async def test_a_worker_that_lost_its_run_can_not_spoil_what_the_next_one_holds(sets: HeldSets) -> None:
    async def overtaken() -> AsyncIterator[list[str]]:
        yield ["old"] * CHUNK
        await sets.hold(about("r"), paged(["new"] * 1_500))
        yield ["old"] * CHUNK

    with pytest.raises(Conflict):
        await sets.hold(about("r"), overtaken())
    held = await sets.get("c", "r")
    assert held is not None
    assert {one async for chunk in sets.ids(held) for one in chunk} == {"new"}


async def test_a_sync_of_access_control_leaves_what_another_sync_is_writing(sets: HeldSets) -> None:
    async def meanwhile() -> AsyncIterator[list[str]]:
        yield ["a"] * CHUNK
        await sets.hold(msgspec.structs.replace(about("acl"), job_type=JobType.ACCESS_CONTROL), paged(["user"]))
        yield ["b"]

    held = await sets.hold(about("r"), meanwhile())
    assert [len(chunk) async for chunk in sets.ids(held)] == [1_000, 1]
    assert [one.run for one in await sets.of("c")] == ["acl", "r"]


async def test_a_removed_set_leaves_nothing_and_others_stay(state: StateStore, sets: HeldSets) -> None:
    held = await sets.hold(about("r"), paged(["a"] * 1_500))
    others = [await sets.hold(about("r2"), paged(["b"])), await sets.hold(about("r", connector="c2"), paged(["c"]))]
    await sets.remove(held)
    await sets.remove(held)
    assert await sets.get("c", "r") is None
    assert [[chunk async for chunk in sets.ids(other)] for other in others] == [[["b"]], [["c"]]]
    assert len([key async for key in state.keys(HeldChunk)]) == 2


async def test_an_approval_lets_the_one_before_it_lapse(sets: HeldSets) -> None:
    for minute, run in enumerate(("r3", "r1", "r2")):
        await sets.hold(about(run, minute=minute), paged([run]))
    await sets.approve("c", "r1")
    approved = await sets.approve("c", "r2")
    assert [(one.run, one.status) for one in await sets.of("c")] == [
        ("r3", HeldStatus.HELD),
        ("r1", HeldStatus.LAPSED),
        ("r2", HeldStatus.APPROVED),
    ]
    assert await sets.of("c", status=HeldStatus.APPROVED) == [approved]
    assert approved.decided_at is not None


async def test_what_was_decided_is_not_decided_otherwise(sets: HeldSets) -> None:
    await sets.hold(about("r"), paged(["a"]))
    discarded = await sets.discard("c", "r")
    assert await sets.discard("c", "r") == discarded
    with pytest.raises(Conflict, match="What 'r' held can't become approved: it is discarded"):
        await sets.approve("c", "r")
    with pytest.raises(Conflict, match="can't become lapsed: there is none"):
        await sets.lapse("c", "r0")


async def test_a_set_of_which_a_part_is_missing_is_told(state: StateStore, sets: HeldSets) -> None:
    held = await sets.hold(about("r"), paged(["a"] * 1_500))
    await state.delete(HeldChunk.key_for("c", "r", held.attempt, 1))
    with pytest.raises(RecordUnreadable, match="A part of what 'r' held is missing"):
        [chunk async for chunk in sets.ids(held)]
    with pytest.raises(RecordUnreadable, match="Of 1001 ids that 'r' held, 1000 are left"):
        [chunk async for chunk in sets.ids(msgspec.structs.replace(held, chunks=1, number=1_001))]


async def test_a_large_set_is_never_in_memory_as_a_whole(sets: HeldSets) -> None:
    async def many() -> AsyncIterator[list[str]]:
        for page in range(40):
            yield [f"{page}-{number}-{'x' * 400}" for number in range(CHUNK)]

    tracemalloc.start()
    try:
        held = await sets.hold(about("r"), many())
        number = 0
        async for chunk in sets.ids(held):
            number += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert number == held.number == 40_000
    assert peak < 8_000_000  # of 16 MB of ids


@given(st.lists(st.integers(0, 2 * CHUNK).map(lambda number: [str(one) for one in range(number)]), max_size=4))
@settings(max_examples=25)
async def test_chunks_hold_what_the_pages_held(pages: list[list[str]]) -> None:
    async def given_pages() -> AsyncIterator[list[str]]:
        for page in pages:
            yield page

    found = [chunk async for chunk in _chunks(given_pages())]
    assert [one for chunk in found for one in chunk] == [one for page in pages for one in page]
    assert [len(chunk) for chunk in found[:-1]] == [CHUNK] * (len(found) - 1 if found else 0)


async def test_what_waits_for_a_person_is_told_of_all_connectors_the_oldest_first(state: StateStore) -> None:
    sets = HeldSets(state)
    late = await sets.hold(about("r1", "d", minute=2), paged(["a"]))
    early = await sets.hold(about("r2", "c", minute=1), paged(["a", "b"]))
    await sets.hold(about("r3", "e"), paged(["a"]))
    await sets.discard("e", "r3")
    assert await sets.waiting() == [early, late]
