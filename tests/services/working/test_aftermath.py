"""The aftermath: what becomes of each job of a process that died, and what its connector says of it."""

from typing import Any

import pytest

from connectors.services.cleaning.job_ends import JobEnds
from connectors.services.working.aftermath import Aftermath
from connectors.services.working.crew import Death
from connectors.store.job import JobStatus, SyncJob
from connectors.store.jobs import JobStore
from tests.services.yard import Yard

WHO = "host|place|1|2"


def died(*jobs: str, alone: bool = True, why: str | None = None, instance: str | None = WHO) -> Death:
    return Death(frozenset(jobs), instance, alone, -9, why)


async def begun(yard: Yard, status: str = "in_progress", **metadata: Any) -> str:
    if await yard.shelf.connectors.get("c") is None:
        await yard.connect(status="connected", last_sync_status="in_progress")
    return await yard.job(status, metadata={"instance": WHO, "claim": "ours", **metadata})


def after(yard: Yard, jobs: JobStore | None = None) -> Aftermath:
    return Aftermath(JobEnds(jobs or yard.jobs, yard.shelf.connectors, yard.watch))


async def told(yard: Yard) -> list[Any]:
    connector = await yard.shelf.connectors.get("c")
    assert connector is not None
    return [connector.document[name] for name in ("last_sync_status", "last_sync_error", "status")]


@pytest.mark.parametrize(("alone", "deaths"), [(True, 2), (False, 1)])
async def test_a_job_is_given_back_to_be_run_alone_and_only_deaths_while_alone_count(
    yard: Yard, alone: bool, deaths: int
) -> None:
    job = await begun(yard, deaths=1)
    await after(yard).of(died(job, alone=alone))
    found = await yard.known(job)
    assert (found.status, found.metadata["alone"], found.metadata["deaths"]) == (JobStatus.SUSPENDED, True, deaths)
    assert await told(yard) == ["suspended", None, "connected"]


@pytest.mark.parametrize(
    ("why", "how"),
    [
        (None, "with the code -9. Something that it reads kills it."),
        ("it ate too much", "because it ate too much."),
    ],
)
async def test_a_job_whose_process_died_too_often_ends_in_an_error_that_says_of_what(
    yard: Yard, why: str | None, how: str
) -> None:
    job = await begun(yard, deaths=2)
    await after(yard).of(died(job, why=why))
    found = await yard.known(job)
    text = f"JobError: The process that ran it died 3 times while it ran nothing else, the last time {how}"
    assert (found.status, found.error, found.completed_at) == (JobStatus.ERROR, text, yard.watch.moment)
    assert await told(yard) == ["error", text, "error"]


async def test_a_job_that_was_to_be_canceled_is_and_its_connector_knows(yard: Yard) -> None:
    job = await begun(yard, "canceling")
    await after(yard).of(died(job))
    assert await yard.status(job) is JobStatus.CANCELED
    words = "JobCanceled: Somebody asked for it to be canceled, and the process that ran it died."
    assert await told(yard) == ["canceled", words, "connected"]


@pytest.mark.parametrize(("status", "instance"), [("pending", WHO), ("completed", WHO), ("in_progress", "another")])
async def test_a_job_that_the_process_did_not_have_is_left_alone(yard: Yard, status: str, instance: str) -> None:
    job = await begun(yard, status)
    before = await yard.known(job)
    await after(yard).of(died(job, instance=instance))
    await after(yard).of(died(job, "gone", instance=None))
    assert await yard.known(job) == before


async def test_a_job_that_is_touched_meanwhile_is_looked_at_again(yard: Yard) -> None:
    job = await begun(yard, deaths=0)

    class Touching(JobStore):
        """Jobs; the first that is read is touched by somebody else just then."""

        touched = False

        async def get(self, job_id: str) -> SyncJob | None:
            found = await super().get(job_id)
            if not self.touched:
                self.touched = True
                await yard.beat(job_id)
            return found

    await after(yard, Touching(yard.engine.control, yard.watch)).of(died(job))
    found = await yard.known(job)
    assert (found.status, found.metadata["deaths"]) == (JobStatus.SUSPENDED, 1)
