"""One daemon and two on the same connectors, all of them due at once: what each of them is spared."""

import asyncio
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.daemon.process import running
from benchmarks.daemon.sources import WAIT_S
from benchmarks.daemon.stage import Stage, connect, open_stage, schedule, until

CONNECTORS: Final = 200
AT_ONCE: Final = 4
"""Syncs that a daemon runs at once, as `service.max_concurrent_content_syncs` has it."""
SETTLED_AFTER_S: Final = 45
"""Until then daemons have looked at every connector."""


@dataclass(frozen=True)
class Done:
    """What so many daemons did, and how long that took from the tick to the end of the last job."""

    daemons: int
    seconds: float
    runs: Counter[int]
    """How many connectors had how many jobs."""


async def run() -> list[Done]:
    """Measure one, and two."""
    return [await _measured(daemons) for daemons in (1, 2)]


async def _measured(daemons: int) -> Done:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tick = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=SETTLED_AFTER_S)
        async with open_stage(folder) as stage:
            interval = f"{tick:%-S %-M %-H} * * ?"
            for number in range(CONNECTORS):
                await connect(stage.connectors, folder, number, schedule(interval), service_type="waiting")
            with ExitStack() as running_daemons:
                for _ in range(daemons):
                    running_daemons.enter_context(running(stage.config))
                await asyncio.sleep((tick - datetime.now(UTC)).total_seconds())
                await until(lambda: _are_done(stage), every_s=0.5)
                jobs = [await stage.jobs.of_connector(f"connector-{number}") for number in range(CONNECTORS)]
    ends = [one.completed_at for some in jobs for one in some if one.completed_at is not None]
    return Done(daemons, (max(ends) - tick).total_seconds(), Counter(len(some) for some in jobs))


async def _are_done(stage: Stage) -> bool:
    return len(await stage.jobs.newest(most=CONNECTORS)) >= CONNECTORS and not await stage.jobs.open_jobs(most=1)


def text(found: list[Done]) -> str:
    """Return the table."""
    least_s = CONNECTORS * WAIT_S / AT_ONCE
    head = (
        f"\n{CONNECTORS} connectors due at once, each of whose sources waits {WAIT_S:g} s: at least {least_s:g} s "
        f"for a daemon that runs {AT_ONCE} at once.\n\n"
        "| daemons | s | a connector was run |\n| ---: | ---: | --- |"
    )
    return "\n".join([head, *(f"| {one.daemons} | {one.seconds:.1f} | {_often(one.runs)} |" for one in found)])


def _often(runs: Counter[int]) -> str:
    return ", ".join(
        f"{'once' if times == 1 else f'{times} times'}: {number}" for times, number in sorted(runs.items())
    )
