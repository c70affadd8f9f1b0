"""Upgrades: what an older version wrote is gone on with, what a newer one wrote is refused and kept as it is."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.errors import RecordUnreadable
from connectors.services.desk import Desk
from connectors.services.scheduling.roster import Roster
from connectors.services.scheduling.scheduler import Scheduler
from connectors.services.working.turns import Places, next_jobs
from connectors.store.dead_letters import INDEX as LETTERS
from connectors.store.job import FORMAT, JobStatus, Trigger
from connectors.store.jobs import JobStore
from connectors.store.state import INDEX as STATE
from connectors.store.sync_state import JobType, SyncState
from connectors.store.ticks import SchedulesRecord, Ticks
from connectors.sync.ledger.file import VERSION
from tests.sync.rows import Jumping, Stage, open_stage, rows

Document = dict[str, Any]
NEWER = 2
SYNC = SyncState.key_of("one", JobType.FULL)
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, tmp_path)
        stage.script.documents = rows(20)
        await stage.sync()
        yield stage


async def changed(stage: Stage, key: str, change: Callable[[Document], Document]) -> Document:
    """Write a record as another version would have, and return it."""
    found = await stage.engine.control.get(STATE.name, key)
    assert found is not None
    document = change(msgspec.json.decode(msgspec.json.encode(found.source)))
    await stage.engine.control.put(STATE.name, key, document, refresh="now")
    return document


async def stored(stage: Stage, key: str) -> Document:
    found = await stage.engine.control.get(STATE.name, key)
    assert found is not None
    return dict(found.source)


def everything(folder: Path) -> list[Path]:
    """Return the files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def newer(document: Document) -> Document:
    """Return a record of a format that we do not know, where the known fields mean something else."""
    return {**document, "format": NEWER, "record": {**document["record"], "epoch": "in words"}}


def without(*names: str) -> Callable[[Document], Document]:
    def older(document: Document) -> Document:
        kept = {name: one for name, one in document["record"].items() if name not in names}
        return {**document, "record": kept}

    return older


# What older versions wrote.


@pytest.mark.parametrize(
    "names", [("reached",), ("reached", "without_deletes"), ("reached", "without_deletes", "completed", "checkpoint")]
)
async def test_state_without_the_fields_of_this_version_is_gone_on_with(stage: Stage, names: tuple[str, ...]) -> None:
    await changed(stage, SYNC, without(*names))
    stage.script.documents = [*rows(15), *rows(3, of="later")[:1]]
    await stage.sync()
    assert not await stage.difference([*rows(15)[1:], *rows(1, of="later")])


async def test_a_lease_without_the_fields_of_this_version_is_taken(stage: Stage) -> None:
    uuid = (await stage.engine.control.search(STATE.name, {"query": {"term": {"kind": "target"}}})).hits[0].id
    before = (await stored(stage, uuid))["record"]["epoch"]
    await changed(stage, uuid, without("owner", "connector", "run", "lease"))
    stage.script.documents = rows(5)
    await stage.sync()
    assert not await stage.difference(rows(5))
    assert (await stored(stage, uuid))["record"]["epoch"] > before


async def test_a_checkpoint_that_was_made_under_other_rules_of_shape_is_not_gone_on_from(stage: Stage) -> None:
    target = (await stage.state()).completed
    assert target is not None
    checkpoint = {
        "cursor": {"id": "row9"},
        "recipe": "of-an-older-version",
        "target": target.target,
        "started_at": YESTERDAY,
        "saved_at": datetime.now(UTC).isoformat(),
    }
    await changed(stage, SYNC, lambda found: {**found, "record": {**found["record"], "checkpoint": checkpoint}})
    stage.script.documents = rows(8)
    report = await stage.sync()
    assert report.resumed_since is None
    assert not await stage.difference(rows(8))


async def test_a_token_of_an_older_shape_skips_nothing(stage: Stage) -> None:
    stage.script.token = {"changes": 1}
    await stage.sync()
    await changed(
        stage,
        SYNC,
        lambda found: {
            **found,
            "record": {**found["record"], "completed": {**found["record"]["completed"], "recipe": "older"}},
        },
    )
    stage.script.documents = rows(7)
    assert not (await stage.sync()).skipped
    assert not await stage.difference(rows(7))


@pytest.mark.parametrize("mark", [{"f": 1, "o": 1, "c": "one"}, {"f": 0, "d": 0, "o": 5, "c": "one", "z": 1}, None])
async def test_a_document_whose_mark_another_version_wrote_is_written_again(stage: Stage, mark: object) -> None:
    found = await stage.engine.data.get(stage.index, "row3")
    assert found is not None
    fields = {name: one for name, one in found.source.items() if name != "_sync"}
    await stage.engine.data.put(stage.index, "row3", fields if mark is None else {**fields, "_sync": mark})
    stage.script.documents = rows(20)
    report = await stage.sync()
    assert report.created + report.updated == 1
    assert not await stage.difference(rows(20))


async def test_what_a_newer_version_added_to_a_record_is_kept(stage: Stage) -> None:
    await changed(stage, SYNC, lambda found: {**found, "record": {**found["record"], "of_a_newer_version": [1]}})
    stage.script.documents = rows(4)
    await stage.sync()
    assert (await stored(stage, SYNC))["record"]["of_a_newer_version"] == [1]
    assert not await stage.difference(rows(4))


async def test_a_connector_as_kibana_wrote_it_years_ago_is_synced(stage: Stage) -> None:
    old = await stage.create(
        "old",
        "old-docs",
        configuration={"password": "plain"},
        filtering={"domain": "DEFAULT", "active": {"rules": [], "advanced_snippet": {}}},
        pipeline={"name": "search-default-ingestion"},
        last_synced="2022-01-01T00:00:00",
        sync_now=True,
    )
    old.script.documents = rows(6)
    await old.sync()
    assert not await old.difference(rows(6), "old-docs-000001")
    assert (await old.known()).document["sync_now"] is True


# What newer versions wrote.


@pytest.mark.parametrize("kind", ["sync", "target"])
async def test_a_record_of_a_newer_format_ends_a_sync_with_what_to_do_and_changes_nothing(
    stage: Stage, kind: str
) -> None:
    key = (await stage.engine.control.search(STATE.name, {"query": {"term": {"kind": kind}}})).hits[0].id
    record = await changed(stage, key, newer)
    stage.script.documents = rows(2)
    with pytest.raises(RecordUnreadable, match=f"has format {NEWER}, and this version knows {kind} up to 1") as error:
        await stage.sync()
    assert "at least as new" in str(error.value.hint)
    assert await stored(stage, key) == record
    assert not await stage.difference(rows(20))


async def test_a_dead_letter_of_a_newer_format_is_not_read_as_if_it_were_ours(stage: Stage) -> None:
    letter = {"format": NEWER, "connector": "one", "id": "row1", "kind": "read", "cause": "other words"}
    await stage.engine.control.put(LETTERS.name, "newer", letter, refresh="now")
    with pytest.raises(RecordUnreadable, match=f"has format {NEWER}"):
        await stage.letters()
    found = await stage.engine.control.get(LETTERS.name, "newer")
    assert found is not None
    assert found.source == letter


async def test_schedules_of_a_newer_format_make_no_job_and_hold_up_no_other_connector(stage: Stage) -> None:
    jobs, clock = await JobStore.open(stage.engine), Jumping()
    each_second = {"full": {"enabled": True, "interval": "* * * * * ?"}}
    await stage.create("two", "two", scheduling=each_second, status="connected")
    await stage.change(scheduling=each_second, status="connected")
    desk = Desk(stage.place.connectors, jobs, Ticks(stage.place.state), stage.place.registry)
    await Scheduler(desk, Roster(desk.connectors, clock), clock, UTC).look()
    await changed(stage, SchedulesRecord.key_of("one"), newer)
    clock.jump(5)
    await Scheduler(desk, Roster(desk.connectors, clock), clock, UTC).look()
    assert [job.connector_id for job in await jobs.newest()] == ["two"]


async def test_a_job_of_a_newer_format_is_left_to_newer_daemons(stage: Stage) -> None:
    jobs = await JobStore.open(stage.engine)
    snapshot = {"id": "one", "index_name": "docs"}
    await jobs.create("newer", snapshot, JobType.FULL, Trigger.ON_DEMAND, metadata={"format": FORMAT + 1})
    await jobs.create("ours", {**snapshot, "id": "two"}, JobType.FULL, Trigger.ON_DEMAND, metadata={"format": FORMAT})
    assert [job.id for job in next_jobs(await jobs.open_jobs(), (), Places(), {})] == ["ours"]
    found = await jobs.get("newer")
    assert found is not None
    assert await jobs.claim(found, instance="me", hostname="here") is None
    assert (await jobs.get("newer")) == found
    assert found.status is JobStatus.PENDING


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
async def test_a_copy_of_a_ledger_of_another_version_is_not_trusted(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, tmp_path)
        stage.script.documents = rows(20)
        await stage.sync()
        copies = [path for path in everything(tmp_path) if path.read_bytes()[:8] == b"\x89ledger\n"]
        assert copies
        for path in copies:
            whole = path.read_bytes()
            path.write_bytes(whole[:8] + version.to_bytes(4, "little") + whole[12:])
        stage.script.documents = rows(12)
        await stage.sync()
        assert not await stage.difference(rows(12))
