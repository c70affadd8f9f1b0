"""The writer in virtual time: what it does about documents that somebody else writes to."""

import asyncio
import json
from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.errors import (
    JobLost,
)
from connectors.store.targets import TargetRecord
from connectors.sync.document.prepared import key_of
from connectors.sync.index.mark import MOST_BATCHES, version
from connectors.sync.owner.lease import MOST_AHEAD_S
from connectors.sync.writing.batch import Removal
from connectors.sync.writing.writer import MOST_CONFLICTS
from connectors.testing.virtual_time import virtual_time
from tests.sync.small_engine import SmallEngine, answer_lost
from tests.sync.writing.world import INDEX, NOW_MS, World, write

# --- conflicts ---------------------------------------------------------------------------------------------------


@virtual_time
async def test_a_document_that_somebody_changed_in_part_is_written_over() -> None:
    world = World()
    async with world.writing() as writer:
        await writer.put(write("a"), b'{"n":1}')
        await writer.drain()
        for number in range(5):
            world.engine.touch(INDEX, "a", {"theirs": number})
        await writer.put(write("a"), b'{"n":2}')
        await writer.put(write("b"), b'{"n":3}')
        await writer.drain()
    sources = world.engine.index(INDEX).sources
    assert [sources[one]["n"] for one in "ab"] == [2, 3]
    assert world.versions == {"a": version(NOW_MS + 1, 1), "b": version(NOW_MS, 2)}
    assert sources["a"]["_sync"]["o"] == world.versions["a"]
    assert world.report.conflicts == 1
    assert writer.counted == world.engine.index(INDEX).writes - 5 == 3
    assert world.noted.told == [("written", "a"), ("written", "b"), ("written", "a")]


@virtual_time
@pytest.mark.parametrize("ahead", [1, 50, MOST_BATCHES // 2])
@pytest.mark.parametrize("tells", [True, False])
async def test_a_document_that_was_deleted_under_a_higher_version_is_written_again(ahead: int, tells: bool) -> None:
    world = World(batch_documents=1)
    world.engine.tells_versions = tells
    async with world.writing() as writer:
        world.engine.place(INDEX, "a", version(NOW_MS, 5) + ahead, None)
        await writer.put(write("a"), b'{"n":1}')
        for number in range(4):
            await writer.put(write(f"d{number}"), b"{}")
        await writer.drain()
    assert "a" in world.noted.ids("written")
    assert world.report.conflicts == 1
    assert world.versions["a"] == version(NOW_MS + 1, 1)


@virtual_time
async def test_a_document_of_a_later_epoch_is_risen_above_by_the_owner() -> None:
    world = World()
    later = version(NOW_MS + 77, 1_000)
    world.engine.place(INDEX, "a", later, {})
    await world.write("a")
    assert world.versions["a"] == version(NOW_MS + 78, 1)
    record = await world.state.read(TargetRecord.key_of("uuid"), TargetRecord)
    assert record is not None
    assert record.value.epoch == NOW_MS + 78


@virtual_time
@pytest.mark.parametrize("epochs", [2, 77, int(MOST_AHEAD_S * 1000) - 1])
async def test_a_document_that_was_deleted_in_a_later_epoch_is_written_again_at_once(epochs: int) -> None:
    world = World()
    world.engine.place(INDEX, "a", version(NOW_MS + epochs, 1_000), None)
    await world.write("a", "b")
    assert (world.noted.told, world.report.conflicts) == ([("written", "b"), ("written", "a")], 1)
    assert world.versions["a"] == version(NOW_MS + epochs + 1, 1)


@virtual_time
async def test_a_deletion_whose_version_is_not_told_is_taken_to_be_of_the_same_epoch_a_few_times() -> None:
    world = World()
    world.engine.tells_versions = False
    world.engine.place(INDEX, "a", version(NOW_MS + 77, 1_000), None)
    await world.write("a", "b")
    assert (world.noted.ids("written"), world.noted.ids("conflict")) == (["b"], ["a"])
    assert world.lease.epoch == NOW_MS + MOST_CONFLICTS


@virtual_time
async def test_a_deletion_under_a_version_that_no_epoch_reaches_is_refused_and_its_neighbours_are_written() -> None:
    world = World()
    far = version(NOW_MS + int(MOST_AHEAD_S * 1000) + 1_000, 0)
    for doc_id in "ab":
        world.engine.place(INDEX, doc_id, far if doc_id == "a" else version(NOW_MS + 5, 0), None)
    await world.write("a", "b", "c")
    assert world.noted.ids("written") == ["b", "c"]
    assert world.noted.reasons == {
        "a": f"The document was deleted under the version {far}, which somebody else gave it; it can be indexed again "
        "when the engine has forgotten that (index.gc_deletes)."
    }
    assert world.lease.epoch == NOW_MS + 6


@virtual_time
async def test_who_is_no_owner_any_more_ends_at_a_document_of_a_later_epoch() -> None:
    world = World()
    with pytest.raises(JobLost):
        async with world.writing() as writer:
            world.engine.place(INDEX, "a", version(NOW_MS + 1_000, 1), {"theirs": 1})
            await world.take_over()
            await writer.put(write("a"), b"{}")
            await writer.drain()
    assert world.engine.index(INDEX).sources == {"a": {"theirs": 1}}
    assert world.noted.told == []


@virtual_time
async def test_a_version_that_no_epoch_reaches_is_refused_and_its_neighbours_are_written() -> None:
    world = World()
    far = version(NOW_MS + int(MOST_AHEAD_S * 1000) + 1_000, 0)
    for doc_id in "ab":
        world.engine.place(INDEX, doc_id, far if doc_id == "a" else version(NOW_MS + 5, 0), {})
    await world.write("a", "b", "c")
    assert world.noted.ids("written") == ["b", "c"]
    reason = f"The document has the version {far}, which somebody else gave it; delete it first."
    assert world.noted.reasons == {"a": reason}
    assert world.lease.epoch == NOW_MS + 6


@virtual_time
async def test_a_document_that_somebody_keeps_writing_to_is_refused_in_the_end() -> None:
    world = World()

    def meddled_with(engine: SmallEngine, apply: Any) -> Any:
        found = engine.index(INDEX).places.get("a")
        sent = json.loads(engine.bodies[-1].split(b"\n")[0])["index"]["version"]
        engine.place(INDEX, "a", max(sent, found.version if found else 0) + 1, {})
        return apply()

    world.engine.bulks += [meddled_with] * (MOST_CONFLICTS + 1)
    await world.write("a")
    assert world.noted.reasons == {"a": "Somebody else keeps writing to the document."}
    assert world.noted.told == [("conflict", "a")]
    assert len(world.engine.bodies) == MOST_CONFLICTS + 1
    assert world.report.conflicts == MOST_CONFLICTS + 1


@virtual_time
async def test_a_document_that_somebody_wrote_to_five_times_is_written() -> None:
    world = World()

    def meddled_with(engine: SmallEngine, apply: Any) -> Any:
        sent = json.loads(engine.bodies[-1].split(b"\n")[0])["index"]["version"]
        engine.place(INDEX, "a", sent + 1, {})
        return apply()

    world.engine.bulks += [meddled_with] * MOST_CONFLICTS
    await world.write("a")
    assert world.noted.told == [("written", "a")]


@virtual_time
async def test_an_engine_that_goes_away_in_the_middle_of_a_conflict_is_waited_for() -> None:
    world = World(unavailable_timeout_s=600.0)
    world.engine.touch(INDEX, "a", {})
    world.engine.index(INDEX).places["a"].version = version(NOW_MS + 5, 0)

    def last_words(engine: SmallEngine, apply: Any) -> Any:
        engine.is_away = world.control.is_away = True
        loop = asyncio.get_running_loop()
        loop.call_later(200, setattr, engine, "is_away", False)
        loop.call_later(400, setattr, world.control, "is_away", False)
        return apply()

    world.engine.bulks.append(last_words)
    await world.write("a")
    assert world.noted.told == [("written", "a")]
    assert world.clock.monotonic() > 400


def revision(world: World, doc_id: str) -> Revision:
    return Revision(world.engine.index(INDEX).places[doc_id].seq_no, 1)


@virtual_time
async def test_a_document_is_deleted_unless_somebody_wrote_to_it_since() -> None:
    world = World()
    for doc_id in "abcd":
        world.engine.touch(INDEX, doc_id, {"n": 1})
    async with world.writing() as writer:
        for doc_id in "abcd":
            await writer.remove(Removal(doc_id, key_of(doc_id), revision(world, doc_id)))
        world.engine.touch(INDEX, "b", {"n": 2})
        world.engine.touch(INDEX, "c", None)
        await writer.drain()
    assert (world.noted.ids("removed"), world.noted.ids("overtaken")) == (["a", "c", "d"], ["b"])
    assert world.noted.each_once
    assert world.engine.index(INDEX).sources == {"b": {"n": 2}}
    assert writer.counted == 2


@virtual_time
async def test_a_delete_whose_answer_was_lost_is_known_to_be_done() -> None:
    world = World()
    world.engine.touch(INDEX, "a", {"n": 1})
    world.engine.bulks.append(answer_lost)
    async with world.writing() as writer:
        await writer.remove(Removal("a", key_of("a"), revision(world, "a")))
        await writer.drain()
    assert world.noted.told == [("removed", "a")]
