"""A sync of a database in which nothing was written is skipped, by a process that knows nothing of the one before."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.services.working.job_run import JobRun
from connectors.store.job import JobStatus, Trigger
from connectors.store.jobs import JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType
from tests.sources.sql_store import Store
from tests.sync.staged import connector_of, workplace


@pytest.fixture(params=["shop", "store"])
def database(request: pytest.FixtureRequest) -> Store:
    """One of MariaDB and one of PostgreSQL."""
    found: Store = request.getfixturevalue(request.param)
    return found


async def synced(folder: Path, database: Store, number: int) -> Mapping[str, Any]:
    """Run a job with an engine that is opened for it, and return what is reported of it."""
    async with workplace(folder, database.kind) as place:
        configuration = {name: {"value": value} for name, value in database.settings.items()}
        connector = await place.connectors.get("c") or await connector_of(place, configuration=configuration)
        jobs = await JobStore.open(place.engine, place.clock)
        snapshot = snapshot_of(connector, JobType.FULL, place.registry)
        job = await jobs.create(f"job {number}", snapshot, JobType.FULL, Trigger.SCHEDULED)
        claimed = await jobs.claim(job, instance="me", hostname="here")
        assert claimed is not None
        run = JobRun(replace(place, limits=replace(place.limits, lease_timeout_s=5.0)), jobs, claimed)
        assert await run.run() is JobStatus.COMPLETED
        found = await jobs.get(f"job {number}")
        assert found is not None
        report: Mapping[str, Any] = found.document["metadata"]["sync"]
        return report


async def test_a_sync_is_skipped_until_something_is_written(database: Store, tmp_path: Path) -> None:
    await database.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    reports = [await synced(tmp_path, database, 1), await synced(tmp_path, database, 2)]
    await database.run("DELETE FROM t WHERE id = 1")
    reports += [await synced(tmp_path, database, number) for number in (3, 4)]
    assert [(one["passes"], one["walked"], one["deleted"]) for one in reports] == [
        (1, 2, 0),
        (0, 0, 0),
        (1, 1, 1),
        (0, 0, 0),
    ]
