"""A sync is skipped, or spared its scan, only while nothing can have changed since the last one that was proven."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from connectors.changes import Failed
from connectors.errors import ConfigurationError, EngineDenied, SourceError
from connectors.store.sync_state import JobType, SyncState
from connectors.sync.verdict import Reason, Verdict
from tests.sync.rows import Blind, Fetching, Stage, row, rows, told

SCANNED = {"walked": 25, "unchanged": 25, "passes": 1, "scans": 1}
NOT_SCANNED = {"walked": 25, "unchanged": 25, "passes": 1}


@pytest.fixture
async def synced(stage: Stage) -> Stage:
    """Return a stage that has synced 25 documents, of a source that says when it changed."""
    stage.script.documents, stage.script.token = rows(25), {"at": 1}
    await stage.sync()
    return stage


def copies(stage: Stage, folder: Path) -> list[Path]:
    del stage
    return sorted((folder / "ledgers").glob("*.ledger"))


async def is_skipped(stage: Stage) -> bool:
    before = stage.script.walks
    skipped = (await stage.sync()).skipped
    assert skipped is (stage.script.walks == before)
    return skipped


async def why(stage: Stage) -> Reason:
    """Sync, and return why that was skipped or not."""
    verdict = (await stage.sync()).verdict
    assert verdict is not None
    return verdict.reason


# Skips.


async def test_a_source_that_did_not_change_is_not_read(synced: Stage) -> None:
    before = await synced.state()
    assert await is_skipped(synced)
    assert (await synced.state()).completed == before.completed
    assert await is_skipped(synced)
    done = before.completed
    assert done is not None
    assert synced.last is not None
    assert synced.last.verdict == Verdict(Reason.UNCHANGED, done.run, done.began_at, done.at)


async def test_a_source_that_can_not_tell_is_read(synced: Stage) -> None:
    synced.script.token = None
    assert await why(synced) is Reason.CANNOT_TELL


async def test_a_source_that_changed_is_read(synced: Stage) -> None:
    synced.script.token = {"at": 2}
    assert await why(synced) is Reason.CHANGED
    assert await is_skipped(synced)


async def test_other_rules_or_another_pipeline_make_it_read(synced: Stage) -> None:
    rule = {"id": "r", "policy": "exclude", "field": "number", "rule": ">", "value": "23", "order": 1}
    await synced.change(filtering=[{"domain": "DEFAULT", "active": {"rules": [rule]}}])
    assert await why(synced) is Reason.OTHER_RECIPE
    assert not await synced.difference(rows(24))
    assert await is_skipped(synced)


async def test_a_foreign_write_is_mended_though_the_source_did_not_change(synced: Stage) -> None:
    await synced.edit("row3", number=-1)
    assert await why(synced) is Reason.WRITTEN
    assert not await synced.difference(rows(25))
    assert await is_skipped(synced)


async def test_a_foreign_delete_is_mended_though_the_source_did_not_change(synced: Stage) -> None:
    await synced.remove("row3")
    assert not await is_skipped(synced)
    assert not await synced.difference(rows(25))


async def test_a_document_of_somebody_elses_makes_it_read_once(synced: Stage) -> None:
    await synced.overwrite("theirs", number=1)
    assert not await is_skipped(synced)
    assert await is_skipped(synced)
    assert await synced.unmarked() == {"theirs"}


async def test_nothing_is_skipped_while_a_document_may_be_well_the_next_time(stage: Stage) -> None:
    stage.script.token = {"at": 1}
    stage.script.documents = [*rows(3), Failed("row9", "locked")]
    assert await why(stage) is Reason.FIRST
    assert await why(stage) is Reason.LETTERS
    stage.script.documents = [*rows(3), row(9)]
    assert not await is_skipped(stage)
    assert await stage.letters() == []
    assert await is_skipped(stage)


async def test_nothing_is_skipped_while_a_content_may_be_had_the_next_time(stage: Stage) -> None:
    stage.script.token = {"at": 1}
    stage.script.documents = [(row(1), Fetching(b"text", [SourceError("broken")]))]
    await stage.sync()
    assert not await is_skipped(stage)
    assert not await stage.difference([row(1, body="text")])
    assert await is_skipped(stage)


async def test_nothing_is_skipped_while_deletions_are_held(synced: Stage) -> None:
    synced.script.documents, synced.script.token = [], {"at": 2}
    assert (await synced.sync()).held == 25
    assert await why(synced) is Reason.HELD


async def test_a_walk_that_failed_is_not_what_the_next_one_is_compared_with(synced: Stage) -> None:
    synced.script.token, synced.script.documents = {"at": 2}, [*rows(3), SourceError("broken")]
    with pytest.raises(SourceError):
        await synced.sync()
    synced.script.documents = rows(26)
    assert not await is_skipped(synced)
    assert not await synced.difference(rows(26))


# Copies of the ledger.


async def test_without_a_copy_the_index_is_read_once(synced: Stage, tmp_path: Path) -> None:
    synced.script.token = None
    [copy] = copies(synced, tmp_path)
    copy.unlink()
    assert await synced.told() == SCANNED
    assert await synced.told() == NOT_SCANNED


async def test_a_torn_copy_is_not_used(synced: Stage, tmp_path: Path) -> None:
    synced.script.token = None
    [copy] = copies(synced, tmp_path)
    copy.write_bytes(copy.read_bytes()[:-9])
    assert await synced.told() == SCANNED


async def test_a_copy_of_an_earlier_moment_is_not_used(synced: Stage, tmp_path: Path) -> None:
    synced.script.token = None
    [copy] = copies(synced, tmp_path)
    old = copy.read_bytes()
    synced.script.documents = rows(25, new=1)
    await synced.sync()
    copy.write_bytes(old)
    assert await synced.told() == SCANNED


async def test_a_copy_of_another_name_is_not_used(synced: Stage, tmp_path: Path) -> None:
    synced.script.token = None
    other = await synced.create("two", "elsewhere")
    other.script.documents = rows(25, other=1)
    await other.sync()
    one, two = copies(synced, tmp_path)
    raw = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(raw)
    assert await synced.told() == SCANNED
    assert await other.told() == SCANNED


async def test_no_copy_is_left_of_an_index_that_others_keep_writing_to(synced: Stage, tmp_path: Path) -> None:
    synced.script.token = None
    [copy] = copies(synced, tmp_path)
    copy.unlink()

    async def write() -> None:
        await synced.edit(f"row{synced.script.walks}", number=-1)

    synced.script.documents = [*rows(25), write]
    report = await synced.sync()
    assert (report.unsettled, report.passes, copies(synced, tmp_path)) == (True, 3, [])
    assert "Others kept writing to the index docs-000001" in (report.error or "")
    synced.script.documents = rows(25)
    assert (await synced.told())["updated"] == 1
    assert not await synced.difference(rows(25))


async def test_nothing_is_skipped_after_others_kept_writing_to_the_index(synced: Stage) -> None:
    async def write() -> None:
        await synced.edit(f"row{synced.script.walks}", number=-1)

    synced.script.documents, synced.script.token = [*rows(25), write], {"at": 2}
    assert (await synced.sync()).unsettled
    synced.script.documents = rows(25)
    assert await why(synced) is Reason.UNSETTLED
    assert await is_skipped(synced)


async def test_an_index_that_was_replaced_is_filled_though_the_source_did_not_change(synced: Stage) -> None:
    await synced.engine.indices.delete("docs-000001")
    assert await why(synced) is Reason.OTHER_INDEX
    assert not await synced.difference(rows(25))
    assert await is_skipped(synced)


async def test_a_source_that_says_no_without_a_token_is_read(stage: Stage) -> None:
    stage.script.documents, stage.script.token = rows(25), {"at": 1}
    await stage.sync()
    key = SyncState.key_of("one", JobType.FULL)
    found = await stage.place.state.read(key, SyncState)
    assert found is not None
    assert found.value.completed is not None
    lost = msgspec.structs.replace(found.value.completed, token=None)
    await stage.place.state.replace(key, found, msgspec.structs.replace(found.value, completed=lost))
    assert await why(stage) is Reason.CANNOT_TELL
    assert await is_skipped(stage)


# Forced syncs.


async def test_a_forced_sync_reads_everything_and_writes_only_what_differs(synced: Stage) -> None:
    report = await synced.sync(force=True)
    assert told(report) == NOT_SCANNED
    assert (report.forced, report.verdict and report.verdict.reason) == (True, Reason.FORCED)
    assert await is_skipped(synced)


async def test_a_forced_sync_takes_a_token_for_the_next_one(synced: Stage) -> None:
    synced.script.token = {"at": 2}
    await synced.sync(force=True)
    assert await is_skipped(synced)


@pytest.mark.parametrize(
    ("job_type", "deletes_only"),
    [(JobType.INCREMENTAL, False), (JobType.ACCESS_CONTROL, False), (JobType.FULL, True)],
)
async def test_what_is_never_skipped_can_not_be_forced(synced: Stage, job_type: JobType, deletes_only: bool) -> None:
    with pytest.raises(ConfigurationError, match="never skipped"):
        await synced.sync(job_type, deletes_only=deletes_only, force=True)


@pytest.mark.parametrize("job_type", [JobType.FULL, JobType.ACCESS_CONTROL])
async def test_the_copy_of_an_index_that_was_replaced_is_removed_and_no_other(stage: Stage, job_type: JobType) -> None:
    stage.script.documents = stage.script.identities = rows(25)
    other = await stage.create("two", "elsewhere")
    other.script.documents = rows(25)
    await other.sync()
    for kind in (JobType.FULL, JobType.ACCESS_CONTROL):
        await stage.sync(kind)
    store = stage.place.copies
    assert store is not None
    before = set(store.names())
    done = (await stage.state(job_type)).completed
    assert done is not None
    index = {JobType.FULL: "docs-000001", JobType.ACCESS_CONTROL: ".search-acl-filter-docs"}[job_type]
    assert await stage.engine.indices.delete(index)
    await stage.sync(job_type)
    after = set(store.names())
    assert (len(before), before - after) == (3, {f"{done.target}/one"})
    assert len(after) == 3


# An engine that does not tell where its indices stand.


@pytest.mark.parametrize("error", [None, EngineDenied("monitor")], ids=["can't tell", "may not ask"])
async def test_nothing_is_skipped_while_the_engine_tells_no_stamp(stage: Stage, error: EngineDenied | None) -> None:
    engine = stage.engine
    stage.script.documents, stage.script.token = rows(25), {"at": 1}
    await stage.sync()
    stage.place = replace(stage.place, engine=replace(engine, indices=Blind(engine.indices, error)))
    assert await why(stage) is Reason.NO_STAMP
    stage.place = replace(stage.place, engine=engine)
    assert await why(stage) is Reason.NO_STAMP  # of the last one, which is not known
    assert await is_skipped(stage)


@pytest.mark.parametrize("error", [None, EngineDenied("monitor")], ids=["can't tell", "may not ask"])
async def test_an_engine_that_tells_no_stamp_is_compared_by_scans(
    stage: Stage, tmp_path: Path, error: EngineDenied | None
) -> None:
    engine = replace(stage.engine, indices=Blind(stage.engine.indices, error))
    stage.place = replace(stage.place, engine=engine)
    stage.script.documents, stage.script.token = rows(25), {"at": 1}
    assert await stage.told() == {"walked": 25, "created": 25, "sent": 25, "passes": 1, "scans": 2}
    assert await stage.told() == {**SCANNED, "scans": 2}
    stage.script.documents = rows(24)
    gone = {"walked": 24, "unchanged": 24, "deleted": 1, "sent": 1, "passes": 1, "scans": 3}
    assert await stage.told() == gone
    assert not await stage.difference(rows(24))
    assert copies(stage, tmp_path) == []

    async def write() -> None:
        if stage.script.walks == 4:
            await stage.edit("row1", number=-1)

    stage.script.documents = [*rows(24), write]
    told = await stage.told()
    assert (told["passes"], told["updated"]) == (2, 1)
    assert not await stage.difference(rows(24))
