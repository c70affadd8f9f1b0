"""The history: daemons that come, go, die and are cut off, and people who want, change and delete, as a seed has it."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

import msgspec

from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.schedule.zone import Zone
from connectors.services.working.turns import Places
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.job import ACTIVE, ENDED, Trigger
from connectors.store.jobs import JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.sync.workplace import SyncLimits
from connectors.testing.virtual_time import START, VirtualClock
from tests.torture.chaos.loop import ChaosLoop
from tests.torture.chaos.network import Line, Network, Weather
from tests.torture.chaos.process import OneSource, engine_over
from tests.torture.chaos.promises import Broken
from tests.torture.chaos.world import seeded
from tests.torture.shifts.book import Book, Limits
from tests.torture.shifts.daemon import StagedDaemon
from tests.torture.shifts.stage import RowsSource, Stage

if TYPE_CHECKING:
    from tests.torture.shifts.process import StagedProcess

LEASE_S: Final = 6.0
NAMES: Final = ("a", "b", "c", "d", "e")
INTERVALS: Final = ("*/15 * * * * ?", "*/6 * * * * ?", "5/20 * * * * ?", "0/30 * * * * ?", "10 * * * * ?")
SKEWS_S: Final = (0, 0, 0, -2, 3)
WISHES: Final = ("want", "want", "want_many", "cancel", "cancel", "change", "delete", "reschedule")
FATES: Final = ("lost", "delayed", "unanswered", "refused", "failed", "doubled")
CALM: Final = Limits(given_back_s=LEASE_S + 5.0, canceled_s=4.0, begun_again_s=3.0, tick_s=12.0)
ROUGH: Final = Limits(given_back_s=60.0, canceled_s=45.0, begun_again_s=45.0, tick_s=60.0)
LASTS_S: Final = 80.0
STEP_S: Final = 0.001
END_WITHIN_S: Final = 240.0


class History:
    """One history: `run` raises `Broken` when a promise is."""

    zone: ClassVar[Zone] = UTC

    def __init__(self, seed: int, folder: Path, told: Counter[str]) -> None:
        self.chance = chance = random.Random(seed)
        self.told, self.trail = told, list[str]()
        self.clock = VirtualClock(self.begins(chance))
        self._is_rough = chance.random() < 0.4
        fates = [name for name in FATES for _ in range(chance.choice([0, 1, 1, 3]))]
        weather = Weather(chance.choice([0.01, 0.05]) if self._is_rough and fates else 0.0, fates)
        self.book = Book(ROUGH if self._is_rough else CALM, self.zone, self.clock.now, told, self.tell)
        engine = EmbeddedEngine(folder / "data")
        network = Network(engine, chance, self.book, weather, told)
        self.stage = Stage(folder, chance, engine, network, self.book, SyncLimits(lease_timeout_s=LEASE_S), told=told)
        self.stage.row_s = chance.choice([0.0, 1.0, 4.0])
        self.places = Places(content=chance.choice([1, 2, 3]), access_control=1)
        self.most_daemons = chance.choice([1, 2, 3])
        self.daemons: list[StagedDaemon] = []
        self.left: list[StagedProcess] = []
        self._started = 0
        self._born_at: dict[str, float] = {}
        self._trouble = chance.choice([0.0, 0.03, 0.1, 0.2])
        self._liveliness = chance.choice([0.02, 0.1, 0.3])
        self.direct = engine_over(network, Line("person", direct=True), self.clock)
        self.connectors, self.jobs = ConnectorStore(self.direct.control), JobStore(self.direct.control, self.clock)

    @classmethod
    def begins(cls, chance: random.Random) -> datetime:
        """Return when it begins."""
        del chance
        return START

    def tell(self, what: str) -> None:
        """Note down what happened."""
        self.trail.append(f"{asyncio.get_running_loop().time():9.3f} {what}")

    async def run(self) -> None:
        """Let time pass, and then see that all ends well."""
        try:
            await self._prepare()
            await self._pass(LASTS_S, self._happen)
            await self._end_well()
        finally:
            await self.close()

    async def _prepare(self) -> None:
        await ConnectorStore.open(self.direct)
        await JobStore.open(self.direct)
        await StateStore.open(self.direct)
        await DeadLetters.open(self.direct)
        for name in NAMES[: self.chance.randrange(2, len(NAMES) + 1)]:
            await self.connect(name)
        for _ in range(self.most_daemons):
            self.start()

    # Time.

    async def _pass(self, seconds: float, happen: Any) -> None:
        """Let requests go on one by one; once in a virtual second look at the book, and let something happen."""
        loop = asyncio.get_running_loop()
        until, next_look = loop.time() + seconds, loop.time() + 1.0
        while loop.time() < until:
            await asyncio.sleep(STEP_S)
            ready = self.stage.network.ready(loop.time())
            if ready:
                fates = sum(self.told[one] for one in FATES)
                self.stage.network.move(self.chance.choice(ready))
                if sum(self.told[one] for one in FATES) != fates:
                    self.book.disturbed()
            elif self.stage.network.late and self.chance.random() < 0.1:
                self.stage.network.deliver(self.chance.choice(self.stage.network.late))
            else:
                await asyncio.sleep(0.02)
            if loop.time() >= next_look:
                next_look = loop.time() + 1.0
                self.daemons = [one for one in self.daemons if not one.has_ended]
                self.book.check(self.steady_from)
                await happen()

    @property
    def steady_from(self) -> float:
        """Since when at least one daemon has worked undisturbed; the far future if none does."""
        found = [max(one.started_at, one.line.held_until) for one in self.daemons if one.undisturbed]
        return min(found, default=float("inf"))

    # What happens.

    async def _happen(self) -> None:
        chance = self.chance
        if chance.random() < self._trouble:
            self._disturb()
        if len(self.daemons) < self.most_daemons and chance.random() < (0.1 if self.daemons else 0.04):
            self.start()  # now and then there is none for so long that ticks are missed
        if chance.random() < self._liveliness:
            await getattr(
                self, chance.choice(("want", "want", "want_many", "cancel", "cancel", "change", "delete", "reschedule"))
            )()

    def start(self) -> StagedDaemon:
        """Start a daemon."""
        self._started += 1
        clock = self.clock_of(self._started)
        one = StagedDaemon(self.stage, self._started, clock, self.places, self.chance.choice([1, 2]), self.zone)
        self.daemons.append(one)
        one.start()
        self.tell(f"{one.line.name} starts")
        self._is_disturbed()
        return one

    def clock_of(self, number: int) -> VirtualClock:
        """Return the clock of a new daemon, which is about right."""
        del number
        return VirtualClock(self.start_of(self.chance.choice(SKEWS_S)))

    def start_of(self, skew_s: float) -> datetime:
        """Return where a clock starts that is ahead by so much."""
        passed = timedelta(seconds=asyncio.get_running_loop().time())
        return self.clock.now() - passed + timedelta(seconds=skew_s)

    def _disturb(self) -> None:
        if not self.daemons:
            return
        one, kind = self.chance.choice(self.daemons), self.chance.randrange(6)
        if one.is_ending:
            return
        processes = [process for process in one.worker_processes if process.task is not None]
        hold = asyncio.get_running_loop().time() + self.chance.uniform(1.0, 3 * LEASE_S)
        if kind == 0:
            self.told["daemons that were killed with their processes"] += 1
            one.kill(with_processes=True)
        elif kind == 1:
            self.told["daemons that were killed"] += 1
            self.left += one.kill(with_processes=False)
        elif kind == 2:
            self.told["daemons that were asked to end"] += 1
            one.ask_to_end()
        elif kind == 3:
            self.told["daemons that were cut off"] += 1
            one.line.held_until = hold
        elif processes and kind == 4:
            self.told["processes that were killed"] += 1
            process = self.chance.choice(processes)
            process.kill()
            self.book.noticed_by[str(process.instance)] = lambda: one.undisturbed
        elif processes:
            self.told["processes that were cut off"] += 1
            self.chance.choice(processes).line.held_until = hold
        self.tell(f"{one.line.name} meets {kind}")
        if kind in {0, 1}:
            self.daemons.remove(one)
        self._is_disturbed()

    def _is_disturbed(self) -> None:
        self.book.most_passes = 2 * len(self.daemons)
        self.book.disturbed()

    # People.

    async def connect(self, name: str) -> None:
        """Create a connector with a table."""
        self.stage.tables[name] = {f"row {number}": 0 for number in range(self.chance.randrange(3, 8))}
        document = {
            "service_type": "rows",
            "index_name": f"search-{name}",
            "status": "configured",
            "configuration": {"table": {"value": name, "sensitive": False}},
            "features": {"document_level_security": {"enabled": True}},
            "scheduling": self._schedules(),
        }
        await self.connectors.create(name, document)
        self._born_at[name] = asyncio.get_running_loop().time()
        self.told["connectors"] += 1

    def _schedules(self) -> dict[str, Any]:
        chance = self.chance
        return {
            kind: {"enabled": chance.random() < share, "interval": chance.choice(INTERVALS)}
            for kind, share in (("full", 0.7), ("access_control", 0.4))
        }

    async def want(self) -> None:
        """Want a sync of some connector."""
        await self._want(self.chance.choice(sorted(self.book.connectors) or [""]), JobType.FULL)

    async def want_many(self) -> None:
        """Want several at once."""
        name = self.chance.choice(sorted(self.book.connectors) or [""])
        for _ in range(8):
            await self._want(name, self.chance.choice([JobType.FULL, JobType.FULL, JobType.ACCESS_CONTROL]))

    async def _want(self, name: str, job_type: JobType) -> None:
        if (connector := await self.connectors.get(name)) is not None:
            snapshot = snapshot_of(connector, job_type, OneSource(RowsSource))
            job_id = UUID(int=self.chance.getrandbits(128)).hex
            await self.jobs.create(job_id, snapshot, job_type, Trigger.ON_DEMAND)

    async def cancel(self) -> None:
        """Want a job to be canceled."""
        found = sorted(name for name, noted in self.book.jobs.items() if noted.job.status not in ENDED)
        running = [name for name in found if self.book.jobs[name].job.status in ACTIVE]
        found = running if running and self.chance.random() < 0.7 else found
        if found:
            await self.jobs.cancel(self.chance.choice(found))
            self.told["jobs that were to be canceled"] += 1

    async def change(self) -> None:
        """Change a table."""
        table = self.stage.tables[self.chance.choice(sorted(self.stage.tables))]
        table[f"row {self.chance.randrange(6)}"] = self.chance.randrange(1_000)

    async def reschedule(self) -> None:
        """Change when a connector is due."""
        for name in sorted(self.book.connectors):
            if self.chance.random() < 0.4:
                schedules = self._schedules()
                await self.connectors.update(name, lambda _, new=schedules: {"scheduling": new})  # type: ignore[misc]

    async def delete(self) -> None:
        """Delete a connector, and perhaps create one of that name again, later."""
        there = sorted(self.book.connectors)
        gone = sorted(set(NAMES) - set(there))
        if gone and self.chance.random() < 0.6:
            await self.connect(gone[0])
        elif len(there) > 1:
            await self.connectors.delete(self.chance.choice(there))
            self.told["connectors that were deleted"] += 1

    # The end.

    async def _end_well(self) -> None:
        """Nothing goes wrong any more: what is open ends, everybody says the same of it, and one more sync is right."""
        network, self.stage.row_s = self.stage.network, 0.0
        network.weather = Weather()
        while network.late:
            network.deliver(network.late[0])
        self.start()
        for name in sorted(self.book.connectors):
            await self.connectors.update(name, lambda _: {"scheduling": {}})
        await self._until_all_ended()
        if not self._is_rough:
            for name in sorted(self.book.connectors):
                await self._agree(name)
        names = sorted(self.book.connectors)
        for name in names:
            await self._want(name, JobType.FULL)
            await self._want(name, JobType.ACCESS_CONTROL)
        await self._until_all_ended()
        for name in names:
            await self._agree(name)
            self._is_equal(name)
        self.told["histories"] += 1

    async def _until_all_ended(self) -> None:
        left: list[Any] = []
        for _ in range(int(END_WITHIN_S)):
            await self._pass(1.0, _nothing)
            left = [noted for noted in self.book.jobs.values() if noted.job.status not in ENDED]
            if not left:
                return
        raise Broken(
            f"these jobs do not end: {[(one.job.id, one.lane, one.job.status, one.job.error) for one in left]}"
        )

    async def _agree(self, name: str) -> None:
        """See that a connector says of its last sync what the job says."""
        connector = await self.connectors.get(name)
        assert connector is not None
        for kind, field in (("content", "last_sync"), ("access control", "last_access_control_sync")):
            jobs = [
                self.book.jobs[one] for one in self.book.ended if self.book.jobs[one].made_at >= self._born_at[name]
            ]
            begun = [one.job for one in jobs if one.lane == (name, kind) and one.job.started_at is not None]
            told = connector.document.get(f"{field}_status")
            if begun and told != begun[-1].status:
                raise Broken(
                    f"{name} says that its last sync of {kind} is {told}, its job {begun[-1].id} {begun[-1].status}"
                )

    def _is_equal(self, name: str) -> None:
        engine = self.stage.engine
        engine.handle("POST", f"/search-{name}/_refresh", b"")
        status, answer = engine.handle("POST", f"/search-{name}/_search", b'{"size": 100}')
        hits = msgspec.json.decode(answer)["hits"]["hits"] if status == 200 else []
        found = {hit["_id"]: hit["_source"]["value"] for hit in hits}
        if found != self.stage.tables[name]:
            raise Broken(f"the index of {name} is {found}, and its table {self.stage.tables[name]}")

    async def close(self) -> None:
        """End all of it."""
        for one in self.daemons:
            self.left += one.kill(with_processes=True)
        for process in self.left:
            process.kill()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks, timeout=60.0)
        self.stage.engine.close()


async def _nothing() -> None:
    """Let nothing happen."""


def live(history_of: type[History], seed: int, folder: Path, told: Counter[str] | None = None) -> list[str]:
    """Run one history to its end, and return its trail. Raises what it ends with, with the seed and the trail."""

    async def lived() -> list[str]:
        history = history_of(seed, folder, Counter() if told is None else told)
        try:
            await history.run()
        except BaseException as error:
            error.add_note(f"Seed {seed}:\n" + "\n".join(history.trail))
            raise
        return history.trail

    with seeded(seed), asyncio.Runner(loop_factory=ChaosLoop) as runner:
        return runner.run(lived())
