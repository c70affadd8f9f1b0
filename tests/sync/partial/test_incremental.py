"""An incremental sync makes the index right about what changed, and its cursor says nothing that is not so."""

from pathlib import Path
from typing import Any

import pytest

from connectors.changes import Checkpoint, Delete, Failed, Upsert
from connectors.download import Download
from connectors.engine.indices import AliasChange
from connectors.errors import ConfigurationError, DocumentSkipped, IndexReplaced, SourceError, SourceUnreachable
from connectors.store.sync_state import JobType
from connectors.sync.ledger.copy import LedgerCopy
from connectors.sync.writing.writer import WriterLimits
from tests.sync.partial.intruder import intrude
from tests.sync.scripted import INDEX, Scene, doc, docs


def guard(count: int) -> dict[str, object]:
    return {"delete_guard": {"count": count, "share": 0}}


# What is written, and what is not.


async def test_a_first_sync_without_a_cursor_reads_everything(scene: Scene) -> None:
    scene.log.put(*docs(12))
    assert await scene.told() == {"walked": 12, "created": 12}
    assert not await scene.difference()
    assert scene.log.read_from == [None]
    assert await scene.cursor() == {"at": 12}


async def test_the_next_sync_reads_only_what_came_since(scene: Scene) -> None:
    scene.log.put(*docs(12))
    await scene.sync()
    scene.log.write(Upsert(doc(3, more=1)), Upsert(doc(20)), Delete("doc4"))
    assert await scene.told() == {"walked": 2, "created": 1, "updated": 1, "deleted": 1}
    assert not await scene.difference()
    assert scene.log.read_from == [None, {"at": 12}]
    assert await scene.cursor() == {"at": 15}


async def test_a_sync_without_changes_writes_nothing_and_leaves_the_cursor(scene: Scene) -> None:
    scene.log.put(*docs(3))
    await scene.sync()
    report = await scene.sync()
    assert (report.walked, report.sent, report.passes, report.error) == (0, 0, 1, None)
    assert await scene.cursor() == {"at": 3}


async def test_what_a_full_sync_indexed_is_unchanged(scene: Scene) -> None:
    scene.log.put(*docs(7))
    await scene.sync(JobType.FULL)
    assert await scene.told() == {"walked": 7, "unchanged": 7}


async def test_what_it_indexed_is_unchanged_for_a_full_sync_that_need_not_scan(scene: Scene) -> None:
    scene.log.put(*docs(7))
    await scene.sync(JobType.FULL)
    scene.log.write(Upsert(doc(2, more=1)), Delete("doc3"), Upsert(doc(9)), Delete("doc9"), Upsert(doc(8)))
    await scene.sync()
    report = await scene.sync(JobType.FULL)
    assert (report.walked, report.unchanged, report.deleted, report.scans) == (7, 7, 0, 0)
    assert not await scene.difference()


async def test_ids_that_come_again_in_a_chunk_are_superseded_by_the_last(scene: Scene) -> None:
    scene.log.page = 0
    scene.log.put(doc(1), doc(2), doc(1, second=True), doc(1, third=True))
    assert await scene.told() == {"walked": 4, "created": 2, "superseded": 2}
    assert not await scene.difference()
    assert await scene.cursor() is None


async def test_an_id_that_comes_in_every_chunk_has_its_last_state(scene: Scene) -> None:
    scene.log.page = 3
    for turn in range(6):
        scene.log.write(Upsert(doc(1, turn=turn)), Upsert(doc(turn + 10)), Delete(f"doc{turn + 9}"))
    report = await scene.sync()
    assert (report.walked, report.created, report.updated, report.deleted) == (12, 7, 5, 5)
    assert not await scene.difference()


async def test_a_document_that_is_deleted_and_comes_back_is_there(scene: Scene) -> None:
    scene.log.put(doc(1))
    await scene.sync()
    scene.log.write(Delete("doc1"), Upsert(doc(1, back=True)))
    assert await scene.told() == {"walked": 1, "updated": 1}
    scene.log.write(Upsert(doc(1, back=2)), Delete("doc1"))
    assert await scene.told() == {"walked": 1, "superseded": 1, "deleted": 1}
    assert not await scene.difference()


async def test_rows_with_equal_timestamps_are_all_there(scene: Scene) -> None:
    moment = "2026-01-01T00:00:00+00:00"
    scene.log.page = 2
    scene.log.put(*docs(9, _timestamp=moment))
    await scene.sync()
    scene.log.put(doc(4, _timestamp=moment, more=1), doc(5, _timestamp=moment))
    assert await scene.told() == {"walked": 2, "unchanged": 1, "updated": 1}
    assert not await scene.difference()


async def test_many_chunks_are_written_whole(scene: Scene) -> None:
    scene.log.page = 700
    scene.log.put(*docs(1_800))
    scene.log.put(*docs(1_800, again=True))
    report = await scene.sync()
    assert (report.walked, report.accounted, report.error) == (3_600, 3_600, None)
    assert not await scene.difference()


async def test_no_id_is_on_its_way_twice(scene: Scene) -> None:
    scene.log.page = 0
    scene.log.put(*docs(500), *docs(500, again=True))
    report = await scene.sync(writer=WriterLimits(batch_documents=2_000))
    assert (report.created, report.updated, report.requests) == (500, 500, 2)
    assert not await scene.difference()


# Rules, and what can't be indexed.


async def test_a_document_that_a_rule_drops_is_deleted(scene: Scene) -> None:
    scene.log.put(*docs(3, state="open"))
    rule = {"id": "r", "order": 0, "policy": "exclude", "field": "state", "rule": "equals", "value": "closed"}
    await scene.change(filtering={"rules": [rule]})
    await scene.sync()
    scene.log.put(doc(1, state="closed"), doc(9, state="closed"))
    assert await scene.told() == {"walked": 2, "dropped": 2, "deleted": 1}
    assert not await scene.difference([doc(0, state="open"), doc(2, state="open")])


async def test_what_can_not_be_read_or_converted_gets_a_letter_and_stays(scene: Scene) -> None:
    scene.log.put(doc(1), doc(2))
    await scene.sync()
    scene.log.write(Failed("doc1", "locked"), Upsert(doc(2, _sync=1)), Upsert({"number": 3}))
    report = await scene.sync()
    assert (report.walked, report.letters) == (3, 3)
    assert report.error == "3 documents could not be indexed: `connectors dead-letters list one` tells why."
    assert [(one.id, one.kind) for one in await scene.letters()] == [
        ("(no id)", "convert"),
        ("doc1", "read"),
        ("doc2", "convert"),
    ]
    assert not await scene.difference([doc(1), doc(2)])
    assert await scene.cursor() == {"at": 5}


async def test_a_document_that_is_well_again_has_no_letter(scene: Scene) -> None:
    scene.log.write(Upsert(doc(1)), Failed("doc1", "locked"))
    assert await scene.told() == {"walked": 2, "created": 1, "letters": 1}
    scene.log.write(Upsert(doc(1)))
    assert await scene.told() == {"walked": 1, "unchanged": 1}
    assert await scene.letters() == []


async def test_what_was_said_last_of_a_document_counts(scene: Scene) -> None:
    scene.log.write(Failed("doc1", "locked"), Upsert(doc(1)), Upsert(doc(2)), Failed("doc2", "locked"))
    assert await scene.told() == {"walked": 4, "created": 2, "superseded": 1, "letters": 1}
    assert [one.id for one in await scene.letters()] == ["doc2"]


async def test_a_document_that_was_gone_and_can_not_be_read_now_stays(scene: Scene) -> None:
    scene.log.put(doc(1))
    await scene.sync()
    scene.log.write(Delete("doc1"), Failed("doc1", "locked"))
    assert await scene.told() == {"walked": 1, "letters": 1}
    assert not await scene.difference([doc(1)])


async def test_a_document_that_is_gone_has_no_letter(scene: Scene) -> None:
    scene.log.write(Failed("doc1", "locked"))
    await scene.sync()
    scene.log.write(Delete("doc1"))
    assert await scene.told() == {}
    assert await scene.letters() == []


# Downloads.


async def test_contents_are_fetched_only_when_they_changed(scene: Scene) -> None:
    fetched: list[str] = []

    def content(version: str) -> Download:
        async def fetch() -> bytes:
            fetched.append(version)
            return f"the text of {version}".encode()

        return Download(fetch, content_version=version)

    scene.log.write(Upsert(doc(1), content("a")))
    assert await scene.told() == {"walked": 1, "created": 1, "downloaded": 1}
    scene.log.write(Upsert(doc(1), content("a")))
    assert await scene.told() == {"walked": 1, "unchanged": 1}
    scene.log.write(Upsert(doc(1, title="new"), content("a")))
    assert await scene.told() == {"walked": 1, "updated": 1}
    scene.log.write(Upsert(doc(1, title="new"), content("b")), Upsert(doc(1, title="newer"), content("b")))
    assert await scene.told() == {"walked": 2, "updated": 1, "superseded": 1, "downloaded": 1}
    assert fetched == ["a", "b"]
    assert await scene.stored("doc1") == {"id": "doc1", "number": 1, "title": "newer", "body": "the text of b"}


async def test_a_content_that_fails_is_reported_and_fetched_the_next_time(scene: Scene) -> None:
    errors = [DocumentSkipped("encrypted")]

    async def fetch() -> bytes:
        if errors:
            raise errors.pop()
        return b"text"

    scene.log.write(Upsert(doc(1), fetch))
    assert await scene.told() == {"walked": 1, "created": 1, "content_failed": 1}
    assert [one.kind for one in await scene.letters()] == ["content"]
    scene.log.write(Upsert(doc(1), fetch))
    assert await scene.told() == {"walked": 1, "updated": 1, "downloaded": 1}
    assert await scene.letters() == []


# Documents of others.


async def test_deletes_of_documents_that_are_not_ours_are_not_carried_out(scene: Scene) -> None:
    scene.log.put(doc(1))
    await scene.sync()
    await scene.overwrite("foreign", text="of somebody else")
    await scene.overwrite("another", _sync={"f": 1, "d": 0, "o": 1, "c": "two"})
    scene.log.write(Delete("foreign"), Delete("another"), Delete("nowhere"), Delete("x" * 600), Delete(""))
    assert await scene.told() == {}
    assert await scene.stored("foreign") == {"text": "of somebody else"}
    assert await scene.stored("another") == {}
    assert not await scene.difference()


async def test_a_document_of_another_connector_is_left_alone_while_there_is_that(scene: Scene) -> None:
    scene.log.put(doc(1))
    await scene.sync()
    await scene.place.connectors.create("two", {"service_type": "log", "index_name": "elsewhere"})
    await scene.overwrite("doc2", _sync={"f": 1, "d": 0, "o": 1, "c": "two"})
    await scene.overwrite("doc3", _sync={"f": 1, "d": 0, "o": 1, "c": "three"})
    await scene.overwrite("doc4", text="without a mark")
    scene.log.put(doc(2), doc(3), doc(4))
    assert await scene.told() == {"walked": 3, "created": 2, "letters": 1}
    (letter,) = await scene.letters()
    assert (letter.id, letter.cause) == ("doc2", "another connector's")
    assert "'two'" in letter.reason
    assert not await scene.difference([doc(1), doc(3), doc(4)])


async def test_what_somebody_changed_in_part_is_sent_again(scene: Scene) -> None:
    scene.log.put(doc(1), doc(2))
    await scene.sync()
    await scene.edit("doc1", number=99)
    scene.log.put(doc(1), doc(2))
    assert await scene.told() == {"walked": 2, "unchanged": 1, "updated": 1}
    assert not await scene.difference()


async def test_what_somebody_changes_while_it_is_written_is_mended(scene: Scene) -> None:
    scene.log.page = 1
    done: list[str] = []

    async def once() -> None:
        if not done:
            done.append("edited")
            await scene.edit("doc1", number=99)

    scene.log.write(Upsert(doc(1)), Upsert(doc(2)), once, Upsert(doc(3)))
    report = await scene.sync()
    assert (report.passes, report.unsettled, report.error) == (2, False, None)
    assert (report.walked, report.created, report.updated, report.unchanged) == (6, 3, 1, 2)
    assert not await scene.difference()
    assert await scene.cursor() == {"at": 4}


async def test_what_somebody_writes_elsewhere_needs_no_second_pass(scene: Scene) -> None:
    async def foreign() -> None:
        await scene.overwrite("foreign", text="of somebody else")

    scene.log.write(Upsert(doc(1)), foreign, Upsert(doc(2)))
    report = await scene.sync()
    assert (report.passes, report.error) == (1, None)
    assert not await scene.difference()


async def test_what_somebody_keeps_changing_is_named(scene: Scene) -> None:
    scene.log.put(doc(1), doc(2))
    data = intrude(scene)
    data.after = [lambda: scene.edit("doc1", number=99)] * 3
    report = await scene.sync()
    assert (report.passes, report.unsettled) == (3, True)
    assert report.error == (
        f"Others kept writing to documents in {INDEX} meanwhile, such as 'doc1', so they may differ from the source."
    )


async def test_after_a_foreign_write_the_copy_of_the_ledger_is_void(scene: Scene, tmp_path: Path) -> None:
    scene.log.put(*docs(4))
    await scene.sync()
    await scene.sync(JobType.FULL)
    assert len(LedgerCopy(tmp_path / "ledgers").names()) == 1

    async def edit() -> None:
        await scene.edit("doc3", number=99)

    scene.log.write(Upsert(doc(1, more=1)), edit)
    await scene.sync()
    assert LedgerCopy(tmp_path / "ledgers").names() == []
    report = await scene.sync(JobType.FULL)
    assert (report.updated, report.scans) == (1, 1)
    assert not await scene.difference()


async def test_a_delete_that_meets_something_newer_is_decided_anew(scene: Scene) -> None:
    scene.log.page = 4
    scene.log.put(*docs(4))
    await scene.sync()

    async def others() -> None:
        await scene.edit("doc0", number=99)
        await scene.overwrite("doc1", text="now somebody else's")
        await scene.engine.control.delete(INDEX, "doc2")

    intrude(scene).before = [others]
    scene.log.write(*[Delete(f"doc{number}") for number in range(4)])
    report = await scene.sync()
    assert (report.deleted, report.conflicts, report.error) == (3, 3, None)
    assert await scene.stored("doc1") == {"text": "now somebody else's"}
    assert not await scene.difference([])


async def test_a_delete_that_never_gets_through_is_a_letter_that_no_document_counts_for(scene: Scene) -> None:
    scene.log.put(doc(1))
    await scene.sync()
    intrude(scene).before = [lambda: scene.edit("doc1", number=99)] * 100
    scene.log.write(Delete("doc1"))
    report = await scene.sync()
    assert (report.walked, report.letters, report.deleted) == (0, 0, 0)
    assert [(one.id, one.cause) for one in await scene.letters()] == [("doc1", "conflict")]


# An index that is another one.


@pytest.mark.parametrize("changes", [0, 4])
async def test_an_alias_that_means_another_index_ends_the_sync_and_the_next_one_reads_everything(
    scene: Scene, changes: int
) -> None:
    scene.log.put(*docs(6))
    await scene.sync()

    async def swap() -> None:
        await scene.engine.indices.create("docs-000002")
        moved = [AliasChange(INDEX, "docs", remove=True), AliasChange("docs-000002", "docs")]
        await scene.engine.indices.change_aliases(moved)

    scene.log.page = 0
    scene.log.write(*map(Upsert, docs(changes)), swap)
    with pytest.raises(IndexReplaced):
        await scene.sync()
    del scene.log.steps[6:]
    assert await scene.told() == {"walked": 6, "created": 6}


# The guard.


async def test_deletions_above_the_limit_are_held(scene: Scene) -> None:
    await scene.change(sync=guard(3))
    scene.log.put(*docs(8))
    await scene.sync()
    scene.log.write(*[Delete(f"doc{number}") for number in range(6)], Upsert(doc(5, back=True)))
    report = await scene.sync()
    assert (report.deleted, report.held, report.updated) == (3, 2, 1)
    assert report.error == (
        "2 deletions are held: The source told of more deletions than 3, which is the limit of one sync. "
        "`connectors deletes list one` tells more."
    )
    (held,) = await scene.place.held.of("one")
    assert [ids async for ids in scene.place.held.ids(held)] == [["doc3", "doc4"]]
    assert not await scene.difference([doc(3), doc(4), doc(5, back=True), doc(6), doc(7)])
    assert await scene.cursor() == {"at": 15}


async def test_what_is_held_and_comes_again_later_is_held_no_more(scene: Scene) -> None:
    await scene.change(sync=guard(1))
    scene.log.page = 1
    scene.log.put(*docs(4))
    await scene.sync()
    scene.log.write(*[Delete(f"doc{number}") for number in range(3)], Upsert(doc(1, back=True)))
    report = await scene.sync()
    assert (report.deleted, report.held) == (1, 1)
    assert not await scene.difference([doc(1, back=True), doc(2), doc(3)])


async def test_a_cursor_behind_deletions_to_be_held_is_saved_only_when_they_are(scene: Scene) -> None:
    await scene.change(sync=guard(1))
    scene.log.page = 1
    scene.log.put(*docs(4))
    await scene.sync()
    scene.log.write(*[Delete(f"doc{number}") for number in range(3)], SourceUnreachable("The log ends here."))
    with pytest.raises(SourceUnreachable):
        await scene.sync()
    assert await scene.cursor() == {"at": 5}


async def test_what_was_held_and_approved_is_deleted_by_the_next_full_sync(scene: Scene) -> None:
    await scene.change(sync=guard(1))
    scene.log.put(*docs(6))
    await scene.sync(JobType.FULL)
    await scene.sync()
    scene.log.write(*[Delete(f"doc{number}") for number in range(4)])
    await scene.sync()
    (held,) = await scene.place.held.of("one")
    await scene.place.held.approve("one", held.run)
    report = await scene.sync(JobType.FULL)
    assert (report.deleted, report.held, report.skipped) == (3, 0, False)
    assert not await scene.difference()
    assert await scene.place.held.of("one") == []


# What a source says.


async def test_errors_of_a_source_that_are_none_of_ours_are_its_errors(scene: Scene) -> None:
    scene.log.write(KeyError("page"))
    with pytest.raises(SourceError, match="The source failed: KeyError: 'page'"):
        await scene.sync()


@pytest.mark.parametrize("cursor", [{"at": {1, 2}, "x": object()}, "a text", None])
async def test_a_cursor_that_is_no_json_is_an_error_of_the_source(scene: Scene, cursor: object) -> None:
    scene.log.write(Upsert(doc(1)), Checkpoint(cursor))  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="no JSON object"):
        await scene.sync()


async def test_what_is_no_change_is_an_error_of_the_source(scene: Scene) -> None:
    scene.log.write(("a", "tuple"))
    with pytest.raises(SourceError, match="of the type tuple, which is no change"):
        await scene.sync()


async def test_a_full_sync_is_not_skipped_while_something_is_open(scene: Scene) -> None:
    scene.log.put(doc(1))
    await scene.sync(JobType.FULL)
    assert (await scene.state()).completed is not None
    scene.log.write(Failed("doc1", "locked"))
    await scene.sync()
    completed = (await scene.state()).completed
    assert completed is not None
    assert completed.stamp is None


async def test_a_source_that_can_not_tell_what_changed_is_refused(scene: Scene) -> None:
    await scene.change(service_type="full")
    with pytest.raises(ConfigurationError, match="The source full can't tell what changed"):
        await scene.sync()


async def test_a_higher_epoch_in_the_index_is_risen_above(scene: Scene) -> None:
    scene.log.put(doc(1), doc(2))
    await scene.sync()
    found = await scene.engine.data.get(INDEX, "doc1")
    assert found is not None
    later = found.version + (5_000 << 21)
    mark: dict[str, Any] = {**found.source["_sync"], "o": later}
    await scene.overwrite("doc1", **{**found.source, "_sync": mark})
    scene.log.put(doc(1), doc(2, more=1))
    await scene.sync()
    written = await scene.engine.data.get(INDEX, "doc2")
    assert written is not None
    assert written.version > later
    assert not await scene.difference()
