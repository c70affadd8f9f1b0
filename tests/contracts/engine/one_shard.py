"""One shard at a time: searches that address a shard by its number."""

from tests.contracts.engine.case import body_of, create, doc, needs
from tests.contracts.engine.corpus import DOCUMENTS, fill
from tests.contracts.wire import Wire


class OneShard:
    """Searches that address one shard by its number."""

    @needs("shards")
    async def test_shards_addressed_one_by_one_hold_everything(self, wire: Wire, index: str) -> None:
        expected = await fill(wire, index, shards=3)
        seen: list[str] = []
        for shard in range(3):
            target = f"/{index}/_search?preference=_shards:{shard}"
            answer = body_of(await wire("POST", target, {"size": DOCUMENTS, "_source": False}))
            counted = body_of(await wire("POST", f"/{index}/_count?preference=_shards:{shard}"))
            ids = [hit["_id"] for hit in answer["hits"]["hits"]]
            assert answer["_shards"] == {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
            assert answer["hits"]["total"]["value"] == counted["count"] == len(ids)
            seen += ids
        assert set(seen) == set(expected)
        assert len(seen) == DOCUMENTS

    @needs("shards")
    async def test_sequence_numbers_above_a_base_are_read_shard_by_shard(self, wire: Wire, index: str) -> None:
        expected = await fill(wire, index, shards=3)
        base, seen = 300, set()
        query = {"query": {"range": {"_seq_no": {"gt": base}}}, "size": DOCUMENTS, "sort": [{"_seq_no": "asc"}]}
        for shard in range(3):
            answer = await wire("POST", f"/{index}/_search?preference=_shards:{shard}", query)
            hits = body_of(answer)["hits"]["hits"]
            assert [hit["sort"] for hit in hits] == [[base + 1 + place] for place in range(len(hits))]
            seen |= {hit["_id"] for hit in hits}
        assert seen == {doc_id for doc_id, hit in expected.items() if hit["_seq_no"] > base}

    async def test_shard_that_does_not_exist_is_empty(self, wire: Wire, index: str) -> None:
        # Not an error: whoever walks shard by shard must know their number.
        await create(wire, index)
        await wire("PUT", doc(index, "1", "refresh=true"), {"n": 1})
        body = body_of(await wire("POST", f"/{index}/_search?preference=_shards:7", {}))
        assert body["hits"]["total"] == {"value": 0, "relation": "eq"}
        assert body["_shards"] == {"total": 0, "successful": 0, "skipped": 0, "failed": 0}
