"""What the cases of the engine contract are written with: requests they share, and answers reduced to what counts."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from tests.contracts.wire import Answer, Wire

Json = dict[str, Any]
Feature = Literal["close", "delete_by_query", "ingest", "painless", "scroll", "shards"]
"""What an engine may lack; `shards` is more than one of them in an index."""

Case = TypeVar("Case", bound=Callable[..., object])

CONFLICT = "version_conflict_engine_exception"
INVALID_REQUEST = "action_request_validation_exception"
INDEX_NOT_FOUND = "index_not_found_exception"
ILLEGAL_ARGUMENT = "illegal_argument_exception"
UNPARSABLE_DOCUMENT = frozenset({"document_parsing_exception", "mapper_parsing_exception"})
"""Elasticsearch and OpenSearch name it differently; a bulk item with either is a dead letter by its status 400."""


@dataclass(frozen=True)
class Failure:
    """An answer that refuses: its HTTP status and the type of its error."""

    status: int
    type: str


ALL_SHARDS_FAILED = Failure(400, "search_phase_execution_exception")
"""Both engines wrap in it what only the mapping tells to be wrong with a search."""


@dataclass(frozen=True)
class Written:
    """What an engine says about one write that it applied, or found nothing to apply."""

    status: int
    result: str
    version: int
    seq_no: int
    primary_term: int = 1


@dataclass(frozen=True)
class Item:
    """One line of a bulk's answer; `outcome` is the result, or the type of the error."""

    action: str
    id: str
    status: int
    outcome: str
    version: int | None = None
    seq_no: int | None = None


def needs(*features: Feature) -> Callable[[Case], Case]:
    """Mark a case as one that an engine which `lacks` any of `features` skips."""

    def mark(case: Case) -> Case:
        case.needs = frozenset(features)  # type: ignore[attr-defined]
        return case

    return mark


def body_of(answer: Answer, status: int = 200) -> Json:
    """Return the body of an answer that must have this status."""
    assert answer.status == status, answer
    assert isinstance(answer.body, dict), answer
    return answer.body


def failure(answer: Answer) -> Failure:
    """Return what was refused, after checking that the body has the shape that every refusal has."""
    body = body_of(answer, answer.status)
    assert set(body) == {"error", "status"}, answer
    assert body["status"] == answer.status, answer
    error = body["error"]
    assert {"root_cause", "type", "reason"} <= set(error), answer
    return Failure(answer.status, error["type"])


def root_causes(answer: Answer) -> list[str]:
    """Return the types of the root causes of a refusal."""
    return [cause["type"] for cause in body_of(answer, answer.status)["error"]["root_cause"]]


def written(answer: Answer) -> Written:
    """Reduce the answer to a single write."""
    body = body_of(answer, answer.status)
    assert "error" not in body, answer
    return Written(answer.status, body["result"], body["_version"], body["_seq_no"], body["_primary_term"])


def items(answer: Answer) -> list[Item]:
    """Reduce the answer to a bulk to its items, in their order, after checking its shape."""
    body = body_of(answer)
    assert set(body) == {"took", "errors", "items"}, answer
    reduced = [_item(action, item) for line in body["items"] for action, item in line.items()]
    assert len(reduced) == len(body["items"]), answer
    assert body["errors"] is any("error" in item for line in body["items"] for item in line.values()), answer
    return reduced


def _item(action: str, item: Json) -> Item:
    outcome = item["error"]["type"] if "error" in item else item["result"]
    return Item(action, item["_id"], item["status"], outcome, item.get("_version"), item.get("_seq_no"))


def ndjson(*values: object) -> bytes:
    """Return newline-delimited JSON, as a bulk wants it."""
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def doc(index: str, doc_id: str, query: str = "") -> str:
    """Return the target of one document, its id escaped."""
    return f"/{index}/_doc/{quote(doc_id, safe='')}" + (f"?{query}" if query else "")


async def create(
    wire: Wire, index: str, *, shards: int = 1, properties: Json | None = None, dynamic: bool | str = True
) -> None:
    """Create an index without replicas that is refreshed only when asked."""
    settings = {"number_of_shards": shards, "number_of_replicas": 0, "refresh_interval": "-1"}
    mappings = {"dynamic": dynamic, "properties": properties or {}}
    body_of(await wire("PUT", f"/{index}", {"settings": settings, "mappings": mappings}))


async def store(wire: Wire, index: str, sources: dict[str, Json]) -> None:
    """Store documents by id, in their order, and make them visible to searches."""
    lines = [line for doc_id, source in sources.items() for line in ({"index": {"_id": doc_id}}, source)]
    stored = items(await wire("POST", f"/{index}/_bulk?refresh=true", ndjson(*lines)))
    assert [(item.id, item.status) for item in stored] == [(doc_id, 201) for doc_id in sources]


async def hits_of(wire: Wire, index: str, body: Json) -> list[Json]:
    """Search and return the hits."""
    hits: list[Json] = body_of(await wire("POST", f"/{index}/_search", body))["hits"]["hits"]
    return hits


async def found(wire: Wire, index: str, query: Json) -> set[str]:
    """Return the ids of all documents that a query matches."""
    return {hit["_id"] for hit in await hits_of(wire, index, {"query": query, "size": 1_000})}


async def refresh(wire: Wire, index: str) -> None:
    """Make everything written so far visible to searches."""
    body_of(await wire("POST", f"/{index}/_refresh"))
