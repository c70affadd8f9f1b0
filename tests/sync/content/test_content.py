import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.engine.engine import open_engine
from connectors.errors import DocumentSkipped
from connectors.settings import EngineSettings
from connectors.sync.content.extraction import PipelineAttachment, PlainText
from connectors.sync.content.policy import ContentFields, ContentPolicy

TEXT = ContentPolicy(PlainText())
PIPELINE = ContentPolicy(PipelineAttachment(), pipeline=True)
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("pipeline", "extract", "expected"),
    [(True, True, PipelineAttachment), (True, False, PlainText), (False, True, PlainText), (False, False, PlainText)],
)
def test_only_a_pipeline_that_extracts_is_sent_the_bytes(pipeline: bool, extract: bool, expected: type) -> None:
    policy = ContentPolicy.of(pipeline=pipeline, extract_binary_content=extract)
    assert (type(policy.extractor), policy.pipeline) == (expected, pipeline)


async def test_text_becomes_the_body() -> None:
    assert await TEXT.fields_of(b"hello", {"title": "x"}) == ContentFields({"body": "hello"})


async def test_bytes_without_text_add_nothing_and_say_so() -> None:
    assert await TEXT.fields_of(b"\xff\xfe\xfd", {}) == ContentFields({}, without_text=True)


async def test_a_pipeline_is_sent_whatever_there_is() -> None:
    assert await PIPELINE.fields_of(b"\xff\xfe\xfd", {}) == ContentFields({"_attachment": "//79"})


async def test_an_extractor_is_told_the_name() -> None:
    class Named:
        version = "named-1"

        async def fields_of(self, content: bytes, name: str | None) -> Mapping[str, Any]:
            return {"text": f"{name}: {len(content)}"}

    assert (await ContentPolicy(Named()).fields_of(b"123", {}, name="a.pdf")).fields == {"text": "a.pdf: 3"}


async def test_metadata_is_never_replaced() -> None:
    added = await TEXT.fields_of({"owner": "me", "text": "t"}, {"_id": "1", "owner": "you"})
    assert added == ContentFields({"text": "t"}, clashes=frozenset({"owner"}))
    assert await TEXT.fields_of(b"text", {"body": None}) == ContentFields({}, clashes=frozenset({"body"}))


async def test_what_a_content_may_not_say_is_refused() -> None:
    content: dict[Any, Any] = {
        "_allow_access_control": ["me"],
        "_sync": {},
        1: "one",
        "1": "text",
        "_id": 1,
        "_timestamp": 2,
    }
    added = await TEXT.fields_of(content, {"_id": "1"})
    assert added == ContentFields({"1": "text"}, refused=frozenset({"_allow_access_control", "_sync", "1"}))


@pytest.mark.parametrize("attachment", [b"hello", base64.b64encode(b"hello").decode()])
async def test_an_attachment_among_fields_is_extracted(attachment: object) -> None:
    content = {"_id": "1", "_attachment": attachment, "pages": 3}
    assert await TEXT.fields_of(content, {}) == ContentFields({"pages": 3, "body": "hello"})
    assert await PIPELINE.fields_of(content, {}) == ContentFields({"pages": 3, "_attachment": "aGVsbG8="})


async def test_fields_that_a_source_gives_come_before_what_is_extracted() -> None:
    assert (await TEXT.fields_of({"_attachment": b"raw", "body": "better"}, {})).fields == {"body": "better"}


async def test_an_attachment_without_text_adds_what_is_beside_it() -> None:
    added = await TEXT.fields_of({"_attachment": b"\xff", "pages": 3}, {})
    assert added == ContentFields({"pages": 3}, without_text=True)


async def test_an_attachment_that_is_broken_is_a_failure() -> None:
    with pytest.raises(DocumentSkipped):
        await TEXT.fields_of({"_attachment": "?"}, {})


def test_a_pipeline_leaves_nothing_to_carry_over() -> None:
    policy = ContentPolicy(PlainText(), pipeline=True)
    assert policy.carriable(ContentFields({"body": "text"})) is None
    assert policy.carried_over({"body": "text"}, ["body"], {}) is None


def test_fields_that_clashed_are_not_carried_over() -> None:
    assert TEXT.carriable(ContentFields({"a": 1}, clashes=frozenset({"b"}))) is None


def test_fields_that_were_refused_do_not_stand_in_the_way() -> None:
    assert TEXT.carriable(ContentFields({"b": 1, "a": 2}, refused=frozenset({"_x"}))) == ["a", "b"]


def test_a_content_that_added_nothing_is_carried_over_as_nothing() -> None:
    assert TEXT.carriable(ContentFields({}, without_text=True)) == []
    assert TEXT.carried_over({"title": "old", "body": "metadata"}, [], {"title": "new"}) == ContentFields({})


def test_new_metadata_of_a_name_comes_before_what_is_carried_over() -> None:
    carried = TEXT.carried_over({"body": "text", "pages": 3}, ["body", "pages"], {"pages": "new"})
    assert carried == ContentFields({"body": "text"}, clashes=frozenset({"pages"}))
    assert TEXT.carriable(carried) is None


@pytest.mark.parametrize("names", [None, "body", {"body": 1}, [1], ["body", "gone"], [["body"]]])
def test_names_that_are_not_to_be_had_mean_fetching_again(names: object) -> None:
    assert TEXT.carried_over({"body": "text"}, names, {}) is None


NAMES = st.sampled_from(["a", "b", "body", "_x", "_id"])
DOCUMENTS = st.dictionaries(NAMES, st.integers())


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS | st.binary(max_size=3))
async def test_carrying_over_equals_fetching_again(
    old: dict[str, Any], new: dict[str, Any], content: dict[str, Any] | bytes
) -> None:
    before = await TEXT.fields_of(content, old)
    stored = {**old, **before.fields}
    carried = TEXT.carried_over(stored, TEXT.carriable(before), new)
    fetched = await TEXT.fields_of(content, new)
    assert carried is None or (carried.fields, carried.clashes) == (fetched.fields, fetched.clashes)


async def test_what_an_engine_stored_is_carried_over_as_it_was(tmp_path: Path) -> None:
    content = {
        "text": "é𝄞\n",
        "pages": [1, 2],
        "more": {"a": None},
    }
    added = await TEXT.fields_of(content, {"title": "old"})
    async with open_engine(EngineSettings(data=tmp_path)) as engine:
        await engine.data.put("docs", "1", {"title": "old", **added.fields, "_sync": {"k": TEXT.carriable(added)}})
        stored = await engine.data.get("docs", "1")
    assert stored is not None
    assert TEXT.carried_over(stored.source, stored.source["_sync"]["k"], {"title": "new"}) == ContentFields(content)
