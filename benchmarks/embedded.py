"""The embedded engine: how fast it takes documents, and how long a search takes; without the wire between."""

import statistics
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.spikes.embedded_store import documents
from connectors.engine.bulk import index_line
from connectors.engine.embedded.engine import EmbeddedEngine

COUNT = 100_000
BATCH = 1_000
MAPPINGS = {
    "properties": {
        "title": {"type": "text"},
        "body": {"type": "text"},
        "kind": {"type": "keyword"},
        "user": {"type": "keyword"},
        "n": {"type": "long"},
        "price": {"type": "double"},
        "ts": {"type": "date"},
        "flag": {"type": "boolean"},
    }
}
SEARCHES: dict[str, dict[str, object]] = {
    "term, a seventh of all": {"query": {"term": {"kind": "k3"}}, "track_total_hits": True},
    "range, half of all": {"query": {"range": {"n": {"gte": 100, "lt": 50_000}}}, "track_total_hits": True},
    "a rare word": {"query": {"match": {"body": "word4000"}}},
    "a word in nearly every document": {"query": {"match": {"body": "word1"}}},
    "term and range and word": {
        "query": {
            "bool": {
                "filter": [{"term": {"kind": "k3"}}, {"range": {"n": {"gte": 100, "lt": 50_000}}}],
                "must": [{"match": {"body": "word10"}}],
            }
        }
    },
    "half of all, sorted by two keys": {"query": {"term": {"flag": True}}, "sort": [{"kind": "asc"}, {"n": "desc"}]},
    "a page of 1,000 of a scan": {"size": 1_000, "sort": ["_shard_doc"], "_source": False, "docvalue_fields": ["n"]},
}


def run() -> tuple[dict[str, float], dict[str, float]]:
    """Return documents a second and milliseconds a search."""
    made = documents(COUNT)
    lines = [index_line(str(one["n"])) + msgspec.json.encode(one) + b"\n" for one in made]
    bodies = [b"".join(lines[start : start + BATCH]) for start in range(0, COUNT, BATCH)]
    with tempfile.TemporaryDirectory() as folder:
        engine = EmbeddedEngine(Path(folder))
        engine.handle("PUT", "/bench", msgspec.json.encode({"mappings": MAPPINGS}))
        started = time.perf_counter()
        for body in bodies:
            status, _ = engine.handle("PUT", "/bench/_bulk?filter_path=errors", body)
            assert status == 200
        recorded_s = time.perf_counter() - started
        engine.handle("POST", "/bench/_refresh")
        rates = {"recorded": COUNT / recorded_s, "recorded and searchable": COUNT / (time.perf_counter() - started)}
        took = {name: _median_ms(engine, msgspec.json.encode(search)) for name, search in SEARCHES.items()}
        engine.close()
    return rates, took


def _median_ms(engine: EmbeddedEngine, body: bytes) -> float:
    times = []
    for _ in range(7):
        started = time.perf_counter()
        status, _ = engine.handle("POST", "/bench/_search", body)
        times.append(time.perf_counter() - started)
        assert status == 200
    return statistics.median(times) * 1000
