"""The world of a history: what a seed makes of it at the beginning, and what its parts share."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.grants import Grants
from connectors.store.held import HeldSets, HeldStatus
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.sync.workplace import SyncLimits, open_workplace
from connectors.sync.writing.writer import WriterLimits
from connectors.testing.virtual_time import START, VirtualClock
from tests.torture.chaos.index import ALIAS, Snapshot, TargetIndex
from tests.torture.chaos.network import Line, Network, Weather
from tests.torture.chaos.process import Host, OneSource, Process, engine_over, process
from tests.torture.chaos.promises import Promises
from tests.torture.chaos.table import ResumableSource, Table, TableSource
from tests.torture.chaos.witness import Witness

CONNECTOR: Final = "c1"
IDS: Final = [f"d{number}" for number in range(6)]
FOREIGN: Final = "f0"
HOSTS: Final = 2
SKEWS_S: Final = (0, 0, 0, -3, 5, 3_600)
FATES: Final = ("lost", "delayed", "unanswered", "refused", "failed", "doubled", "halved", "rejected")


class World:
    """Two hosts that run a sync each at most, one engine, one table, one network."""

    def __init__(self, seed: int, folder: Path, told: Counter[str]) -> None:
        self.chance = chance = random.Random(seed)
        self.told = told
        self.trail: list[str] = []
        self.engine = EmbeddedEngine(folder / "data")
        gc_deletes, with_alias = chance.choice(["1h", "1h", "0ms"]), chance.random() < 0.7
        self.index = TargetIndex(self.engine, [*IDS, FOREIGN], gc_deletes, with_alias)
        self.table = Table(chance, IDS, chance.random() < 0.5, chance.random() < 0.15)
        self.source = chance.choice([TableSource, TableSource, ResumableSource])
        self.promises = Promises(CONNECTOR, self.index, self.table, told)
        self.witness = Witness(self.index, self.promises, self.tell)
        fates = [name for name in FATES for _ in range(chance.choice([0, 1, 1, 4]))]
        weather = Weather(chance.choice([0.0, 0.02, 0.1, 0.3]), fates)
        self.network = Network(self.engine, chance, self.witness, weather, told)
        limits = SyncLimits(
            WriterLimits(batch_documents=2),
            most_bulks=3,
            lease_timeout_s=chance.choice([6.0, 60.0]),
            checkpoint_every_s=chance.choice([0.0, 0.005, 10.0]),
        )
        self.clocks = [VirtualClock(START + timedelta(seconds=chance.choice(SKEWS_S))) for _ in range(HOSTS)]
        self.hosts = [
            Host(f"host {number}", folder / f"copies{number}", clock, limits)
            for number, clock in enumerate(self.clocks)
        ]
        self.processes: list[Process | None] = [None] * HOSTS
        self.direct = engine_over(self.network, Line("direct", direct=True), self.clocks[0])
        self.guard = chance.choice([100, 100, 100, 1])
        self.snapshot = Snapshot(None, -1)

    async def prepare(self) -> None:
        """Make what has to be there before the first sync."""
        place = await open_workplace(self.direct, OneSource(self.source), grants=Grants(), clock=self.clocks[0])
        document = {
            "service_type": "table",
            "index_name": ALIAS,
            "configuration": {},
            "sync": {"delete_guard": {"count": self.guard, "share": 0.0}},
        }
        self.connector = await place.connectors.create(CONNECTOR, document)
        self.index.create()
        self.snapshot = self.index.snapshot()
        for _ in range(self.chance.randrange(2, 8)):
            self.table.change()

    def start(self, number: int, job_type: JobType = JobType.FULL) -> Process:
        """Start a sync on a host."""
        source = type("ToldSource", (self.source,), {"table": self.table, "told": self.told})
        everyone = self.witness.everyone
        one = process(self.network, self.hosts[number], len(everyone) + 1, self.connector, source, job_type)
        one.replacements = self.witness.replacements
        one.copies.loaded = partial(self.promises.trusted, one)
        everyone[one.run] = self.processes[number] = one
        self.tell(f"{self.hosts[number].name} starts {one.run}, {job_type}")
        one.start()
        return one

    async def kill(self, one: Process) -> None:
        """End a process as `kill -9` does: nothing of what it would still do gets anywhere."""
        if one.task is None:
            return
        if not one.task.done():
            one.died = True
            self.network.close(one.line)
            one.task.cancel()
            await asyncio.wait([one.task])
            self.promises.left(one)
        if not one.task.cancelled():
            one.task.exception()  # or it would be reported as never looked at

    async def approve(self) -> None:
        """Approve all deletions that are held."""
        clock = self.clocks[0]
        held = HeldSets(StateStore(self.direct.control, clock), clock)
        for one in await held.of(CONNECTOR, status=HeldStatus.HELD):
            await held.approve(CONNECTOR, one.run)

    def change_source(self) -> None:
        """Change a row."""
        self.table.change()
        self.tell(f"source {self.table.changes[-1]}")

    def deliver_late(self) -> None:
        """Let one thing arrive that nobody waits for any more."""
        parcel = self.chance.choice(self.network.late)
        self.tell(f"late: {parcel.what}")
        self.network.deliver(parcel)

    async def close(self) -> None:
        """End all of it."""
        for one in self.witness.everyone.values():
            await self.kill(one)
        self.engine.close()

    def tell(self, what: str) -> None:
        """Note down what happened."""
        self.trail.append(f"{asyncio.get_running_loop().time():10.3f} {what}")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let what draws by itself draw the same each time."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
