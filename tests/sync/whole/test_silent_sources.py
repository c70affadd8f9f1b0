"""Sources that say nothing any more, or swallow that they were cancelled: the sync ends, and nothing is deleted."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.changes import Upsert
from connectors.download import Content
from connectors.errors import SourceError
from connectors.store.sync_state import JobType
from tests.sync.rows import Stage, row, rows
from tests.sync.scripted import doc, docs, open_scene

SAID_NOTHING = r"The source has said nothing for 0\.4 s, after \d+ documents\."
LIMIT_S = 0.4


async def forever() -> None:
    await asyncio.Event().wait()


async def swallow() -> None:
    """Wait until cancelled, and make nothing of it."""
    try:
        await forever()
    except asyncio.CancelledError:
        return


@pytest.fixture
async def synced(stage: Stage) -> Stage:
    """Return a stage whose index holds 25 documents."""
    stage.script.documents = rows(25)
    await stage.sync()
    return stage


async def test_a_walk_that_stands_still_ends_in_an_error_and_the_source_is_closed(synced: Stage) -> None:
    synced.script.documents = [*rows(5, new=1), forever]
    with pytest.raises(SourceError, match=SAID_NOTHING):
        await synced.sync(source_timeout_s=LIMIT_S)
    assert synced.script.closed == 2
    synced.script.documents = rows(25)
    assert (await synced.told())["unchanged"] == 25


async def test_who_may_read_what_is_read_under_the_same_limit(stage: Stage) -> None:
    stage.script.identities = [*rows(5), forever]
    with pytest.raises(SourceError, match=SAID_NOTHING):
        await stage.sync(JobType.ACCESS_CONTROL, source_timeout_s=LIMIT_S)


@pytest.mark.parametrize("more", [0, 2_000])
async def test_what_a_source_says_after_it_swallowed_its_end_counts_for_nothing(synced: Stage, more: int) -> None:
    await synced.change(sync={"delete_guard": {"count": 100, "share": 1.0}})
    synced.script.documents = [*rows(5), swallow, *(row(1_000 + number) for number in range(more))]
    with pytest.raises(SourceError, match=SAID_NOTHING):
        await synced.sync(source_timeout_s=LIMIT_S)
    assert not await synced.difference(rows(25))


async def test_a_cancelled_sync_whose_source_swallows_that_deletes_nothing(synced: Stage) -> None:
    await synced.change(sync={"delete_guard": {"count": 100, "share": 1.0}})
    reached = asyncio.Event()

    async def reach() -> None:
        reached.set()

    synced.script.documents = [*rows(5), reach, swallow]
    task = asyncio.create_task(synced.sync())
    await reached.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not await synced.difference(rows(25))


async def test_a_source_may_wait_for_its_downloads(stage: Stage) -> None:
    fetched = asyncio.Event()

    async def fetch() -> Content:
        await asyncio.sleep(3 * LIMIT_S)
        fetched.set()
        return b"text"

    async def wait_for_it() -> None:
        await fetched.wait()

    # The first chunk is handed on when it is full, and its download begins then.
    stage.script.documents = [(row(0), fetch), *rows(600)[1:], wait_for_it]
    assert (await stage.sync(source_timeout_s=LIMIT_S)).created == 600


async def test_an_incremental_sync_that_stands_still_ends_in_an_error_and_goes_on_from_its_cursor(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        scene = await open_scene(stack, tmp_path)
        scene.log.put(*docs(10))
        scene.log.write(forever)
        with pytest.raises(SourceError, match=SAID_NOTHING):
            await scene.sync(source_timeout_s=LIMIT_S)
        assert await scene.cursor() == {"at": 10}
        scene.log.steps[-1] = Upsert(doc(10))
        await scene.sync()
        assert not await scene.difference()
