"""A sync with other settings than the connector's adds and updates, and leaves nothing that a later one goes by."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.changes import Checkpoint, Failed
from connectors.errors import SourceUnreachable
from connectors.store.held import HeldStatus
from connectors.store.sync_state import Checkpoint as SavedCheckpoint
from connectors.store.sync_state import JobType, SyncState
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from connectors.sync.verdict import Reason
from tests.sync import scripted
from tests.sync.rows import Stage, row, rows, told
from tests.sync.scripted import Scene, doc, docs, open_scene


async def add(stage: Stage, documents: list[Any], part: str = "other") -> SyncReport:
    """Sync with another setting, which shapes documents."""
    stage.script.documents = documents
    known = await stage.known()
    other = replace(known, document={**known.document, "configuration": {"part": {"value": part}}})
    place = replace(stage.place, limits=replace(stage.place.limits, checkpoint_every_s=0.0))
    return await Sync(place, other, adds_only=True).run()


@pytest.fixture
async def synced(stage: Stage) -> Stage:
    """Return a stage that has synced 20 documents, of a source that says when it changed."""
    stage.script.documents, stage.script.token = rows(20), {"at": 1}
    await stage.sync()
    return stage


async def test_it_adds_and_updates_and_deletes_nothing(synced: Stage) -> None:
    found = await add(synced, [row(3, text="other"), row(50)])
    assert told(found) == {"walked": 2, "created": 1, "updated": 1, "sent": 2, "passes": 1}
    assert (found.skipped, found.adds_only, found.error) == (False, True, None)
    assert not await synced.difference([*rows(3), row(3, text="other"), *rows(20)[4:], row(50)])


async def test_the_next_full_sync_is_not_skipped_and_makes_all_of_it_right(synced: Stage) -> None:
    await add(synced, [row(3), row(4, text="other"), row(50)])
    synced.script.documents = rows(20)
    found = await synced.sync()
    assert told(found) == {
        "walked": 20,
        "updated": 2,  # one of them differs by its shape alone
        "unchanged": 18,
        "deleted": 1,
        "sent": 3,
        "passes": 1,
        "scans": 2,
    }
    assert not await synced.difference(rows(20))
    assert (await synced.sync()).skipped


async def test_even_one_that_wrote_nothing_lets_no_full_sync_be_skipped(synced: Stage) -> None:
    assert told(await add(synced, [], part="")) == {"passes": 1}
    synced.script.documents = rows(20)
    assert not (await synced.sync()).skipped


async def test_it_leaves_no_token_and_nothing_of_what_was_completed_but_its_stamp(synced: Stage) -> None:
    before = (await synced.state()).completed
    assert before is not None
    synced.script.token = {"at": 2}
    await add(synced, [row(50)])
    assert (await synced.state()).completed == msgspec.structs.replace(before, stamp=None, open=Reason.OTHER_SETTINGS)


async def test_it_saves_no_checkpoint_and_takes_one_away_that_is_there(synced: Stage) -> None:
    state, now = await synced.state(), synced.clock.now()
    left = SavedCheckpoint(cursor={"at": 5}, recipe="r", target="t", started_at=now, saved_at=now)
    await _save(synced, msgspec.structs.replace(state, checkpoint=left))

    async def time_to_save_one() -> None:
        for _ in range(400):  # so many requests take longer than to save one would
            await synced.state()

    await add(synced, [*rows(10, text="other"), Checkpoint({"at": 10}), time_to_save_one, row(2)])
    found = await synced.state()
    assert (found.checkpoint, found.without_deletes) == (None, 0)


async def test_a_source_that_fails_leaves_what_there_is_and_a_full_sync_to_be_made(synced: Stage) -> None:
    with pytest.raises(SourceUnreachable):
        await add(synced, [*rows(12, text="other"), SourceUnreachable("away")])
    synced.script.documents = rows(20)
    assert not (await synced.sync()).skipped
    assert not await synced.difference(rows(20))


async def test_held_deletions_and_letters_of_others_stay(stage: Stage) -> None:
    await stage.change(sync={"delete_guard": {"count": 1, "share": 0.0}})
    stage.script.documents = [*rows(10), Failed("bad", "It is damaged.")]
    await stage.sync()
    stage.script.documents = [*rows(5), Failed("bad", "It is damaged.")]
    await stage.sync()
    found = await add(stage, [row(0), Failed("worse", "It is damaged too.")])
    assert (found.held, found.letters) == (0, 1)
    assert found.error == "1 documents could not be indexed: `connectors dead-letters list one` tells why."
    [held] = await stage.place.held.of("one")
    assert (held.status, held.number) == (HeldStatus.HELD, 5)
    assert [one.id for one in await stage.letters()] == ["bad", "worse"]


async def test_approved_deletions_are_not_carried_out_by_it(stage: Stage) -> None:
    await stage.change(sync={"delete_guard": {"count": 1, "share": 0.0}})
    stage.script.documents = rows(10)
    await stage.sync()
    stage.script.documents = rows(5)
    await stage.sync()
    [held] = await stage.place.held.of("one")
    await stage.place.held.approve("one", held.run)
    assert told(await add(stage, [row(0)], part=""))["unchanged"] == 1
    assert not await stage.difference(rows(10))
    stage.script.documents = rows(5)
    assert (await stage.sync()).deleted == 5


# The cursor of incremental syncs.


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        yield await open_scene(stack, tmp_path)


async def test_after_it_an_incremental_sync_reads_everything(scene: Scene) -> None:
    scene.log.put(*docs(7))
    await scene.sync()
    scene.log.put(doc(1, text="of this moment"))
    await Sync(scene.place, await scene.connector(), adds_only=True).run()
    await scene.sync()
    assert not await scene.difference()
    assert scene.log.read_from == [None, None]
    scene.log.put(doc(8))
    assert scripted.told(await scene.sync()) == {"walked": 1, "created": 1}


async def test_one_that_wrote_nothing_leaves_the_cursor_as_it_was(scene: Scene) -> None:
    scene.log.put(*docs(7))
    await scene.sync()
    before = (await scene.state()).reached
    await Sync(scene.place, await scene.connector(), adds_only=True).run()
    assert (await scene.state()).reached == before
    await scene.sync()
    assert scene.log.read_from == [None, {"at": 7}]


async def test_a_cursor_that_somebody_put_there_before_holds_for_nothing(scene: Scene) -> None:
    scene.log.put(*docs(7))
    await scene.change(sync_cursor={"at": 7})
    await Sync(scene.place, await scene.connector(), adds_only=True).run()
    await scene.sync()
    assert scene.log.read_from == [None]


async def _save(stage: Stage, state: SyncState) -> None:
    key = SyncState.key_of(stage.connector, JobType.FULL)
    found = await stage.place.state.read(key, SyncState)
    assert found is not None
    await stage.place.state.replace(key, found, state)
