"""Fuzzed requests: whatever comes, the answer is JSON with a status below 500, and what was written stays."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.engine.embedded.engine import EmbeddedEngine

METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]
PARTS = [
    "_doc", "_search", "_bulk", "_mget", "_update", "_create", "_source", "_mapping", "_settings", "_alias", "_aliases",
    "_refresh", "_stats", "_count", "_pit", "_delete_by_query", "_cluster", "health", "state", "metadata", "_nodes",
    "_local", "_cat", "indices", "scroll", "..", ".", "%2F", "%00", "kept", "fuzz", "fuzz*", "a,b", "1", "é", "",
]  # fmt: skip
PARAMETERS = [
    "refresh", "refresh=true", "version=1", "version_type=external", "if_seq_no=0", "if_primary_term=1", "size=1",
    "from=-1", "sort=n", "preference=_shards:0", "keep_alive=1m", "scroll=1m", "_source=a", "filter_path=hits",
    "op_type=x", "level=shards", "q=x", "routing=1", "track_total_hits=true", "format=json", "size=9999999999999",
    "=", "%",
]  # fmt: skip
WORDS = [
    "query", "bool", "must", "should", "filter", "match", "term", "terms", "range", "exists", "field", "ids", "values",
    "prefix", "match_phrase", "multi_match", "fields", "simple_query_string", "sort", "size", "from", "search_after",
    "pit", "id", "keep_alive", "_source", "docvalue_fields", "track_total_hits", "doc", "docs", "upsert", "mappings",
    "properties", "type", "settings", "aliases", "actions", "add", "index", "alias", "n", "t", "d", "gte", "lt", "kept",
    "lenient", "order", "mode", "missing", "unmapped_type", "asc", "min", "slop", "tie_breaker", "adjust_pure_negative",
    "version", "constant_score", "must_not", "format", "time_zone", "dynamic", "detect_noop", "doc_as_upsert",
    "minimum_should_match", "operator", "and", "long", "text", "now-1d/d", "_seq_no", "_id", "2024-02-30", "boost",
]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS)
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    one = EmbeddedEngine(Path(tmp_path_factory.mktemp("fuzz")))
    mapping = {"properties": {"n": {"type": "long"}, "t": {"type": "text"}, "d": {"type": "date"}}}
    one.handle("PUT", "/kept", msgspec.json.encode({"mappings": mapping}))
    one.handle("PUT", "/kept/_doc/1?refresh=true", b'{"n":1,"t":"some words","d":"2024-01-01"}')
    # Nothing below may write to it, so what it holds at the end is what it holds now.
    one.handle("PUT", "/kept/_settings", b'{"index.blocks.read_only": true}')
    yield one
    one.close()


def check(engine: EmbeddedEngine, method: str, target: str, body: bytes) -> None:
    status, content = engine.handle(method, target, body)
    assert 200 <= status < 500, (method, target, body, content)
    answer: Any = msgspec.json.decode(content) if content else None
    if status >= 300 and method != "HEAD" and isinstance(answer, dict) and "error" in answer:
        assert "Traceback" not in str(answer["error"])


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(METHODS),
    st.lists(st.sampled_from(PARTS), max_size=4),
    st.lists(st.sampled_from(PARAMETERS), max_size=2),
    BODIES.map(msgspec.json.encode) | st.binary(max_size=30),
)
def test_any_request_is_answered(
    engine: EmbeddedEngine, method: str, parts: list[str], parameters: list[str], body: bytes
) -> None:
    # An index that is deleted could not be looked at afterwards.
    if method == "DELETE" and "kept" in parts:
        return
    check(engine, method, "/" + "/".join(parts) + ("?" + "&".join(parameters) if parameters else ""), body)


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BODIES, st.dictionaries(st.sampled_from(WORDS), BODIES, max_size=3))
def test_any_search_is_answered(engine: EmbeddedEngine, query: object, more: dict[str, object]) -> None:
    check(engine, "POST", "/kept/_search", msgspec.json.encode({**more, "query": query}))


@pytest.mark.parametrize("seed", range(20))
def test_any_bulk_is_answered(engine: EmbeddedEngine, seed: int) -> None:
    chance = random.Random(seed)
    lines = [
        b'{"index":{"_index":"fuzz","_id":"1"}}', b'{"delete":{"_index":"fuzz","_id":"1"}}', b'{"n":1}', b"{", b"",
        b'{"update":{"_index":"fuzz","_id":"1"}}', b'{"doc":{"n":2}}', b'{"create":{"_index":"fuzz"}}', b"[]", b"\xff",
        b'{"index":{"_index":"kept"}}', b'{"index":{"_index":"NO"}}', b'{"index":{"version":-1}}', b'{"n":"x"}',
    ]  # fmt: skip
    for _ in range(50):
        body = b"\n".join(chance.choices(lines, k=chance.randrange(8))) + b"\n"
        check(engine, "POST", "/_bulk", body)


def test_what_was_written_before_is_there_after(engine: EmbeddedEngine) -> None:
    _, content = engine.handle("GET", "/kept/_doc/1")
    assert msgspec.json.decode(content)["_source"] == {"n": 1, "t": "some words", "d": "2024-01-01"}
    _, content = engine.handle("POST", "/kept/_count", b'{"query":{"match":{"t":"words"}}}')
    assert msgspec.json.decode(content)["count"] == 1
