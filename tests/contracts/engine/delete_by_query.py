"""Deletes by query: everything that was visible and matched, if it has not changed since."""

from tests.contracts.engine.case import (
    INDEX_NOT_FOUND,
    INVALID_REQUEST,
    Failure,
    Json,
    body_of,
    create,
    doc,
    failure,
    found,
    needs,
    store,
)
from tests.contracts.wire import Wire

EVERYTHING: Json = {"query": {"match_all": {}}}


class DeleteByQuery:
    """`_delete_by_query`."""

    @needs("delete_by_query")
    async def test_only_what_matches_is_deleted(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"n": {"type": "long"}})
        await store(wire, index, {f"d{number}": {"n": number % 3} for number in range(10)})
        body = body_of(await wire("POST", f"/{index}/_delete_by_query?refresh=true", {"query": {"term": {"n": 1}}}))
        counters = {key: body[key] for key in ("total", "deleted", "version_conflicts", "noops", "failures")}
        assert counters == {"total": 3, "deleted": 3, "version_conflicts": 0, "noops": 0, "failures": []}
        assert await found(wire, index, {"match_all": {}}) == {"d0", "d2", "d3", "d5", "d6", "d8", "d9"}

    @needs("delete_by_query")
    async def test_what_was_written_since_the_refresh_is_a_conflict(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await store(wire, index, {"1": {"n": 1}, "2": {"n": 1}})
        await wire("PUT", doc(index, "1"), {"n": 2})
        # A conflict stops it after the batch that it is in: how many of the others are gone is not promised.
        body = body_of(await wire("POST", f"/{index}/_delete_by_query", EVERYTHING), 409)
        assert (body["total"], body["version_conflicts"]) == (2, 1)
        assert [(failed["id"], failed["status"]) for failed in body["failures"]] == [("1", 409)]
        assert body_of(await wire("GET", doc(index, "1")))["_source"] == {"n": 2}

    @needs("delete_by_query")
    async def test_conflicts_are_only_counted_when_told_to_proceed(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await store(wire, index, {"1": {"n": 1}, "2": {"n": 1}})
        await wire("PUT", doc(index, "1"), {"n": 2})
        body = body_of(await wire("POST", f"/{index}/_delete_by_query?conflicts=proceed", EVERYTHING))
        assert (body["total"], body["deleted"], body["version_conflicts"], body["failures"]) == (2, 1, 1, [])

    @needs("delete_by_query")
    async def test_delete_without_a_query_is_refused(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        assert failure(await wire("POST", f"/{index}/_delete_by_query")) == Failure(400, INVALID_REQUEST)

    @needs("delete_by_query")
    async def test_delete_in_a_missing_index_is_refused(self, wire: Wire, index: str) -> None:
        assert failure(await wire("POST", f"/{index}/_delete_by_query", EVERYTHING)) == Failure(404, INDEX_NOT_FOUND)
