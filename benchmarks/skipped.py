"""What a full sync costs that is skipped, as nothing has changed: the sync alone, and its whole job from claim to end.

`python -m benchmarks.skipped directory redis mongodb`: each source in turn, in a process that has been running for some
syncs. On a machine that does other things too, what it prints is an upper bound.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import apsw
from pymongo import MongoClient
from redis import Redis

from connectors import logger
from connectors.engine import open_engine
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.services.working.job_run import JobRun
from connectors.settings import EngineSettings
from connectors.store.connector import Connector
from connectors.store.job import JobStatus, Trigger
from connectors.store.jobs import JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType
from connectors.sync.sync import Sync
from connectors.sync.workplace import Workplace, open_workplace
from fixtures.mongodb.server import MongoDB
from fixtures.mysql import server as mysql_server
from fixtures.mysql.server import MariaDB
from fixtures.postgresql import server as postgresql_server
from fixtures.postgresql.server import PostgreSQL
from fixtures.redis.server import server

DOCUMENTS = 1_000
TIMES = 200
WARM = 20
"""Syncs that do not count: the first ones load what they need."""
MOST_WALKS = 20
"""Of a source that can't tell of what was written a moment ago, so many walks are waited for."""
LONG_AGO_S = 1_700_000_000
Settings = Mapping[str, object]


@dataclass(frozen=True)
class Cost:
    """How long one way took, each time."""

    source: str
    what: str
    seconds: Sequence[float]

    def text(self) -> str:
        """Return a row of a table."""
        ordered = sorted(one * 1e3 for one in self.seconds)
        p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
        return f"| {self.source} | {self.what} | {len(ordered)} | {statistics.median(ordered):.1f} | {p99:.1f} |"


@dataclass(frozen=True)
class Stage:
    """A connector that is synced, and its jobs."""

    place: Workplace
    jobs: JobStore
    connector: Connector

    async def sync(self) -> None:
        """Sync without a job. What is measured has to be skipped."""
        report = await Sync(self.place, self.connector).run()
        assert report.skipped, report.skipping

    async def job(self) -> Callable[[], Awaitable[None]]:
        """Make a job, and return what claims it and runs it to its end."""
        snapshot = snapshot_of(self.connector, JobType.FULL, self.place.registry)
        made = await self.jobs.create(uuid4().hex, snapshot, JobType.FULL, Trigger.SCHEDULED)

        async def run() -> None:
            claimed = await self.jobs.claim(made, instance=str(self.place.instance), hostname="here")
            assert claimed is not None
            one = JobRun(self.place, self.jobs, claimed)
            assert await one.run() is JobStatus.COMPLETED
            assert one.report.skipped, one.report.skipping

        return run


@asynccontextmanager
async def directory(folder: Path) -> AsyncIterator[Settings]:
    """Provide a folder of files of which nobody has written any of late, as far as their times tell."""
    (files := folder / "files").mkdir()
    for number in range(DOCUMENTS):
        (files / f"{number}.txt").write_text(f"file {number}")
        os.utime(files / f"{number}.txt", (LONG_AGO_S, LONG_AGO_S))
    yield {"directory": str(files)}


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Settings]:
    """Provide a database."""
    with apsw.Connection(str(folder / "shop.db")) as database:
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?)", [(number, "text") for number in range(DOCUMENTS)])
    yield {"database": str(folder / "shop.db")}


@asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[Settings]:
    """Provide a server of its own."""
    del folder
    with server() as running:
        with Redis(port=running.port) as client:
            client.mset({f"key:{number}": "text" for number in range(DOCUMENTS)})
        yield {"host": "127.0.0.1", "port": running.port}


@asynccontextmanager
async def mongodb(folder: Path) -> AsyncIterator[Settings]:
    """Provide a server of its own, or the replica set that the environment names."""
    del folder
    async with MongoDB() as running:
        client: MongoClient[dict[str, Any]] = MongoClient(running.url)
        with client:
            client.drop_database("skipped")
            client["skipped"]["t"].insert_many([{"_id": number, "v": 1} for number in range(DOCUMENTS)])
        yield {"host": running.url, "database": "skipped"}


@asynccontextmanager
async def mysql(folder: Path) -> AsyncIterator[Settings]:
    """Provide a server of its own."""
    del folder
    async with MariaDB() as running:
        connection = await running.connect()
        cursor = connection.cursor()
        await cursor.execute("CREATE DATABASE skipped")
        await cursor.execute(f"GRANT SELECT ON skipped.* TO '{mysql_server.USER}'@'127.0.0.1'")
        await cursor.execute("CREATE TABLE skipped.t (id INT PRIMARY KEY, text VARCHAR(10))")
        await cursor.executemany("INSERT INTO skipped.t VALUES (%s, 'text')", [(one,) for one in range(DOCUMENTS)])
        await connection.ensure_closed()
        user = {"user": mysql_server.USER, "password": mysql_server.PASSWORD}
        yield {"host": "127.0.0.1", "port": running.port, "database": "skipped", **user}


@asynccontextmanager
async def postgresql(folder: Path) -> AsyncIterator[Settings]:
    """Provide a server of its own."""
    del folder
    async with PostgreSQL() as running:
        connection = await running.connect()
        await connection.execute("CREATE TABLE t (id INT PRIMARY KEY, text TEXT)")
        await connection.execute(f"INSERT INTO t SELECT n, 'text' FROM generate_series(1, {DOCUMENTS}) AS n".encode())
        await connection.close()
        user = {"username": postgresql_server.ADMIN, "password": postgresql_server.PASSWORD}
        yield {"host": "127.0.0.1", "port": running.port, "database": postgresql_server.DATABASE, **user}


SOURCES = {one.__name__: one for one in (directory, sqlite, redis, mongodb, mysql, postgresql)}


async def measured(name: str, times: int, url: str | None, profile: bool) -> list[Cost]:  # noqa: FBT001 - of argparse
    """Return what skipped syncs of one source cost."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as path:
        folder = Path(path)
        settings = EngineSettings(host=url) if url else EngineSettings(data=folder / "data")
        async with SOURCES[name](folder) as source, open_engine(settings) as engine:
            place = await open_workplace(
                engine, Registry(), grants=Grants(allowed_paths=None), copies=folder / "ledgers"
            )
            configuration = {field: {"value": value} for field, value in source.items()}
            document = {"service_type": name, "index_name": f"skipped-{name}", "configuration": configuration}
            connector = await place.connectors.create(f"skipped-{name}-{uuid4().hex[:6]}", document)
            stage = Stage(place, await JobStore.open(engine), connector)
            await _settled(stage)
            for _ in range(WARM):
                await stage.sync()
                await (await stage.job())()
            profiler = cProfile.Profile() if profile else None
            alone, whole = [], []
            for _ in range(times):
                alone.append(await _timed(stage.sync))
                job = await stage.job()
                if profiler is not None:
                    profiler.enable()
                whole.append(await _timed(job))
                if profiler is not None:
                    profiler.disable()
            if profiler is not None:
                pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
            await engine.indices.delete(f"skipped-{name}-000001")
    return [Cost(name, "the sync alone", alone), Cost(name, "the job, from claim to end", whole)]


async def _settled(stage: Stage) -> None:
    """Sync until a sync is skipped: some sources can't tell of what was written in the last seconds."""
    for _ in range(MOST_WALKS):
        if (await Sync(stage.place, stage.connector).run()).skipped:
            return
        await asyncio.sleep(0.5)
    raise RuntimeError("The source never says that nothing has changed.")


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*", default=list(SOURCES), help=f"of {', '.join(SOURCES)}")
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--engine", help="address of an engine; the embedded one, in this process, without it")
    parser.add_argument("--profile", action="store_true", help="print where the time of jobs goes, and take longer")
    given = parser.parse_args()
    logger.set_up(level="error", style="text")
    print("| source | what | times | median, ms | p99, ms |\n| --- | --- | ---: | ---: | ---: |")
    for name in given.sources:
        for cost in asyncio.run(measured(name, given.times, given.engine, given.profile)):
            print(cost.text(), flush=True)


if __name__ == "__main__":
    main()
