"""Dead letters on the embedded engine, over a connection that breaks, and what is never in one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.engine import open_engine
from connectors.errors import EngineOverloaded, EngineRefused
from connectors.settings import EngineSettings
from connectors.store.dead_letter import (
    LONGEST_CAUSE,
    LONGEST_ID,
    LONGEST_REASON,
    LetterKind,
    key_of,
    letter_of,
    stored,
)
from connectors.store.dead_letters import DeadLetters
from tests.engine.conftest import Impatient
from tests.engine.stub import Reply, Stub, answer, greeting, half
from tests.store.letters_contract import LettersContract, letter

TEXTS = st.text() | st.text(st.characters(categories=["Cs"]) | st.characters())


def results(*status: int, kind: str = "es_rejected_execution_exception") -> Reply:
    done = {"_index": "i", "_id": "x", "result": "created"}
    failed = {"_index": "i", "_id": "x", "error": {"type": kind, "reason": "the reason"}}
    items = [{"index": {**(done if one < 300 else failed), "status": one}} for one in status]
    return answer(200, {"took": 1, "errors": True, "items": items})


class TestEmbedded(LettersContract):
    pass


async def test_letters_are_sent_again_until_each_is_kept() -> None:
    script = (half(), results(201, 429), results(200, 201))
    clock = Impatient()
    async with Stub(greeting(), *script) as stub:
        async with open_engine(EngineSettings(host=stub.url), clock) as engine:
            await DeadLetters(engine.control, clock).put_many([letter("c", "a"), letter("c", "b")])
    assert [one.target.partition("?")[0] for one in stub.requests[1:]] == [
        "/.elastic-connectors-dead-letters-v1/_bulk"
    ] * 3
    assert len({one.body for one in stub.requests[1:]}) == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (results(201, 429), EngineOverloaded),
        (results(201, 400, kind="document_parsing_exception"), EngineRefused),
    ],
)
async def test_a_letter_that_can_not_be_kept_is_an_error(reply: Reply, error: type[Exception]) -> None:
    clock = Impatient()
    async with Stub(greeting(), *[reply] * 5) as stub:
        async with open_engine(EngineSettings(host=stub.url), clock) as engine:
            with pytest.raises(error, match="Could not keep a dead letter: the reason"):
                await DeadLetters(engine.control, clock).put_many([letter("c", "a"), letter("c", "b")])


async def test_a_letter_that_is_written_anew_while_others_are_dropped_stays() -> None:
    hits = [{"_index": "i", "_id": one, "_seq_no": 1, "_primary_term": 1, "sort": [0]} for one in ("a", "b")]
    shards = {"total": 1, "successful": 1, "failed": 0}
    page = {"timed_out": False, "_shards": shards, "hits": {"total": {"value": 2, "relation": "eq"}, "hits": hits}}
    items = [
        {"delete": {"_index": "i", "_id": "a", "status": 200, "result": "deleted"}},
        {"delete": {"_index": "i", "_id": "b", "status": 409, "error": {"type": "version_conflict_engine_exception"}}},
    ]
    bulk = answer(200, {"took": 1, "errors": True, "items": items})
    async with Stub(greeting(), answer(), answer(200, {"id": "pit"}), answer(200, page), bulk, answer()) as stub:
        async with open_engine(EngineSettings(host=stub.url), Impatient()) as engine:
            assert await DeadLetters(engine.control).drop("c") == 1
    lines = [json.loads(line) for line in stub.requests[4].body.splitlines()]
    assert lines == [{"delete": {"_id": one, "if_seq_no": 1, "if_primary_term": 1}} for one in ("a", "b")]


@pytest.mark.parametrize(
    "reason",
    [
        "failed to parse field [n] of type [long] in document with id '1'. Preview of field's value: 'swordfish'",
        'For input string: "swordfish"\nswordfish',
    ],
)
def test_what_an_engine_quotes_of_a_document_is_not_kept(reason: str) -> None:
    body = stored(letter("c", "a", reason=reason)).decode()
    assert "swordfish" not in body
    assert json.loads(body)["reason"].endswith(": …")


def test_a_letter_is_bounded_whatever_is_wrong() -> None:
    huge = letter("c", "i" * 10**6, cause="c" * 10**6, reason="r" * 10**6, fields=("f" * 10**6,) * 10**3)
    kept = json.loads(stored(huge))
    assert [len(kept[name]) for name in ("id", "cause", "reason", "fields")] == [
        LONGEST_ID,
        LONGEST_CAUSE,
        LONGEST_REASON,
        100,
    ]
    assert {len(name) for name in kept["fields"]} == {LONGEST_CAUSE}


@given(TEXTS, TEXTS, TEXTS)
def test_any_text_can_be_kept(document_id: str, cause: str, reason: str) -> None:
    kept = letter_of("k", json.loads(stored(letter("c", document_id, cause=cause, reason=reason))))
    if document_id.isprintable():
        assert kept.id == document_id
    assert kept.kind is LetterKind.WRITE


@given(st.tuples(TEXTS, TEXTS, st.sampled_from(LetterKind)), st.tuples(TEXTS, TEXTS, st.sampled_from(LetterKind)))
def test_other_documents_have_other_keys(one: tuple[str, str, LetterKind], other: tuple[str, str, LetterKind]) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)
    assert key_of(one[0], "", one[2]) != key_of("", one[0], one[2]) or not one[0]
