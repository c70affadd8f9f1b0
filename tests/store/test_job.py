"""A job, whoever wrote its document."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.store.job import ACTIVE, ENDED, WAITING, JobStatus, SyncJob, Trigger
from connectors.store.sync_state import JobType

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def job(**document: Any) -> SyncJob:
    return SyncJob("j", document, Revision(1, 1))


def test_what_is_there_is_read() -> None:
    found = job(
        connector={"id": "c"},
        job_type="access_control",
        trigger_method="scheduled",
        status="in_progress",
        error="broken",
        worker_hostname="here",
        created_at="2026-01-01T12:00:00",
        started_at="2026-01-01T13:00:00.5+01:00",
        completed_at=1_767_268_800_000,
        last_seen="2026-01-01T12:00:00Z",
        metadata={"a": 1},
    )
    assert (found.connector_id, found.job_type, found.trigger) == ("c", JobType.ACCESS_CONTROL, Trigger.SCHEDULED)
    assert (found.status, found.error, found.worker_hostname) == (JobStatus.IN_PROGRESS, "broken", "here")
    assert (found.created_at, found.completed_at, found.last_seen, found.metadata) == (NOON, NOON, NOON, {"a": 1})
    assert found.started_at == NOON.replace(microsecond=500_000)


@pytest.mark.parametrize("strange", [None, 5, "", [], {"id": 5}, "soon", float("nan"), 10**30, True])
def test_what_has_no_meaning_is_not_there(strange: object) -> None:
    found = job(**dict.fromkeys(("connector", "trigger_method", "status", "error", "created_at", "metadata"), strange))
    assert (found.connector_id, found.trigger, found.status) == (None, None, None)
    assert found.error in (None, strange)
    assert found.created_at in (None, datetime(1970, 1, 1, 0, 0, 0, 5_000, tzinfo=UTC))
    assert found.metadata in ({}, strange)


def test_a_job_of_no_type_is_a_full_one_and_one_of_a_strange_type_is_none() -> None:
    assert job().job_type is job(job_type=None).job_type is JobType.FULL
    assert job(job_type="backwards").job_type is job(job_type=["full"]).job_type is None


def test_a_job_waits_runs_or_has_ended() -> None:
    assert set(JobStatus) == WAITING | ACTIVE | ENDED
    assert len(WAITING) + len(ACTIVE) + len(ENDED) == len(JobStatus)


def test_a_job_prints_nothing_of_its_document() -> None:
    assert "hunter2" not in repr(job(connector={"configuration": {"password": {"value": "hunter2"}}}))
