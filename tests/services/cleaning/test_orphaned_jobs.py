"""Orphaned jobs: nobody begins a job of a connector that is gone, and one that was begun does not stay open."""

import asyncio

import pytest

from connectors.services.cleaning.orphaned_jobs import GRACE_S, WHY
from connectors.store.job import JobStatus
from tests.services.yard import Yard


@pytest.mark.parametrize("deleting", ["remove", "mark", "never there"])
@pytest.mark.parametrize("status", ["pending", "suspended"])
async def test_a_job_that_waits_is_canceled(yard: Yard, status: str, deleting: str) -> None:
    await yard.connect("other")
    job, other = await yard.job(status), await yard.job(status, of="other")
    if deleting != "never there":
        await yard.connect()
        janitor = yard.janitor()
        await janitor.look()
        assert await yard.status(job) is JobStatus(status)
    if deleting == "remove":
        await yard.delete()
    if deleting == "mark":
        await yard.shelf.connectors.update("c", lambda _: {"deleted": True})
    await yard.look(*(yard.janitor() for _ in range(2)), seconds=10)
    found = await yard.known(job)
    assert (found.status, found.error, found.completed_at) == (JobStatus.CANCELED, WHY, yard.watch.moment)
    assert found.document["canceled_at"] == found.document["completed_at"]
    assert await yard.status(other) is JobStatus(status)


@pytest.mark.parametrize(("status", "end"), [("in_progress", JobStatus.ERROR), ("canceling", JobStatus.CANCELED)])
async def test_a_job_that_somebody_runs_is_ended_when_they_do_not_do_so_themselves(
    yard: Yard, status: str, end: JobStatus
) -> None:
    job, janitor = await yard.job(status), yard.janitor()
    for _ in range(int(GRACE_S) // 5):
        await janitor.look()
        await yard.beat(job)
        assert await yard.status(job) is JobStatus(status)
        yard.watch.seconds += 5
    await asyncio.gather(janitor.look(), yard.janitor().look())
    found = await yard.known(job)
    assert (found.status, found.completed_at) == (end, yard.watch.moment)
    assert found.error is not None
    assert WHY in found.error


@pytest.mark.parametrize("of", [None, ""])
async def test_a_job_of_no_connector_at_all_is_canceled(yard: Yard, of: str | None) -> None:
    job = await yard.job("pending", of=of)
    await yard.janitor().look()
    assert await yard.status(job) is JobStatus.CANCELED


@pytest.mark.parametrize("status", ["completed", "error", "canceled", "of some day"])
async def test_a_job_that_ended_is_left_alone(yard: Yard, status: str) -> None:
    job = await yard.job(status)
    before = await yard.known(job)
    await yard.look(yard.janitor(), seconds=60)
    assert await yard.known(job) == before
