"""Open jobs: whatever becomes of them is known at the next look, and few are read for that."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.aio.clock import SystemClock
from connectors.engine import Engine, open_engine
from connectors.settings import EngineSettings
from connectors.store.job import JobStatus, SyncJob, Trigger
from connectors.store.jobs import INDEX, MOST_OPEN, NAME, JobStore
from connectors.store.open_jobs import FEW, WHOLE_EVERY_S, OpenJobs
from connectors.store.sync_state import JobType

MANY = 2 * FEW


class Watch(SystemClock):
    """A clock that a test lets run, each job a second younger than the one before."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        self.seconds += 0.001
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


class Counting(JobStore):
    """Counts how often all open jobs are read."""

    whole = 0

    async def open_jobs(self, *, most: int = MOST_OPEN) -> list[SyncJob]:
        self.whole += 1
        return await super().open_jobs(most=most)


@dataclass
class World:
    engine: Engine
    store: Counting
    watch: Watch
    most: int = MOST_OPEN
    open_jobs: OpenJobs = field(init=False)

    def __post_init__(self) -> None:
        self.open_jobs = OpenJobs(self.store, self.watch, most=self.most)

    async def want(self, *job_ids: str) -> None:
        for job_id in job_ids:
            await self.store.create(job_id, {"id": f"of {job_id}"}, JobType.FULL, Trigger.ON_DEMAND)

    async def reads_all(self) -> int:
        """Look, check that all is as it is stored, and return how often that took a reading of all."""
        before = self.store.whole
        found, taken = await self.open_jobs.look(), self.store.whole - before
        assert found == await self.store.open_jobs(most=self.most)
        return taken


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as engine:
        watch = Watch()
        yield World(engine, await Counting.open(engine, watch), watch)


async def settled(world: World) -> list[str]:
    """Return the ids of many jobs, which are known."""
    job_ids = [f"j{number:02}" for number in range(MANY)]
    await world.want(*job_ids)
    assert await world.reads_all() == 1
    assert await world.reads_all() == 0
    return job_ids


async def test_where_nothing_is_open_nothing_is_found(world: World) -> None:
    assert (await world.reads_all(), await world.reads_all()) == (1, 0)


async def test_a_new_job_and_a_changed_one_are_known_though_not_all_are_read(world: World) -> None:
    job_ids = await settled(world)
    await world.want("new")
    await world.store.cancel("new")
    await world.want("newer")
    await world.store.change(job_ids[0], lambda _: {"status": JobStatus.IN_PROGRESS})
    await world.store.cancel(job_ids[0])
    assert await world.reads_all() == 0
    assert (await world.open_jobs.look())[0].status is JobStatus.CANCELING


async def test_of_few_jobs_it_is_known_at_once_that_one_has_ended(world: World) -> None:
    await world.want("a", "b")
    await world.reads_all()
    await world.store.cancel("a")
    assert await world.reads_all() == 0
    await world.store.delete(["b"])
    assert await world.reads_all() == 0


async def test_all_are_read_when_one_has_ended_or_is_gone(world: World) -> None:
    job_ids = await settled(world)
    await world.store.cancel(job_ids[3])
    assert await world.reads_all() == 1
    await world.store.delete(job_ids[5:6])
    await world.want("in its place", "and more")
    assert await world.reads_all() == 1


@pytest.mark.parametrize(("changed", "reads"), [(FEW - 1, 0), (FEW, 1), (FEW + 3, 1)])
async def test_all_are_read_when_more_were_written_than_can_be_told(world: World, changed: int, reads: int) -> None:
    for job_id in (await settled(world))[:changed]:
        await world.store.change(job_id, lambda _: {"status": JobStatus.SUSPENDED})
    assert await world.reads_all() == reads


async def test_all_are_read_now_and_then(world: World) -> None:
    await settled(world)
    world.watch.seconds += WHOLE_EVERY_S
    assert (await world.reads_all(), await world.reads_all()) == (1, 0)


async def test_an_index_that_was_made_anew_is_known_at_once(world: World) -> None:
    job_ids = await settled(world)
    await world.engine.indices.delete(INDEX.name)
    await INDEX.prepare(world.engine)
    await world.want(*reversed(job_ids))
    assert await world.reads_all() == 1


async def test_more_jobs_than_are_found_at_once_are_read_each_time(world: World) -> None:
    world = World(world.engine, world.store, world.watch, most=FEW + 2)
    await world.want(*(f"j{number:02}" for number in range(MANY)))
    assert [await world.reads_all() for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_between_two_looks_they_are_as_they_are_stored(world: World, seed: int) -> None:
    chance, taken = random.Random(seed), list[int]()
    await settled(world)
    for turn in range(60):
        for number in range(chance.choice((0, 1, 1, 2, 5, 12))):
            job = chance.choice(await world.store.open_jobs())
            match chance.randrange(9):
                case 0:
                    await world.store.delete([job.id])
                case 1:
                    await world.store.change(job.id, lambda _: {"status": JobStatus.COMPLETED})
                case 2 | 3:
                    await world.want(f"new {turn} {number}")
                case 4:
                    await world.engine.control.put(NAME, job.id, {**job.document, "metadata": {"of": "others"}})
                case _:
                    status = chance.choice((JobStatus.IN_PROGRESS, JobStatus.CANCELING, JobStatus.SUSPENDED))
                    await world.store.replace(job, {"status": status})
        taken.append(await world.reads_all())
    assert set(taken) == {0, 1}
