"""Partial updates: merged into the document, created where there is none, and left alone when they change nothing."""

import pytest

from tests.contracts.engine.case import (
    CONFLICT,
    ILLEGAL_ARGUMENT,
    INVALID_REQUEST,
    Failure,
    Json,
    Written,
    body_of,
    create,
    doc,
    failure,
    needs,
    written,
)
from tests.contracts.wire import Wire


async def _document(wire: Wire, index: str, source: Json) -> str:
    """Store document 1 and return the target of its updates."""
    await create(wire, index)
    assert written(await wire("PUT", doc(index, "1"), source)) == Written(201, "created", version=1, seq_no=0)
    return f"/{index}/_update/1"


async def _source(wire: Wire, index: str) -> Json:
    source: Json = body_of(await wire("GET", doc(index, "1")))["_source"]
    return source


class Updates:
    """`_update` by a part of the document, and by script."""

    @pytest.mark.parametrize(
        ("part", "merged"),
        [
            ({"b": 2}, {"a": 1, "o": {"x": 1, "l": [1, 2]}, "b": 2}),
            ({"a": None}, {"a": None, "o": {"x": 1, "l": [1, 2]}}),
            ({"o": {"y": 2}}, {"a": 1, "o": {"x": 1, "l": [1, 2], "y": 2}}),
            ({"o": {"l": [3]}}, {"a": 1, "o": {"x": 1, "l": [3]}}),
        ],
    )
    async def test_part_is_merged_into_the_document(self, wire: Wire, index: str, part: Json, merged: Json) -> None:
        target = await _document(wire, index, {"a": 1, "o": {"x": 1, "l": [1, 2]}})
        assert written(await wire("POST", target, {"doc": part})) == Written(200, "updated", version=2, seq_no=1)
        assert await _source(wire, index) == merged

    @pytest.mark.parametrize("part", [{}, {"a": 1}, {"o": {"x": 1}}, {"o": {}}])
    async def test_part_that_changes_nothing_is_a_noop(self, wire: Wire, index: str, part: Json) -> None:
        target = await _document(wire, index, {"a": 1, "o": {"x": 1}})
        assert written(await wire("POST", target, {"doc": part})) == Written(200, "noop", version=1, seq_no=0)
        forced = await wire("POST", target, {"doc": part, "detect_noop": False})
        assert written(forced) == Written(200, "updated", version=2, seq_no=1)

    async def test_update_of_a_missing_document_is_refused(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        answer = await wire("POST", f"/{index}/_update/1", {"doc": {"a": 1}})
        assert failure(answer) == Failure(404, "document_missing_exception")

    async def test_upsert_is_stored_where_there_is_no_document(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = {"doc": {"a": 1}, "upsert": {"a": 9, "new": True}}
        first = await wire("POST", f"/{index}/_update/1", body)
        assert written(first) == Written(201, "created", version=1, seq_no=0)
        assert await _source(wire, index) == {"a": 9, "new": True}
        second = await wire("POST", f"/{index}/_update/1", body)
        assert written(second) == Written(200, "updated", version=2, seq_no=1)
        assert await _source(wire, index) == {"a": 1, "new": True}

    async def test_part_may_be_its_own_upsert(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = {"doc": {"a": 1}, "doc_as_upsert": True}
        answers = [await wire("POST", f"/{index}/_update/1", body) for _ in range(2)]
        assert [written(answer) for answer in answers] == [
            Written(201, "created", version=1, seq_no=0),
            Written(200, "noop", version=1, seq_no=0),
        ]

    async def test_update_compares_and_sets(self, wire: Wire, index: str) -> None:
        target = await _document(wire, index, {"a": 1})
        condition = "?if_seq_no=0&if_primary_term=1"
        first = await wire("POST", target + condition, {"doc": {"a": 2}})
        second = await wire("POST", target + condition, {"doc": {"a": 3}})
        assert written(first) == Written(200, "updated", version=2, seq_no=1)
        assert failure(second) == Failure(409, CONFLICT)
        assert await _source(wire, index) == {"a": 2}

    async def test_update_returns_the_document_when_asked(self, wire: Wire, index: str) -> None:
        target = await _document(wire, index, {"a": 1})
        got = body_of(await wire("POST", target + "?_source=true", {"doc": {"b": 2}}))["get"]
        assert got == {"_seq_no": 1, "_primary_term": 1, "found": True, "_source": {"a": 1, "b": 2}}

    @pytest.mark.parametrize(
        ("query", "body", "error_type"),
        [
            ("", {}, INVALID_REQUEST),
            ("", {"unheard_of": 1}, "x_content_parse_exception"),
            ("?version=2", {"doc": {"a": 2}}, INVALID_REQUEST),
            ("?if_seq_no=0&if_primary_term=1&retry_on_conflict=3", {"doc": {"a": 2}}, INVALID_REQUEST),
        ],
    )
    async def test_invalid_update_is_refused(
        self, wire: Wire, index: str, query: str, body: Json, error_type: str
    ) -> None:
        target = await _document(wire, index, {"a": 1})
        assert failure(await wire("POST", target + query, body)) == Failure(400, error_type)
        assert await _source(wire, index) == {"a": 1}

    @needs("painless")
    async def test_script_changes_the_document(self, wire: Wire, index: str) -> None:
        target = await _document(wire, index, {"a": 1})
        script = {"script": {"source": "ctx._source.a += params.by", "params": {"by": 3}}}
        assert written(await wire("POST", target, script)) == Written(200, "updated", version=2, seq_no=1)
        assert await _source(wire, index) == {"a": 4}

    @needs("painless")
    async def test_script_may_do_nothing_or_delete(self, wire: Wire, index: str) -> None:
        target = await _document(wire, index, {"a": 1})
        nothing = await wire("POST", target, {"script": {"source": "ctx.op = 'none'"}})
        deletion = await wire("POST", target, {"script": {"source": "ctx.op = 'delete'"}})
        assert written(nothing) == Written(200, "noop", version=1, seq_no=0)
        assert written(deletion) == Written(200, "deleted", version=2, seq_no=1)

    @needs("painless")
    async def test_script_that_does_not_compile_is_refused(self, wire: Wire, index: str) -> None:
        target = await _document(wire, index, {"a": 1})
        answer = await wire("POST", target, {"script": {"source": "ctx._source.a ="}})
        assert failure(answer) == Failure(400, ILLEGAL_ARGUMENT)
