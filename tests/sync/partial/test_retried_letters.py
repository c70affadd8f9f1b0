"""Retrying dead letters: what is well now is indexed, what is gone is deleted, and the rest keeps its letters."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.changes import Delete, Failed, Upsert
from connectors.download import Download
from connectors.errors import DocumentSkipped, SourceError, SourceUnreachable
from connectors.store.dead_letter import LetterKind
from connectors.store.sync_state import JobType
from connectors.sync.partial.retry import LetterRetry
from connectors.sync.report import SyncReport
from tests.sync.scripted import Scene, doc, docs, open_scene, told


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        yield await open_scene(stack, tmp_path)


@pytest.fixture(params=[True, False], ids=["by id", "by a walk"])
def either(request: pytest.FixtureRequest, scene: Scene) -> Scene:
    """Give the scene of a source that has single documents, and of one that has to be walked."""
    scene.log.by_id = request.param
    return scene


async def retried(scene: Scene, **chosen: Any) -> SyncReport:
    report = await LetterRetry(scene.place, await scene.connector()).run(**chosen)
    assert report.walked == report.accounted
    assert report.finished_at is not None
    return report


async def with_letters(scene: Scene) -> None:
    """Let three of five documents have letters: one that can't be converted, and two that can't be read."""
    scene.log.write(*map(Upsert, docs(5)))
    await scene.sync()
    scene.log.write(Upsert(doc(1, _sync="no")), Failed("doc2", "locked"), Failed("doc7", "locked"))
    await scene.sync()
    assert [one.id for one in await scene.letters()] == ["doc1", "doc2", "doc7"]


async def test_what_is_well_now_is_indexed_and_has_no_letter(either: Scene) -> None:
    await with_letters(either)
    either.log.put(doc(1, mended=True), doc(2, mended=True), doc(7), doc(3, unread=True))
    assert told(await retried(either)) == {"walked": 3, "created": 1, "updated": 2, "recovered": 3}
    assert await either.letters() == []
    wanted = [doc(0), doc(1, mended=True), doc(2, mended=True), doc(3), doc(4), doc(7)]
    assert not await either.difference(wanted)


async def test_only_these_documents_are_read_by_their_ids(scene: Scene) -> None:
    await with_letters(scene)
    scene.log.put(doc(1), doc(2), doc(7))
    await retried(scene)
    assert scene.log.asked_for == ["doc1", "doc2", "doc7"]


@pytest.mark.parametrize(("by_id", "known"), [(True, (2, 2)), (False, (None, 2))])
async def test_how_many_documents_there_will_be_is_told_where_each_is_read_by_its_id(
    scene: Scene, by_id: bool, known: tuple[int | None, int]
) -> None:
    await with_letters(scene)
    scene.log.by_id = by_id
    scene.log.put(doc(1), doc(2))
    scene.log.write(Delete("doc7"))
    report = await retried(scene)
    assert (report.expected, report.walked) == known


async def test_what_is_gone_is_deleted_and_has_no_letter(either: Scene) -> None:
    await with_letters(either)
    either.log.write(Delete("doc1"), Delete("doc2"), Delete("doc7"))
    report = await retried(either)
    assert (report.deleted, report.recovered) == (2, 3)
    assert await either.letters() == []
    assert not await either.difference([doc(0), doc(3), doc(4)])


async def test_what_is_gone_is_not_deleted_when_it_is_not_ours(either: Scene) -> None:
    either.log.write(Upsert(doc(0)), Failed("doc1", "locked"))
    await either.sync()
    await either.overwrite("doc1", text="of somebody else")
    either.log.write(Delete("doc1"))
    report = await retried(either)
    assert (report.deleted, report.recovered) == (0, 1)
    assert await either.stored("doc1") == {"text": "of somebody else"}


async def test_what_is_not_well_keeps_its_letter(scene: Scene) -> None:
    await with_letters(scene)
    scene.log.put(doc(2))
    scene.log.write(Failed("doc7", "still locked"))
    assert told(await retried(scene)) == {"walked": 3, "unchanged": 1, "letters": 2, "recovered": 1}
    assert [(one.id, one.kind) for one in await scene.letters()] == [("doc1", "convert"), ("doc7", "read")]


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"ids": ["doc2", "doc3"]}, ["doc1", "doc7"]),
        ({"kinds": [LetterKind.READ]}, ["doc1"]),
        ({"cause": "convert"}, ["doc2", "doc7"]),
        ({"cause": "nothing"}, ["doc1", "doc2", "doc7"]),
        ({"kinds": [LetterKind.READ], "ids": ["doc1"]}, ["doc1", "doc2", "doc7"]),
    ],
)
async def test_only_the_letters_that_were_chosen_are_retried(
    either: Scene, chosen: dict[str, Any], left: list[str]
) -> None:
    await with_letters(either)
    either.log.put(doc(1), doc(2), doc(7))
    report = await retried(either, **chosen)
    assert report.recovered == 3 - len(left)
    assert [one.id for one in await either.letters()] == left


async def test_a_content_is_fetched_again_though_its_version_is_the_same(either: Scene) -> None:
    errors = [DocumentSkipped("encrypted")]

    async def fetch() -> bytes:
        if errors:
            raise errors.pop()
        return b"the text"

    either.log.write(Upsert(doc(1), Download(fetch, content_version="a")))
    await either.sync()
    assert [one.kind for one in await either.letters()] == ["content"]
    assert told(await retried(either)) == {"walked": 1, "updated": 1, "downloaded": 1, "recovered": 1}
    assert await either.letters() == []
    assert await either.stored("doc1") == {"id": "doc1", "number": 1, "body": "the text"}


async def test_a_content_that_fails_again_keeps_its_letter(either: Scene) -> None:
    async def fetch() -> bytes:
        raise DocumentSkipped("encrypted")

    either.log.write(Upsert(doc(1), Download(fetch, content_version="a")))
    await either.sync()
    report = await retried(either)
    assert (report.updated, report.content_failed, report.recovered) == (1, 1, 0)
    assert [one.kind for one in await either.letters()] == ["content"]


async def test_a_document_that_a_rule_drops_now_is_deleted(either: Scene) -> None:
    either.log.write(Upsert(doc(1)), Failed("doc1", "locked"))
    await either.sync()
    rule = {"id": "r", "order": 0, "policy": "exclude", "field": "number", "rule": "equals", "value": "1"}
    await either.change(filtering={"rules": [rule]})
    either.log.put(doc(1))
    assert told(await retried(either)) == {"walked": 1, "dropped": 1, "deleted": 1, "recovered": 1}
    assert not await either.difference([])


async def test_a_walk_that_fails_deletes_nothing(scene: Scene) -> None:
    scene.log.by_id = False
    await with_letters(scene)
    scene.log.write(Delete("doc2"))
    scene.log.fails = SourceUnreachable("The page 2 did not come.")
    with pytest.raises(SourceUnreachable):
        await retried(scene)
    assert [one.id for one in await scene.letters()] == ["doc1", "doc2", "doc7"]
    assert not await scene.difference(docs(5))


async def test_a_walk_that_yields_nothing_deletes_nothing(scene: Scene) -> None:
    scene.log.by_id = False
    await with_letters(scene)
    scene.log.steps.clear()
    report = await retried(scene)
    assert (report.deleted, report.recovered) == (0, 0)
    assert report.error == "The source yielded nothing, so nothing is known of these documents."
    assert not await scene.difference(docs(5))


async def test_deletions_above_the_limit_are_held(either: Scene) -> None:
    await either.change(sync={"delete_guard": {"count": 1, "share": 0}})
    await with_letters(either)
    either.log.write(Delete("doc1"), Delete("doc2"), Delete("doc7"))
    report = await retried(either)
    assert (report.deleted, report.held) == (1, 1)
    assert [one.id for one in await either.letters()] == ["doc2"]


async def test_a_document_that_can_not_be_read_by_its_id_keeps_its_letter(scene: Scene) -> None:
    await with_letters(scene)
    scene.log.fails = DocumentSkipped("still locked")
    assert told(await retried(scene, ids=["doc2"])) == {"walked": 1, "letters": 1}
    scene.log.fails = ValueError("of a driver")
    with pytest.raises(SourceError, match="ValueError: of a driver"):
        await retried(scene)


async def test_without_letters_nothing_is_read(either: Scene) -> None:
    either.log.put(*docs(3))
    await either.sync()
    report = await retried(either)
    assert (report.walked, report.passes, report.error) == (0, 0, None)


async def test_a_document_without_an_id_is_left_to_the_next_full_sync(either: Scene) -> None:
    either.log.write(Upsert(doc(0)), Upsert({"number": 3}))
    await either.sync()
    report = await retried(either)
    assert (report.passes, report.recovered) == (0, 0)
    assert [one.id for one in await either.letters()] == ["(no id)"]
    either.log.steps.pop()
    await either.sync(JobType.FULL)
    assert await either.letters() == []
