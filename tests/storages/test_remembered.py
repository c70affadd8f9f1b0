"""What sources remember from one job to the next, in the processes of a daemon, wherever it is kept."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.store.job import ENDED, JobStatus
from fixtures.redis.server import MISSING, is_installed, server
from tests.services.daemons import daemon
from tests.services.works import Works, works
from tests.storages.remembering import SOURCES

pytestmark = pytest.mark.timeout(180)
PASSWORD = "correct-horse-battery-staple"


@pytest.fixture(
    params=["engine", "sqlite", pytest.param("redis", marks=pytest.mark.skipif(not is_installed(), reason=MISSING))]
)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Provide the settings of each backend."""
    with ExitStack() as stack:
        if request.param == "redis":
            one = stack.enter_context(server("--requirepass", PASSWORD))
            yield {"backend": "redis", "url": one.url, "password": PASSWORD}
        else:
            path = {"path": str(tmp_path / "storage.db")} if request.param == "sqlite" else {}
            yield {"backend": request.param, **path}


async def synced(here: Works, name: str) -> int:
    """Sync a connector, and return how often its source says that it was read."""
    job = await here.want(name)
    found = await here.until(job, lambda one: one.status in ENDED)
    assert (found.status, found.error) == (JobStatus.COMPLETED, None)
    document = await here.engine.control.get(name, "count")
    assert document is not None
    return int(document.source["times"])


@pytest.mark.parametrize("service_type", SOURCES)
async def test_a_job_finds_what_the_one_before_it_remembered_and_nothing_of_another_connector(
    tmp_path: Path, storage: dict[str, Any], service_type: str
) -> None:
    async with works(tmp_path, sources=SOURCES, storage=storage) as here:
        for name in ("a", "b"):
            document: dict[str, Any] = {
                "service_type": service_type,
                "index_name": name,
                "status": "connected",
                "configuration": {},
            }
            await here.desk.connectors.create(name, document)
        async with daemon(here.config):
            assert [await synced(here, name) for name in ("a", "a", "b")] == [1, 2, 1]
        async with daemon(here.config) as another:
            assert await synced(here, "a") == 3
            await another.stop()
            assert [line for line in another.log if PASSWORD in line] == []
