"""Compare and set: writes that are applied only to the document that was read, or only where there is none."""

import pytest

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
    written,
)
from tests.contracts.wire import Wire

CURRENT = "if_seq_no=1&if_primary_term=1"
STALE = ["if_seq_no=0&if_primary_term=1", "if_seq_no=1&if_primary_term=2", "if_seq_no=99&if_primary_term=1"]
INVALID = [
    "if_seq_no=1",
    "if_primary_term=1",
    "if_seq_no=1&if_primary_term=0",
    "if_seq_no=1&if_primary_term=1&version=2",
    "if_seq_no=1&if_primary_term=1&version=9&version_type=external",
    "if_seq_no=1&if_primary_term=1&version=9&version_type=external_gte",
    "if_seq_no=1&if_primary_term=1&op_type=create",
    "version=2",
]


async def _document_written_twice(wire: Wire, index: str) -> None:
    await create(wire, index)
    body_of(await wire("PUT", doc(index, "1"), {"n": 1}), 201)
    body_of(await wire("PUT", doc(index, "1"), {"n": 2}), 200)


async def _assert_untouched(wire: Wire, index: str) -> None:
    body = body_of(await wire("GET", doc(index, "1")))
    assert (body["_version"], body["_seq_no"], body["_source"]) == (2, 1, {"n": 2})


class CompareAndSet:
    """Writes with `if_seq_no` and `if_primary_term`, and creates."""

    async def test_write_with_the_current_sequence_number_is_applied(self, wire: Wire, index: str) -> None:
        await _document_written_twice(wire, index)
        answer = await wire("PUT", doc(index, "1", CURRENT), {"n": 3})
        assert written(answer) == Written(200, "updated", version=3, seq_no=2)

    async def test_delete_with_the_current_sequence_number_is_applied(self, wire: Wire, index: str) -> None:
        await _document_written_twice(wire, index)
        answer = await wire("DELETE", doc(index, "1", CURRENT))
        assert written(answer) == Written(200, "deleted", version=3, seq_no=2)

    @pytest.mark.parametrize("stale", STALE)
    async def test_stale_write_conflicts_and_changes_nothing(self, wire: Wire, index: str, stale: str) -> None:
        await _document_written_twice(wire, index)
        assert failure(await wire("PUT", doc(index, "1", stale), {"n": 3})) == Failure(409, CONFLICT)
        await _assert_untouched(wire, index)

    @pytest.mark.parametrize("stale", STALE)
    async def test_stale_delete_conflicts_and_changes_nothing(self, wire: Wire, index: str, stale: str) -> None:
        await _document_written_twice(wire, index)
        assert failure(await wire("DELETE", doc(index, "1", stale))) == Failure(409, CONFLICT)
        await _assert_untouched(wire, index)

    async def test_only_the_first_of_two_writers_wins(self, wire: Wire, index: str) -> None:
        await _document_written_twice(wire, index)
        first = await wire("PUT", doc(index, "1", CURRENT), {"by": "first"})
        second = await wire("PUT", doc(index, "1", CURRENT), {"by": "second"})
        assert [first.status, second.status] == [200, 409]
        assert body_of(await wire("GET", doc(index, "1")))["_source"] == {"by": "first"}

    async def test_compare_and_set_of_a_document_that_never_was_conflicts(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        target = doc(index, "1", "if_seq_no=0&if_primary_term=1")
        assert failure(await wire("PUT", target, {"n": 1})) == Failure(409, CONFLICT)
        assert failure(await wire("DELETE", target)) == Failure(409, CONFLICT)
        # Neither refusal took a sequence number or left anything behind.
        assert written(await wire("PUT", doc(index, "1"), {"n": 1})) == Written(201, "created", version=1, seq_no=0)

    async def test_compare_and_set_of_a_deleted_document_conflicts(self, wire: Wire, index: str) -> None:
        await _document_written_twice(wire, index)
        deletion = written(await wire("DELETE", doc(index, "1")))
        for seq_no in (1, deletion.seq_no):
            target = doc(index, "1", f"if_seq_no={seq_no}&if_primary_term=1")
            assert failure(await wire("PUT", target, {"n": 3})) == Failure(409, CONFLICT)
            assert failure(await wire("DELETE", target)) == Failure(409, CONFLICT)

    @pytest.mark.parametrize("query", INVALID)
    async def test_incomplete_or_mixed_conditions_are_refused(self, wire: Wire, index: str, query: str) -> None:
        await _document_written_twice(wire, index)
        assert failure(await wire("PUT", doc(index, "1", query), {"n": 3})) == Failure(400, INVALID_REQUEST)
        await _assert_untouched(wire, index)

    @pytest.mark.parametrize("query", ["if_seq_no=-1&if_primary_term=1", "if_seq_no=x&if_primary_term=1"])
    async def test_sequence_number_that_is_none_is_refused(self, wire: Wire, index: str, query: str) -> None:
        await _document_written_twice(wire, index)
        assert failure(await wire("PUT", doc(index, "1", query), {"n": 3})) == Failure(400, ILLEGAL_ARGUMENT)
        await _assert_untouched(wire, index)

    @pytest.mark.parametrize("target", ["/{}/_create/1", "/{}/_doc/1?op_type=create"])
    async def test_second_create_conflicts_and_changes_nothing(self, wire: Wire, index: str, target: str) -> None:
        await create(wire, index)
        first = await wire("PUT", target.format(index), {"n": 1})
        second = await wire("PUT", target.format(index), {"n": 2})
        assert written(first) == Written(201, "created", version=1, seq_no=0)
        assert failure(second) == Failure(409, CONFLICT)
        assert body_of(await wire("GET", doc(index, "1")))["_source"] == {"n": 1}

    async def test_create_after_a_delete_is_applied(self, wire: Wire, index: str) -> None:
        await _document_written_twice(wire, index)
        await wire("DELETE", doc(index, "1"))
        answer = await wire("PUT", f"/{index}/_create/1", {"n": 3})
        assert written(answer) == Written(201, "created", version=4, seq_no=3)

    async def test_conflict_names_the_index_and_its_uuid(self, wire: Wire, index: str) -> None:
        await _document_written_twice(wire, index)
        error = (await wire("PUT", f"/{index}/_create/1", {"n": 3})).body["error"]
        settings = body_of(await wire("GET", f"/{index}/_settings"))[index]["settings"]
        assert (error["index"], error["shard"], error["index_uuid"]) == (index, "0", settings["index"]["uuid"])
        assert error["reason"].startswith("[1]: version conflict, document already exists (current version [2])")
