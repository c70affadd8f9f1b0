import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.engine.bulk import BulkItem, create_line, delete_line, index_line
from connectors.engine.records import Failure, Reason, Revision
from connectors.errors import EngineFailed
from tests.engine.conftest import Opened
from tests.engine.stub import answer

CREATED = {"_index": "docs-1", "_id": "1", "_version": 9, "result": "created", "_seq_no": 0, "_primary_term": 1}


@pytest.mark.parametrize(
    ("line", "action"),
    [
        (index_line("a"), {"index": {"_id": "a"}}),
        (create_line("a"), {"create": {"_id": "a"}}),
        (delete_line("a"), {"delete": {"_id": "a"}}),
        (index_line("a", version=9), {"index": {"_id": "a", "version": 9, "version_type": "external_gte"}}),
        (delete_line("a", version=9), {"delete": {"_id": "a", "version": 9, "version_type": "external_gte"}}),
        (index_line("a", expected=Revision(3, 1)), {"index": {"_id": "a", "if_seq_no": 3, "if_primary_term": 1}}),
        (delete_line("a", expected=Revision(0, 1)), {"delete": {"_id": "a", "if_seq_no": 0, "if_primary_term": 1}}),
    ],
)
def test_a_line_says_what_to_do_and_under_which_condition(line: bytes, action: object) -> None:
    assert json.loads(line) == action
    assert line.endswith(b"\n")


@given(st.text(), st.integers(0, 2**63 - 1))
def test_any_id_makes_one_line(doc_id: str, version: int) -> None:
    line = index_line(doc_id, version=version)
    assert line.count(b"\n") == 1
    assert json.loads(line)["index"] == {"_id": doc_id, "version": version, "version_type": "external_gte"}


def test_a_version_and_a_revision_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="can't be combined"):
        index_line("a", version=1, expected=Revision(1, 1))


def conflict(reason: str | None, status: int = 409) -> BulkItem:
    return BulkItem(status, "docs", error=Failure("version_conflict_engine_exception", reason))


IS_HIGHER = "is higher than the one provided [5]"


@pytest.mark.parametrize(
    ("item", "version"),
    [
        (conflict(f"[a]: version conflict, current version [9] {IS_HIGHER}"), 9),
        (conflict("[a]: version conflict, document already exists (current version [2])"), 2),
        (conflict(f"[a]: version conflict, current version [{2**63 - 1}] {IS_HIGHER}"), 2**63 - 1),
        (conflict(f"[current version [7]]: version conflict, current version [9] {IS_HIGHER}"), 9),
        (conflict(f"[\n]: version conflict, current version [9] {IS_HIGHER}"), 9),
        (conflict(f"[a]: version conflict, current version [{2**63}] {IS_HIGHER}"), None),
        (conflict(f"[a]: version conflict, current version [{10**30}] {IS_HIGHER}"), None),
        (conflict(f"[a]: version conflict, current version [-1] {IS_HIGHER}"), None),
        (conflict("[a]: version conflict, current version [0]"), None),
        (conflict("[a]: version conflict, required seqNo [1], primary term [1]. but no document was found"), None),
        (conflict("somebody was first"), None),
        (conflict(""), None),
        (conflict(None), None),
        (conflict("current version [9]", status=400), None),
        (BulkItem(409, "docs"), None),
        (BulkItem(201, "docs", result="created", version=9), None),
    ],
)
def test_the_version_that_a_conflict_was_met_with_is_read_from_its_reason(item: BulkItem, version: int | None) -> None:
    assert item.met_version == version


@pytest.mark.parametrize(
    ("item", "ok"),
    [
        (BulkItem(201, "docs", result="created"), True),
        (BulkItem(200, "docs", result="updated"), True),
        (BulkItem(200, "docs", result="deleted"), True),
        (BulkItem(404, "docs", result="not_found"), True),
        (BulkItem(200, "docs", result="noop"), False),
        (BulkItem(409, "docs", error=Failure("version_conflict_engine_exception", "x")), False),
        (BulkItem(200, "docs"), False),
    ],
)
def test_only_what_the_index_now_holds_is_ok(item: BulkItem, ok: bool) -> None:
    assert item.ok is ok


async def test_the_lines_are_sent_as_they_are(opened: Opened) -> None:
    body = index_line("1", version=9) + b'{"a":  1}\n'
    async with opened(answer(200, {"took": 3, "errors": False, "items": [{"index": {**CREATED, "status": 201}}]})) as (
        engine,
        stub,
    ):
        result = await engine.data.bulk("docs", body, operations=1, pipeline="p")
    assert stub.asked == ["PUT /docs/_bulk?filter_path=took,errors,items&pipeline=p"]
    assert stub.requests[-1].body == body
    assert result.items == [{"index": BulkItem(201, "docs-1", "1", "created", 9, 0, 1)}]


async def test_an_item_carries_its_error(opened: Opened) -> None:
    error = {"type": "document_parsing_exception", "reason": "no", "caused_by": {"type": "x", "reason": "deep"}}
    item = {"_index": "docs-1", "_id": "1", "status": 400, "error": error}
    async with opened(answer(200, {"took": 3, "errors": True, "items": [{"index": item}]})) as (engine, _):
        result = await engine.data.bulk("docs", b"{}\n", operations=1)
    assert result.items[0]["index"].error == Failure("document_parsing_exception", "no", caused_by=Reason("x", "deep"))


@pytest.mark.parametrize("answered", [0, 1, 3])
async def test_an_answer_for_another_number_of_operations_is_a_fault(opened: Opened, answered: int) -> None:
    items = [{"index": {**CREATED, "status": 201}}] * answered
    async with opened(answer(200, {"took": 3, "errors": False, "items": items})) as (engine, _):
        with pytest.raises(EngineFailed, match=f"send 2 operations to docs: the engine answered for {answered}"):
            await engine.data.bulk("docs", b"{}\n", operations=2)
