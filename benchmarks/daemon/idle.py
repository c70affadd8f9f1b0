"""What a daemon takes that has nothing to do, with many connectors, for a minute."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.daemon.process import children, cpu_s, name_of, resident_mb, running
from benchmarks.daemon.stage import prepare, schedule

CONNECTORS: Final = 1_000
SETTLED_AFTER_S: Final = 60.0
"""A daemon that has just started looks at every connector once."""
MEASURED_S: Final = 60.0
NEVER: Final = "0 0 0 1 1 ? 2099"


@dataclass(frozen=True)
class Use:
    """What one process took: its share of a core, and the memory that it has in the end."""

    name: str
    share: float
    resident_mb: int


def run() -> list[Use]:
    """Measure a daemon with connectors of which none is due before tomorrow."""
    with tempfile.TemporaryDirectory() as folder:
        hour = (time.gmtime().tm_hour + 12) % 24
        schedules = [schedule(f"{number % 60} {number // 60} {hour} * * ?") for number in range(CONNECTORS)]
        config = asyncio.run(prepare(Path(folder), schedules))
        with running(config) as daemon:
            return measured(daemon)


def measured(daemon: int) -> list[Use]:
    """Return what the daemon and its processes take while nothing is due."""
    time.sleep(SETTLED_AFTER_S)
    names = {daemon: "the daemon"} | {child: name_of(child) for child in children(daemon)}
    before = {process: cpu_s(process) for process in names}
    time.sleep(MEASURED_S)
    names = {process: name for process, name in names.items() if Path(f"/proc/{process}").exists()}
    shares = {process: (cpu_s(process) - before[process]) / MEASURED_S for process in names}
    return [Use(name, shares[process], resident_mb(process)) for process, name in names.items()]


def text(found: list[Use]) -> str:
    """Return the table."""
    head = f"\n| {CONNECTORS:,} connectors, nothing due | of a core | resident, MB |\n| --- | ---: | ---: |"
    return "\n".join([head, *(f"| {one.name} | {one.share:.1%} | {one.resident_mb} |" for one in found)])
