"""Ingest pipelines: documents that are changed, dropped or sent elsewhere on their way into the index."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.contracts.engine.case import (
    ILLEGAL_ARGUMENT,
    Failure,
    Json,
    body_of,
    create,
    doc,
    failure,
    ndjson,
    needs,
)
from tests.contracts.wire import Wire


@asynccontextmanager
async def _pipeline(wire: Wire, name: str, *processors: Json) -> AsyncIterator[str]:
    body_of(await wire("PUT", f"/_ingest/pipeline/{name}", {"processors": list(processors)}))
    try:
        yield name
    finally:
        await wire("DELETE", f"/_ingest/pipeline/{name}")


async def _bulk(wire: Wire, index: str, pipeline: str) -> list[Json]:
    lines = [{"index": {"_id": "1"}}, {"n": 1}, {"index": {"_id": "2"}}, {"n": 2}, {"delete": {"_id": "3"}}]
    answer = body_of(await wire("POST", f"/{index}/_bulk?pipeline={pipeline}", ndjson(*lines)))
    return [item for line in answer["items"] for item in line.values()]


class Pipelines:
    """Writes with `pipeline`."""

    @needs("ingest")
    async def test_pipeline_is_stored_and_read_back(self, wire: Wire, index: str) -> None:
        missing = await wire("GET", f"/_ingest/pipeline/{index}")
        assert body_of(missing, 404) == {}
        processor = {"set": {"field": "added", "value": "yes"}}
        async with _pipeline(wire, index, processor):
            stored = await wire("GET", f"/_ingest/pipeline/{index}")
            assert body_of(stored) == {index: {"processors": [processor]}}

    @needs("ingest")
    async def test_pipeline_changes_documents(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        async with _pipeline(wire, index, {"set": {"field": "added", "value": "yes"}}) as name:
            assert [item["status"] for item in await _bulk(wire, index, name)] == [201, 201, 404]
        assert body_of(await wire("GET", doc(index, "1")))["_source"] == {"n": 1, "added": "yes"}

    @needs("ingest", "painless")
    async def test_dropped_document_is_answered_as_a_noop_without_a_sequence_number(
        self, wire: Wire, index: str
    ) -> None:
        await create(wire, index)
        async with _pipeline(wire, index, {"drop": {"if": "ctx.n == 1"}}) as name:
            dropped, kept, deletion = await _bulk(wire, index, name)
        assert (dropped["status"], dropped["result"], dropped["_id"]) == (200, "noop", "1")
        assert "_seq_no" not in dropped
        assert [(item["result"], item["_seq_no"]) for item in (kept, deletion)] == [("created", 0), ("not_found", 1)]
        assert (await wire("HEAD", doc(index, "1"))).status == 404

    @needs("ingest")
    async def test_rerouted_document_is_answered_by_the_other_index(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        async with _pipeline(wire, index, {"set": {"field": "_index", "value": f"{index}-2"}}) as name:
            answered = await _bulk(wire, index, name)
        assert [(item["_index"], item["status"]) for item in answered] == [
            (f"{index}-2", 201),
            (f"{index}-2", 201),
            (index, 404),
        ]

    @needs("ingest")
    async def test_failing_pipeline_fails_its_items_alone(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        async with _pipeline(wire, index, {"fail": {"message": "no"}}) as name:
            first, second, deletion = await _bulk(wire, index, name)
        assert [(item["status"], item["error"]["type"]) for item in (first, second)] == [
            (500, "fail_processor_exception")
        ] * 2
        assert (deletion["status"], deletion["result"]) == (404, "not_found")

    @needs("ingest")
    async def test_missing_pipeline_is_refused(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        answer = await wire("PUT", doc(index, "1", f"pipeline={index}"), {"n": 1})
        assert failure(answer) == Failure(400, ILLEGAL_ARGUMENT)
        statuses = [item["status"] for item in await _bulk(wire, index, index)]
        assert statuses == [400, 400, 404]
