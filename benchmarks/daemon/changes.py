"""How long it takes from a change in a source until a search finds it, in the live sync of a whole daemon."""

import asyncio
import math
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import yaml

from benchmarks.daemon.idle import NEVER
from benchmarks.daemon.process import running
from benchmarks.daemon.stage import SOURCES, Stage, open_stage, schedule, until
from connectors.engine import open_engine
from connectors.settings import EngineSettings
from connectors.store.connectors import ConnectorStore
from connectors.store.jobs import JobStore
from connectors.store.live import is_live

BEFORE: Final = 1_000
SINGLE: Final = 100
"""Changes one after the other, each of which is waited for."""
PER_S: Final = 200
FLOOD_S: Final = 20.0
"""So many a second for so long, of which some are looked for."""
SAMPLED_EACH: Final = 50
INDEX: Final = "live-benchmark"


class Origin(Protocol):
    """What is synced: another database is measured by having these."""

    @property
    def service_type(self) -> str:
        """Which source reads it."""

    @property
    def configuration(self) -> dict[str, Any]:
        """The settings of its connector."""

    def change(self, doc_id: str, number: int) -> None:
        """Write a document, and return when that is certain."""

    def id_of(self, doc_id: str) -> str:
        """Return the id that a document has in the index."""


@dataclass
class LogOrigin:
    """A file that lines are added to, and that is looked at each 5 ms."""

    path: Path

    @property
    def service_type(self) -> str:
        """Which source reads it."""
        return "followed"

    @property
    def configuration(self) -> dict[str, Any]:
        """The settings of its connector."""
        return {"path": {"value": str(self.path), "sensitive": False}}

    def change(self, doc_id: str, number: int) -> None:
        """Add a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{doc_id} {number}\n")

    def id_of(self, doc_id: str) -> str:
        """Return the id that a document has in the index."""
        return doc_id


@dataclass(frozen=True)
class Found:
    """How long changes took, in seconds."""

    title: str
    seconds: Sequence[float]

    def at(self, share: float) -> float:
        """Return the time within which this share of them was found."""
        return sorted(self.seconds)[math.ceil(len(self.seconds) * share) - 1]


async def run(made: Callable[[Path], Origin] = lambda folder: LogOrigin(folder / "changes.log")) -> list[Found]:
    """Measure at the embedded engine, or at that whose address is in `BENCHMARK_ENGINE`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        host = os.environ.get("BENCHMARK_ENGINE")
        async with open_stage(folder) as stage:
            if host is None:
                return await _measured(stage, made(folder))
            settings = yaml.safe_load(stage.config.read_text())
            stage.config.write_text(yaml.safe_dump({**settings, "engine": {"host": host}}))
            async with open_engine(EngineSettings(host=host)) as engine:
                connectors, jobs = await ConnectorStore.open(engine), await JobStore.open(engine)
                elsewhere = replace(stage, engine=engine, connectors=connectors, jobs=jobs)
                return await _measured(elsewhere, made(folder))


async def _measured(stage: Stage, origin: Origin) -> list[Found]:
    settings = yaml.safe_load(stage.config.read_text())
    paths = [*settings["allowed_paths"], str(stage.config.parent)]
    stage.config.write_text(yaml.safe_dump({**settings, "sources": SOURCES, "allowed_paths": paths}))
    for number in range(BEFORE):
        origin.change(f"d{number}", number)
    document = {
        "service_type": origin.service_type,
        "index_name": INDEX,
        "status": "connected",
        "configuration": origin.configuration,
        "scheduling": schedule(NEVER),
        "sync": {"live": True},
    }
    await stage.connectors.create(INDEX, document)
    try:
        with running(stage.config):
            await until(lambda: _is_live(stage), every_s=0.1)
            alone = await _alone(stage, origin)
            return [alone, await _among_others(stage, origin)]
    finally:
        await stage.connectors.delete(INDEX)
        await stage.jobs.delete_of(INDEX)
        for one in await stage.engine.indices.resolve(INDEX):
            await stage.engine.indices.delete(one.name)


async def _is_live(stage: Stage) -> bool:
    jobs = [job for job in await stage.jobs.open_jobs() if is_live(job) and job.connector_id == INDEX]
    return any((job.metadata.get("sync") or {}).get("phase") == "live" for job in jobs)


async def _alone(stage: Stage, origin: Origin) -> Found:
    found = []
    for number in range(SINGLE):
        await asyncio.sleep(random.uniform(0.0, 0.4))
        found.append(await _timed(stage, origin, f"d{number}", BEFORE + number))
    return Found("one now and then", found)


async def _among_others(stage: Stage, origin: Origin) -> Found:
    begun, number, waiting = time.monotonic(), 0, list[Awaitable[float]]()
    while (passed := time.monotonic() - begun) < FLOOD_S:
        while number < passed * PER_S:
            number += 1
            doc_id = f"d{number % BEFORE}"
            if number % SAMPLED_EACH == 0:
                waiting.append(asyncio.ensure_future(_timed(stage, origin, f"m{number}", number)))
            else:
                origin.change(doc_id, number + 10**6)
        await asyncio.sleep(0.005)
    return Found(f"{PER_S} a second", await asyncio.gather(*waiting))


async def _timed(stage: Stage, origin: Origin, doc_id: str, number: int) -> float:
    origin.change(doc_id, number)
    begun = time.monotonic()
    query = {"bool": {"filter": [{"ids": {"values": [origin.id_of(doc_id)]}}, {"term": {"number": number}}]}}
    await until(lambda: _is_found(stage, query), every_s=0.002)
    return time.monotonic() - begun


async def _is_found(stage: Stage, query: dict[str, Any]) -> bool:
    return await stage.engine.data.count(INDEX, query) > 0


def text(found: list[Found]) -> str:
    """Return the table."""
    title = "\n| from a change until a search finds it, ms | changes | p50 | p99 | longest |"
    head = f"{title}\n| --- | ---: | ---: | ---: | ---: |"
    rows = [(one, [f"{one.at(share) * 1000:.0f}" for share in (0.5, 0.99, 1.0)]) for one in found]
    return "\n".join([head, *(f"| {one.title} | {len(one.seconds)} | {' | '.join(cells)} |" for one, cells in rows)])
