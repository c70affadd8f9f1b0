"""Jobs of custom schedules: they read with other settings, and say when they ended in their schedule."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import IndexReplaced
from connectors.store.custom_schedule import METADATA, custom_schedules
from connectors.store.job import JobStatus
from connectors.store.jobs import JobStore
from tests.services.working.test_job_run import Yard, forever
from tests.sync.rows import open_stage, row, rows

OTHER = {"part": {"label": "Part", "value": "hot"}}


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, tmp_path)
        yield Yard(stage, await JobStore.open(stage.engine, stage.clock))


async def scheduled(yard: Yard, overrides: Any = OTHER) -> None:
    """Give the connector a custom schedule, and a first sync."""
    schedule = {"enabled": True, "interval": "0 0 * * * ?", "name": "Hot", "configuration_overrides": overrides}
    configuration = {"part": {"value": ""}, "password": {"value": ""}}
    await yard.stage.change(custom_scheduling={"hot": schedule}, configuration=configuration)
    yard.stage.script.documents = rows(10)
    await yard.stage.sync()


async def run(yard: Yard) -> dict[str, Any]:
    """Run a job of the schedule, and return its document."""
    job = await yard.wanted(custom_schedule="hot")
    await (await yard.claimed(job)).run()
    return dict((await yard.known(job)).document)


async def last_synced(yard: Yard) -> object:
    return custom_schedules(await yard.stage.known())["hot"].last_synced


async def test_one_with_other_settings_adds_and_deletes_nothing(yard: Yard) -> None:
    await scheduled(yard)
    yard.stage.script.documents = [row(1), row(20)]
    told = await run(yard)
    counts = ("status", "error", "indexed_document_count", "deleted_document_count", "total_document_count")
    assert [told[name] for name in counts] == ["completed", None, 2, 0, 11]
    assert (told["metadata"]["custom_schedule"], told["metadata"]["sync"]["adds_only"]) == ("hot", True)
    assert not await yard.stage.difference([*rows(10), row(20)])
    assert await last_synced(yard) is not None
    connector = await yard.stage.known()
    assert (connector.document["last_sync_status"], connector.configuration["part"]) == ("completed", {"value": ""})


@pytest.mark.parametrize("overrides", [None, {}])
async def test_one_without_other_settings_is_a_plain_full_sync(yard: Yard, overrides: object) -> None:
    await scheduled(yard, overrides)
    yard.stage.script.documents = [row(1), row(20)]
    told = await run(yard)
    assert (told["status"], told["indexed_document_count"], told["deleted_document_count"]) == ("completed", 1, 9)
    assert told["metadata"]["sync"]["adds_only"] is False
    assert not await yard.stage.difference([row(1), row(20)])


async def test_a_plain_job_is_not_concerned(yard: Yard) -> None:
    await scheduled(yard)
    job = await yard.wanted()
    await (await yard.claimed(job)).run()
    assert await last_synced(yard) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"custom_scheduling": {}}, "The connector has no custom schedule 'hot' any more."),
        (
            {"configuration": {"password": {"value": ""}}},
            "The connector has no such settings: 'part'. Known: password.",
        ),
    ],
)
async def test_one_whose_schedule_can_not_be_followed_any_more_ends_in_error(
    yard: Yard, change: dict[str, Any], told: str
) -> None:
    await scheduled(yard)
    job = await yard.wanted(custom_schedule="hot")
    await yard.stage.change(**change)
    assert await (await yard.claimed(job)).run() is JobStatus.ERROR
    assert (await yard.known(job)).error == f"ConfigurationError: {told}"
    assert not await yard.stage.difference(rows(10))


async def test_one_that_is_suspended_does_not_say_that_it_has_ended(yard: Yard) -> None:
    await scheduled(yard)
    is_reading = asyncio.Event()

    async def read() -> None:
        is_reading.set()

    yard.stage.script.documents = [row(1), read, forever]
    job = await yard.wanted(custom_schedule="hot")
    task = asyncio.create_task((await yard.claimed(job)).run())
    async with asyncio.timeout(20):
        await is_reading.wait()
    task.cancel()
    await asyncio.wait([task])
    assert (await yard.known(job)).status is JobStatus.SUSPENDED
    assert await last_synced(yard) is None


async def test_a_replaced_index_is_followed_by_a_full_sync_with_the_connectors_own_settings(yard: Yard) -> None:
    await scheduled(yard)

    async def replace_index() -> None:
        await yard.stage.engine.indices.delete(yard.stage.index)

    yard.stage.script.documents = [*rows(30), replace_index, *rows(60)]
    told = await run(yard)
    assert (told["status"], told["error"].partition(":")[0]) == ("error", IndexReplaced.__name__)
    following = [job for job in await yard.jobs.of_connector("one") if job.metadata.get("because")]
    assert [METADATA in job.metadata for job in following] == [False]
    assert following[0].document["connector"]["configuration"]["part"] == {"value": ""}
