"""A sync that only deletes takes away what is gone from the source, and leaves all else as other syncs left it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.errors import ConfigurationError, IndexReplaced, SourceUnreachable
from connectors.source import BaseDataSource
from connectors.store.held import HeldStatus
from connectors.store.sync_state import Checkpoint as SavedCheckpoint
from connectors.store.sync_state import JobType, Reached, SyncState
from connectors.sync.foreground import run_foreground
from connectors.sync.full.sync import PASSES
from connectors.sync.sync import Sync
from tests.sync.rows import Blind, Stage, row, rows, told
from tests.sync.staged import connector_of, staged, workplace

GUARD = {"delete_guard": {"count": 3, "share": 0.2}}
RULE = {"id": "r", "policy": "exclude", "field": "part", "rule": "equals", "value": "b", "order": 1}


@pytest.fixture
async def synced(stage: Stage) -> Stage:
    """Return a stage whose index holds 30 documents, of which 6 may go at once, of a source that knows its changes."""
    await stage.change(sync=GUARD)
    stage.script.documents, stage.script.token = rows(30), {"at": 1}
    await stage.sync()
    return stage


async def delete(stage: Stage, documents: list[Any]) -> dict[str, int]:
    """Sync so, and return the counters that are not 0."""
    stage.script.documents = documents
    found = told(await stage.sync(deletes_only=True))
    assert stage.last is not None
    assert stage.last.deletes_only
    assert not stage.last.skipped
    return found


async def kept(stage: Stage) -> SyncState:
    """Return the state but for who may change it."""
    return msgspec.structs.replace(await stage.state(), epoch=0)


# What it deletes, and what it leaves.


async def test_what_is_gone_is_deleted_and_nothing_is_written(synced: Stage) -> None:
    documents = [row(0, text="changed"), *rows(25)[1:], row(50), row(51)]
    assert await delete(synced, documents) == {
        "walked": 27,
        "present": 25,
        "unindexed": 2,
        "deleted": 5,
        "sent": 5,
        "passes": 1,
        "scans": 1,
    }
    assert not await synced.difference(rows(25))
    assert synced.last is not None
    assert (synced.last.error, synced.last.phase) == (None, "done")


async def test_nothing_is_gone_and_nothing_is_sent_or_kept(synced: Stage) -> None:
    before = await kept(synced)
    synced.script.token = {"at": 2}
    assert await delete(synced, [*rows(30, text="changed")]) == {"walked": 30, "present": 30, "passes": 1}
    assert await kept(synced) == before


async def test_the_next_full_sync_reads_what_changed_though_nothing_changed_since(synced: Stage) -> None:
    documents, synced.script.token = [*rows(30, text="changed"), row(50)], {"at": 2}
    await delete(synced, documents)
    assert (await synced.told())["updated"] == 30
    assert not await synced.difference(documents)
    assert (await synced.sync()).skipped


async def test_it_runs_where_a_full_sync_would_be_skipped_and_lets_that_be_skipped_still(synced: Stage) -> None:
    assert (await synced.sync()).skipped
    assert await delete(synced, rows(30)) == {"walked": 30, "present": 30, "passes": 1}
    assert (await synced.sync()).skipped


async def test_after_it_deleted_the_next_sync_needs_no_scan_and_sends_nothing(synced: Stage) -> None:
    await delete(synced, rows(28))
    assert await synced.told() == {"walked": 28, "unchanged": 28, "passes": 1}


async def test_an_index_that_nothing_was_synced_into_by_it_holds_nothing_that_could_be_gone(stage: Stage) -> None:
    stage.script.documents = [SourceUnreachable("away")]
    with pytest.raises(SourceUnreachable):
        await stage.sync()
    assert await delete(stage, rows(3)) == {"walked": 3, "unindexed": 3, "passes": 1, "scans": 1}
    assert (await stage.state()).completed is None
    assert not await stage.difference([])


async def test_documents_of_others_stay(synced: Stage) -> None:
    await synced.overwrite("theirs", number=7)
    await delete(synced, rows(29))
    assert await synced.unmarked() == {"theirs"}
    assert not await synced.difference(rows(29))


async def test_what_could_not_be_read_keeps_its_document_and_gets_no_letter(synced: Stage) -> None:
    assert (await delete(synced, [*rows(28), Failed("row28", "locked")]))["deleted"] == 1
    assert not await synced.difference(rows(29))
    assert await synced.letters() == []


async def test_an_id_that_no_index_has_is_not_indexed(synced: Stage) -> None:
    strange = [{"_id": "\ud800"}, {"_id": ""}, {"number": 1}, Failed("", "no id")]
    assert await delete(synced, [*rows(30), *strange]) == {"walked": 34, "present": 30, "unindexed": 4, "passes": 1}


async def test_whatever_a_walk_takes_for_a_document_is_seen(stage: Stage) -> None:
    class Ordered(dict[str, Any]):
        """A dict of somebody's own."""

    strange = [Ordered(_id="a"), MappingProxyType({"_id": "b"}), {"_id": 7}]
    stage.script.documents = strange
    assert (await stage.told())["created"] == 3
    assert await delete(stage, strange) == {"walked": 3, "present": 3, "passes": 1}


async def test_an_id_that_comes_again_counts_once(synced: Stage) -> None:
    assert await delete(synced, [*rows(30), *rows(3)]) == {
        "walked": 33,
        "present": 30,
        "repeated": 3,
        "superseded": 3,
        "passes": 1,
    }


async def test_what_a_rule_drops_is_deleted(synced: Stage) -> None:
    await synced.change(filtering=[{"domain": "DEFAULT", "active": {"rules": [RULE]}}])
    found = await delete(synced, [*rows(26), *(row(number, part="b") for number in range(26, 30))])
    assert (found["dropped"], found["deleted"]) == (4, 4)
    assert not await synced.difference(rows(26))


async def test_letters_about_others_stay(synced: Stage) -> None:
    synced.script.documents = [*rows(28), Failed("row28", "locked"), Failed("row29", "locked"), Failed("bad", "locked")]
    synced.script.token = None
    await synced.sync()
    await delete(synced, [*rows(28), Failed("row28", "locked")])
    assert [one.id for one in await synced.letters()] == ["bad", "row28"]


# What keeps it from deleting.


@pytest.mark.parametrize("place", [0, 29])
async def test_ids_that_are_not_read_to_their_end_delete_nothing(synced: Stage, place: int) -> None:
    before = await kept(synced)
    synced.script.documents = [*rows(place), SourceUnreachable("away"), *rows(29)[place:]]
    with pytest.raises(SourceUnreachable):
        await synced.sync(deletes_only=True)
    assert not await synced.difference(rows(30))
    assert await kept(synced) == before


async def test_one_that_is_cancelled_deletes_nothing_though_its_source_goes_on(synced: Stage) -> None:
    async def cancelled() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    synced.script.documents = [*rows(28), cancelled]
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(_deleting(synced))
    assert not await synced.difference(rows(30))


async def _deleting(stage: Stage) -> None:
    await stage.sync(deletes_only=True)


async def test_more_than_the_guard_allows_is_held_and_no_full_sync_is_skipped_then(synced: Stage) -> None:
    found = await delete(synced, rows(23))
    assert (found["held"], found.get("deleted")) == (7, None)
    assert not await synced.difference(rows(30))
    assert synced.last is not None
    assert synced.last.error == (
        "7 deletions are held: 7 of 30 documents are gone from the source, and 6 is the limit. "
        "`connectors deletes list one` tells more."
    )
    assert not (await synced.sync()).skipped


async def test_what_was_approved_is_deleted_if_it_is_gone_still(synced: Stage) -> None:
    await delete(synced, rows(20))
    [one] = await synced.place.held.of("one")
    await synced.place.held.approve("one", one.run)
    assert (await delete(synced, rows(22)))["deleted"] == 8
    assert not await synced.difference(rows(22))
    assert await synced.place.held.of("one") == []


async def test_what_a_full_sync_held_is_held_on_or_answered(synced: Stage) -> None:
    synced.script.documents, synced.script.token = rows(20), {"at": 2}
    await synced.sync()
    assert (await delete(synced, rows(20)))["held"] == 10
    [one] = await synced.place.held.of("one")
    assert (one.number, one.status) == (10, HeldStatus.HELD)
    await delete(synced, rows(30))
    assert await synced.place.held.of("one") == []


async def test_a_source_that_yields_nothing_is_not_believed(stage: Stage) -> None:
    stage.script.documents = rows(3)
    await stage.sync()
    assert (await delete(stage, []))["held"] == 3
    assert not await stage.difference(rows(3))


async def test_a_source_that_has_others_only_is_not_believed(stage: Stage) -> None:
    """As one that was pointed at another database: a full sync would write what it has now, this one would not."""
    stage.script.documents = rows(3)
    await stage.sync()
    found = await delete(stage, [row(number) for number in range(10, 15)])
    assert (found["held"], found["unindexed"], found.get("deleted")) == (3, 5, None)
    assert stage.last is not None
    [warning] = stage.last.warnings
    assert "The source has none of the 3 documents that the index holds of it, and only others." in warning


async def test_a_dataset_that_is_gone_is_held_until_somebody_approves(stage: Stage) -> None:
    left = [Dataset("left"), *rows(20)]
    both = [*left, Dataset("gone"), row(20)]
    stage.script.documents = both
    await stage.sync()
    assert (await delete(stage, left))["held"] == 1
    [one] = await stage.place.held.of("one")
    assert one.reason == "The source had documents of gone, and has none any more."
    assert (await delete(stage, left))["held"] == 1  # nobody has decided
    [one] = await stage.place.held.of("one")
    await stage.place.held.approve("one", one.run)
    assert (await delete(stage, left))["deleted"] == 1
    assert (await delete(stage, left[:-1]))["deleted"] == 1  # and is not asked for again


async def test_others_who_write_meanwhile_have_the_ids_read_again(synced: Stage) -> None:
    times = 1

    async def edit() -> None:
        nonlocal times
        if times:
            times -= 1
            await synced.edit("row3", number=-1)

    found = await delete(synced, [*rows(10), edit, *rows(28)[10:], row(50)])
    assert (found["passes"], found["walked"], found["unindexed"], found["deleted"]) == (2, 29, 1, 2)
    synced.script.token = None
    await synced.sync()
    assert not await synced.difference([*rows(28), row(50)])


async def test_others_who_keep_writing_are_told_of(synced: Stage) -> None:
    count = 0

    async def remove() -> None:
        nonlocal count
        count += 1
        await synced.remove(f"row{count}")

    found = await delete(synced, [*rows(10), remove, *rows(30)[10:]])
    assert (found["passes"], found["unindexed"]) == (PASSES, PASSES - 1)
    assert synced.last is not None
    assert synced.last.unsettled
    synced.script.documents = rows(30)
    assert not (await synced.sync()).skipped
    assert not await synced.difference(rows(30))


async def test_without_the_right_to_know_where_the_index_stands_it_deletes_all_the_same(synced: Stage) -> None:
    blind = replace(synced.place.engine, indices=Blind(synced.engine.indices))
    synced.place = replace(synced.place, engine=blind)
    assert (await delete(synced, rows(28)))["deleted"] == 2
    assert not await synced.difference(rows(28))


# What other syncs left.


class Resuming(BaseDataSource):
    """Goes on behind checkpoints, and reads ids alone."""

    service_type = "staged"
    left = range(20)

    async def ping(self) -> None:
        """Be there."""

    async def get_docs_from(self, cursor: Any, filtering: Filter | None = None) -> AsyncIterator[Any]:
        for number in self.left:
            if cursor is None or number > cursor["at"]:
                yield row(number)

    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Any]:
        for number in self.left:
            yield {"_id": f"row{number}"}


async def test_a_checkpoint_stays_and_is_not_gone_on_from(tmp_path: Path) -> None:
    async with workplace(tmp_path, Resuming) as place:
        connector = await connector_of(place)
        await Sync(place, connector).run()
        key = SyncState.key_of("c", JobType.FULL)
        found = await place.state.read(key, SyncState)
        assert found is not None
        assert found.value.completed is not None
        recipe, target, now = found.value.completed.recipe, found.value.completed.target, place.clock.now()
        left = SavedCheckpoint(cursor={"at": 9}, recipe=recipe, target=target, started_at=now, saved_at=now)
        await place.state.replace(key, found, msgspec.structs.replace(found.value, checkpoint=left, without_deletes=1))
        Resuming.left = range(18)
        report = await Sync(place, connector, deletes_only=True).run()
        assert (report.walked, report.deleted, report.resumed_since) == (18, 2, None)
        after = await place.state.read(key, SyncState)
        assert after is not None
        assert (after.value.checkpoint, after.value.without_deletes) == (left, 1)


async def test_the_cursor_of_incremental_syncs_holds_on_unless_the_rules_are_others(synced: Stage) -> None:
    before = (await synced.state()).reached
    await delete(synced, rows(29))
    assert (await synced.state()).reached == before
    await synced.change(filtering=[{"domain": "DEFAULT", "active": {"rules": [RULE]}}])
    await delete(synced, rows(29))  # deletes by other rules, which may be taken back
    found = (await synced.state()).reached
    assert isinstance(found, Reached)
    assert (found.recipe, found.target) == ("", "")


async def test_a_replaced_index_ends_it_and_no_full_sync_follows(stage: Stage) -> None:
    stage.script.documents = rows(5)
    await stage.sync()

    async def replaced() -> None:
        await stage.engine.indices.delete("docs-000001")

    stage.script.documents = [*rows(2), replaced, *rows(5)[2:]]
    with pytest.raises(IndexReplaced):
        await run_foreground(stage.place, await stage.known(), deletes_only=True)
    assert stage.script.walks == 2


# Where there is none.


async def test_a_source_that_tells_no_ids_is_refused_and_the_connector_told_of_no_error(tmp_path: Path) -> None:
    async with workplace(tmp_path, staged()) as place:
        connector = await connector_of(place)
        await run_foreground(place, connector)
        with pytest.raises(ConfigurationError, match=r"staged can't tell its ids without all the rest"):
            await run_foreground(place, connector, deletes_only=True)
        with pytest.raises(ConfigurationError, match=r"staged can't tell its ids without all the rest"):
            await Sync(place, connector, deletes_only=True).run()
        found = await place.connectors.get("c")
        assert found is not None
        assert found.document["last_sync_status"] == "completed"


async def test_no_index_is_made(stage: Stage) -> None:
    stage.script.documents = rows(3)
    with pytest.raises(ConfigurationError, match="There is no index docs yet"):
        await stage.sync(deletes_only=True)
    assert await stage.engine.indices.resolve("docs*") == []


async def test_advanced_rules_by_which_rows_are_asked_for_are_refused(tmp_path: Path) -> None:
    methods = dict.fromkeys(("datasets", "read", "get_docs_by_rules"), lambda: None)  # which nobody gets to call
    asking = type("Asking", (BaseDataSource,), {"service_type": "staged", **methods})
    async with workplace(tmp_path, asking) as place:
        rule = {"advanced_snippet": {"value": ["x"]}}
        connector = await connector_of(place, filtering=[{"domain": "DEFAULT", "active": rule}])
        with pytest.raises(ConfigurationError, match="What advanced rules ask for can't be told"):
            await Sync(place, connector, deletes_only=True).run()
