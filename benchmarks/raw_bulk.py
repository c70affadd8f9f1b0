"""The yardstick of a sync: how many documents a second an engine takes when they are ready to be sent.

Bodies are made of templates, in which only the ids and the version change from one to the next, so that there may be
any number of them; threads send them over plain sockets. So next to nothing is measured but the engine.
"""

import contextlib
import http.client
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from benchmarks import null_engine
from benchmarks.embedded_corpus import MAPPINGS, Corpus
from benchmarks.embedded_servers import Elasticsearch, Embedded, OpenSearch, Server, running

CONNECTIONS: Final = (1, 2, 4, 8)
BATCHES: Final = (250, 1_000, 2_000)
COUNT: Final = 100_000
TRIED: Final = 20_000
"""Documents of a trial that finds out which way is the best; a multiple of every batch."""
EPOCH: Final = 1_780_000_000_000
DISTINCT: Final = 8_000
BYTES: Final = 850
"""Of a document without its mark, so that there are some 1,000 with it."""
_MARK: Final = {
    "dynamic": False,
    "properties": {
        **{key: {"type": "long", "index": False} for key in "fdvo"},
        "c": {"type": "keyword"},
    },
}
_SETTINGS: Final = {"index": {"number_of_shards": 1, "number_of_replicas": 0}}
_NDJSON: Final = {"content-type": "application/x-ndjson"}
_JSON: Final = {"content-type": "application/json"}


@dataclass(frozen=True)
class Load:
    """What is sent: documents as JSON on one line, taken in turn, and what the index is created with."""

    documents: Sequence[bytes]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=lambda: _SETTINGS)

    @property
    def creation(self) -> bytes:
        """The body that creates the index."""
        return msgspec.json.encode({"settings": self.settings, "mappings": self.mappings})


def usual_load() -> Load:
    """Return documents like those of people, of some 1,000 bytes with the mark that a sync adds."""
    mark = {**dict.fromkeys("fd", 2**62), **dict.fromkeys("vo", EPOCH << 21), "c": "connector-1"}
    documents = [msgspec.json.encode({**one, "_sync": mark}) for one in Corpus().documents(DISTINCT, BYTES)]
    return Load(documents, {"properties": {**MAPPINGS["properties"], "_sync": _MARK}})


class Bodies:
    """Bulk bodies by their number: each has ids of its own, and its number in the version."""

    def __init__(self, documents: Sequence[bytes], batch: int) -> None:
        cycle = itertools.cycle(documents)
        count = max(1, len(documents) // batch)
        self._templates = [list(self._parts(itertools.islice(cycle, batch))) for _ in range(count)]

    @staticmethod
    def _parts(documents: Iterator[bytes]) -> Iterator[bytes]:
        """Yield what is the same in every body that is made of these documents; ids end, lines go on in between."""
        before = b""
        for number, document in enumerate(documents):
            yield before + b'{"index":{"_id":"%d-' % number
            before = document + b"\n"
        yield before

    def body(self, number: int) -> bytes:
        """Return the body of that number."""
        rest = b'%d","version":%d,"version_type":"external_gte"}}\n' % (number, EPOCH << 21 | number)
        return rest.join(self._templates[number % len(self._templates)])


@dataclass(frozen=True)
class Trial:
    """How one way of sending did: the time until all was acknowledged, until all was searchable, the sender's CPU."""

    connections: int
    batch: int
    documents: int
    recorded_s: float
    searchable_s: float
    sender_cpu_s: float

    @property
    def rate(self) -> float:
        """How many documents a second were acknowledged."""
        return self.documents / self.recorded_s


def best_raw_rate(
    url: str,
    load: Load | None = None,
    *,
    count: int = COUNT,
    warm_up: int = COUNT,
    connections: Sequence[int] = CONNECTIONS,
    batches: Sequence[int] = BATCHES,
) -> tuple[Trial, list[Trial]]:
    """Return how fast an engine takes so many documents in the way that is best for it, and what was tried before.

    Every combination is tried with fewer documents, after `warm_up` documents that do not count (Java compiles what it
    runs often), and the two best with all. Each writes to an index of its own, which is deleted again.
    """
    load = load or usual_load()
    made = {batch: Bodies(load.documents, batch) for batch in batches}
    ways = list(itertools.product(connections, batches))
    tried = min(TRIED, count)
    trial(url, load, made[batches[0]], connections=max(connections), batch=batches[0], count=warm_up)
    trials = [trial(url, load, made[batch], connections=many, batch=batch, count=tried) for many, batch in ways]
    finalists = sorted(trials, key=lambda one: one.rate)[-2:]
    finals = [
        trial(url, load, made[one.batch], connections=one.connections, batch=one.batch, count=count)
        for one in finalists
    ]
    return max(finals, key=lambda one: one.rate), trials


def trial(url: str, load: Load, bodies: Bodies, *, connections: int, batch: int, count: int) -> Trial:
    """Send so many documents, rounded up to whole bulks, over so many connections at once."""
    index = f"raw-{time.time_ns()}"
    numbers = range(-(-count // batch))
    taken = iter(numbers)

    def send() -> None:
        with contextlib.closing(_Sender(url)) as sender:
            for number in taken:
                sender.bulk(index, bodies.body(number))

    with contextlib.closing(_Sender(url)) as own:
        own.ask("PUT", f"/{index}", load.creation, _JSON)
        cpu, started = time.process_time(), time.perf_counter()
        with ThreadPoolExecutor(connections) as threads:
            for done in [threads.submit(send) for _ in range(connections)]:
                done.result()
        recorded, spent = time.perf_counter() - started, time.process_time() - cpu
        own.ask("POST", f"/{index}/_refresh")
        searchable = time.perf_counter() - started
        written = own.written(index)
        own.ask("DELETE", f"/{index}")
    if written != len(numbers) * batch:
        raise AssertionError(f"{written} documents were written, and {len(numbers) * batch} were to be.")
    return Trial(connections, batch, written, recorded, searchable, spent)


class _Sender:
    """One connection that is kept."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)

    def close(self) -> None:
        self._connection.close()

    def bulk(self, index: str, body: bytes) -> None:
        said = self.ask("POST", f"/{index}/_bulk?filter_path=errors", body, _NDJSON)
        if said != b'{"errors":false}':
            raise AssertionError(f"The engine did not take all of a bulk: {said[:200]!r}")

    def written(self, index: str) -> int:
        """Return how many sequence numbers an index gave away."""
        stats = json.loads(self.ask("GET", f"/{index}/_stats/indexing?level=shards"))
        copies = itertools.chain.from_iterable(stats["indices"][index]["shards"].values())
        return sum(copy["seq_no"]["max_seq_no"] + 1 for copy in copies if copy["routing"]["primary"])

    def ask(self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> bytes:
        self._connection.request(method, target, body, dict(headers))
        with self._connection.getresponse() as answer:
            content = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{method} {target} was answered with {answer.status}: {content[:500]!r}")
        return content


@dataclass
class NullServer(Server):
    """The null engine, which shows what the sender itself could send."""

    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it."""
        self._process, self.url = null_engine.start()
        self.pid = self._process.pid

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            null_engine.end(self._process)


ENGINES: Final[Mapping[str, type[Server]]] = {
    "nothing behind it": NullServer,
    "embedded": Embedded,
    "Elasticsearch": Elasticsearch,
    "OpenSearch": OpenSearch,
}


@dataclass(frozen=True)
class Found:
    """What was found out about one engine."""

    name: str
    best: Trial
    trials: Sequence[Trial]
    engine_cpu_s: float
    """For each document of all trials."""


def run() -> Iterator[Found]:
    """Yield what was found of each engine; one that can't be had is left out."""
    load = usual_load()
    for name, kind in ENGINES.items():
        try:
            with running(kind) as server:
                before = server.cpu_s()
                best, trials = best_raw_rate(server.url, load)
                sent = TRIED * len(trials) + 3 * COUNT
                yield Found(name, best, trials, (server.cpu_s() - before) / sent)
        except subprocess.CalledProcessError as error:
            print(f"No {name} to measure: {error}", file=sys.stderr)


def text(found: Found) -> str:
    """Return the table of all ways to send to one engine."""
    trials = found.trials
    rates = {(one.connections, one.batch): one.rate for one in trials}
    batches = sorted({one.batch for one in trials})
    lines = [f"### {found.name}, {trials[0].documents:,} ready-made documents", ""]
    lines.append(f"| documents a second | {' | '.join(f'{batch:,} in a bulk' for batch in batches)} |")
    lines.append("| --- |" + " ---: |" * len(batches))
    for many in sorted({one.connections for one in trials}):
        name = f"{many} connection{'s' * (many > 1)}"
        lines.append(f"| {name} | {' | '.join(f'{rates[many, batch]:,.0f}' for batch in batches)} |")
    return "\n".join(["", *lines])


def summary(found: Sequence[Found]) -> str:
    """Return the table of the best way to each engine."""
    heads = ("documents a second", "and searchable", "connections", "in a bulk", "engine's CPU, µs", "sender's CPU, µs")
    lines = [f"| {' | '.join(('its best way', *heads))} |", "| --- |" + " ---: |" * len(heads)]
    for one in found:
        best = one.best
        rates = f"{best.rate:,.0f} | {best.documents / best.searchable_s:,.0f} | {best.connections} | {best.batch:,}"
        own = best.sender_cpu_s / best.documents
        lines.append(f"| {one.name} | {rates} | {one.engine_cpu_s * 1e6:.3g} | {own * 1e6:.3g} |")
    title = f"### The best way, {found[0].best.documents:,} ready-made documents" if found else "### No engine"
    return "\n".join(["", title, "", *lines])
