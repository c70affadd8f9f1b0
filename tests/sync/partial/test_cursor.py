"""The cursor of incremental syncs: where the next one goes on, which is never behind anything that is not done."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from connectors.changes import Delete, Failed, Upsert
from connectors.engine.operations import Document, Operations, Refresh
from connectors.engine.records import Revision, Written
from connectors.errors import JobLost, SourceUnreachable
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType, SyncState
from connectors.store.targets import TargetRecord
from connectors.sync.partial.retry import LetterRetry
from connectors.sync.sync import Sync
from connectors.sync.workplace import Workplace
from tests.sync.scripted import INDEX, Event, Scene, doc, docs

STATE = SyncState.key_of("one", JobType.FULL)


def over(place: Workplace, *, control: Operations, data: Operations | None = None) -> Workplace:
    """Return a workplace that reaches the engine by other operations."""
    return replace(
        place,
        engine=replace(place.engine, control=control, data=data or place.engine.data),
        state=StateStore(control, place.clock),
        connectors=ConnectorStore(control),
        letters=DeadLetters(control, place.clock),
    )


def without(number: int) -> dict[str, object]:
    """Return rules that drop one document."""
    rule = {"id": "r", "order": 0, "policy": "exclude", "field": "number", "rule": "equals", "value": str(number)}
    return {"rules": [rule]}


# When it is saved.


async def test_a_source_that_fails_leaves_the_cursor_where_everything_is_written(scene: Scene) -> None:
    scene.log.put(*docs(10))
    scene.log.write(Upsert(doc(10)), SourceUnreachable("The log ends here."), Upsert(doc(11)))
    with pytest.raises(SourceUnreachable):
        await scene.sync()
    assert await scene.cursor() == {"at": 10}
    assert scene.log.closed == 1
    del scene.log.steps[11]
    await scene.sync()
    assert scene.log.read_from == [None, {"at": 10}]
    assert not await scene.difference()


async def test_cursors_are_not_saved_all_the_time(scene: Scene) -> None:
    scene.log.page = 1
    scene.log.put(*docs(4))
    scene.log.write(SourceUnreachable("The log ends here."))
    with pytest.raises(SourceUnreachable):
        await scene.sync(checkpoint_every_s=1_000)
    assert await scene.cursor() is None


@pytest.mark.parametrize("at", range(0, 26, 2))
async def test_a_sync_that_dies_anywhere_loses_nothing(scene: Scene, at: int) -> None:
    """Cancelled before any of its writes: of documents, letters, states and cursors."""
    scene.log.page = 3
    scene.log.put(*docs(6))
    await scene.sync()
    scene.log.put(*docs(8, changed=True))
    scene.log.write(*[Delete(f"doc{number}") for number in range(3)], Upsert(doc(1, back=True)))
    await Dying(scene).sync(at)
    await scene.sync()
    assert not await scene.difference()
    assert await scene.cursor() == {"at": 18}
    report = await scene.sync(JobType.FULL)
    assert (report.unchanged, report.walked) == (6, 6)


class Mortal(Operations):
    """Operations of which only so many writes are carried out: the one after them cancels the task it is in."""

    def __init__(self, operations: Operations, life: "Life") -> None:
        vars(self).update(vars(operations))
        self._life = life

    async def put(self, *given: Any, **options: Any) -> Any:
        await self._life.spend()
        return await super().put(*given, **options)

    async def bulk(self, *given: Any, **options: Any) -> Any:
        await self._life.spend()
        return await super().bulk(*given, **options)


class Life:
    def __init__(self, writes: int) -> None:
        self.left = writes
        self.task: asyncio.Task[Any] | None = None

    async def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            assert self.task is not None
            self.task.cancel()
            await asyncio.Event().wait()


class Dying:
    """Runs one sync of a scene that is cancelled in the middle."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def sync(self, writes: int, job_type: JobType = JobType.INCREMENTAL) -> None:
        scene, life = self._scene, Life(writes)
        engine = scene.engine
        dying = over(scene.place, data=Mortal(engine.data, life), control=Mortal(engine.control, life))
        sync = Sync(dying, await scene.connector(), job_type)
        life.task = asyncio.create_task(sync.run())
        await asyncio.wait([life.task])
        # What it holds is given up by dying: a process that is gone needs no time for that.
        await give_up(scene)


async def give_up(scene: Scene) -> None:
    """Let the next sync claim the target at once."""
    async for found in scene.place.state.find(TargetRecord):
        if found.value.owner is not None:
            key = TargetRecord.key_of(found.value.target)
            await scene.place.state.replace(key, found, msgspec.structs.replace(found.value, owner=None))


# Who saves it.


async def test_an_earlier_owner_moves_the_cursor_no_more(scene: Scene) -> None:
    """It read that it is the owner, was stopped there, and goes on when another sync is through."""
    scene.log.page = 2
    scene.log.put(*docs(4))
    overtaken: list[str] = []

    async def take_over() -> None:
        if not overtaken:
            overtaken.append("now")
            key = SyncState.key_of("one", JobType.FULL)
            await scene.place.state.change(key, SyncState, _with_higher_epoch)

    scene.log.write(take_over, *map(Upsert, docs(2, more=1)))
    with pytest.raises(JobLost):
        await scene.sync()
    assert await scene.cursor() == {"at": 4}


def _with_higher_epoch(state: SyncState | None) -> SyncState:
    assert state is not None
    return msgspec.structs.replace(state, epoch=state.epoch + 1)


class Slow(Operations):
    """Operations with which an event happens right after the state was written, once it is `armed`."""

    def __init__(self, operations: Operations, event: Event) -> None:
        vars(self).update(vars(operations))
        self.armed = False
        self._event = event

    async def arm(self) -> None:
        self.armed = True

    async def put(
        self, index: str, doc_id: str, document: Document, *, expected: Revision | None = None, refresh: Refresh = "no"
    ) -> Written:
        written = await super().put(index, doc_id, document, expected=expected, refresh=refresh)
        if self.armed and doc_id == STATE:
            self.armed = False
            await self._event()
        return written


async def test_who_was_the_owner_when_it_last_asked_moves_the_cursor_no_more(scene: Scene) -> None:
    """It found the state to be its own, and was held up there until another sync had begun and died."""
    scene.log.page = 2
    scene.log.put(*docs(4))
    await scene.sync()
    others = replace(scene)

    async def another_sync() -> None:
        await give_up(others)
        scene.log.steps.insert(4, SourceUnreachable("The log ends here."))
        with pytest.raises(SourceUnreachable):
            await others.sync()
        del scene.log.steps[4]

    slow = Slow(scene.engine.control, another_sync)
    scene.log.write(slow.arm, *map(Upsert, docs(3, more=1)))
    scene.place = over(scene.place, control=slow)
    with pytest.raises(JobLost):
        await scene.sync()
    assert scene.log.read_from == [None, {"at": 4}, {"at": 4}]
    assert await scene.cursor() == {"at": 4}


async def test_a_person_who_writes_to_the_connector_does_not_keep_the_cursor_from_being_saved(scene: Scene) -> None:
    others = replace(scene)
    slow = Slow(scene.engine.control, lambda: others.change(description="something else"))
    scene.log.write(slow.arm, *map(Upsert, docs(3)))
    scene.place = over(scene.place, control=slow)
    await scene.sync()
    assert not slow.armed
    assert await scene.cursor() == {"at": 4}
    assert (await scene.connector()).document["description"] == "something else"


# What it holds for.


async def test_a_cursor_of_another_index_does_not_hold(scene: Scene) -> None:
    scene.log.put(*docs(4))
    await scene.sync()
    await scene.engine.indices.delete(INDEX)
    scene.log.put(doc(4))
    assert await scene.told() == {"walked": 5, "created": 5}
    assert not await scene.difference()
    assert scene.log.read_from == [None, None]


async def test_a_cursor_of_other_rules_does_not_hold_until_a_full_sync_has_obeyed_them(scene: Scene) -> None:
    scene.log.put(*docs(4))
    await scene.sync()
    await scene.change(filtering=without(2))
    assert await scene.told() == {"walked": 4, "dropped": 1, "unchanged": 3, "deleted": 1}
    await scene.change(filtering={"rules": []})
    await scene.sync(JobType.FULL)
    assert await scene.told() == {}
    assert scene.log.read_from == [None, None, {"at": 4}]


async def test_a_cursor_that_a_person_moved_is_where_the_sync_begins(scene: Scene) -> None:
    scene.log.put(*docs(4))
    await scene.sync()
    await scene.change(sync_cursor={"at": 2})
    assert await scene.told() == {"walked": 2, "unchanged": 2}
    await scene.change(sync_cursor=None)
    assert await scene.told() == {"walked": 4, "unchanged": 4}


async def test_a_cursor_does_not_hold_when_a_full_sync_has_obeyed_other_rules_since(scene: Scene) -> None:
    scene.log.put(*docs(4))
    await scene.sync()
    await scene.change(filtering=without(2))
    await scene.sync(JobType.FULL)
    assert not await scene.difference([doc(0), doc(1), doc(3)])
    await scene.change(filtering={"rules": []})
    assert await scene.told() == {"walked": 4, "created": 1, "unchanged": 3}
    assert not await scene.difference()


@pytest.mark.parametrize("at", range(0, 16, 2))
@pytest.mark.parametrize("job_type", [JobType.FULL, JobType.INCREMENTAL])
async def test_rules_that_come_back_after_a_sync_with_others_died_are_obeyed(
    scene: Scene, job_type: JobType, at: int
) -> None:
    scene.log.page = 2
    scene.log.put(*docs(6))
    await scene.sync()
    await scene.change(filtering=without(1))
    await Dying(scene).sync(at, job_type)
    await scene.change(filtering={"rules": []})
    await scene.sync()
    assert not await scene.difference()


@pytest.mark.parametrize("at", range(16))
async def test_rules_that_a_sync_died_with_are_obeyed_by_the_next_one(scene: Scene, at: int) -> None:
    scene.log.page = 2
    scene.log.put(*docs(6))
    await scene.sync()
    await scene.change(filtering=without(5))
    await Dying(scene).sync(at)
    await scene.sync()
    assert not await scene.difference(docs(5))


@pytest.mark.parametrize("at", range(16))
async def test_rules_that_a_first_sync_died_with_are_not_those_of_the_next_one(scene: Scene, at: int) -> None:
    scene.log.page = 2
    scene.log.put(*docs(3))
    await Dying(scene).sync(at)
    await scene.change(filtering=without(1))
    await scene.sync()
    assert not await scene.difference([doc(0), doc(2)])


async def test_a_cursor_does_not_hold_when_letters_were_retried_with_other_rules_since(scene: Scene) -> None:
    scene.log.put(*docs(4))
    scene.log.write(Failed("doc2", "locked"))
    await scene.sync()
    del scene.log.steps[4]
    await scene.change(filtering=without(2))
    assert (await LetterRetry(scene.place, await scene.connector()).run()).recovered == 1
    await scene.change(filtering={"rules": []})
    await scene.sync()
    assert not await scene.difference()
