"""A process that syncs one connector and prints what came of it: `python -m tests.torture.one_sync ORDER`.

The order is JSON. One line is printed for each sync; before each but the first a line is awaited on the input.
"""

import asyncio
import gc
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors import logger
from connectors.aio.clock import SystemClock
from connectors.aio.throttle import AdaptiveLimiter
from connectors.engine import open_engine
from connectors.errors import ConnectorsError
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.settings import EngineSettings
from connectors.store.sync_state import JobType
from connectors.sync.ledger.copy import LedgerCopy
from connectors.sync.sync import Sync
from connectors.sync.workplace import SyncLimits, Workplace, open_workplace
from connectors.sync.writing.writer import WriterLimits

SOURCES: Final = {"scripted": "tests.torture.scripted:ScriptedDataSource"}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to sync, and under which conditions."""

    engine: str
    connector: str
    ledgers: str | None = None
    job_type: JobType = JobType.FULL
    deletes_only: bool = False
    syncs: int = 1
    batch_documents: int = 20
    batch_bytes: int = 2 * 2**20
    waiting_bytes: int = 16 * 2**20
    most_bulks: int = 4
    lease_timeout_s: float = 60.0
    unavailable_timeout_s: float = 60.0
    answer_timeout_s: float = 30.0
    largest_file: int | None = None
    """Where the disk is full: no file of this process may become larger."""


class Footprint(msgspec.Struct, frozen=True):
    """What the process takes."""

    resident: int
    peak: int
    files: int
    tasks: int

    @classmethod
    def now(cls) -> "Footprint":
        """Return what it takes at this moment, with no garbage left."""
        gc.collect()
        # Not from `getrusage`: that begins with what the process was forked from.
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
        resident, peak = (int(status[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
        return cls(resident, peak, len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks()))


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one sync: its report, and the class and the text of the error if it ended in one."""

    report: dict[str, Any]
    error: str | None = None
    text: str = ""
    limits: list[int] = []
    """How many bulks were allowed at once, each time that this changed."""
    footprint: Footprint


class NotingLimiter(AdaptiveLimiter):
    """Remembers how its limit went."""

    def __init__(self, *, most: int) -> None:
        super().__init__(most=most, clock=SystemClock())
        self.limits: list[int] = []

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        async with super().slot():
            if not self.limits or self.limits[-1] != self.limit:
                self.limits.append(self.limit)
            yield


async def work(order: Order) -> None:
    settings = EngineSettings(
        host=order.engine, data_timeout_s=order.answer_timeout_s, control_timeout_s=order.answer_timeout_s
    )
    async with open_engine(settings) as engine:
        limits = SyncLimits(
            writer=WriterLimits(
                order.batch_bytes, order.batch_documents, order.waiting_bytes, order.unavailable_timeout_s
            ),
            most_bulks=order.most_bulks,
            lease_timeout_s=order.lease_timeout_s,
        )
        limiter = NotingLimiter(most=order.most_bulks)
        copies = LedgerCopy(Path(order.ledgers)) if order.ledgers is not None else None
        grants = Grants(allowed_paths=None)
        place = await open_workplace(engine, Registry(SOURCES), grants=grants, limits=limits)
        place = replace(place, limiter=limiter, copies=copies)
        for number in range(order.syncs):
            if number:
                await asyncio.to_thread(sys.stdin.readline)
            told = await one_sync(place, order, limiter)
            sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
            sys.stdout.flush()


async def one_sync(place: Workplace, order: Order, limiter: NotingLimiter) -> Told:
    connector = await place.connectors.get(order.connector)
    if connector is None:
        raise SystemExit(f"There is no connector {order.connector}.")
    sync = Sync(place, connector, order.job_type, deletes_only=order.deletes_only)
    error, text = None, ""
    limiter.limits.clear()
    try:
        await sync.run()
    except ConnectorsError as caught:
        error, text = type(caught).__name__, str(caught)
    report = sync.report.wire()
    return Told(report=report, error=error, text=text, limits=limiter.limits, footprint=Footprint.now())


def main() -> None:
    logger.set_up(level="info", style="text")
    order = msgspec.json.decode(sys.argv[1], type=Order)
    if order.largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.largest_file, order.largest_file))
    asyncio.run(work(order))


if __name__ == "__main__":
    main()
