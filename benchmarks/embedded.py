"""The embedded engine beside a real, warm Elasticsearch: both over HTTP, asked the same, in turn, in one run."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

import msgspec

from benchmarks.embedded_corpus import LARGE_BYTES, MAPPINGS, SMALL_BYTES, Corpus
from benchmarks.embedded_servers import Elasticsearch, Embedded, Server, running, seconds_to_start
from benchmarks.embedded_tables import Table, line

SMALL_COUNT: Final = 100_000
LARGE_COUNT: Final = 100_000
SMALL_BATCH: Final = 1_000
LARGE_BATCH: Final = 100
CONNECTIONS: Final = (1, 4)
LOADS: Final = 2
SEARCH_ROUNDS: Final = 21
PARTS: Final = 3
PER_PART: Final = 100
PER_INDEX: Final = 20
SEARCH: Final = "/searched/_search?request_cache=false"
FIRST: Final = ("/searched/_search", b"{}")
_SETTINGS: Final = {"index": {"number_of_shards": 1, "number_of_replicas": 0}}
_CREATE: Final = msgspec.json.encode({"settings": _SETTINGS, "mappings": MAPPINGS})


def run() -> Iterator[Table]:
    """Yield the tables; without an Elasticsearch only our own numbers."""
    corpus = Corpus()
    with ExitStack() as stack:
        servers: list[Server] = [stack.enter_context(running(Embedded))]
        try:
            servers.append(stack.enter_context(running(Elasticsearch)))
        except subprocess.CalledProcessError as error:
            print(f"No Elasticsearch to compare with: {error}", file=sys.stderr)
        small = corpus.bodies(SMALL_COUNT, SMALL_BYTES, SMALL_BATCH)
        large = corpus.bodies(LARGE_COUNT, LARGE_BYTES, LARGE_BATCH)
        _warm_up(servers, small, large)
        yield _loading(servers, small, large)
        yield _searches(servers, corpus)
        yield _meanwhile(servers, small)
        yield _memory(servers)
        yield _starts(servers)
        yield _many_indices(servers, corpus)


def _warm_up(servers: Sequence[Server], small: Sequence[bytes], large: Sequence[bytes]) -> None:
    """Load the index that is searched later, and let Java compile what it runs often."""
    for server in servers:
        _created(server, "searched")
        server.load("searched", small, 4)
        server.ask("POST", "/searched/_refresh")
    for server in servers[1:]:
        for index, bodies in (("small", small), ("large", large[:20])):
            _created(server, index)
            server.load(index, bodies, 4)
            server.ask("DELETE", f"/{index}")


def _created(server: Server, index: str) -> None:
    server.ask("PUT", f"/{index}", _CREATE)


def _loading(servers: Sequence[Server], small: Sequence[bytes], large: Sequence[bytes]) -> Table:
    lines = []
    plans = [(SMALL_BYTES, SMALL_COUNT, small, connections, LOADS) for connections in CONNECTIONS]
    plans.append((LARGE_BYTES, LARGE_COUNT, large, 4, 1))
    for size, count, bodies, connections, rounds in plans:
        taken = [[_load(server, bodies, connections) for server in servers] for _ in range(rounds)]
        name = f"{count:,} of {size:,} bytes, {connections} connection{'s' * (connections > 1)}"
        lines.append(line(f"{name}: recorded", [[count / one for one, _ in each] for each in taken]))
        lines.append(line(f"{name}: and searchable", [[count / both for _, both in each] for each in taken]))
    return Table("Taking documents", "documents a second", lines)


def _load(server: Server, bodies: Sequence[bytes], connections: int) -> tuple[float, float]:
    """Return how long it takes until all is acknowledged, and until all is searchable."""
    _created(server, "loaded")
    started = time.perf_counter()
    server.load("loaded", bodies, connections)
    recorded = time.perf_counter() - started
    server.ask("POST", "/loaded/_refresh")
    searchable = time.perf_counter() - started
    server.ask("DELETE", "/loaded")
    return recorded, searchable


def _searches(servers: Sequence[Server], corpus: Corpus) -> Table:
    lines = []
    for name, body in corpus.searches(SMALL_COUNT).items():
        encoded = msgspec.json.encode(body)
        for server in servers[1:]:
            for _ in range(200):
                server.ask("POST", SEARCH, encoded)
        took = [[_milliseconds(server, SEARCH, encoded) for server in servers] for _ in range(SEARCH_ROUNDS)]
        lines.append(line(name, took))
    return Table(f"Searching {SMALL_COUNT:,} documents of {SMALL_BYTES} bytes", "milliseconds", lines)


def _meanwhile(servers: Sequence[Server], small: Sequence[bytes]) -> Table:
    """Measure what takes turns with others: searches during a load, and a write that is searched at once."""
    body = msgspec.json.encode({"query": {"term": {"kind": "k3"}}})
    found = [_during_load(server, small, body) for server in servers]
    # The ids are those of documents that are there, so each write takes the place of one.
    one = small[0].split(b"\n")[1]
    targets = [f"/searched/_doc/{number}?refresh=true" for number in range(SEARCH_ROUNDS)]
    wrote = [[_milliseconds(server, target, one, "PUT") for server in servers] for target in targets]
    lines = [
        line("a term query while 4 connections load", [[statistics.median(took) for took in found]]),
        line("the slowest of these", [[max(took) for took in found]]),
        line(f"one of {SMALL_COUNT:,} documents replaced and refreshed", wrote),
    ]
    return Table("Searching and writing at the same time", "milliseconds", lines)


def _during_load(server: Server, bodies: Sequence[bytes], search: bytes) -> list[float]:
    _created(server, "loaded")
    took = []
    with ThreadPoolExecutor(1) as thread:
        load = thread.submit(server.load, "loaded", bodies, 4)
        while not load.done():
            took.append(_milliseconds(server, SEARCH, search))
            time.sleep(0.02)
        load.result()
    server.ask("DELETE", "/loaded")
    return took


def _milliseconds(server: Server, target: str, body: bytes, method: str = "POST") -> float:
    started = time.perf_counter()
    server.ask(method, target, body)
    return (time.perf_counter() - started) * 1000


def _memory(servers: Sequence[Server]) -> Table:
    time.sleep(2)
    found = [server.memory_mb() for server in servers]
    lines = [line("resident after all that", [[now for now, _ in found]])]
    lines.append(line("the most it was", [[peak for _, peak in found]]))
    return Table("Memory", "MB", lines)


def _starts(servers: Sequence[Server]) -> Table:
    took = [[seconds_to_start(server, FIRST) for server in servers] for _ in range(3)]
    lines = [
        line("until it answers", [[answered for answered, _ in each] for each in took]),
        line(f"until it searches {SMALL_COUNT:,} documents", [[searched for _, searched in each] for each in took]),
        line("memory then, MB", [[server.memory_mb()[0] for server in servers]]),
    ]
    return Table("Starting on data that is there", "seconds", lines)


def _many_indices(servers: Sequence[Server], corpus: Corpus) -> Table:
    """Make many small indices, as many a source has one: each is created, filled, refreshed and searched."""
    [body] = corpus.bodies(PER_INDEX, SMALL_BYTES, PER_INDEX)
    before = [(server.memory_mb()[0], server.disk_bytes()) for server in servers]
    took = [[_make_indices(server, part, body) / PER_PART * 1000 for server in servers] for part in range(PARTS)]
    after = [(server.memory_mb()[0], server.disk_bytes()) for server in servers]
    grown = list(zip(before, after, strict=True))
    count = PARTS * PER_PART
    answered = [seconds_to_start(server, FIRST)[0] for server in servers]
    lines = [
        line("to make one, ms", took),
        line("memory more, KB an index", [[(now[0] - then[0]) * 1024 / count for then, now in grown]]),
        line("disk, KB an index", [[(now[1] - then[1]) / 1024 / count for then, now in grown]]),
        line(f"to start with all {count}, s", [answered]),
    ]
    return Table(f"{count} indices of {PER_INDEX} documents of {SMALL_BYTES} bytes", "each", lines)


def _make_indices(server: Server, part: int, body: bytes) -> float:
    started = time.perf_counter()
    for number in range(PER_PART):
        index = f"many-{part}-{number}"
        _created(server, index)
        server.ask("POST", f"/{index}/_bulk?refresh=true&filter_path=errors", body)
        server.ask("POST", f"/{index}/_search", b"{}")
    return time.perf_counter() - started
