"""Errors: their shape, and requests that no route takes."""

import pytest

from tests.contracts.engine.case import (
    ALL_SHARDS_FAILED,
    ILLEGAL_ARGUMENT,
    Failure,
    body_of,
    create,
    doc,
    failure,
    root_causes,
)
from tests.contracts.wire import Wire

PARSE_ERRORS = frozenset(
    {"x_content_e_o_f_exception", "x_content_parse_exception", "json_e_o_f_exception", "json_parse_exception"}
)


class Errors:
    """Refusals as such."""

    async def test_error_has_this_shape(self, wire: Wire, index: str) -> None:
        answer = await wire("GET", f"/{index}/_search")
        cause = answer.body["error"]["root_cause"][0]
        assert answer.body == {"error": {"root_cause": [cause], **cause}, "status": answer.status}
        assert (cause["type"], cause["reason"]) == ("index_not_found_exception", f"no such index [{index}]")
        assert (cause["index"], cause["resource.id"], cause["index_uuid"]) == (index, index, "_na_")

    async def test_failed_search_names_its_shards(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"n": {"type": "long"}})
        answer = await wire("POST", f"/{index}/_search", {"query": {"term": {"n": "abc"}}})
        assert failure(answer) == ALL_SHARDS_FAILED
        assert root_causes(answer) == ["query_shard_exception"]
        error = answer.body["error"]
        assert (error["reason"], error["phase"], error["grouped"]) == ("all shards failed", "query", True)
        assert [(shard["shard"], shard["index"]) for shard in error["failed_shards"]] == [(0, index)]

    @pytest.mark.parametrize(
        ("method", "target"),
        [
            ("POST", "/{}"),
            ("PUT", "/_search"),
            ("DELETE", "/_bulk"),
            ("GET", "/_bulk"),
            ("PUT", "/_cluster/health"),
            ("PATCH", "/{}/_doc/1"),
            ("PUT", "/{}/_doc/"),
        ],
    )
    async def test_wrong_method_is_refused_in_words(self, wire: Wire, index: str, method: str, target: str) -> None:
        path = target.format(index)
        answer = await wire(method, path)
        body = body_of(answer, 405)
        assert body["status"] == 405
        # The allowed methods follow, in an order that differs.
        assert body["error"].startswith(f"Incorrect HTTP method for uri [{path}] and method [{method}], allowed: [")

    @pytest.mark.parametrize(("method", "target"), [("GET", "/{}/_unheard_of/1"), ("POST", "/{}/_doc/1/2")])
    async def test_unknown_route_is_refused_in_words(self, wire: Wire, index: str, method: str, target: str) -> None:
        path = target.format(index)
        answer = await wire(method, path)
        assert body_of(answer, 400) == {"error": f"no handler found for uri [{path}] and method [{method}]"}

    @pytest.mark.parametrize("method", ["GET", "PUT"])
    async def test_unknown_endpoint_is_an_invalid_index_name(self, wire: Wire, method: str) -> None:
        answer = await wire(method, "/_unheard_of")
        assert failure(answer) == Failure(400, "invalid_index_name_exception")

    @pytest.mark.parametrize(
        ("method", "target"),
        [("GET", "/{}/_doc/1?unheard_of=1"), ("POST", "/{}/_search?unheard_of=1"), ("POST", "/{}/_search?size=abc")],
    )
    async def test_unknown_parameter_is_refused(self, wire: Wire, index: str, method: str, target: str) -> None:
        await create(wire, index)
        assert failure(await wire(method, target.format(index))) == Failure(400, ILLEGAL_ARGUMENT)

    @pytest.mark.parametrize("broken", [b'{"query":', b'{"query": no}', b"no json", b'{"query": {"match_all": {}}'])
    async def test_broken_json_is_refused(self, wire: Wire, index: str, broken: bytes) -> None:
        # Named after the parser of each engine: a bug of whoever wrote the request either way.
        await create(wire, index)
        refused = failure(await wire("POST", f"/{index}/_search", broken))
        assert refused.status == 400
        assert refused.type in PARSE_ERRORS

    @pytest.mark.parametrize("broken", [b'{"n":', b'{"n":1}}', b'{"n":1}{"n":2}', b'{"n":1,"n":2}', b"[1]", b'"text"'])
    async def test_body_that_is_no_document_is_refused(self, wire: Wire, index: str, broken: bytes) -> None:
        await create(wire, index)
        assert failure(await wire("PUT", doc(index, "1"), broken)).status == 400
        assert (await wire("HEAD", doc(index, "1"))).status == 404
