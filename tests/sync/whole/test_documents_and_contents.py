"""What becomes of documents that come twice, can't be indexed, or have contents that can't be had."""

from typing import Any

import pytest

from connectors.changes import Failed
from connectors.download import Download
from connectors.errors import DocumentSkipped, SourceError, TooManyLetters
from connectors.store.sync_state import JobType
from tests.sync.rows import Fetching, Stage, row, rows


def kinds(letters: list[Any]) -> list[tuple[str, str]]:
    return [(one.id, str(one.kind)) for one in letters]


# Ids that come again.


async def test_of_documents_of_one_id_the_last_one_counts(stage: Stage) -> None:
    stage.script.documents = [row(1, turn=1), row(2), row(1, turn=2), row(1, turn=3)]
    told = {"walked": 4, "created": 2, "updated": 1, "superseded": 1, "repeated": 2, "sent": 3, "passes": 1, "scans": 1}
    assert await stage.told() == told
    assert not await stage.difference([row(1, turn=3), row(2)])


async def test_an_id_that_comes_again_much_later_is_written_after_the_first(stage: Stage) -> None:
    stage.script.documents = [*rows(1_100), row(3, again=True)]
    told = await stage.told()
    assert (told["created"], told["updated"], told["repeated"], told.get("superseded")) == (1_100, 1, 1, None)
    assert not await stage.difference([*rows(3), row(3, again=True), *rows(1_100)[4:]])


async def test_an_id_that_comes_again_as_it_was_is_unchanged(stage: Stage) -> None:
    stage.script.documents = [*rows(5), row(3)]
    told = {"walked": 6, "created": 5, "unchanged": 1, "repeated": 1, "sent": 5, "passes": 1, "scans": 1}
    assert await stage.told() == told
    assert await stage.told() == {"walked": 6, "unchanged": 6, "repeated": 1, "passes": 1}


async def test_an_id_that_comes_again_with_contents_waits_for_them(stage: Stage) -> None:
    first, last = Fetching(b"first"), Fetching(b"last")
    stage.script.documents = [(row(1), first), (row(1), last)]
    told = await stage.told()
    assert (told["created"], told["updated"], told["downloaded"]) == (1, 1, 2)
    assert not await stage.difference([row(1, body="last")])


async def test_a_document_that_could_not_be_read_at_first_is_well_when_it_comes(stage: Stage) -> None:
    stage.script.documents = [Failed("row1", "locked"), row(1)]
    told = await stage.told()
    assert told["walked"] == 2
    assert not await stage.difference([row(1)])


# Documents that can't be indexed.


async def test_each_bad_document_is_a_letter_and_its_neighbours_are_indexed(stage: Stage) -> None:
    bad: list[Any] = [
        Failed("row90", "locked"),
        {"_id": "row91", "_sync": {"c": "me"}},
        {"_id": "x" * 513},
        {"_id": ""},
        {"_id": "row92", "number": {"no": 1}},
    ]
    stage.script.documents = [*rows(5), *bad, *rows(10)[5:]]
    told = await stage.told()
    assert told == {"walked": 15, "created": 10, "letters": 5, "sent": 11, "passes": 1, "scans": 1}
    assert not await stage.difference(rows(10))
    assert kinds(await stage.letters()) == [
        ("", "convert"),
        ("row90", "read"),
        ("row91", "convert"),
        ("row92", "write"),
        ("x" * 513, "convert"),
    ]
    assert stage.last is not None
    assert "5 documents could not be indexed" in (stage.last.error or "")


async def test_a_document_that_is_well_again_loses_its_letter(stage: Stage) -> None:
    stage.script.documents = [row(1, number={"no": 1}), *rows(1)]
    stage.script.documents.reverse()
    assert (await stage.told())["letters"] == 1
    stage.script.documents = rows(2)
    assert (await stage.told())["created"] == 1
    assert await stage.letters() == []
    assert not await stage.difference(rows(2))


async def test_a_refused_change_leaves_the_document_as_it_was_and_is_tried_again(stage: Stage) -> None:
    stage.script.documents = rows(3)
    await stage.sync()
    stage.script.documents = [*rows(2), row(2, number={"no": 1})]
    for _ in range(2):
        assert await stage.told() == {"walked": 3, "unchanged": 2, "letters": 1, "sent": 1, "passes": 1}
        assert not await stage.difference(rows(3))


async def test_too_many_bad_documents_end_the_sync_before_anything_is_deleted(stage: Stage) -> None:
    stage.script.documents = rows(30)
    await stage.sync()
    stage.script.documents = [Failed(f"row{number}", "locked") for number in range(50)]
    with pytest.raises(TooManyLetters, match="50 documents in a row"):
        await stage.sync()
    assert not await stage.difference(rows(30))


async def test_letters_about_who_may_read_what_and_about_documents_are_kept_apart(stage: Stage) -> None:
    stage.script.documents = [row(1), Failed("row9", "locked")]
    stage.script.identities = [row(1), Failed("user9", "locked")]
    await stage.sync()
    await stage.sync(JobType.ACCESS_CONTROL)
    assert [one.id for one in await stage.letters()] == ["row9", "user9"]
    await stage.sync()
    assert [one.id for one in await stage.letters()] == ["row9", "user9"]


# Contents.


def versioned(fetching: Fetching, version: str = "1") -> Download:
    return Download(fetching, content_version=version)


async def test_a_content_of_the_same_version_is_not_fetched_again(stage: Stage) -> None:
    content = Fetching(b"text")
    stage.script.documents = [(row(1), versioned(content))]
    assert (await stage.told())["downloaded"] == 1
    assert await stage.told() == {"walked": 1, "unchanged": 1, "passes": 1}
    assert content.fetched == 1


async def test_when_only_metadata_changed_the_content_is_carried_over(stage: Stage) -> None:
    content = Fetching(b"text")
    stage.script.documents = [(row(1), versioned(content))]
    await stage.sync()
    stage.script.documents = [(row(1, new=1), versioned(content))]
    assert await stage.told() == {"walked": 1, "updated": 1, "sent": 1, "passes": 1}
    assert content.fetched == 1
    assert not await stage.difference([row(1, new=1, body="text")])
    assert await stage.told() == {"walked": 1, "unchanged": 1, "passes": 1}


async def test_a_content_that_somebody_changed_is_fetched_again(stage: Stage) -> None:
    content = Fetching(b"text")
    stage.script.documents = [(row(1), versioned(content))]
    await stage.sync()
    await stage.edit("row1", body="other")
    assert (await stage.told())["downloaded"] == 1
    assert not await stage.difference([row(1, body="text")])


async def test_a_new_version_of_a_content_is_fetched(stage: Stage) -> None:
    stage.script.documents = [(row(1), versioned(Fetching(b"old")))]
    await stage.sync()
    stage.script.documents = [(row(1), versioned(Fetching(b"new"), "2"))]
    told = {"walked": 1, "updated": 1, "downloaded": 1, "sent": 1, "passes": 1}
    assert await stage.told() == told
    assert not await stage.difference([row(1, body="new")])


async def test_a_content_without_a_version_is_fetched_and_sent_only_if_it_differs(stage: Stage) -> None:
    stage.script.documents = [(row(1), Fetching(b"text"))]
    await stage.sync()
    assert await stage.told() == {"walked": 1, "unchanged": 1, "downloaded": 1, "passes": 1}
    stage.script.documents = [(row(1), Fetching(b"other"))]
    assert await stage.told() == {"walked": 1, "updated": 1, "downloaded": 1, "sent": 1, "passes": 1}
    assert not await stage.difference([row(1, body="other")])


@pytest.mark.parametrize("with_version", [False, True])
async def test_a_content_that_could_not_be_had_is_tried_again_by_the_next_sync(
    stage: Stage, with_version: bool
) -> None:
    content = Fetching(b"text", [SourceError("broken"), SourceError("broken")])
    stage.script.documents = [(row(1), versioned(content) if with_version else content)]
    failed = {"walked": 1, "content_failed": 1, "sent": 1, "passes": 1}
    assert await stage.told() == {**failed, "created": 1, "scans": 1}
    assert not await stage.difference([row(1)])
    assert kinds(await stage.letters()) == [("row1", "content")]
    assert await stage.told() == {**failed, "updated": 1}
    assert (await stage.told())["downloaded"] == 1
    assert not await stage.difference([row(1, body="text")])
    assert await stage.letters() == []
    again = {"walked": 1, "unchanged": 1, "passes": 1}
    assert await stage.told() == (again if with_version else {**again, "downloaded": 1})


async def test_a_content_that_never_can_be_had_is_not_asked_for_again(stage: Stage) -> None:
    content = Fetching(b"text", [DocumentSkipped("encrypted")] * 3)
    stage.script.documents = [(row(1), versioned(content))]
    assert (await stage.told())["content_failed"] == 1
    assert await stage.told() == {"walked": 1, "unchanged": 1, "passes": 1}
    assert content.fetched == 1
    assert kinds(await stage.letters()) == [("row1", "content")]
    stage.script.documents = [(row(1), versioned(Fetching(b"text"), "2"))]
    assert (await stage.told())["downloaded"] == 1
    assert await stage.letters() == []


async def test_the_letter_of_a_content_goes_with_its_document(stage: Stage) -> None:
    stage.script.documents = [row(0), (row(1), versioned(Fetching(b"", [DocumentSkipped("encrypted")])))]
    await stage.sync()
    stage.script.documents = [row(0)]
    assert (await stage.told())["deleted"] == 1
    assert await stage.letters() == []


# Who may read what.


async def test_identities_have_an_index_of_their_own_no_rules_and_are_deleted(stage: Stage) -> None:
    rule = {"id": "r", "policy": "exclude", "field": "number", "rule": ">", "value": "0", "order": 1}
    await stage.change(filtering=[{"domain": "DEFAULT", "active": {"rules": [rule]}}])
    stage.script.documents = rows(3)
    stage.script.identities = rows(5, query={"template": {"params": {"x": ["y"]}}})
    assert (await stage.told())["dropped"] == 2
    told = {"walked": 5, "created": 5, "sent": 5, "passes": 1, "scans": 1}
    assert await stage.told(JobType.ACCESS_CONTROL) == told
    assert not await stage.difference(stage.script.identities, ".search-acl-filter-docs")
    stage.script.identities = stage.script.identities[:3]
    assert (await stage.told(JobType.ACCESS_CONTROL))["deleted"] == 2
    assert not await stage.difference(stage.script.identities, ".search-acl-filter-docs")
    assert not await stage.difference(rows(1))
