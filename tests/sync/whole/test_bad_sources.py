"""Sources that fail, yield what they should not, and say secrets: nothing is lost, foreign or loud by that."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from connectors.changes import Failed
from connectors.download import Download
from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
    TooManyLetters,
)
from connectors.store.sync_state import JobType
from connectors.sync.letters import IN_A_ROW
from tests.sync.rows import SECRET, Fetching, Stage, row, rows


@pytest.fixture
async def synced(stage: Stage) -> Stage:
    """Return a stage whose index holds 25 documents."""
    stage.script.documents = rows(25)
    await stage.sync()
    return stage


async def test_a_foreign_error_becomes_one_of_the_source_with_secrets_masked(synced: Stage) -> None:
    synced.script.documents = [*rows(5), RuntimeError(f"no login with {SECRET}")]
    with pytest.raises(SourceError) as caught:
        await synced.sync()
    assert str(caught.value).startswith("The source failed: RuntimeError: no login with ***.")
    assert (SECRET in repr(caught.value), caught.value.__cause__, caught.value.__suppress_context__) == (
        False,
        None,
        True,
    )
    assert not await synced.difference(rows(25))


@pytest.mark.parametrize("kind", [SourceUnreachable, AccessDenied, partial(ConfigurationError, field="f")])
async def test_an_error_of_ours_passes_as_it_is(synced: Stage, kind: Callable[[str], ConnectorsError]) -> None:
    error = kind("gone")
    synced.script.documents = [*rows(5), error]
    with pytest.raises(type(error)) as caught:
        await synced.sync()
    assert caught.value is error
    assert not await synced.difference(rows(25))


@pytest.mark.parametrize("strange", [(), (row(1),), (row(1), None, None), (row(1), Download(Fetching(b""), 5))])  # type: ignore[arg-type]
async def test_what_is_no_document_and_no_download_is_an_error_of_the_source(synced: Stage, strange: object) -> None:
    synced.script.documents = [*rows(5), strange]
    with pytest.raises(SourceError):
        await synced.sync()
    assert not await synced.difference(rows(25))


@pytest.mark.parametrize("strange", [None, 5, "row", [row(1)], {}, {"_id": None}, {"_id": [1]}, Failed(None, "why")])  # type: ignore[arg-type]
@pytest.mark.parametrize("rules", [False, True])
async def test_what_has_no_id_is_a_letter(synced: Stage, strange: object, rules: bool) -> None:
    if rules:
        rule = {"id": "r", "policy": "exclude", "field": "number", "rule": ">", "value": "1000", "order": 1}
        await synced.change(filtering=[{"domain": "DEFAULT", "active": {"rules": [rule]}}])
    synced.script.documents = [*rows(25), strange]
    counters = await synced.told()
    assert counters == {"walked": 26, "unchanged": 25, "letters": 1, "passes": 1}
    assert [one.id for one in await synced.letters()] == ["(no id)"]
    assert not await synced.difference(rows(25))


async def test_a_source_that_can_not_be_closed_has_been_read_all_the_same(
    synced: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    synced.script.on_close = RuntimeError(f"broken {SECRET}")
    assert await synced.told() == {"walked": 25, "unchanged": 25, "passes": 1}
    assert synced.script.closed == 2
    assert ("could not be closed" in caplog.text, SECRET in caplog.text) == (True, False)


async def test_a_walk_that_fails_at_its_very_end_is_not_complete(synced: Stage) -> None:
    synced.script.documents, synced.script.at_end_of_walk = [], ValueError("half a page")
    with pytest.raises(SourceError, match="ValueError: half a page"):
        await synced.sync()
    assert not await synced.difference(rows(25))


async def test_a_source_that_fails_while_it_is_stopped_does_not_hide_why(synced: Stage) -> None:
    reached = asyncio.Event()

    async def wait() -> None:
        reached.set()
        await asyncio.Event().wait()

    synced.script.documents = [*rows(5), wait]
    synced.script.at_end_of_walk = synced.script.on_close = ValueError("in the way")
    task = asyncio.create_task(synced.sync())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_token_that_can_not_be_kept_is_an_error_before_anything_is_read(stage: Stage) -> None:
    stage.script.token, stage.script.documents = {"at": object()}, rows(5)
    with pytest.raises(SourceError, match="TypeError"):
        await stage.sync()
    assert stage.script.walks == 0


async def test_who_may_read_what_is_told_though_the_rules_are_wrong(stage: Stage) -> None:
    rule = {"id": "r", "policy": "perhaps", "field": "number", "rule": ">", "value": "1", "order": 1}
    await stage.change(filtering=[{"domain": "DEFAULT", "active": {"rules": [rule]}}])
    stage.script.identities = [row(1)]
    assert await stage.told(JobType.ACCESS_CONTROL) == {"walked": 1, "created": 1, "sent": 1, "passes": 1, "scans": 1}
    with pytest.raises(ConfigurationError, match="sync rules"):
        await stage.sync()


BAD_FIELD: dict[str, Any] = {"_sync": {"c": "me"}}


@pytest.mark.parametrize("doc_id", ["7", 7], ids=["a text", "a number"])
@pytest.mark.parametrize("failure", [BAD_FIELD, None], ids=["convert", "read"])
async def test_a_document_that_can_not_be_read_any_more_is_kept(stage: Stage, doc_id: Any, failure: Any) -> None:
    documents = rows(3)
    stage.script.documents = [*documents, {"_id": doc_id, "number": 7}]
    await stage.sync()
    bad = {"_id": doc_id, **failure} if failure else Failed(doc_id, "locked")
    stage.script.documents = [*documents, bad]
    assert await stage.told() == {"walked": 4, "unchanged": 3, "letters": 1, "passes": 1}
    assert not await stage.difference([*documents, {"_id": "7", "number": 7}])
    assert [(one.id, str(one.kind)) for one in await stage.letters()] == [("7", "convert" if failure else "read")]


def bad(number: int, kind: str) -> Any:
    return Failed(f"bad{number}", "locked") if kind == "read" else {"_id": f"bad{number}", **BAD_FIELD}


@pytest.mark.parametrize("kind", ["read", "convert"])
async def test_bad_documents_among_good_ones_are_letters_however_many(synced: Stage, kind: str) -> None:
    many = IN_A_ROW + 10
    among = [one for number in range(many) for one in (row(number), bad(number, kind))]
    synced.script.documents = among
    counters = await synced.told()
    assert counters["letters"] == many
    assert not await synced.difference(rows(many))


@pytest.mark.parametrize("kind", ["read", "convert"])
async def test_bad_documents_one_after_the_other_end_a_sync_before_anything_is_deleted(
    synced: Stage, kind: str
) -> None:
    synced.script.documents = [row(0), *(bad(number, kind) for number in range(IN_A_ROW))]
    with pytest.raises(TooManyLetters):
        await synced.sync()
    assert not await synced.difference(rows(25))


@pytest.mark.parametrize("kind", ["read", "convert"])
async def test_a_bad_document_that_comes_again_and_is_good_has_no_letter(synced: Stage, kind: str) -> None:
    good = {"_id": "bad0", "number": 0}
    synced.script.documents = [*rows(25), bad(0, kind), good]
    assert await synced.told() == {
        "walked": 27, "unchanged": 25, "created": 1, "superseded": 1, "repeated": 1, "sent": 1, "passes": 1,
    }  # fmt: skip
    assert not await synced.letters()
    assert not await synced.difference([*rows(25), good])
