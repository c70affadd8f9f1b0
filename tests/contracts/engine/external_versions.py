"""External versions: who writes a document last is decided by a number that the writer brings along."""

import msgspec
import pytest

from connectors.engine.bulk import BulkItem
from tests.contracts.engine.case import (
    CONFLICT,
    ILLEGAL_ARGUMENT,
    INVALID_REQUEST,
    Failure,
    Written,
    body_of,
    create,
    doc,
    failure,
    ndjson,
    refresh,
    written,
)
from tests.contracts.wire import Wire

EPOCH = 1_700_000_000_000 << 21
LARGEST = 2**63 - 1


def _target(index: str, version: int, version_type: str = "external_gte") -> str:
    return doc(index, "1", f"version={version}&version_type={version_type}")


async def _document_at(wire: Wire, index: str, version: int) -> None:
    await create(wire, index)
    answer = await wire("PUT", _target(index, version), {"n": 1})
    assert written(answer) == Written(201, "created", version=version, seq_no=0)


class ExternalVersions:
    """Writes with `version` and `version_type`, and the tombstones that deletes leave."""

    @pytest.mark.parametrize(
        ("version_type", "version", "applied"),
        [
            ("external", 9, False),
            ("external", 10, False),
            ("external", 11, True),
            ("external_gte", 9, False),
            ("external_gte", 10, True),
            ("external_gte", 11, True),
        ],
    )
    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    async def test_version_decides_what_is_applied(
        self, wire: Wire, index: str, method: str, version_type: str, version: int, applied: bool
    ) -> None:
        await _document_at(wire, index, 10)
        answer = await wire(method, _target(index, version, version_type), {"n": 2} if method == "PUT" else None)
        result = {"PUT": "updated", "DELETE": "deleted"}[method]
        if applied:
            assert written(answer) == Written(200, result, version=version, seq_no=1)
        else:
            assert failure(answer) == Failure(409, CONFLICT)
            body = body_of(await wire("GET", doc(index, "1")))
            assert (body["_version"], body["_seq_no"], body["_source"]) == (10, 0, {"n": 1})

    @pytest.mark.parametrize(
        ("version_type", "version", "applied"),
        [
            ("external", 19, False),
            ("external", 20, False),
            ("external", 21, True),
            ("external_gte", 19, False),
            ("external_gte", 20, True),
            ("external_gte", 21, True),
        ],
    )
    @pytest.mark.parametrize("existed", [True, False])
    async def test_tombstone_keeps_the_version_of_the_delete(
        self, wire: Wire, index: str, existed: bool, version_type: str, version: int, applied: bool
    ) -> None:
        await create(wire, index)
        if existed:
            await wire("PUT", _target(index, 10), {"n": 1})
        deletion = written(await wire("DELETE", _target(index, 20)))
        assert (deletion.status, deletion.version) == (200 if existed else 404, 20)
        answer = await wire("PUT", _target(index, version, version_type), {"n": 2})
        if applied:
            assert written(answer) == Written(201, "created", version=version, seq_no=deletion.seq_no + 1)
        else:
            assert failure(answer) == Failure(409, CONFLICT)
            assert body_of(await wire("GET", doc(index, "1")), 404)["found"] is False

    @pytest.mark.parametrize("deleted", [False, True])
    @pytest.mark.parametrize("doc_id", ["1", "current version [17]", "x]: version conflict, current version [17]"])
    async def test_conflict_of_a_bulk_tells_the_version_it_was_met_with(
        self, wire: Wire, index: str, doc_id: str, deleted: bool
    ) -> None:
        await create(wire, index)
        condition = {"_id": doc_id, "version_type": "external_gte"}
        lines = ndjson({"index": {**condition, "version": EPOCH | 5}}, {"n": 1})
        if deleted:
            lines += ndjson({"delete": {**condition, "version": EPOCH | 9}})
        await wire("POST", f"/{index}/_bulk", lines)
        met = []
        for _ in range(2):
            body = ndjson({"index": {**condition, "version": EPOCH}}, {"n": 2})
            answer = body_of(await wire("POST", f"/{index}/_bulk", body))
            [item] = msgspec.convert(answer["items"], list[dict[str, BulkItem]])
            met.append(item["index"].met_version)
            await refresh(wire, index)
            body_of(await wire("POST", f"/{index}/_flush"))
        assert met == [EPOCH | (9 if deleted else 5)] * 2

    async def test_delete_of_a_tombstone_obeys_its_version(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        first = await wire("DELETE", _target(index, 20))
        lower = await wire("DELETE", _target(index, 19))
        equal = await wire("DELETE", _target(index, 20))
        higher = await wire("DELETE", _target(index, 30))
        assert written(first) == Written(404, "not_found", version=20, seq_no=0)
        assert failure(lower) == Failure(409, CONFLICT)
        assert written(equal) == Written(404, "not_found", version=20, seq_no=1)
        assert written(higher) == Written(404, "not_found", version=30, seq_no=2)

    async def test_tombstone_outlives_a_refresh_and_a_flush(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body_of(await wire("PUT", f"/{index}/_settings", {"index": {"gc_deletes": "1h"}}))
        await wire("DELETE", _target(index, 20))
        await refresh(wire, index)
        body_of(await wire("POST", f"/{index}/_flush"))
        await refresh(wire, index)
        assert failure(await wire("PUT", _target(index, 19), {"n": 1})) == Failure(409, CONFLICT)

    async def test_create_over_a_tombstone_goes_on_from_its_version(self, wire: Wire, index: str) -> None:
        await _document_at(wire, index, 10)
        await wire("DELETE", _target(index, 20))
        answer = await wire("PUT", f"/{index}/_create/1", {"n": 2})
        assert written(answer) == Written(201, "created", version=21, seq_no=2)

    @pytest.mark.parametrize("version", [10, EPOCH, EPOCH | 5])
    async def test_internal_write_raises_an_external_version_by_one(self, wire: Wire, index: str, version: int) -> None:
        await _document_at(wire, index, version)
        assert written(await wire("PUT", doc(index, "1"), {"n": 2})) == Written(200, "updated", version + 1, seq_no=1)
        assert failure(await wire("PUT", _target(index, version), {"n": 3})) == Failure(409, CONFLICT)
        update = await wire("POST", f"/{index}/_update/1", {"doc": {"n": 4}})
        assert written(update) == Written(200, "updated", version + 2, seq_no=2)
        deletion = await wire("DELETE", doc(index, "1"))
        assert written(deletion) == Written(200, "deleted", version + 3, seq_no=3)

    @pytest.mark.parametrize("version", [0, 1, EPOCH, EPOCH | 2**21 - 1, LARGEST])
    async def test_version_is_kept_exactly(self, wire: Wire, index: str, version: int) -> None:
        await _document_at(wire, index, version)
        assert body_of(await wire("GET", doc(index, "1")))["_version"] == version

    @pytest.mark.parametrize(("higher", "lower"), [(EPOCH + 1, EPOCH), (LARGEST, LARGEST - 1)])
    async def test_large_neighbours_are_told_apart(self, wire: Wire, index: str, higher: int, lower: int) -> None:
        await _document_at(wire, index, higher)
        assert failure(await wire("PUT", _target(index, lower), {"n": 2})) == Failure(409, CONFLICT)

    @pytest.mark.parametrize(
        ("query", "error_type"),
        [
            (f"version={LARGEST + 1}&version_type=external", ILLEGAL_ARGUMENT),
            ("version=1&version_type=unheard-of", ILLEGAL_ARGUMENT),
            ("version=-1&version_type=external", INVALID_REQUEST),
            ("version_type=external", INVALID_REQUEST),
            ("version=1&version_type=internal", INVALID_REQUEST),
            ("version=1&version_type=external&op_type=create", INVALID_REQUEST),
        ],
    )
    async def test_version_that_is_none_is_refused(self, wire: Wire, index: str, query: str, error_type: str) -> None:
        await create(wire, index)
        assert failure(await wire("PUT", doc(index, "1", query), {"n": 1})) == Failure(400, error_type)
        assert (await wire("HEAD", doc(index, "1"))).status == 404

    async def test_time_that_tombstones_are_kept_is_a_setting(self, wire: Wire, index: str) -> None:
        body_of(await wire("PUT", f"/{index}", {"settings": {"index.gc_deletes": "1h"}}))
        one = f"/{index}/_settings/index.gc_deletes"
        assert body_of(await wire("GET", one)) == {index: {"settings": {"index": {"gc_deletes": "1h"}}}}
        changed = await wire("PUT", f"/{index}/_settings", {"index": {"gc_deletes": "2h"}})
        assert body_of(changed) == {"acknowledged": True}
        assert body_of(await wire("GET", one)) == {index: {"settings": {"index": {"gc_deletes": "2h"}}}}
