"""Lost jobs: what nobody runs any more is gone on with by others, and what somebody runs is left alone."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.engine.operations import Refresh
from connectors.errors import EngineUnreachable
from connectors.services.cleaning.job_ends import JobEnds
from connectors.services.cleaning.lost_jobs import LostJobs
from connectors.store.job import JobStatus, SyncJob
from connectors.store.jobs import Change, JobStore
from connectors.store.sync_state import Checkpoint, JobType, SyncState
from tests.services.yard import GONE, HERE, Yard

IN_PROGRESS, SUSPENDED = JobStatus.IN_PROGRESS, JobStatus.SUSPENDED


def told(job: SyncJob) -> Mapping[str, Any]:
    return {name: one for name, one in job.document.items() if name not in {"status", "metadata"}}


async def test_a_job_that_stands_still_is_given_back_with_all_that_is_known_of_it(yard: Yard) -> None:
    await yard.connect()
    job = await yard.job("in_progress")
    before, janitor = await yard.known(job), yard.janitor()
    await yard.look(janitor, seconds=59)
    assert await yard.known(job) == before
    await yard.look(janitor, seconds=1)
    found = await yard.known(job)
    assert (found.status, told(found)) == (SUSPENDED, told(before))
    lost = {"lost": 1, "lost_in_vain": 1, "done_when_lost": None}
    assert found.metadata == {**before.metadata, **lost}
    assert [one.id for one in await yard.jobs.waiting()] == [job]


@pytest.mark.parametrize(("said", "says"), [("in_progress", "suspended"), ("completed", "completed"), (None, None)])
async def test_the_connector_of_a_job_that_is_given_back_does_not_say_that_it_runs(
    yard: Yard, said: str | None, says: str | None
) -> None:
    await yard.connect(last_sync_status=said)
    await yard.job("in_progress")
    await yard.look(yard.janitor(), seconds=60)
    connector = await yard.shelf.connectors.get("c")
    assert connector is not None
    assert (connector.document["last_sync_status"], connector.error) == (says, None)


async def test_a_job_of_somebody_who_is_alive_is_left_alone(yard: Yard) -> None:
    await yard.connect()
    job, janitor = await yard.job("in_progress"), yard.janitor()
    for _ in range(10):
        await yard.look(janitor, seconds=50)
        await yard.beat(job)
    assert await yard.status(job) is IN_PROGRESS


@pytest.mark.parametrize("told_of", [pytest.param(str(HERE), id="here"), "nonsense", None, 5, {"a": 1}])
async def test_whoever_is_not_certainly_gone_is_waited_for(yard: Yard, told_of: object) -> None:
    await yard.connect()
    job, janitor = await yard.job("in_progress", metadata={"instance": told_of}), yard.janitor()
    await yard.look(janitor, seconds=55)
    assert await yard.status(job) is IN_PROGRESS
    await yard.look(janitor, seconds=5)
    assert await yard.status(job) is SUSPENDED


async def test_a_job_of_a_process_that_is_gone_is_given_back_at_once_to_be_run_alone(yard: Yard) -> None:
    await yard.connect()
    job = await yard.job("in_progress", metadata={"instance": str(GONE)})
    await yard.janitor().look()
    found = await yard.known(job)
    assert (found.status, found.metadata["alone"]) == (SUSPENDED, True)


@pytest.mark.parametrize("metadata", [{"instance": str(GONE)}, {}, None])
async def test_a_job_that_is_to_be_canceled_is_and_its_connector_knows(yard: Yard, metadata: Any) -> None:
    await yard.connect(status="connected", last_sync_status="in_progress")
    job = await yard.job("canceling", metadata=metadata, indexed_document_count=7)
    await yard.look(yard.janitor(), seconds=60)
    found, connector = await yard.known(job), await yard.shelf.connectors.get("c")
    assert (found.status, found.completed_at) == (JobStatus.CANCELED, yard.watch.moment)
    assert found.document["canceled_at"] == found.document["completed_at"]
    assert found.error == "Somebody asked for it to be canceled, and whoever ran it is gone."
    assert connector is not None
    assert (connector.status, connector.document["last_sync_status"]) == ("connected", "canceled")
    assert connector.document["last_indexed_document_count"] == 7


@pytest.mark.parametrize("status", ["pending", "suspended", "completed", "error", "canceled"])
async def test_a_job_that_nobody_has_begun_or_that_ended_is_left_alone(yard: Yard, status: str) -> None:
    await yard.connect()
    job = await yard.job(status, metadata={"instance": str(GONE)})
    before = await yard.known(job)
    await yard.look(yard.janitor(), seconds=120)
    assert await yard.known(job) == before


async def test_time_in_which_nobody_looked_counts_little(yard: Yard) -> None:
    await yard.connect()
    job, janitor = await yard.job("in_progress"), yard.janitor()
    await yard.look(janitor, seconds=3_600, step_s=3_600)
    assert await yard.status(job) is IN_PROGRESS
    await yard.look(janitor, seconds=45)
    assert await yard.status(job) is SUSPENDED


class Away(JobStore):
    """A store whose engine is away while a test says so."""

    is_away = False

    async def active(self, *, most: int = 1_000) -> list[SyncJob]:
        if self.is_away:
            raise EngineUnreachable("The engine is away.")
        return await super().active(most=most)


async def test_who_could_not_read_waits_anew(yard: Yard) -> None:
    await yard.connect()
    job, jobs = await yard.job("in_progress"), Away(yard.engine.control, yard.watch)
    lost = LostJobs(jobs, yard.shelf.state, JobEnds(jobs, yard.shelf.connectors, yard.watch), yard.watch)

    async def look(seconds: int) -> None:
        for _ in range(seconds // 5):
            yard.watch.seconds += 5
            await lost.look()

    await look(60)
    jobs.is_away = True
    with pytest.raises(EngineUnreachable):
        await lost.look()
    jobs.is_away = False
    await look(60)
    assert await yard.status(job) is IN_PROGRESS
    await look(5)
    assert await yard.status(job) is SUSPENDED


async def test_what_the_engine_did_not_take_is_tried_again_with_the_next_look(yard: Yard) -> None:
    await yard.connect()
    job, failures = await yard.job("in_progress"), [EngineUnreachable("The engine is away.")]

    class Failing(JobStore):
        async def change(self, job_id: str, change: Change, *, refresh: Refresh = "now") -> SyncJob:
            if failures:
                raise failures.pop()
            return await super().change(job_id, change, refresh=refresh)

    shelf = replace(yard.shelf, jobs=Failing(yard.engine.control, yard.watch))
    janitor = replace(yard, shelf=shelf).janitor()
    await yard.look(janitor, seconds=60)
    assert (await yard.status(job), failures) == (IN_PROGRESS, [])
    await janitor.look()
    assert await yard.status(job) is SUSPENDED


class Late(JobStore):
    """A store in which somebody else is always a little earlier."""

    job = ""

    async def change(self, job_id: str, change: Change, *, refresh: Refresh = "now") -> SyncJob:
        await super().change(job_id, lambda _: {"last_seen": self._clock.now()})
        return await super().change(job_id, change, refresh=refresh)


async def test_a_job_that_somebody_touched_in_between_is_left_alone(yard: Yard) -> None:
    await yard.connect()
    job = await yard.job("in_progress", metadata={"instance": str(GONE)})
    jobs = Late(yard.engine.control, yard.watch)
    await LostJobs(jobs, yard.shelf.state, JobEnds(jobs, yard.shelf.connectors, yard.watch), yard.watch).look()
    found = await yard.known(job)
    assert (found.status, found.metadata) == (IN_PROGRESS, {"instance": str(GONE)})


async def test_a_job_that_is_deleted_in_between_holds_up_no_other(yard: Yard) -> None:
    await yard.connect()
    jobs = [await yard.job("in_progress", metadata={"instance": str(GONE)}) for _ in range(3)]

    class Deleting(JobStore):
        async def change(self, job_id: str, change: Change, *, refresh: Refresh = "now") -> SyncJob:
            if job_id == jobs[1]:
                await self.delete([job_id])
            return await super().change(job_id, change, refresh=refresh)

    store = Deleting(yard.engine.control, yard.watch)
    await LostJobs(store, yard.shelf.state, JobEnds(store, yard.shelf.connectors, yard.watch), yard.watch).look()
    assert [await yard.status(jobs[0]), await yard.status(jobs[2])] == [SUSPENDED, SUSPENDED]
    assert await yard.jobs.get(jobs[1]) is None


async def test_of_two_observers_one_counts_the_loss(yard: Yard) -> None:
    await yard.connect()
    jobs = [await yard.job("in_progress") for _ in range(5)]
    janitors = [yard.janitor() for _ in range(3)]
    for _ in range(9):
        await asyncio.gather(*(janitor.look() for janitor in janitors))
        yard.watch.seconds += 10
    found = [await yard.known(job) for job in jobs]
    assert [(one.status, one.metadata["lost"]) for one in found] == [(SUSPENDED, 1)] * 5


async def lose(yard: Yard, job: str, *done: int) -> list[JobStatus | None]:
    """Let a job be claimed and lost again and again, having done so much; return what became of it each time."""
    seen = []
    for number in done:
        claimed = await yard.jobs.claim(await yard.known(job), instance=str(GONE), hostname="here")
        assert claimed is not None
        if number:
            await yard.jobs.change(job, lambda _, number=number: {"indexed_document_count": number})  # type: ignore[misc]
        await yard.janitor().look()
        seen.append(await yard.status(job))
    return seen


async def test_a_job_that_is_lost_in_vain_again_and_again_ends_in_an_error(yard: Yard) -> None:
    await yard.connect(status="connected")
    job = await yard.job("pending", metadata={})
    assert await lose(yard, job, 0, 0, 0, 0) == [SUSPENDED, SUSPENDED, SUSPENDED, JobStatus.ERROR]
    found, connector = await yard.known(job), await yard.shelf.connectors.get("c")
    why = "JobError: Whoever ran the job was gone 4 times in a row before anything was done."
    assert (found.error, found.completed_at, found.metadata["lost"]) == (why, yard.watch.moment, 4)
    assert connector is not None
    assert (connector.status, connector.error) == ("error", why)
    assert (connector.document["last_sync_status"], connector.document["last_sync_error"]) == ("error", why)


async def test_a_job_that_does_something_each_time_is_never_given_up(yard: Yard) -> None:
    await yard.connect()
    job = await yard.job("pending", metadata={})
    assert await lose(yard, job, *range(10, 100, 10)) == [SUSPENDED] * 9
    assert (await yard.known(job)).metadata["lost"] == 9


async def test_what_was_done_before_is_no_progress(yard: Yard) -> None:
    await yard.connect()
    job = await yard.job("pending", metadata={})
    assert await lose(yard, job, 500, 0, 0, 0, 0) == [*([SUSPENDED] * 4), JobStatus.ERROR]


@pytest.mark.parametrize("job_type", [JobType.FULL, JobType.INCREMENTAL, JobType.ACCESS_CONTROL])
async def test_a_walk_that_changes_nothing_shows_by_its_checkpoints_that_it_goes_on(
    yard: Yard, job_type: JobType
) -> None:
    await yard.connect()
    job = await yard.job("pending", metadata={}, job_type=job_type)
    kept_as = JobType.ACCESS_CONTROL if job_type is JobType.ACCESS_CONTROL else JobType.FULL
    key, seen = SyncState.key_of("c", kept_as), list[JobStatus | None]()
    for number in [*range(6), 5, 5, 5, 5]:
        moment = yard.watch.moment + timedelta(minutes=number)
        checkpoint = Checkpoint(cursor={"n": number}, recipe="r", target="t", started_at=moment, saved_at=moment)
        await yard.shelf.state.put(key, SyncState(connector="c", job_type=kept_as, checkpoint=checkpoint))
        seen += await lose(yard, job, 0)
    assert seen == [*([SUSPENDED] * 9), JobStatus.ERROR]


async def test_a_state_that_can_not_be_read_is_nothing_to_show(yard: Yard) -> None:
    await yard.connect()
    job, index = await yard.job("pending", metadata={}), ".elastic-connectors-state-v1"
    await yard.engine.control.put(index, SyncState.key_of("c", JobType.FULL), {"kind": "sync", "format": 99})
    assert await lose(yard, job, 0, 0, 0, 0) == [*([SUSPENDED] * 3), JobStatus.ERROR]


async def test_numbers_that_are_none_count_as_nothing(yard: Yard) -> None:
    await yard.connect()
    strange: dict[str, Any] = {"instance": str(GONE), "lost": "many", "lost_in_vain": None, "done_when_lost": []}
    job = await yard.job("in_progress", metadata=strange, indexed_document_count=None)
    await yard.janitor().look()
    assert (await yard.known(job)).metadata == {
        "instance": str(GONE),
        "lost": 1,
        "lost_in_vain": 1,
        "done_when_lost": None,
        "alone": True,
    }
