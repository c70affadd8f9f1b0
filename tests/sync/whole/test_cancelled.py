"""A sync that is cancelled anywhere, or whose source breaks off anywhere: one more, and the index is right."""

import asyncio
import random
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from connectors.errors import SourceUnreachable
from connectors.store.record import Record, Versioned
from connectors.store.state import StateStore
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from tests.sync.rows import Fetching, Stage, row, rows

T = TypeVar("T", bound=Record)


def drawn(chance: random.Random) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return what a source yields, and what should be stored of it: some with contents, some ids more than once."""
    yielded: list[Any] = []
    stored: dict[str, dict[str, Any]] = {}
    for number in range(60):
        if chance.random() < 0.2:
            continue
        document = row(number, value=chance.randrange(3))
        if chance.random() < 0.3:
            text = chance.choice(["one", "two"])
            yielded.append((document, Fetching(text.encode())))
            stored[document["_id"]] = {**document, "body": text}
        else:
            yielded.append(document)
            stored[document["_id"]] = document
        if chance.random() < 0.1:
            yielded.append(row(number, value=9))
            stored[document["_id"]] = row(number, value=9)
    return yielded, list(stored.values())


@pytest.mark.parametrize("seed", range(12))
async def test_a_sync_that_was_cancelled_is_made_good_by_the_next(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    await stage.change(sync={"delete_guard": {"count": 100, "share": 1.0}})
    wanted: list[dict[str, Any]] = []
    for _ in range(4):
        stage.script.documents, wanted = drawn(chance)
        before, task = stage.last, asyncio.create_task(stage.sync())
        await reached(stage, chance.choice(["starting", "reading", "checking", "deleting"]), task, before)
        for _ in range(chance.randrange(100)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.result().walked == len(stage.script.documents)
    await stage.sync()
    assert not await stage.difference(wanted), f"seed {seed}"
    again = await stage.sync()
    assert (again.created, again.deleted, again.passes) == (0, 0, 1)


async def reached(stage: Stage, phase: str, task: asyncio.Task[Any], before: object) -> None:
    """Return when a sync is at this phase, or at its end; `before` is the report of the one before it."""
    while not task.done() and not _is_at(stage.last, phase, before):  # noqa: ASYNC110 - these are turns, and no time
        await asyncio.sleep(0)


def _is_at(report: SyncReport | None, phase: str, before: object) -> bool:
    return report is not None and report is not before and report.phase == phase


@pytest.mark.parametrize("place", [0, 1, 11, 24, 25])
async def test_a_source_that_breaks_off_deletes_nothing_and_what_was_written_stays(stage: Stage, place: int) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    stage.script.documents = [*rows(place, new=1), SourceUnreachable("gone")]
    with pytest.raises(SourceUnreachable):
        await stage.sync()
    assert stage.last is not None
    assert (stage.last.walked, stage.last.deleted) == (place, 0)
    found = await stage.difference(rows(25))
    assert (found.missing, found.extra) == ([], [])
    stage.script.documents = rows(25, new=1)
    told = await stage.sync()
    assert told.updated + told.unchanged == 25
    assert not await stage.difference(rows(25, new=1))


class Held(StateStore):
    """Records; the answer to each that is created comes only when it is let through."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.engine.control, stage.clock)
        self.written, self.through = asyncio.Event(), asyncio.Event()

    async def create(self, key: str, value: T) -> Versioned[T]:
        found = await super().create(key, value)
        self.written.set()
        await self.through.wait()
        return found


async def test_a_sync_that_is_cancelled_while_it_claims_its_target_gives_it_back(stage: Stage) -> None:
    state = Held(stage)
    place = stage.place
    stage.place = replace(place, state=state)
    stage.script.documents = rows(3)
    task = asyncio.create_task(stage.sync())
    await state.written.wait()
    task.cancel()
    asyncio.get_running_loop().call_soon(state.through.set)
    await asyncio.wait([task])
    assert task.cancelled()
    stage.place = place
    sync = Sync(place, await stage.known(), waiting=pytest.fail)
    assert (await sync.run()).created == 3
