"""The stamp of an index: what tells whether anything at all was written to it since it was last looked at."""

from dataclasses import dataclass
from typing import Any

from tests.contracts.engine.case import (
    INDEX_NOT_FOUND,
    Failure,
    body_of,
    create,
    doc,
    failure,
    items,
    ndjson,
    needs,
    refresh,
    written,
)
from tests.contracts.wire import Wire


@dataclass(frozen=True)
class Shard:
    """One primary shard as the statistics describe it."""

    history_uuid: str
    primary_term: int
    max_seq_no: int


@dataclass(frozen=True)
class Reading:
    """A stamp as it was read: the index, and its primary shards by number."""

    uuid: str
    shards: dict[str, Shard]

    @property
    def operations(self) -> int:
        return sum(shard.max_seq_no + 1 for shard in self.shards.values())


async def _read(wire: Wire, index: str) -> Reading:
    stats = body_of(await wire("GET", f"/{index}/_stats?level=shards"))["indices"][index]
    state = await wire("GET", f"/_cluster/state/metadata/{index}?filter_path=metadata.indices.*.primary_terms")
    terms = body_of(state)["metadata"]["indices"][index]["primary_terms"]
    return Reading(stats["uuid"], {number: _shard(copies, terms[number]) for number, copies in stats["shards"].items()})


def _shard(copies: list[Any], primary_term: int) -> Shard:
    [primary] = [copy for copy in copies if copy["routing"]["primary"]]
    return Shard(primary["commit"]["user_data"]["history_uuid"], primary_term, primary["seq_no"]["max_seq_no"])


class Stamp:
    """Index uuid, history uuids, primary terms and the highest sequence numbers."""

    async def test_new_index_has_seen_no_operation(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        stamp = await _read(wire, index)
        assert list(stamp.shards) == ["0"]
        assert (stamp.shards["0"].primary_term, stamp.shards["0"].max_seq_no) == (1, -1)
        settings = body_of(await wire("GET", f"/{index}/_settings"))[index]["settings"]
        assert stamp.uuid == settings["index"]["uuid"]

    async def test_highest_sequence_number_is_that_of_the_last_operation(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        for number in range(5):
            last = written(await wire("PUT", doc(index, str(number % 2)), {"n": number}))
            assert (await _read(wire, index)).shards["0"].max_seq_no == last.seq_no == number

    async def test_deletes_count_even_of_missing_documents(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1"), {"n": 1})
        targets = [doc(index, "1"), doc(index, "1"), doc(index, "2", "version=5&version_type=external_gte")]
        for number, target in enumerate(targets, start=2):
            await wire("DELETE", target)
            assert (await _read(wire, index)).operations == number

    async def test_what_was_refused_or_changed_nothing_does_not_count(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"n": {"type": "long"}})
        await wire("PUT", doc(index, "1", "version=7&version_type=external"), {"n": 1})
        before = await _read(wire, index)
        refused = [
            await wire("PUT", f"/{index}/_create/1", {"n": 2}),
            await wire("PUT", doc(index, "1", "if_seq_no=9&if_primary_term=1"), {"n": 2}),
            await wire("PUT", doc(index, "1", "version=6&version_type=external"), {"n": 2}),
            await wire("DELETE", doc(index, "1", "version=6&version_type=external")),
            await wire("PUT", doc(index, "1"), {"n": "no number"}),
        ]
        assert [answer.status for answer in refused] == [409, 409, 409, 409, 400]
        unchanged = await wire("POST", f"/{index}/_update/1", {"doc": {"n": 1}})
        # It carries the sequence number of the document as it stands: a noop must not be counted by that field.
        assert (unchanged.body["result"], unchanged.body["_seq_no"]) == ("noop", 0)
        assert await _read(wire, index) == before

    async def test_bulk_advances_by_its_items_that_carry_a_sequence_number(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"n": {"type": "long"}})
        await wire("PUT", doc(index, "there"), {"n": 1})
        before = await _read(wire, index)
        body = ndjson(
            {"index": {"_id": "a"}}, {"n": 1},
            {"index": {"_id": "b"}}, {"n": "no number"},
            {"create": {"_id": "there"}}, {"n": 1},
            {"delete": {"_id": "none"}},
            {"update": {"_id": "none"}}, {"doc": {"n": 1}},
            {"delete": {"_id": "there"}},
        )  # fmt: skip
        counted = [item.seq_no for item in items(await wire("POST", f"/{index}/_bulk", body))]
        assert counted == [1, None, None, 2, None, 3]
        assert (await _read(wire, index)).operations == before.operations + 3

    @needs("shards")
    async def test_operations_are_summed_over_the_shards(self, wire: Wire, index: str) -> None:
        await create(wire, index, shards=3)
        body = ndjson(*(line for n in range(100) for line in ({"index": {"_id": f"d{n % 60}"}}, {"n": n})))
        answered = items(await wire("POST", f"/{index}/_bulk", body))
        stamp = await _read(wire, index)
        assert list(stamp.shards) == ["0", "1", "2"]
        assert stamp.operations == len(answered) == 100
        assert len({shard.history_uuid for shard in stamp.shards.values()}) == 3

    async def test_stamp_stays_when_nothing_is_written(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1"), {"n": 1})
        before = await _read(wire, index)
        await refresh(wire, index)
        await wire("GET", doc(index, "1"))
        await wire("POST", f"/{index}/_search", {})
        await wire("POST", f"/{index}/_flush")
        await wire("PUT", f"/{index}/_mapping", {"properties": {"later": {"type": "long"}}})
        assert await _read(wire, index) == before

    async def test_index_of_the_same_name_has_another_uuid(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        before = await _read(wire, index)
        await wire("DELETE", f"/{index}")
        await create(wire, index)
        after = await _read(wire, index)
        assert before.uuid != after.uuid
        assert before.shards["0"].history_uuid != after.shards["0"].history_uuid

    async def test_missing_index_has_no_stamp(self, wire: Wire, index: str) -> None:
        assert failure(await wire("GET", f"/{index}/_stats?level=shards")) == Failure(404, INDEX_NOT_FOUND)
        state = await wire("GET", f"/_cluster/state/metadata/{index}?filter_path=metadata.indices.*.primary_terms")
        assert body_of(state) == {}
