"""A sync in the foreground: which syncs follow, and what the connector is told of each beginning and end."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigurationError, EngineUnreachable, IndexReplaced, SourceUnreachable
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore, Update
from connectors.store.sync_state import JobType
from connectors.sync.foreground import run_foreground
from connectors.sync.index.target import open_target
from connectors.sync.owner.lease import Claim, leased
from connectors.sync.report import SyncReport
from connectors.sync.workplace import Workplace
from tests.sync.rows import open_stage, rows
from tests.sync.scripted import doc, open_scene
from tests.sync.staged import Act, connector_of, staged, workplace


async def status_of(place: Workplace) -> Any:
    return await told_of(place, "last_sync_status")


async def told_of(place: Workplace, name: str) -> Any:
    """Return a field of the connector."""
    found = await place.connectors.get("c")
    assert found is not None
    return found.document.get(name)


class Stage:
    """Lets acts of a source know the workplace that is opened after the source was made."""

    place: Workplace

    async def replace_index(self) -> None:
        """Delete the content index, and make another one of that name."""
        await self.place.engine.indices.delete("docs-000001")
        await open_target(self.place.engine, "docs")

    async def fail(self) -> None:
        """Fail as a source that is gone."""
        raise SourceUnreachable("It is gone.")

    async def delete_connector(self) -> None:
        """Replace the index, and delete the connector."""
        await self.replace_index()
        await self.place.connectors.update("c", lambda _: {"deleted": True})


async def ran(folder: Path, *acts: str, job_type: JobType = JobType.FULL) -> list[SyncReport]:
    """Return the reports of the syncs that were begun."""
    stage, begun = Stage(), list[SyncReport]()
    found: list[Act | None] = [getattr(stage, act) if act else None for act in acts]
    async with workplace(folder, staged(*found)) as stage.place:
        connector = await connector_of(stage.place)
        reports = await run_foreground(stage.place, connector, job_type, begun=begun.append)
        assert reports == [one for one in begun if one.finished_at is not None]
        assert await status_of(stage.place) == "completed"
        return begun


async def test_a_sync_that_ends_well_is_the_only_one(tmp_path: Path) -> None:
    [report] = await ran(tmp_path)
    assert (report.created, report.phase) == (3, "done")


async def test_an_index_that_was_replaced_is_synced_again_in_full(tmp_path: Path) -> None:
    first, second = await ran(tmp_path, "replace_index")
    assert (first.finished_at, second.walked, second.phase) == (None, 3, "done")


async def test_an_index_that_is_replaced_again_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IndexReplaced):
        await ran(tmp_path, "replace_index", "replace_index")


async def test_after_an_access_control_sync_another_one_of_its_kind_follows(tmp_path: Path) -> None:
    stage, begun = Stage(), list[SyncReport]()

    async def replace_index() -> None:
        await stage.place.engine.indices.delete(".search-acl-filter-docs")
        await open_target(stage.place.engine, ".search-acl-filter-docs", access_control=True)

    async with workplace(tmp_path, staged(replace_index)) as stage.place:
        connector = await connector_of(stage.place)
        await run_foreground(stage.place, connector, JobType.ACCESS_CONTROL, begun=begun.append)
    kind = JobType.ACCESS_CONTROL
    assert [(one.job_type, one.walked, one.phase) for one in begun] == [(kind, 1, "checking"), (kind, 1, "done")]


async def test_a_sync_that_was_resumed_is_followed_by_one_full_sync(tmp_path: Path) -> None:
    begun = list[SyncReport]()

    def begin(report: SyncReport) -> None:
        begun.append(report)
        report.resumed_since = datetime.now(UTC)  # as a sync that finds a checkpoint does, here each of them

    async with workplace(tmp_path, staged()) as place:
        assert await run_foreground(place, await connector_of(place), begun=begin) == begun
    assert [one.created for one in begun] == [3, 0]


async def test_an_error_of_the_sync_is_raised_and_told(tmp_path: Path) -> None:
    stage = Stage()
    async with workplace(tmp_path, staged(stage.fail)) as stage.place:
        with pytest.raises(SourceUnreachable):
            await run_foreground(stage.place, await connector_of(stage.place))
        assert await status_of(stage.place) == "error"


async def test_a_connector_that_was_deleted_meanwhile_is_not_synced_again(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="The connector 'c' was deleted meanwhile"):
        await ran(tmp_path, "delete_connector")


async def test_a_cancelled_sync_is_told_to_be_suspended_and_the_index_is_free_at_once(tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def stop() -> None:
        reached.set()
        await asyncio.Event().wait()

    async with workplace(tmp_path, staged(stop)) as place:
        connector = await connector_of(place)
        task = asyncio.create_task(run_foreground(place, connector))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await status_of(place) == "suspended"
        [report] = await run_foreground(replace(place), connector, waiting=pytest.fail)
        assert report.created == 3


TOLD = ("last_sync_status", "last_sync_error", "last_access_control_sync_status", "status", "error")


@pytest.mark.parametrize(
    ("job_type", "told"),
    [
        (JobType.FULL, ["in_progress", None, "error", "connected", None]),
        (JobType.ACCESS_CONTROL, ["error", "old", "in_progress", "connected", None]),
    ],
)
async def test_while_a_sync_runs_the_connector_says_so(tmp_path: Path, job_type: JobType, told: list[Any]) -> None:
    stage, found = Stage(), list[Any]()

    async def look() -> None:
        found.extend([await told_of(stage.place, name) for name in TOLD])

    async with workplace(tmp_path, staged(look)) as stage.place:
        old = {"last_sync_status": "error", "last_access_control_sync_status": "error"}
        connector = await connector_of(stage.place, **old, last_sync_error="old", status="error", error="old")
        await run_foreground(stage.place, connector, job_type)
    assert found == told


async def test_a_sync_goes_on_where_one_that_was_killed_left_that_it_is_in_progress(tmp_path: Path) -> None:
    async with workplace(tmp_path, staged()) as place:
        connector = await connector_of(place, last_sync_status="in_progress")
        [report] = await run_foreground(place, connector)
        assert (report.created, await status_of(place)) == (3, "completed")


async def test_a_sync_that_is_cancelled_while_another_one_has_the_target_says_nothing(tmp_path: Path) -> None:
    async with workplace(tmp_path, staged()) as place:
        before = await connector_of(place, last_sync_status="in_progress")
        claim = Claim(await open_target(place.engine, "docs"), "c", "theirs", place.instance)
        async with leased(place.state, claim, place.clock):
            waits = asyncio.Event()
            task = asyncio.create_task(run_foreground(place, before, waiting=lambda _: waits.set()))
            await waits.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await place.connectors.get("c") == before


async def test_a_connector_that_can_not_be_told_is_synced_all_the_same(tmp_path: Path) -> None:
    class Deaf(ConnectorStore):
        """Can't be written to."""

        async def update(self, connector_id: str, update: Update) -> Connector:
            raise EngineUnreachable("Not now.")

    async with workplace(tmp_path, staged()) as place:
        connector = await connector_of(place)
        [report] = await run_foreground(replace(place, connectors=Deaf(place.engine.control)), connector)
        assert (report.created, await place.connectors.get("c")) == (3, connector)


async def test_of_a_sync_that_is_skipped_it_is_told_once_how_it_ended(tmp_path: Path) -> None:
    class Noted(ConnectorStore):
        """Remembers which status a connector was told each time."""

        def __init__(self, place: Workplace) -> None:
            super().__init__(place.engine.control)
            self.told = list[Any]()

        async def update(self, connector_id: str, update: Update) -> Connector:
            found = await super().update(connector_id, update)
            self.told.append(found.document["last_sync_status"])
            return found

    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, tmp_path)
        stage.script.documents, stage.script.token = rows(3), {"at": 1}
        store = Noted(stage.place)
        place = replace(stage.place, connectors=store)
        for _ in range(2):
            await run_foreground(place, await stage.known())
        assert store.told == ["in_progress", "completed", "completed"]
        [report] = await run_foreground(place, await stage.known(), force=True)
        assert (report.forced, report.walked) == (True, 3)
    assert store.told[3:] == ["in_progress", "completed"]


async def test_that_an_incremental_sync_has_begun_is_told_before_it_looks_after_its_cursor(tmp_path: Path) -> None:
    class Noted(ConnectorStore):
        """Remembers what fields were to be other than they are."""

        def __init__(self, place: Workplace) -> None:
            super().__init__(place.engine.control)
            self.changed = list[set[str]]()

        async def update(self, connector_id: str, update: Update) -> Connector:
            def noted(found: Connector) -> Any:
                changes = update(found)
                self.changed.append(set(changes))
                return changes

            return await super().update(connector_id, noted)

    async with AsyncExitStack() as stack:
        scene = await open_scene(stack, tmp_path)
        scene.log.put(*map(doc, range(5)))
        store = Noted(scene.place)
        await run_foreground(
            replace(scene.place, connectors=store), await scene.connector(), JobType.INCREMENTAL, waiting=pytest.fail
        )
        assert await scene.cursor() == {"at": 5}
    begun, touched, *cursors, ended = store.changed
    assert (begun, touched) == ({"last_sync_status", "last_sync_error", "status", "error"}, {"updated_at"})
    assert cursors == [{"sync_cursor"}, set()]  # each at its first attempt; the last has it already
    assert ended > {"last_sync_status", "last_synced"}
