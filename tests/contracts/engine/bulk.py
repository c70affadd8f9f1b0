"""Bulk requests: many writes in one, each with a result of its own."""

import pytest

from tests.contracts.engine.case import (
    CONFLICT,
    INDEX_NOT_FOUND,
    Item,
    body_of,
    create,
    doc,
    found,
    items,
    ndjson,
)
from tests.contracts.wire import Wire


def _index(doc_id: str, **more: object) -> dict[str, object]:
    return {"index": {"_id": doc_id, **more}}


def _gte(action: str, doc_id: str, version: int) -> dict[str, object]:
    return {action: {"_id": doc_id, "version": version, "version_type": "external_gte"}}


class Bulk:
    """Bulks that are applied."""

    async def test_four_actions_answer_in_the_order_of_the_request(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = ndjson(
            _index("1"), {"n": 1},
            {"create": {"_id": "2"}}, {"n": 2},
            {"create": {"_id": "2"}}, {"n": 3},
            {"update": {"_id": "2"}}, {"doc": {"n": 4}},
            {"update": {"_id": "2"}}, {"doc": {"n": 4}},
            {"delete": {"_id": "1"}},
            {"delete": {"_id": "1"}},
            {"delete": {"_id": "never"}},
            {"update": {"_id": "never"}}, {"doc": {"n": 5}},
            _index("3"), {"n": 6},
        )  # fmt: skip
        assert items(await wire("POST", f"/{index}/_bulk", body)) == [
            Item("index", "1", 201, "created", version=1, seq_no=0),
            Item("create", "2", 201, "created", version=1, seq_no=1),
            Item("create", "2", 409, CONFLICT),
            Item("update", "2", 200, "updated", version=2, seq_no=2),
            Item("update", "2", 200, "noop", version=2, seq_no=2),
            Item("delete", "1", 200, "deleted", version=2, seq_no=3),
            Item("delete", "1", 404, "not_found", version=3, seq_no=4),
            Item("delete", "never", 404, "not_found", version=1, seq_no=5),
            Item("update", "never", 404, "document_missing_exception"),
            Item("index", "3", 201, "created", version=1, seq_no=6),
        ]
        assert body_of(await wire("GET", doc(index, "2")))["_source"] == {"n": 4}

    async def test_item_has_the_shape_of_a_single_answer(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        answer = body_of(await wire("POST", f"/{index}/_bulk", ndjson(_index("1"), {"n": 1})))
        assert answer["items"] == [
            {
                "index": {
                    "_index": index,
                    "_id": "1",
                    "_version": 1,
                    "result": "created",
                    "_shards": {"total": 1, "successful": 1, "failed": 0},
                    "_seq_no": 0,
                    "_primary_term": 1,
                    "status": 201,
                }
            }
        ]
        assert answer["errors"] is False

    async def test_missing_delete_is_no_error(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        answer = body_of(await wire("POST", f"/{index}/_bulk", ndjson({"delete": {"_id": "1"}})))
        assert (answer["errors"], answer["items"][0]["delete"]["status"]) == (False, 404)

    async def test_many_items_keep_their_order(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        ids = [f"d{number * 7919 % 1000}" for number in range(1000)]
        body = ndjson(*(line for doc_id in ids for line in (_index(doc_id), {"id": doc_id})))
        answered = items(await wire("POST", f"/{index}/_bulk?refresh=true", body))
        assert answered == [Item("index", key, 201, "created", 1, number) for number, key in enumerate(ids)]
        assert await found(wire, index, {"match_all": {}}) == set(ids)

    async def test_one_id_several_times_is_applied_in_order(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = ndjson(_index("1"), {"n": 1}, _index("1"), {"n": 2}, {"delete": {"_id": "1"}}, _index("1"), {"n": 4})
        assert items(await wire("POST", f"/{index}/_bulk", body)) == [
            Item("index", "1", 201, "created", version=1, seq_no=0),
            Item("index", "1", 200, "updated", version=2, seq_no=1),
            Item("delete", "1", 200, "deleted", version=3, seq_no=2),
            Item("index", "1", 201, "created", version=4, seq_no=3),
        ]
        assert body_of(await wire("GET", doc(index, "1")))["_source"] == {"n": 4}

    async def test_external_versions_are_compared_item_by_item(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = ndjson(
            _gte("index", "1", 10), {"n": 1},
            _gte("index", "1", 10), {"n": 2},
            _gte("index", "1", 9), {"n": 3},
            _gte("delete", "1", 12),
            _gte("index", "1", 11), {"n": 4},
            _gte("delete", "2", 12),
            _gte("index", "2", 11), {"n": 5},
            _gte("index", "3", 1_700_000_000_000 << 21 | 1), {"n": 6},
        )  # fmt: skip
        assert items(await wire("POST", f"/{index}/_bulk", body)) == [
            Item("index", "1", 201, "created", version=10, seq_no=0),
            Item("index", "1", 200, "updated", version=10, seq_no=1),
            Item("index", "1", 409, CONFLICT),
            Item("delete", "1", 200, "deleted", version=12, seq_no=2),
            Item("index", "1", 409, CONFLICT),
            Item("delete", "2", 404, "not_found", version=12, seq_no=3),
            Item("index", "2", 409, CONFLICT),
            Item("index", "3", 201, "created", version=1_700_000_000_000 << 21 | 1, seq_no=4),
        ]

    async def test_repeated_bulk_of_the_same_version_is_applied_again(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = ndjson(_gte("index", "1", 10), {"n": 1}, _gte("delete", "2", 10))
        await wire("POST", f"/{index}/_bulk", body)
        assert items(await wire("POST", f"/{index}/_bulk", body)) == [
            Item("index", "1", 200, "updated", version=10, seq_no=2),
            Item("delete", "2", 404, "not_found", version=10, seq_no=3),
        ]

    async def test_sequence_numbers_are_compared_item_by_item(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("POST", f"/{index}/_bulk", ndjson(_index("1"), {"n": 1}, _index("2"), {"n": 1}, _index("3"), {}))
        body = ndjson(
            _index("1", if_seq_no=0, if_primary_term=1), {"n": 2},
            _index("2", if_seq_no=0, if_primary_term=1), {"n": 2},
            {"delete": {"_id": "2", "if_seq_no": 1, "if_primary_term": 2}},
            {"delete": {"_id": "3", "if_seq_no": 2, "if_primary_term": 1}},
            _index("4", if_seq_no=0, if_primary_term=1), {"n": 2},
        )  # fmt: skip
        assert items(await wire("POST", f"/{index}/_bulk", body)) == [
            Item("index", "1", 200, "updated", version=2, seq_no=3),
            Item("index", "2", 409, CONFLICT),
            Item("delete", "2", 409, CONFLICT),
            Item("delete", "3", 200, "deleted", version=2, seq_no=4),
            Item("index", "4", 409, CONFLICT),
        ]

    async def test_updates_know_upserts(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = ndjson(
            {"update": {"_id": "1"}}, {"doc": {"n": 1}, "doc_as_upsert": True},
            {"update": {"_id": "2"}}, {"doc": {"n": 1}, "upsert": {"n": 7}},
            {"update": {"_id": "2"}}, {"doc": {"m": 1}, "upsert": {"n": 8}},
        )  # fmt: skip
        assert items(await wire("POST", f"/{index}/_bulk", body)) == [
            Item("update", "1", 201, "created", version=1, seq_no=0),
            Item("update", "2", 201, "created", version=1, seq_no=1),
            Item("update", "2", 200, "updated", version=2, seq_no=2),
        ]
        assert body_of(await wire("GET", doc(index, "2")))["_source"] == {"n": 7, "m": 1}

    async def test_items_may_name_their_index(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await create(wire, f"{index}-2")
        body = ndjson(_index("1", _index=f"{index}-2"), {"n": 1}, _index("1", _index=index), {"n": 1})
        answer = body_of(await wire("POST", "/_bulk", body))
        assert [item["index"]["_index"] for item in answer["items"]] == [f"{index}-2", index]
        assert [item["index"]["_seq_no"] for item in answer["items"]] == [0, 0]

    async def test_items_to_an_alias_name_the_concrete_index(self, wire: Wire, index: str) -> None:
        await create(wire, f"{index}-1")
        await wire("PUT", f"/{index}-1/_alias/{index}")
        body = ndjson(_index("1"), {"n": 1}, {"delete": {"_id": "2"}})
        answer = body_of(await wire("POST", f"/{index}/_bulk?require_alias=true", body))
        assert [item["_index"] for line in answer["items"] for item in line.values()] == [f"{index}-1"] * 2

    async def test_item_that_requires_an_alias_is_refused_by_an_index(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = ndjson(_index("1", require_alias=True), {"n": 1}, _index("2"), {"n": 1})
        assert items(await wire("POST", f"/{index}/_bulk", body)) == [
            Item("index", "1", 404, INDEX_NOT_FOUND),
            Item("index", "2", 201, "created", version=1, seq_no=0),
        ]

    async def test_ids_may_be_numbers_or_left_out(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = ndjson({"index": {"_id": 5}}, {"n": 1}, {"index": {}}, {"n": 2}, {"create": {}}, {"n": 3})
        answered = items(await wire("POST", f"/{index}/_bulk", body))
        assert [item.status for item in answered] == [201, 201, 201]
        assert answered[0].id == "5"
        assert len({item.id for item in answered}) == 3

    @pytest.mark.parametrize(
        ("filter_path", "expected"),
        [
            ("errors", {"errors": False}),
            ("errors,items.*.error", {"errors": False}),
            (
                "errors,items.*.status",
                {"errors": False, "items": [{"index": {"status": 201}}, {"delete": {"status": 404}}]},
            ),
            (
                "items.*._id,items.*._seq_no",
                {"items": [{"index": {"_id": "1", "_seq_no": 0}}, {"delete": {"_id": "2", "_seq_no": 1}}]},
            ),
        ],
    )
    async def test_filter_path_leaves_what_it_names_of_a_bulk(
        self, wire: Wire, index: str, filter_path: str, expected: dict[str, object]
    ) -> None:
        await create(wire, index)
        body = ndjson(_index("1"), {"n": 1}, {"delete": {"_id": "2"}})
        assert body_of(await wire("POST", f"/{index}/_bulk?filter_path={filter_path}", body)) == expected

    async def test_action_at_the_end_without_a_document_is_dropped_silently(self, wire: Wire, index: str) -> None:
        # Whoever sends a bulk must therefore compare the number of items with the number sent.
        await create(wire, index)
        answer = await wire("POST", f"/{index}/_bulk", ndjson(_index("1"), {"n": 1}, _index("2")))
        assert items(answer) == [Item("index", "1", 201, "created", version=1, seq_no=0)]
