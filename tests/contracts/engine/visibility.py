"""Visibility: when a search sees a write."""

import pytest

from tests.contracts.engine.case import (
    ILLEGAL_ARGUMENT,
    INDEX_NOT_FOUND,
    Failure,
    body_of,
    create,
    doc,
    failure,
    ndjson,
    refresh,
    written,
)
from tests.contracts.wire import Wire


class Visibility:
    """Refreshes."""

    async def _count(self, wire: Wire, index: str) -> int:
        count: int = body_of(await wire("POST", f"/{index}/_count"))["count"]
        return count

    async def test_writes_and_deletes_are_seen_after_a_refresh(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1"), {"n": 1})
        assert await self._count(wire, index) == 0
        await refresh(wire, index)
        assert await self._count(wire, index) == 1
        await wire("DELETE", doc(index, "1"))
        assert await self._count(wire, index) == 1
        await refresh(wire, index)
        assert await self._count(wire, index) == 0

    @pytest.mark.parametrize(("query", "seen"), [("refresh=true", 1), ("refresh", 1), ("refresh=false", 0), ("", 0)])
    async def test_write_may_refresh_at_once(self, wire: Wire, index: str, query: str, seen: int) -> None:
        await create(wire, index)
        answer = await wire("PUT", doc(index, "1", query), {"n": 1})
        assert written(answer).seq_no == 0
        assert answer.body.get("forced_refresh", False) is bool(seen)
        assert await self._count(wire, index) == seen

    @pytest.mark.parametrize(("query", "seen"), [("?refresh=true", 1), ("", 0)])
    async def test_bulk_may_refresh_at_once(self, wire: Wire, index: str, query: str, seen: int) -> None:
        await create(wire, index)
        body_of(await wire("POST", f"/{index}/_bulk{query}", ndjson({"index": {"_id": "1"}}, {"n": 1})))
        assert await self._count(wire, index) == seen

    async def test_unknown_refresh_is_refused(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        answer = await wire("PUT", doc(index, "1", "refresh=perhaps"), {"n": 1})
        assert failure(answer) == Failure(400, ILLEGAL_ARGUMENT)
        assert (await wire("HEAD", doc(index, "1"))).status == 404

    async def test_refresh_of_a_missing_index_is_refused(self, wire: Wire, index: str) -> None:
        assert failure(await wire("POST", f"/{index}/_refresh")) == Failure(404, INDEX_NOT_FOUND)
