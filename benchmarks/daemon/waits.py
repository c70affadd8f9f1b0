"""How long it takes from what makes work for a daemon until that is done, with many connectors."""

import asyncio
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.daemon.process import running
from benchmarks.daemon.stage import Stage, connect, open_stage, schedule, until
from connectors.store.job import SyncJob

CONNECTORS: Final = 1_000
DUE: Final = 200
EACH_S: Final = 1
"""So many seconds lie between the ticks of two connectors."""
WANTED: Final = 100
EMPTY: Final = 30
SETTLED_AFTER_S: Final = 60
NEVER: Final = "0 0 0 1 1 ? 2099"


@dataclass(frozen=True)
class Waits:
    """How long something took, several times."""

    seconds: Sequence[float]

    def at(self, share: float) -> float:
        """Return the time within which this share of them was done."""
        return sorted(self.seconds)[math.ceil(len(self.seconds) * share) - 1]


def text(title: str, found: Waits) -> str:
    """Return the table."""
    head = f"\n| {title}, s | times | median | p99 | longest |\n| --- | ---: | ---: | ---: | ---: |"
    numbers = " | ".join(f"{found.at(share):.2f}" for share in (0.5, 0.99, 1.0))
    return f"{head}\n| {CONNECTORS:,} connectors | {len(found.seconds)} | {numbers} |"


async def due() -> Waits:
    """Measure from the ticks of connectors, one after the other, until their jobs are started."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=SETTLED_AFTER_S + CONNECTORS // 20)
        ticks = [first + timedelta(seconds=EACH_S * number) for number in range(DUE)]
        async with open_stage(folder) as stage:
            await _connect_all(stage, folder, [f"{tick:%-S %-M %-H} * * ?" for tick in ticks])
            with running(stage.config):
                await asyncio.sleep((ticks[-1] - datetime.now(UTC)).total_seconds())
                started = [await _started(stage, f"connector-{number}") for number in range(DUE)]
    return Waits([(one - tick).total_seconds() for one, tick in zip(started, ticks, strict=True)])


async def wanted() -> Waits:
    """Measure from a job that somebody writes until the first document of a new connector is in the index."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with open_stage(folder) as stage:
            await _connect_all(stage, folder, [])
            with running(stage.config):
                await asyncio.sleep(SETTLED_AFTER_S)
                for number in range(WANTED):
                    begun = time.monotonic()
                    job_id = await stage.want(f"connector-{number}")
                    await until(lambda number=number: _has_documents(stage, f"index-{number}"))  # type: ignore[misc]
                    found.append(time.monotonic() - begun)
                    await stage.ended(job_id)
    return Waits(found)


async def empty() -> dict[str, Waits]:
    """Measure syncs in which nothing changed, from their start until they are completed, in workers that are warm."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with open_stage(folder) as stage:
            await _connect_all(stage, folder, [])
            walked = await connect(stage.connectors, folder, CONNECTORS, schedule(NEVER), service_type="walked")
            with running(stage.config):
                await asyncio.sleep(SETTLED_AFTER_S)
                for title, connector_id in (("skipped", "connector-0"), ("walked", walked)):
                    jobs = [await stage.ended(await stage.want(connector_id)) for _ in range(EMPTY)]
                    found[title] = Waits([_took_s(one) for one in jobs[5:]])  # the first ones warm up
    return found


async def _connect_all(stage: Stage, folder: Path, intervals: Sequence[str]) -> None:
    """Create the connectors; those without an interval are never due."""
    for number in range(CONNECTORS):
        interval = intervals[number] if number < len(intervals) else NEVER
        await connect(stage.connectors, folder, number, schedule(interval))


async def _started(stage: Stage, connector_id: str) -> datetime:
    moment: datetime | None = None

    async def is_started() -> bool:
        nonlocal moment
        moment = next((job.started_at for job in await stage.jobs.of_connector(connector_id)), None)
        return moment is not None

    await until(is_started)
    if moment is None:
        raise LookupError(connector_id)
    return moment


async def _has_documents(stage: Stage, index: str) -> bool:
    """Return whether the index is there and holds something, refreshed or not."""
    if not await stage.engine.indices.exists(index):
        return False
    await stage.engine.control.refresh(index)
    return await stage.engine.control.count(index) > 0


def _took_s(job: SyncJob) -> float:
    if job.started_at is None or job.completed_at is None:
        raise ValueError(f"The job {job.id} has not ended.")
    return (job.completed_at - job.started_at).total_seconds()
