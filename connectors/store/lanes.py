"""A lane: what one connector does one job after the other in; and the query for jobs of other lanes."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from connectors.store.job import SyncJob
from connectors.store.sync_state import JobType


@dataclass(frozen=True)
class Lane:
    """What one connector does one job after the other in: its content, or who may read it."""

    connector: str
    is_access_control: bool

    @classmethod
    def of(cls, job: SyncJob) -> "Lane":
        """Return the lane of a job."""
        return cls(job.connector_id or job.id, job.job_type is JobType.ACCESS_CONTROL)


def of_other_lanes(jobs: Collection[SyncJob]) -> list[dict[str, Any]]:
    """Return what a query must not match to find no job of the lanes that these jobs are in.

    A job of no connector has a lane to itself; of these, none is found when there is one.
    """
    kind = {"term": {"job_type": JobType.ACCESS_CONTROL}}
    lanes = {Lane.of(job) for job in jobs if job.connector_id is not None}
    content = _of({one.connector for one in lanes if not one.is_access_control})
    access = _of({one.connector for one in lanes if one.is_access_control})
    others = [{"bool": {"filter": [content], "must_not": [kind]}}, {"bool": {"filter": [access, kind]}}]
    if any(job.connector_id is None for job in jobs):
        others.append({"bool": {"must_not": [{"exists": {"field": "connector.id"}}]}})
    return others


def _of(connectors: Collection[str]) -> dict[str, Any]:
    return {"terms": {"connector.id": sorted(connectors)}}
