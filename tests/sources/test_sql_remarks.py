"""What a database has remarked while it was read is in the document of the job, and is no error of it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.fields import Configuration
from connectors.services.working.job_run import JobRun
from connectors.sources._sql.source import SQLDataSource
from connectors.store.job import JobStatus, Trigger
from connectors.store.jobs import JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType
from tests.sources.sql_store import Store
from tests.sources.walks import SEVERAL_MOMENTS, Ahead
from tests.sync.staged import connector_of, workplace

NO_KEY = "The table 'loose' has no key, so rows of it that are alike are one document."


class Passing(Ahead):
    """A clock by which a snapshot is old whenever somebody looks."""

    def monotonic(self) -> float:
        self.advance(600)
        return super().monotonic()


@pytest.fixture(params=["shop", "store"])
def database(request: pytest.FixtureRequest) -> Store:
    """One of MariaDB and one of PostgreSQL."""
    found: Store = request.getfixturevalue(request.param)
    return found


async def job_of(folder: Path, kind: type[SQLDataSource], settings: Mapping[str, object]) -> Mapping[str, Any]:
    """Run a job, and return its document."""
    async with workplace(folder, kind) as place:
        configuration = {name: {"value": value} for name, value in settings.items()}
        connector = await connector_of(place, configuration=configuration)
        jobs = await JobStore.open(place.engine, place.clock)
        snapshot = snapshot_of(connector, JobType.FULL, place.registry)
        job = await jobs.create("job", snapshot, JobType.FULL, Trigger.ON_DEMAND)
        claimed = await jobs.claim(job, instance="me", hostname="here")
        assert claimed is not None
        run = JobRun(replace(place, limits=replace(place.limits, lease_timeout_s=5.0)), jobs, claimed)
        assert await run.run() is JobStatus.COMPLETED
        found = await jobs.get("job")
        assert found is not None
        return found.document


async def test_a_table_without_a_key_is_remarked_once(database: Store, tmp_path: Path) -> None:
    await database.run("CREATE TABLE loose (v int)", "INSERT INTO loose VALUES (1), (2)")
    found = await job_of(tmp_path, database.kind, database.settings)
    assert found["metadata"]["sync"]["remarks"] == [NO_KEY]
    assert (found["error"], found["indexed_document_count"]) == (None, 2)


async def test_a_walk_of_several_moments_says_so(database: Store, tmp_path: Path) -> None:
    await database.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2), (3)")

    class Slow(database.kind):  # type: ignore[misc, name-defined]
        def __init__(self, configuration: Configuration) -> None:
            super().__init__(configuration, clock=Passing())

    found = await job_of(tmp_path, Slow, {**database.settings, "fetch_size": 1})
    assert found["metadata"]["sync"]["remarks"] == [SEVERAL_MOMENTS]
    assert (found["error"], found["indexed_document_count"]) == (None, 3)


async def test_one_of_one_moment_remarks_nothing(database: Store, tmp_path: Path) -> None:
    await database.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2), (3)")
    found = await job_of(tmp_path, database.kind, {**database.settings, "fetch_size": 1})
    assert found["metadata"]["sync"]["remarks"] == []
