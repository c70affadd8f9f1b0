"""What a daemon takes whose live syncs hear nothing, with many of them, for a minute, beside one that has none."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from benchmarks.daemon.idle import NEVER, Use, measured
from benchmarks.daemon.process import running
from benchmarks.daemon.stage import connect, open_stage, schedule, until
from connectors.store.job import JobStatus
from connectors.store.live import is_live

STREAMS: Final = 100


@dataclass(frozen=True)
class Quiet:
    """What it takes with so many live syncs."""

    streams: int
    uses: list[Use]


def run() -> list[Quiet]:
    """Measure the same connectors with and without live syncs."""
    return [asyncio.run(measured_with(streams, "quiet")) for streams in (0, STREAMS)]


async def measured_with(streams: int, service_type: str, **document: object) -> Quiet:
    """Measure connectors of which so many have a live sync."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with open_stage(folder) as stage:
            settings = yaml.safe_load(stage.config.read_text())
            stage.config.write_text(yaml.safe_dump({**settings, "service": {"max_live_syncs": STREAMS}}))
            for number in range(STREAMS):
                sync = {"live": number < streams}
                never = schedule(NEVER)
                await connect(stage.connectors, folder, number, never, service_type=service_type, sync=sync, **document)

            async def are_live() -> bool:
                jobs = [job for job in await stage.jobs.open_jobs() if is_live(job)]
                begun = [job for job in jobs if job.status is JobStatus.IN_PROGRESS]
                return len(begun) == streams == sum(_phase(job.metadata.get("sync")) == "live" for job in begun)

            with running(stage.config) as daemon:
                await until(are_live, every_s=1.0)
                return Quiet(streams, await asyncio.to_thread(measured, daemon))


def _phase(report: object) -> object:
    return report.get("phase") if isinstance(report, dict) else None


def text(found: list[Quiet]) -> str:
    """Return the table."""
    title = f"\n| {STREAMS} connectors, nothing happens | live syncs | of a core | resident, MB |"
    head = f"{title}\n| --- | ---: | ---: | ---: |"
    rows = [(quiet.streams, one) for quiet in found for one in quiet.uses]
    return "\n".join([head, *(f"| {one.name} | {n} | {one.share:.1%} | {one.resident_mb} |" for n, one in rows)])
