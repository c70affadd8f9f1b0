"""Syncs in a process of their own, told what to do by a line of JSON, so that their memory and CPU time can be told."""

import asyncio
import cProfile
import itertools
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from benchmarks.embedded_corpus import Corpus
from connectors.byoc import Filter
from connectors.engine import Engine, open_engine
from connectors.engine.bulk import index_line
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.settings import EngineSettings
from connectors.source import BaseDataSource, Yielded
from connectors.source_class import fields_of
from connectors.store.connector import Connector
from connectors.sync.sync import Sync
from connectors.sync.workplace import Workplace, open_workplace
from connectors.sync.writing.writer import WriterLimits

DISTINCT = 8_000


class Run(msgspec.Struct, frozen=True):
    """What is to be done at an engine: a sync for each share of documents that have changed since the one before."""

    url: str
    documents: int
    size: int
    """Bytes of a document, about."""
    changed: tuple[float, ...] = (1.0,)
    texts: bool = False
    """Whether the documents have texts like those of people, which take memory, instead of padding."""
    service_type: str = "rows"
    """The source to read, instead of a generator."""
    configuration: dict[str, Any] = {}
    """The settings of that source."""
    alone: bool = False
    """Whether to measure the source alone and the client alone too."""
    profile: str | None = None
    """File for a profile of the first sync."""


class Done(msgspec.Struct, frozen=True):
    """How one sync did."""

    seconds: float
    cpu_s: float
    peak_mb: int
    limit: int
    counters: dict[str, int]


class Result(msgspec.Struct, frozen=True):
    """How all did; what the source and the client took alone is 0 where it was not asked for."""

    loaded_mb: int
    syncs: list[Done]
    source_cpu_s: float = 0.0
    client_cpu_s: float = 0.0


class Rows(BaseDataSource):
    """Documents out of nothing; of each sync, a share of them differs from those of the one before."""

    name = "Rows"
    service_type = "rows"
    run: ClassVar[Run]
    made: ClassVar[list[dict[str, Any]]]
    syncs: ClassVar[int] = 0

    @classmethod
    def of(cls, run: Run) -> None:
        """Make ready what its documents are made of."""
        cls.run = run
        padding = "x" * max(0, run.size - 60)
        cls.made = list(Corpus().documents(DISTINCT, run.size)) if run.texts else [{"title": "Row", "body": padding}]

    async def ping(self) -> None:
        """Nothing is to be reached."""

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        """Yield them."""
        del filtering
        share, sync = self.run.changed[type(self).syncs], type(self).syncs
        every = round(1 / share) if share else 0
        for number, made in zip(range(self.run.documents), itertools.cycle(self.made), strict=False):
            revision = sync if every and number % every == 0 else 0
            yield {"_id": f"row_{number}", "n": number, "revision": revision, **made}


class OnlyRows(Registry):
    """A registry that has nothing else."""

    def source(self, service_type: str) -> type:
        """Return it, whatever is asked for."""
        return Rows if service_type == "rows" else super().source(service_type)


async def performed(run: Run) -> Result:
    """Do what is to be done."""
    loaded = _peak_mb()
    Rows.of(run)
    with tempfile.TemporaryDirectory() as folder:
        async with open_engine(EngineSettings(host=run.url)) as engine:
            place = await open_workplace(engine, OnlyRows(), grants=Grants(None), copies=Path(folder))
            connector = await _connector(place, run)
            syncs = []
            for number in range(len(run.changed)):
                Rows.syncs = number
                syncs.append(await _synced(place, connector, run.profile if number == 0 else None))
            if not run.alone:
                return Result(loaded, syncs)
            Rows.syncs = 0
            source = await _cpu_s(lambda: _read(place, connector))
            client = await _cpu_s(lambda: _sent(engine, run))
            return Result(loaded, syncs, source, client)


async def _connector(place: Workplace, run: Run) -> Connector:
    configuration = {name: {"value": value} for name, value in run.configuration.items()}
    stored = {"service_type": run.service_type, "index_name": f"sync-{time.time_ns()}", "configuration": configuration}
    return await place.connectors.create(f"connector-{time.time_ns()}", stored)


async def _synced(place: Workplace, connector: Connector, profile: str | None) -> Done:
    profiler = cProfile.Profile()
    cpu, started = time.process_time(), time.perf_counter()
    if profile is not None:
        profiler.enable()
    report = await Sync(place, connector).run()
    if profile is not None:
        profiler.disable()
        profiler.dump_stats(profile)
    took, spent = time.perf_counter() - started, time.process_time() - cpu
    return Done(took, spent, _peak_mb(), place.limiter.limit, report.counters())


async def _read(place: Workplace, connector: Connector) -> None:
    """Read the source to its end and do nothing else."""
    kind = place.registry.source(connector.service_type or "")
    async with kind(Configuration(fields_of(kind), connector.configuration, place.grants)) as source:
        async for _ in source.get_docs(None):
            pass


async def _sent(engine: Engine, run: Run) -> None:
    """Send as many documents of that size in ready-made requests, as `WriterLimits` would have them."""
    usual = WriterLimits()
    count = max(1, min(usual.batch_documents, usual.batch_bytes // (run.size + 170), run.documents))
    body = b"".join(
        index_line(f"row_{number}", version=2**60) + b'{"body":"%b"}\n' % (b"x" * (run.size + 80))
        for number in range(count)
    )
    for _ in range(run.documents // count):
        await engine.data.bulk("client-alone", body, operations=count)


async def _cpu_s(work: Callable[[], Any]) -> float:
    started = time.process_time()
    await work()
    return time.process_time() - started


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6


def main(told: str) -> None:
    """Do what is told, and print the result as a line of JSON."""
    result = asyncio.run(performed(msgspec.json.decode(told, type=Run)))
    print(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main(sys.argv[1])
