"""Documents one at a time: written, read, deleted, and how their versions and sequence numbers count."""

import json

import pytest

from tests.contracts.engine.case import (
    INDEX_NOT_FOUND,
    INVALID_REQUEST,
    Failure,
    Json,
    Written,
    body_of,
    create,
    doc,
    failure,
    refresh,
    written,
)
from tests.contracts.wire import Wire

ODD_IDS = [
    "a/b", "/", "a b", "a+b", "100%", "%2F", "é😀", "a?b#c&d=e", 'quo"te\\',
    "a\nb", ".", "..", ",", "*", "_x", "null", "-",
]  # fmt: skip


class Documents:
    """Single documents."""

    async def test_new_document_answers_created(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        answer = await wire("PUT", doc(index, "1"), {"n": 1})
        assert body_of(answer, 201) == {
            "_index": index,
            "_id": "1",
            "_version": 1,
            "result": "created",
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": 0,
            "_primary_term": 1,
        }

    async def test_versions_count_per_document_and_sequence_numbers_per_shard(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        steps = [("PUT", "1"), ("PUT", "2"), ("PUT", "1"), ("DELETE", "1"), ("PUT", "1"), ("PUT", "2")]
        answers = [await wire(method, doc(index, key), {} if method == "PUT" else None) for method, key in steps]
        assert [written(answer) for answer in answers] == [
            Written(201, "created", version=1, seq_no=0),
            Written(201, "created", version=1, seq_no=1),
            Written(200, "updated", version=2, seq_no=2),
            Written(200, "deleted", version=3, seq_no=3),
            Written(201, "created", version=4, seq_no=4),
            Written(200, "updated", version=2, seq_no=5),
        ]

    async def test_deleting_a_missing_document_is_an_operation_too(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        first = await wire("DELETE", doc(index, "1"))
        second = await wire("DELETE", doc(index, "1"))
        assert written(first) == Written(404, "not_found", version=1, seq_no=0)
        assert written(second) == Written(404, "not_found", version=2, seq_no=1)

    async def test_posted_document_gets_an_id_of_its_own(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        first = body_of(await wire("POST", f"/{index}/_doc", {"n": 1}), 201)
        second = body_of(await wire("POST", f"/{index}/_doc", {"n": 1}), 201)
        assert first["_id"] != second["_id"]
        assert body_of(await wire("GET", doc(index, first["_id"])))["_source"] == {"n": 1}

    async def test_write_to_a_missing_index_creates_it(self, wire: Wire, index: str) -> None:
        assert written(await wire("PUT", doc(index, "1"), {"n": 1})) == Written(201, "created", version=1, seq_no=0)
        assert (await wire("HEAD", f"/{index}")).status == 200

    async def test_document_is_read_back_whole(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1"), {"n": 1})
        await wire("PUT", doc(index, "1"), {"n": 2})
        assert body_of(await wire("GET", doc(index, "1"))) == {
            "_index": index,
            "_id": "1",
            "_version": 2,
            "_seq_no": 1,
            "_primary_term": 1,
            "found": True,
            "_source": {"n": 2},
        }

    async def test_source_comes_back_exactly_as_it_was_sent(self, wire: Wire, index: str) -> None:
        await create(wire, index, dynamic=False)
        source = {
            "z": 1.0, "a": 1, "big": 2**63 - 1, "huge": 2**70, "small": 0.1, "e": 1e300, "no": None, "yes": True,
            "list": [], "mixed": [1, "1", [None]], "object": {"b": {}, "a": ""},
            "text": "é😀\u0000\u2028\\\"", "a.b": 1,
        }  # fmt: skip
        await wire("PUT", doc(index, "1"), source)
        # As text, because 1 == 1.0 and because the order of the keys counts.
        assert json.dumps(body_of(await wire("GET", doc(index, "1")))["_source"]) == json.dumps(source)

    async def test_get_sees_a_write_before_any_refresh(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1"), {"n": 1})
        assert body_of(await wire("GET", doc(index, "1")))["found"] is True
        assert body_of(await wire("GET", doc(index, "1", "realtime=false")), 404)["found"] is False
        await refresh(wire, index)
        assert body_of(await wire("GET", doc(index, "1", "realtime=false")))["found"] is True

    async def test_get_of_a_missing_document_is_not_found(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        answer = await wire("GET", doc(index, "none"))
        assert body_of(answer, 404) == {"_index": index, "_id": "none", "found": False}

    async def test_get_of_a_deleted_document_is_not_found(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1"), {"n": 1})
        await wire("DELETE", doc(index, "1"))
        assert body_of(await wire("GET", doc(index, "1")), 404) == {"_index": index, "_id": "1", "found": False}

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    async def test_document_in_a_missing_index_names_the_index(self, wire: Wire, index: str, method: str) -> None:
        answer = await wire(method, doc(index, "1"))
        assert failure(answer) == Failure(404, INDEX_NOT_FOUND)
        assert answer.body["error"]["index"] == index

    async def test_head_tells_whether_a_document_exists(self, wire: Wire, index: str) -> None:
        absent = await wire("HEAD", doc(index, "1"))
        await create(wire, index)
        missing = await wire("HEAD", doc(index, "1"))
        await wire("PUT", doc(index, "1"), {"n": 1})
        present = await wire("HEAD", doc(index, "1"))
        assert [absent.status, missing.status, present.status] == [404, 404, 200]
        assert [absent.body, missing.body, present.body] == [None, None, None]

    async def test_source_alone_is_the_document(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1"), {"n": 1})
        assert body_of(await wire("GET", f"/{index}/_source/1")) == {"n": 1}
        assert failure(await wire("GET", f"/{index}/_source/2")) == Failure(404, "resource_not_found_exception")

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("_source=false", None),
            ("_source=true", {"a": 1, "o": {"x": 1, "y": 2}}),
            ("_source=a", {"a": 1}),
            ("_source_includes=o.x", {"o": {"x": 1}}),
            ("_source_excludes=o", {"a": 1}),
            ("_source_includes=o&_source_excludes=o.x", {"o": {"y": 2}}),
            ("_source_includes=none", {}),
        ],
    )
    async def test_get_returns_the_asked_part(self, wire: Wire, index: str, query: str, expected: Json | None) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1"), {"a": 1, "o": {"x": 1, "y": 2}})
        assert body_of(await wire("GET", doc(index, "1", query))).get("_source") == expected

    async def test_ids_with_odd_characters_are_kept_apart(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        for odd in ODD_IDS:
            assert (await wire("PUT", doc(index, odd), {"id": odd})).status == 201, odd
        for odd in ODD_IDS:
            body = body_of(await wire("GET", doc(index, odd)))
            assert (body["_id"], body["_version"], body["_source"]) == (odd, 1, {"id": odd})
            assert (await wire("DELETE", doc(index, odd))).status == 200, odd
            assert (await wire("HEAD", doc(index, odd))).status == 404, odd

    @pytest.mark.parametrize("longest", ["i" * 512, "é" * 256])
    async def test_id_is_limited_to_512_bytes(self, wire: Wire, index: str, longest: str) -> None:
        await create(wire, index)
        assert body_of(await wire("PUT", doc(index, longest), {"n": 1}), 201)["_id"] == longest
        assert failure(await wire("PUT", doc(index, longest + "x"), {"n": 1})) == Failure(400, INVALID_REQUEST)
        assert body_of(await wire("GET", doc(index, longest + "x")), 404)["found"] is False

    async def test_empty_document_is_a_document(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        assert written(await wire("PUT", doc(index, "1"), {})) == Written(201, "created", version=1, seq_no=0)
        assert body_of(await wire("GET", doc(index, "1")))["_source"] == {}

    async def test_write_without_a_body_is_refused(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        assert failure(await wire("PUT", doc(index, "1"))) == Failure(400, "parse_exception")
