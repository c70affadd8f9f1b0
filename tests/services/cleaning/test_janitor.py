"""The janitor: each chore is done when it is due, and one that fails holds up no other."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from connectors.errors import EngineUnreachable
from connectors.services.cleaning.janitor import Janitor
from connectors.services.cleaning.remains import Shelf
from connectors.services.scheduling.roster import Roster
from connectors.services.working.job_run import JobRun
from connectors.store.job import JobStatus, Trigger
from connectors.store.jobs import JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType
from tests.services.shop import Watch
from tests.services.yard import GONE
from tests.sync.rows import open_stage, rows


@dataclass
class Counting:
    """A chore that tells when it was done."""

    name: ClassVar[str] = "counting"
    every_s: ClassVar[float] = 60.0

    clock: Watch
    done_at: list[float] = field(default_factory=list)
    parts: int = 0
    error: Exception | None = None

    async def look(self) -> bool:
        self.done_at.append(self.clock.seconds)
        if self.error is not None:
            raise self.error
        self.parts -= 1
        return self.parts < 0


class Often(Counting):
    name = "often"
    every_s = 0.0


async def look(janitor: Janitor, clock: Watch, times: int) -> None:
    for _ in range(times):
        await janitor.look()
        clock.seconds += 10


async def test_a_chore_is_done_when_it_is_due() -> None:
    clock = Watch()
    chore, often = Counting(clock), Often(clock)
    await look(Janitor([chore, often], clock), clock, 14)
    assert chore.done_at == [0, 60, 120]
    assert len(often.done_at) == 14


async def test_a_chore_that_is_not_done_is_gone_on_with_at_once() -> None:
    clock = Watch()
    chore = Counting(clock, parts=3)
    await look(Janitor([chore], clock), clock, 11)
    assert chore.done_at == [0, 10, 20, 30, 90]


async def test_a_chore_that_fails_is_told_in_one_line_and_tried_again_and_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Watch()
    chore, often = Counting(clock, error=EngineUnreachable("The engine is away.")), Often(clock)
    janitor = Janitor([chore, often], clock)
    await look(janitor, clock, 2)
    assert (chore.done_at, often.done_at) == ([0, 10], [0, 10])
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert caplog.text.count("The engine is away.") == 2
    chore.error = None
    await look(janitor, clock, 3)
    assert chore.done_at == [0, 10, 20]


async def test_a_sync_whose_process_was_killed_is_gone_on_with_to_its_end(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, tmp_path)
        place, jobs = stage.place, await JobStore.open(stage.engine, stage.clock)
        stage.script.documents = rows(25)
        snapshot = snapshot_of(await stage.known(), JobType.FULL, place.registry)
        made = await jobs.create("j", snapshot, JobType.FULL, Trigger.ON_DEMAND)
        dead = await jobs.claim(made, instance=str(GONE), hostname="here")
        assert dead is not None
        shelf = Shelf(place.state, place.letters, jobs, place.connectors, place.storage)
        janitor = Janitor.of(shelf, Roster(place.connectors, stage.clock), stage.clock)
        await janitor.look()
        assert await JobRun(place, jobs, dead).run() is None
        (waiting,) = await jobs.waiting()
        claimed = await jobs.claim(waiting, instance=str(place.instance), hostname="here")
        assert claimed is not None
        await janitor.look()
        assert await JobRun(place, jobs, claimed).run() is JobStatus.COMPLETED
        assert not await stage.difference(rows(25))
        found = await jobs.get("j")
        assert found is not None
        assert (found.status, found.metadata["lost"]) == (JobStatus.COMPLETED, 1)


async def test_a_look_tells_whether_all_went_well() -> None:
    clock = Watch()
    chore = Counting(clock, error=EngineUnreachable("It is away."))
    janitor = Janitor([chore, Often(clock)], clock)
    assert not await janitor.look()
    chore.error = None
    assert await janitor.look()
