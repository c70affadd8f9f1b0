"""Indices: created, described, addressed by pattern, blocked, closed and deleted."""

import pytest

from tests.contracts.engine.case import (
    ILLEGAL_ARGUMENT,
    INDEX_NOT_FOUND,
    Failure,
    Item,
    body_of,
    create,
    doc,
    failure,
    items,
    ndjson,
    needs,
)
from tests.contracts.wire import Wire

INVALID_NAMES = [
    "{}-Upper", "_{}", "-{}", "%2B{}", "..", ".", "{},other", "{}%20space", "{}%23hash", "{}%2A", "{}%3Aport", "{}%3F",
    "{}%22", "{}%7C", "{}%3C", "{}%5C",
]  # fmt: skip
PATTERNS = [
    ("{0}-1,{0}-2", 2),
    ("{0}-*", 3),
    ("{0}-*,-{0}-1", 2),
    ("{0}-1,{0}-none*", 1),
    ("{0}-none*", 0),
    ("{0}-1,{0}-missing?ignore_unavailable=true", 1),
    ("{0}-missing?ignore_unavailable=true", 0),
]
SETTINGS = {"number_of_shards": 1, "number_of_replicas": 0}


async def _one_document(wire: Wire, *names: str) -> None:
    for name in names:
        await create(wire, name)
        body_of(await wire("PUT", doc(name, "1", "refresh=true"), {"n": 1}), 201)


class Indices:
    """Creating, reading and deleting an index."""

    async def test_creation_is_acknowledged_by_name(self, wire: Wire, index: str) -> None:
        answer = await wire("PUT", f"/{index}", {"settings": SETTINGS})
        assert body_of(answer) == {"acknowledged": True, "shards_acknowledged": True, "index": index}

    async def test_second_creation_is_refused(self, wire: Wire, index: str) -> None:
        await _one_document(wire, index)
        answer = await wire("PUT", f"/{index}", {"settings": SETTINGS})
        assert failure(answer) == Failure(400, "resource_already_exists_exception")
        assert answer.body["error"]["index"] == index
        assert body_of(await wire("GET", doc(index, "1")))["found"] is True

    async def test_head_tells_whether_an_index_exists(self, wire: Wire, index: str) -> None:
        absent = await wire("HEAD", f"/{index}")
        await create(wire, index)
        present = await wire("HEAD", f"/{index}")
        assert [(absent.status, absent.body), (present.status, present.body)] == [(404, None), (200, None)]

    async def test_index_is_described_by_aliases_mappings_and_settings(self, wire: Wire, index: str) -> None:
        request = {
            "settings": {**SETTINGS, "refresh_interval": "5s"},
            "mappings": {"properties": {"n": {"type": "long"}}},
            "aliases": {f"{index}-alias": {}},
        }
        body_of(await wire("PUT", f"/{index}", request))
        described = body_of(await wire("GET", f"/{index}"))[index]
        settings = described.pop("settings")["index"]
        assert described == {"aliases": request["aliases"], "mappings": request["mappings"]}
        values = {name: settings[name] for name in ("number_of_shards", "number_of_replicas", "refresh_interval")}
        assert values == {"number_of_shards": "1", "number_of_replicas": "0", "refresh_interval": "5s"}
        assert (settings["provided_name"], len(settings["uuid"])) == (index, 22)
        assert settings["creation_date"].isdigit()

    @pytest.mark.parametrize("spelling", [{"index": SETTINGS}, {f"index.{key}": SETTINGS[key] for key in SETTINGS}])
    async def test_settings_may_be_nested_or_dotted(self, wire: Wire, index: str, spelling: dict[str, object]) -> None:
        body_of(await wire("PUT", f"/{index}", {"settings": spelling}))
        target = f"/{index}/_settings/index.number_of_replicas?flat_settings=true"
        assert body_of(await wire("GET", target)) == {index: {"settings": {"index.number_of_replicas": "0"}}}

    async def test_setting_is_changed_and_reset(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        one = f"/{index}/_settings/index.refresh_interval"
        for value, expected in [("30s", {index: {"settings": {"index": {"refresh_interval": "30s"}}}}), (None, {})]:
            changed = await wire("PUT", f"/{index}/_settings", {"index": {"refresh_interval": value}})
            assert body_of(changed) == {"acknowledged": True}
            assert body_of(await wire("GET", one)) == expected

    @pytest.mark.parametrize("settings", [{"unheard_of": 1}, {"number_of_shards": 0}, {"refresh_interval": "often"}])
    async def test_invalid_setting_is_refused(self, wire: Wire, index: str, settings: dict[str, object]) -> None:
        answer = await wire("PUT", f"/{index}", {"settings": settings})
        assert failure(answer) == Failure(400, ILLEGAL_ARGUMENT)
        assert (await wire("HEAD", f"/{index}")).status == 404

    @pytest.mark.parametrize("settings", [{"unheard_of": 1}, {"number_of_shards": 3}])
    async def test_setting_that_cannot_change_is_refused(
        self, wire: Wire, index: str, settings: dict[str, object]
    ) -> None:
        await create(wire, index)
        answer = await wire("PUT", f"/{index}/_settings", {"index": settings})
        assert failure(answer) == Failure(400, ILLEGAL_ARGUMENT)

    async def test_unknown_key_of_a_creation_is_refused(self, wire: Wire, index: str) -> None:
        assert failure(await wire("PUT", f"/{index}", {"unheard_of": {}})) == Failure(400, "parse_exception")

    @pytest.mark.parametrize("name", INVALID_NAMES)
    async def test_invalid_name_is_refused(self, wire: Wire, index: str, name: str) -> None:
        answer = await wire("PUT", f"/{name.format(index)}", {"settings": SETTINGS})
        assert failure(answer) == Failure(400, "invalid_index_name_exception")

    async def test_name_is_limited_to_255_bytes(self, wire: Wire, index: str) -> None:
        longest = index.ljust(255, "x")
        assert body_of(await wire("PUT", f"/{longest}", {"settings": SETTINGS}))["index"] == longest
        answer = await wire("PUT", f"/{longest}x", {"settings": SETTINGS})
        assert failure(answer) == Failure(400, "invalid_index_name_exception")

    async def test_name_may_begin_with_a_dot(self, wire: Wire, index: str) -> None:
        await _one_document(wire, f".{index}")
        assert body_of(await wire("GET", f"/.{index}/_count"))["count"] == 1
        assert (
            body_of(await wire("GET", f"/.{index}"))[f".{index}"]["settings"]["index"]["provided_name"] == f".{index}"
        )

    async def test_deleted_index_is_gone_with_its_documents(self, wire: Wire, index: str) -> None:
        await _one_document(wire, index)
        assert body_of(await wire("DELETE", f"/{index}")) == {"acknowledged": True}
        assert (await wire("HEAD", f"/{index}")).status == 404
        await create(wire, index)
        assert body_of(await wire("GET", f"/{index}/_count"))["count"] == 0

    async def test_delete_is_all_or_nothing(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        answer = await wire("DELETE", f"/{index},{index}-missing")
        assert failure(answer) == Failure(404, INDEX_NOT_FOUND)
        assert (await wire("HEAD", f"/{index}")).status == 200

    @pytest.mark.parametrize(
        ("method", "target"),
        [
            ("GET", "/{}"),
            ("DELETE", "/{}"),
            ("GET", "/{}/_settings"),
            ("GET", "/{}/_mapping"),
            ("GET", "/{}/_alias"),
            ("GET", "/{}/_search"),
            ("GET", "/{}/_count"),
            ("POST", "/{}/_flush"),
        ],
    )
    async def test_missing_index_is_named(self, wire: Wire, index: str, method: str, target: str) -> None:
        answer = await wire(method, target.format(index))
        assert failure(answer) == Failure(404, INDEX_NOT_FOUND)
        assert answer.body["error"]["index"] == index

    async def test_uuid_is_new_with_every_creation(self, wire: Wire, index: str) -> None:
        uuids = set()
        for _ in range(2):
            await create(wire, index)
            described = body_of(await wire("GET", f"/{index}/_settings?filter_path=*.settings.index.uuid"))
            uuids.add(described[index]["settings"]["index"]["uuid"])
            await wire("DELETE", f"/{index}")
        assert len(uuids) == 2


class IndexPatterns:
    """Several indices at once. Deletes by pattern are left out: OpenSearch carries them out, we never send one."""

    async def test_pattern_addresses_these_indices(self, wire: Wire, index: str) -> None:
        await _one_document(wire, f"{index}-1", f"{index}-2", f"{index}-3")
        for pattern, count in PATTERNS:
            names, _, query = pattern.format(index).partition("?")
            counted = await wire("GET", f"/{names}/_count?{query}")
            searched = await wire("GET", f"/{names}/_search?{query}")
            assert body_of(counted)["count"] == count, pattern
            assert body_of(searched)["hits"]["total"] == {"value": count, "relation": "eq"}, pattern

    async def test_missing_name_in_a_list_is_refused(self, wire: Wire, index: str) -> None:
        await _one_document(wire, f"{index}-1")
        for endpoint in ("_count", "_search"):
            answer = await wire("GET", f"/{index}-1,{index}-missing/{endpoint}")
            assert failure(answer) == Failure(404, INDEX_NOT_FOUND)

    async def test_pattern_that_matches_nothing_can_be_refused(self, wire: Wire, index: str) -> None:
        assert body_of(await wire("GET", f"/{index}-*")) == {}
        answer = await wire("GET", f"/{index}-*/_count?allow_no_indices=false")
        assert failure(answer) == Failure(404, INDEX_NOT_FOUND)

    async def test_hits_name_their_index(self, wire: Wire, index: str) -> None:
        await _one_document(wire, f"{index}-1", f"{index}-2")
        hits = body_of(await wire("GET", f"/{index}-*/_search"))["hits"]["hits"]
        assert sorted(hit["_index"] for hit in hits) == [f"{index}-1", f"{index}-2"]


class Blocks:
    """Indices that refuse."""

    async def test_write_block_refuses_writes_and_answers_reads(self, wire: Wire, index: str) -> None:
        await _one_document(wire, index)
        body_of(await wire("PUT", f"/{index}/_settings", {"index.blocks.write": True}))
        assert failure(await wire("PUT", doc(index, "1"), {"n": 2})) == Failure(403, "cluster_block_exception")
        answered = items(await wire("POST", f"/{index}/_bulk", ndjson({"index": {"_id": "1"}}, {"n": 2})))
        assert answered == [Item("index", "1", 403, "cluster_block_exception")]
        assert body_of(await wire("GET", doc(index, "1")))["_source"] == {"n": 1}
        body_of(await wire("PUT", f"/{index}/_settings", {"index.blocks.write": None}))
        assert (await wire("PUT", doc(index, "1"), {"n": 2})).status == 200

    async def test_full_disk_block_is_told_from_overload_by_its_type(self, wire: Wire, index: str) -> None:
        # 429 like a rejection, deletes of documents included, although the block is called "allow delete".
        await _one_document(wire, index)
        body_of(await wire("PUT", f"/{index}/_settings", {"index.blocks.read_only_allow_delete": True}))
        body = ndjson({"index": {"_id": "1"}}, {"n": 2}, {"delete": {"_id": "1"}})
        assert items(await wire("POST", f"/{index}/_bulk", body)) == [
            Item("index", "1", 429, "cluster_block_exception"),
            Item("delete", "1", 429, "cluster_block_exception"),
        ]
        assert failure(await wire("DELETE", doc(index, "1"))) == Failure(429, "cluster_block_exception")

    @needs("close")
    async def test_closed_index_refuses_everything_until_opened(self, wire: Wire, index: str) -> None:
        await _one_document(wire, index)
        body_of(await wire("POST", f"/{index}/_close"))
        closed = Failure(400, "index_closed_exception")
        assert failure(await wire("GET", doc(index, "1"))) == closed
        assert failure(await wire("PUT", doc(index, "1"), {"n": 2})) == closed
        assert failure(await wire("POST", f"/{index}/_search")) == closed
        assert body_of(await wire("POST", f"/{index}/_open")) == {"acknowledged": True, "shards_acknowledged": True}
        body = body_of(await wire("GET", doc(index, "1")))
        assert (body["_version"], body["_seq_no"], body["_source"]) == (1, 0, {"n": 1})
