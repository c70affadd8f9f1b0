"""Refused bulks: items that are refused alone, and lines that refuse the whole."""

import pytest

from tests.contracts.engine.case import (
    ILLEGAL_ARGUMENT,
    INVALID_REQUEST,
    UNPARSABLE_DOCUMENT,
    Failure,
    Item,
    create,
    doc,
    failure,
    items,
    ndjson,
)
from tests.contracts.wire import Wire


def _index(doc_id: str, **more: object) -> dict[str, object]:
    return {"index": {"_id": doc_id, **more}}


class BulkRefusals:
    """What an invalid line costs."""

    async def test_unparsable_items_do_not_stop_the_others(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"n": {"type": "long"}})
        lines = [_index("1"), {"n": "no number"}, _index("2"), {"n": 2}, _index("3"), {"n": {"o": 1}}, _index("4"), [1]]
        broken = b'{"index":{"_id":"5"}}\n{"n":\n' + ndjson(_index("6"), {"n": 6})
        answered = items(await wire("POST", f"/{index}/_bulk", ndjson(*lines) + broken))
        assert [(item.id, item.status) for item in answered] == [
            ("1", 400), ("2", 201), ("3", 400), ("4", 400), ("5", 400), ("6", 201),
        ]  # fmt: skip
        assert {item.outcome for item in answered if item.status == 400} <= UNPARSABLE_DOCUMENT
        assert [item.seq_no for item in answered] == [None, 0, None, None, None, 1]

    async def test_invalid_index_name_of_an_item_does_not_stop_the_others(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = ndjson(_index("1", _index=index.upper()), {"n": 1}, _index("2"), {"n": 1})
        assert items(await wire("POST", f"/{index}/_bulk", body)) == [
            Item("index", "1", 400, "invalid_index_name_exception"),
            Item("index", "2", 201, "created", version=1, seq_no=0),
        ]

    async def test_empty_id_of_an_item_does_not_stop_the_others(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        assert items(await wire("POST", f"/{index}/_bulk", ndjson(_index(""), {"n": 1}, _index("2"), {"n": 1}))) == [
            Item("index", "", 400, ILLEGAL_ARGUMENT),
            Item("index", "2", 201, "created", version=1, seq_no=0),
        ]

    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param([_index("i" * 513), {"n": 1}], id="id of 513 bytes"),
            pytest.param([_index("b", version=5), {"n": 1}], id="internal version"),
            pytest.param([_index("b", if_seq_no=1), {"n": 1}], id="no primary term"),
            pytest.param(
                [_index("b", if_seq_no=1, if_primary_term=1, version=5, version_type="external"), {"n": 1}],
                id="version and sequence number",
            ),
            pytest.param([{"create": {"_id": "b", "version": 5, "version_type": "external"}}, {"n": 1}], id="create"),
            pytest.param([{"delete": {}}], id="delete without an id"),
        ],
    )
    async def test_one_invalid_item_refuses_the_whole_bulk(self, wire: Wire, index: str, lines: list[object]) -> None:
        # Unlike a document that cannot be parsed: what is checked before sending must hold these back.
        await create(wire, index)
        answer = await wire("POST", f"/{index}/_bulk", ndjson(_index("a"), {"n": 1}, *lines))
        assert failure(answer) == Failure(400, INVALID_REQUEST)
        assert (await wire("HEAD", doc(index, "a"))).status == 404

    @pytest.mark.parametrize(
        "broken",
        [
            pytest.param(ndjson({"frobnicate": {"_id": "b"}}, {"n": 1}), id="unknown action"),
            pytest.param(ndjson(_index("b", frobnicate=1), {"n": 1}), id="unknown parameter"),
            pytest.param(ndjson({}, {"n": 1}), id="no action"),
            pytest.param(ndjson({"index": "b"}, {"n": 1}), id="action that is no object"),
            pytest.param(ndjson(["index"], {"n": 1}), id="line that is no object"),
            pytest.param(ndjson(_index("b"), {"n": 1}).rstrip(b"\n"), id="no newline at the end"),
        ],
    )
    async def test_malformed_line_refuses_the_whole_bulk(self, wire: Wire, index: str, broken: bytes) -> None:
        await create(wire, index)
        answer = await wire("POST", f"/{index}/_bulk", ndjson(_index("a"), {"n": 1}) + broken)
        assert failure(answer) == Failure(400, ILLEGAL_ARGUMENT)
        assert (await wire("HEAD", doc(index, "a"))).status == 404

    async def test_line_that_is_no_json_refuses_the_whole_bulk(self, wire: Wire, index: str) -> None:
        # The type is x_content_parse_exception or json_parse_exception: both are a bug of whoever wrote the bulk.
        await create(wire, index)
        answer = await wire("POST", f"/{index}/_bulk", ndjson(_index("a"), {"n": 1}) + b"no json\n")
        assert failure(answer).status == 400
        assert (await wire("HEAD", doc(index, "a"))).status == 404

    @pytest.mark.parametrize(
        ("body", "error_type"), [(None, "parse_exception"), (b"", "parse_exception"), (b"\n", INVALID_REQUEST)]
    )
    async def test_empty_bulk_is_refused(self, wire: Wire, index: str, body: bytes | None, error_type: str) -> None:
        await create(wire, index)
        assert failure(await wire("POST", f"/{index}/_bulk", body)) == Failure(400, error_type)

    async def test_item_without_any_index_refuses_the_bulk(self, wire: Wire) -> None:
        assert failure(await wire("POST", "/_bulk", ndjson(_index("1"), {"n": 1}))) == Failure(400, INVALID_REQUEST)

    async def test_blank_lines_between_items_are_skipped(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = ndjson(_index("1"), {"n": 1}) + b"\n" + ndjson(_index("2"), {"n": 2})
        assert [item.status for item in items(await wire("POST", f"/{index}/_bulk", body))] == [201, 201]
