"""What a sync costs, and how fast it is: beside ready-made bulk requests, its own client, and fixed concurrency.

`python -m benchmarks.sync --documents 1000000` measures against Elasticsearch with as many documents, with
`--memory 5000000` what a sync of so many ids takes at most, and with `--profile` where its time goes.
"""

import argparse
import asyncio
import pstats
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw
import msgspec

from benchmarks import limiter, null_engine
from benchmarks.embedded_corpus import Corpus
from benchmarks.embedded_servers import Elasticsearch, Server, running
from benchmarks.raw_bulk import Bodies, Load, Trial, best_raw_rate, trial
from benchmarks.sync_process import DISTINCT, Result, Run
from connectors.engine.flavor import Flavor
from connectors.sync.document.prepared import Preparer, fingerprint
from connectors.sync.document.shape import Shape
from connectors.sync.index.content_index import content_index
from connectors.sync.index.mark import Mark, marked, version
from connectors.sync.ledger.ledger import BYTES_A_DOCUMENT
from fixtures.mysql.server import ADMIN, DATABASE, PASSWORD, MariaDB

ROUNDS: Final = 5
COUNT: Final = 100_000
SIZES: Final = (200, 1_000)
BYTES: Final = 850
"""Of a document with texts, so that there are some 1,000 with its mark."""
BATCH: Final = 1_000
"""Documents of a ready-made request: what `raw_bulk` found to be the best for some 1,000 bytes each."""
MB: Final = 10**6


def measured(run: Run) -> Result:
    """Do a run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sync_process", msgspec.json.encode(run).decode()]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)


# What it costs.


@dataclass(frozen=True)
class Cost:
    """CPU time in µs a document: of the source and the client alone, and of syncs in which a share is new."""

    size: int
    source: float
    client: float
    first: float
    unchanged: float
    one_in_a_hundred: float
    sent: Sequence[int]
    """Operations of the three syncs."""
    scans: Sequence[int]

    @property
    def own(self) -> float:
        """What the first sync takes beside the two."""
        return self.first - self.source - self.client


def costs(count: int = COUNT) -> Iterator[Cost]:
    """Yield what syncs cost at an engine that takes everything at once, the medians of some rounds."""
    with null_engine.null_engine() as url:
        for size in SIZES:
            run = Run(url, count, size, changed=(1.0, 0.0, 0.01), alone=True)
            found = [measured(run) for _ in range(ROUNDS)]
            alone = [[one.source_cpu_s for one in found], [one.client_cpu_s for one in found]]
            syncs = [[one.syncs[number].cpu_s for one in found] for number in range(3)]
            source, client, first, unchanged, few = [statistics.median(one) / count * 1e6 for one in (*alone, *syncs)]
            counters = [one.counters for one in found[-1].syncs]
            sent, scans = [one["sent"] for one in counters], [one["scans"] for one in counters]
            yield Cost(size, source, client, first, unchanged, few, sent, scans)


def text_of_costs(found: Sequence[Cost]) -> str:
    """Return the table of what syncs cost."""
    head = "| µs of CPU a document | " + " | ".join(f"{one.size:,} bytes" for one in found) + " |"
    lines = ["", "### A sync, its own CPU", "", head, "| --- |" + " ---: |" * len(found)]
    rows: dict[str, list[float]] = {
        "the source alone": [one.source for one in found],
        "the client alone": [one.client for one in found],
        "a first sync": [one.first for one in found],
        "of that our own": [one.own for one in found],
        "a sync in which nothing changed": [one.unchanged for one in found],
        "one document in a hundred changed": [one.one_in_a_hundred for one in found],
    }
    lines += [f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} |" for name, values in rows.items()]
    sent = ", ".join(f"{number:,}" for number in found[-1].sent)
    scans = ", ".join(str(number) for number in found[-1].scans)
    return "\n".join([*lines, "", f"Sent in the three syncs: {sent} documents; scans of the index: {scans}."])


# How fast it is.


@dataclass(frozen=True)
class Speed:
    """Documents a second into Elasticsearch: ready-made in the best way, and by syncs, in each round."""

    best: Trial
    raw: Sequence[float]
    syncs: Mapping[str, Sequence[float]]
    limit: int


def load_of(documents: int) -> Load:
    """Return ready-made documents like those that a sync of `Rows` writes, for an index like its own."""
    prepare, at = Preparer(Shape("rows")), version(1_780_000_000_000, 1)
    ready = []
    for number, one in enumerate(Corpus().documents(min(DISTINCT, documents), BYTES)):
        prepared = prepare({"_id": f"row_{number}", "revision": 0, **one})
        ready.append(marked(prepared.body, Mark(fingerprint(prepared.metadata, 0), 0, at, "connector-1")))
    index = content_index("raw", None, Flavor.ELASTICSEARCH)
    return Load(ready, index.mappings, {**index.settings, "number_of_shards": 1, "number_of_replicas": 0})


def speed(count: int, rounds: int = 3) -> Speed:
    """Return how fast syncs are beside ready-made requests, which take turns."""
    load = load_of(count)
    with running(Elasticsearch) as server, tempfile.TemporaryDirectory() as folder, _mariadb(count) as settings:
        server.ask("PUT", "/_template/single", _TEMPLATE)
        ways: Mapping[str, tuple[str, dict[str, object]]] = {
            "a generator": ("rows", {}),
            "SQLite": ("sqlite", {"database": _database(Path(folder) / "rows.db", count)}),
            **({"MariaDB": ("mysql", settings)} if settings else {}),
        }
        best, _ = best_raw_rate(server.url, load, count=min(count, COUNT), batches=(BATCH,))
        bodies = Bodies(load.documents, best.batch)
        raw, syncs, limit = list[float](), {name: list[float]() for name in ways}, 0
        for _ in range(rounds):
            again = trial(server.url, load, bodies, connections=best.connections, batch=best.batch, count=count)
            raw.append(again.rate)
            for name, (kind, configuration) in ways.items():
                run = Run(server.url, count, BYTES, texts=True, service_type=kind, configuration=configuration)
                done = measured(run).syncs[0]
                syncs[name].append(done.counters["created"] / done.seconds)
                limit = done.limit
                _remove_synced(server)
        return Speed(best, raw, syncs, limit)


def _remove_synced(server: Server) -> None:
    for index in server.ask("GET", "/_cat/indices/sync-*?h=index").decode().split():
        server.ask("DELETE", f"/{index}")


_TEMPLATE: Final = msgspec.json.encode(
    {"index_patterns": ["sync-*"], "settings": {"number_of_shards": 1, "number_of_replicas": 0}}
)


def _database(path: Path, count: int) -> str:
    """Write the documents into a table, and return where."""
    made = list(Corpus().documents(DISTINCT, BYTES))
    names = list(made[0])
    with closing(apsw.Connection(str(path))) as connection, connection:
        connection.execute(f"CREATE TABLE rows (id INTEGER PRIMARY KEY, {', '.join(names)})")
        marks = ", ".join("?" * (len(names) + 1))
        rows = ((number, *made[number % DISTINCT].values()) for number in range(count))
        connection.executemany(f"INSERT INTO rows VALUES ({marks})", rows)
    return str(path)


@contextmanager
def _mariadb(count: int) -> Iterator[dict[str, object]]:
    """Provide the settings of a database with the documents in a table; none where there is no MariaDB."""
    server = MariaDB()
    try:
        asyncio.run(server.__aenter__())
    except RuntimeError as error:
        print(f"No MariaDB to measure: {error}", file=sys.stderr)
        yield {}
        return
    try:
        asyncio.run(_fill(server, count))
        address = {"host": "127.0.0.1", "port": server.port, "user": ADMIN, "password": PASSWORD}
        yield {**address, "database": DATABASE}
    finally:
        asyncio.run(server.close())


async def _fill(server: MariaDB, count: int) -> None:
    made = list(Corpus().documents(DISTINCT, BYTES))
    columns = ", ".join(f"{name} {_TYPES[type(value)]}" for name, value in made[0].items())
    marks = ", ".join(["%s"] * (len(made[0]) + 1))
    async with await server.connect() as connection, connection.cursor() as cursor:
        await connection.select_db(DATABASE)
        await cursor.execute(f"CREATE TABLE `rows` (id INT PRIMARY KEY, {columns})")
        for start in range(0, count, BATCH):
            several = range(start, min(count, start + BATCH))
            rows = [(number, *made[number % DISTINCT].values()) for number in several]
            await cursor.executemany(f"INSERT INTO `rows` VALUES ({marks})", rows)


_TYPES: Final = {str: "TEXT", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}


def text_of_speed(found: Speed) -> str:
    """Return the table of how fast syncs are."""
    best = found.best
    way = f"ready-made, {best.connections} connections, {best.batch:,} in a bulk"
    lines = ["", "### A first sync into Elasticsearch", "", "| documents a second | median | ratio |"]
    lines.append("| --- | ---: | ---: |")
    syncs = {f"a sync of {name}": rates for name, rates in found.syncs.items()}
    for name, rates in {way: found.raw, **syncs}.items():
        ratio = statistics.median(a / b for a, b in zip(rates, found.raw, strict=True))
        lines.append(f"| {name} | {statistics.median(rates):,.0f} | {ratio:.2f} |")
    return "\n".join([*lines, "", f"The limiter ended at {found.limit} requests at once."])


# How much memory it takes.


@dataclass(frozen=True)
class Memory:
    """The most memory of a process that syncs twice, and what it had before it was told what to do."""

    documents: int
    size: int
    loaded_mb: int
    peak_mb: int

    @property
    def allowed_mb(self) -> float:
        """What it is to stay below."""
        return 100 + BYTES_A_DOCUMENT * self.documents / MB


def memory(cases: Sequence[tuple[int, int]]) -> Iterator[Memory]:
    """Yield what syncs of so many documents of so many bytes take."""
    with null_engine.null_engine() as url:
        for documents, size in cases:
            found = measured(Run(url, documents, size, changed=(1.0, 0.0)))
            yield Memory(documents, size, found.loaded_mb, max(one.peak_mb for one in found.syncs))


def text_of_memory(found: Sequence[Memory]) -> str:
    """Return the table of memory."""
    lines = ["", "### The most memory of a process that syncs, MB", ""]
    lines += ["| documents | bytes each | loaded | at most | to stay below |", "| ---: | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {one.documents:,} | {one.size:,} | {one.loaded_mb} | {one.peak_mb} | {one.allowed_mb:.0f} |"
        for one in found
    ]
    return "\n".join(lines)


def profile(count: int = COUNT) -> None:
    """Print where the time of a first sync goes."""
    with null_engine.null_engine() as url, tempfile.NamedTemporaryFile(suffix=".prof") as file:
        measured(Run(url, count, 1_000, profile=file.name))
        pstats.Stats(file.name).strip_dirs().sort_stats("tottime").print_stats(40)


def run_all() -> None:
    """Print all tables, in some three minutes."""
    print(text_of_costs(list(costs())), flush=True)
    print(limiter.text(), flush=True)
    print(text_of_memory(list(memory([(100_000, 100), (1_000_000, 100), (5_000, 100_000)]))), flush=True)
    try:
        print(text_of_speed(speed(COUNT)), flush=True)
    except subprocess.CalledProcessError as error:
        print(f"No Elasticsearch to measure: {error}", file=sys.stderr)


def main() -> None:
    """Print what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, help="into Elasticsearch")
    parser.add_argument("--memory", type=int, help="documents of 100 bytes")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    parser.add_argument("--costs", action="store_true", help="what a document costs")
    parser.add_argument("--limiter", action="store_true", help="how well the best concurrency is found")
    told = parser.parse_args()
    if told.profile:
        profile()
    if told.costs:
        print(text_of_costs(list(costs())))
    if told.limiter:
        print(limiter.text())
    if told.memory:
        print(text_of_memory(list(memory([(told.memory, 100)]))))
    if told.documents:
        print(text_of_speed(speed(told.documents)))
    if not any(vars(told).values()):
        run_all()


if __name__ == "__main__":
    main()
