"""The history: syncs of one connector, and all that goes wrong meanwhile, as a seed has it."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.store.dead_letters import INDEX as LETTERS
from connectors.store.held import HeldSets, HeldStatus
from connectors.store.state import INDEX as STATE
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.store.targets import TargetRecord
from connectors.sync.mark import VERSION_BITS
from connectors.sync.workplace import SyncLimits, open_workplace
from connectors.sync.writer import WriterLimits
from connectors.testing.virtual_time import START, VirtualClock
from tests.torture.bulk_body import actions_of
from tests.torture.chaos.index import ALIAS, NAME, WRITES, TargetIndex, drawn
from tests.torture.chaos.loop import ChaosLoop
from tests.torture.chaos.network import Line, Network, Parcel, Weather
from tests.torture.chaos.process import Host, OneSource, Process, engine_over, process
from tests.torture.chaos.promises import Broken, Promises, Written
from tests.torture.chaos.table import ResumableSource, Table, TableSource

BULKS: Final = (f"/{NAME}/_bulk", f"/{WRITES}/_bulk")
CONNECTOR: Final = "c1"
IDS: Final = [f"d{number}" for number in range(6)]
FOREIGN: Final = "f0"
HOSTS: Final = 2
MOST_STEPS_ALONE: Final = 5_000
"""A sync that nothing disturbs and that takes more hangs."""
OF_REPLACED: Final = ("IndexReplaced", "IndexMissing", "ScanIncomplete")
EXPECTED_ENDS: Final = frozenset(
    {
        "completed",
        "skipped",
        "unsettled",
        "died",
        "JobLost",
        *OF_REPLACED,
        "TargetInUse",
        "EngineUnreachable",
        "EngineOverloaded",
        "EngineFailed",
    }
)
FATES: Final = ("lost", "delayed", "unanswered", "refused", "failed", "doubled", "halved", "rejected")
FAULTS: Final = (
    "source_fails",
    "crash",
    "pause",
    "clock_jumps",
    "foreign_update",
    "foreign_write",
    "foreign_rewrite",
    "foreign_delete",
    "refresh",
    "replace",
    "vanish",
    "snapshot_taken",
    "restore",
    "record_lost",
    "decide",
)


class History:
    """One history: two hosts that run a sync each at most, one engine, one table, and what a seed does to them."""

    def __init__(self, seed: int, folder: Path, *, told: Counter[str] | None = None) -> None:
        self.chance = chance = random.Random(seed)
        self.told: Counter[str] = Counter() if told is None else told
        self.trail: list[str] = []
        self.engine = EmbeddedEngine(folder / "data")
        self.index = TargetIndex(
            self.engine, [*IDS, FOREIGN], chance.choice(["1h", "1h", "0ms"]), chance.random() < 0.7
        )
        self.table = Table(chance, IDS, chance.random() < 0.5, chance.random() < 0.15)
        self.source = chance.choice([TableSource, TableSource, ResumableSource])
        self.promises = Promises(CONNECTOR, self.index, self.table, self.told)
        self.network = Network(self.engine, chance, self, told=self.told)
        timeout_s = chance.choice([2.0, 6.0, 60.0])
        limits = SyncLimits(WriterLimits(batch_documents=2), most_bulks=3, lease_timeout_s=timeout_s)
        skews = [timedelta(seconds=chance.choice([0, 0, 0, -3, 5, 3_600])) for _ in range(HOSTS)]
        self.hosts = [
            Host(f"host {number}", folder / f"copies{number}", VirtualClock(START + skew), limits)
            for number, skew in enumerate(skews)
        ]
        self.processes: list[Process | None] = [None] * HOSTS
        self.everyone: dict[str, Process] = {}
        self.direct = engine_over(self.network, Line("direct", direct=True), self.hosts[0].clock)
        self.guard = chance.choice([100, 100, 100, 1])
        # Which of the things that go wrong go wrong in this history.
        self.faults = [name for name in FAULTS for _ in range(chance.choice([0, 0, 1, 1, 5]))]
        self.trouble = chance.choice([0.02, 0.05, 0.15])
        fates = [name for name in FATES for _ in range(chance.choice([0, 1, 1, 4]))]
        self.network.weather = Weather(chance.choice([0.0, 0.02, 0.1, 0.3]), fates)
        self.liveliness = chance.choice([0.01, 0.03, 0.1])
        self.haste = chance.choice([0.01, 0.02, 0.2])
        """How often much time passes at once, so that leases end, and checkpoints are due."""
        self.replacements = 0
        self._was_idle = False
        self._before: dict[str, Any] = {}

    # The history.

    async def run(self, steps: int) -> None:
        """Let things happen so many times, and then check that all ends well."""
        try:
            await self._prepare()
            for _ in range(self.chance.randrange(2, 8)):
                self.table.change()
            for _ in range(steps):
                await self._step()
            await self._end_well()
        finally:
            self.network.weather = Weather()
            for one in self.everyone.values():
                await self._kill(one)
            self.engine.close()

    async def _prepare(self) -> None:
        place = await open_workplace(
            self.direct, OneSource(self.source), grants=_no_grants(), clock=self.hosts[0].clock
        )
        document = {
            "service_type": "table",
            "index_name": ALIAS,
            "configuration": {},
            "sync": {"delete_guard": {"count": self.guard, "share": 0.0}},
        }
        self.connector = await place.connectors.create(CONNECTOR, document)
        self.index.create()
        self.snapshot = self.index.snapshot()

    async def _step(self) -> None:
        await asyncio.sleep(self._moment())
        self._look()
        if self.chance.random() < self.liveliness:
            self._source_changes()
        if self.faults and self.chance.random() < self.trouble:
            await self._go_wrong()
        elif self.network.late and self.chance.random() < 0.1:
            self._deliver(self.chance.choice(self.network.late))
        else:
            self._go_on()

    def _moment(self) -> float:
        """Return how long to wait: first of all until everything has come as far as it can."""
        if self._was_idle:
            return self.chance.choice([0.05, 0.5, 2.0])
        return self.chance.uniform(0.0, 15.0) if self.chance.random() < self.haste else 0.001

    async def _go_wrong(self) -> None:
        name = self.chance.choice(self.faults)
        self.told[name.replace("_", " ")] += 1
        found = getattr(self, f"_{name}")()
        if found is not None:
            await found

    def _go_on(self) -> None:
        number = self.chance.randrange(HOSTS)
        one = self.processes[number]
        if one is None:
            # While another one is at work a claim is a takeover: safe at any moment, if the rules are.
            busy = any(other is not None for other in self.processes)
            if not busy or self.chance.random() < 0.02:
                self._start(number)
        ready = self.network.ready(asyncio.get_running_loop().time())
        self._was_idle = not ready
        if ready:
            self._move(self.chance.choice(ready))

    def _start(self, number: int) -> Process:
        one = process(
            self.network,
            self.hosts[number],
            len(self.everyone) + 1,
            self.connector,
            type("ToldSource", (self.source,), {"table": self.table, "told": self.told}),
            JobType.FULL,
        )
        one.replacements = self.replacements
        one.copies.loaded = partial(self.promises.trusted, one)
        self.everyone[one.run] = self.processes[number] = one
        self._tell(f"{self.hosts[number].name} starts {one.run}")
        one.start()
        return one

    def _look(self) -> None:
        """See who has come to an end, and check what was said."""
        for number, one in enumerate(self.processes):
            if one is not None and one.ended:
                self.processes[number] = None
                self._ended(one)

    def _ended(self, one: Process) -> None:
        self.told[f"syncs: {one.end}"] += 1
        self._tell(f"{one.run} ends: {one.end}")
        if one.end == "ConfigurationError" and self._is_stray():
            self.told["stray indices that a person removed"] += 1
            self.index.remove()
        elif one.end not in EXPECTED_ENDS:
            raise Broken(f"{one.run} ends with {one.end}") from one.error
        if one.end in OF_REPLACED and one.replacements == self.replacements:
            raise Broken(f"{one.run} ends with {one.end}, and the index is the same") from one.error
        if one.end == "JobLost" and not one.overtaken:
            raise Broken(f"{one.run} is lost to nobody") from one.error
        if one.end == "skipped":
            self.promises.skipped(one)
        if one.end == "completed":
            self.promises.completed(one, self._letters(one))

    def _is_stray(self) -> bool:
        """Return whether the index was made by a bulk to one that was gone: without an alias, and with no mapping."""
        found = self.index.ask("GET", f"/{NAME}").get(NAME)
        return found is not None and not found["aliases"] and "_meta" not in found["mappings"]

    def _letters(self, one: Process) -> set[str]:
        """Return the ids that a sync could not index."""
        self.index.ask("POST", f"/{LETTERS.name}/_refresh")
        hits = self.index.ask("POST", f"/{LETTERS.name}/_search", {"size": 100})["hits"]["hits"]
        return {hit["_source"]["id"] for hit in hits if hit["_source"]["run"] == one.run}

    # The end.

    async def _end_well(self) -> None:
        """Let everything late arrive: one more sync alone makes the index equal, and one more writes nothing."""
        for one in list(self.everyone.values()):
            await self._kill(one)
        self.processes = [None] * HOSTS
        self.network.weather = Weather()
        for parcel in list(self.network.late):
            self._deliver(parcel)
        self.faults.clear()
        self.table.unreadable.clear()
        self.told["histories"] += 1
        for attempt in range(4):
            last = await self._alone()
            report = last.sync.report
            clean = not (report.letters or report.held or last.reading.resumed)
            if last.end in {"completed", "skipped"} and clean:
                break
            await self._approve()
            if attempt == 3:
                raise Broken(f"a sync alone ends {last.end}: {report.wire()}")
        self.promises.equal("after the last sync")
        again = await self._alone()
        if again.end != "skipped" or again.sync.report.requests:
            raise Broken(f"a sync of what did not change ends {again.end} with {again.sync.report.wire()}")

    async def _alone(self) -> Process:
        one = self._start(0)
        for _ in range(MOST_STEPS_ALONE):
            ready = self.network.ready(asyncio.get_running_loop().time())
            await asyncio.sleep(0.001 if ready else 1.0)
            if ready and ready[0] in self.network.calls:
                self._move(ready[0], kindly=True)
            if one.ended:
                self._look()
                return one
        raise Broken(f"{one.run} hangs: {one.sync.report.wire()}")

    async def _approve(self) -> None:
        held = HeldSets(StateStore(self.direct.control, self.hosts[0].clock), self.hosts[0].clock)
        for one in await held.of(CONNECTOR, status=HeldStatus.HELD):
            await held.approve(CONNECTOR, one.run)

    # The network.

    def _move(self, call: Any, *, kindly: bool = False) -> None:
        self.network.move(call, kindly=kindly)

    def _deliver(self, parcel: Parcel) -> None:
        self._tell(f"late: {parcel.what}")
        self.network.deliver(parcel)

    def arrives(self, parcel: Parcel) -> None:
        """See the engine as it is just before a parcel."""
        if parcel.path in BULKS:
            actions = actions_of(parcel.request.body or b"")
            ids = [str(one.id) for one in actions]
            if len(set(ids)) != len(ids):
                raise Broken(f"{parcel.line.name} sends an id twice in a bulk: {ids}")
            self._before = {"uuid": self.index.uuid, "content": self.index.now(ids)}

    def arrived(self, parcel: Parcel, status: int, answer: bytes) -> None:
        """See it just behind one."""
        one = self.everyone.get(parcel.line.name)
        if one is None:
            return
        if not parcel.is_read:
            self._tell(f"{parcel.what}: {status}{self._details(parcel, answer)}")
        if parcel.path in BULKS and status == 200:
            self._written(one, parcel, answer)
        elif parcel.path.startswith(f"/{NAME}/_stats"):
            one.stamped = self.index.snapshot()
            self._tell(f"{one.run} is told {one.stamped.max_seq_no}")
        elif parcel.path.startswith(f"/{STATE.name}/") and not parcel.is_read and status < 300:
            self._recorded(one, parcel.request.body)

    def _details(self, parcel: Parcel, answer: bytes) -> str:
        if not parcel.is_bulk:
            return ""
        items = msgspec.json.decode(answer).get("items", [])
        return " " + ", ".join(
            f"{kind} {item['_id']} {item['status']} {item.get('_version', '')}"
            for one in items
            for kind, item in one.items()
        )

    def _written(self, one: Process, parcel: Parcel, answer: bytes) -> None:
        body = parcel.request.body or b""
        items = msgspec.json.decode(answer)["items"]
        uuid, content = self._before["uuid"], self._before["content"]
        same_index = one.stamped is None or one.stamped.uuid == uuid
        for action, answered in zip(actions_of(body), items, strict=True):
            (item,) = answered.values()
            if "_seq_no" in item and item["status"] < 300:
                line = body[action.start : action.end].split(b"\n")[1]
                document = msgspec.json.decode(line) if line else None
                written = Written(str(action.id), action.kind, action.version, document)
                self.promises.written(one, written, content.get(action.id), same_index=same_index)

    def _recorded(self, one: Process, body: bytes | None) -> None:
        """Learn from a record that was written who owns the target, and who has lost what."""
        record = msgspec.json.decode(body) if body else {}
        for other in self.everyone.values():
            other.overtaken |= other is not one
        if record.get("kind") == TargetRecord.KIND and record["record"]["run"] == one.run:
            one.epoch = max(one.epoch, record["record"]["epoch"])
            self._tell(f"{one.run} has epoch {record['record']['epoch']}")

    # What goes wrong.

    def _source_changes(self) -> None:
        self.table.change()
        self._tell(f"source {self.table.changes[-1]}")

    def _source_fails(self) -> None:
        self.table.unreadable = set() if self.table.unreadable else {self.chance.choice(IDS)}
        self._tell(f"unreadable {self.table.unreadable}")

    async def _crash(self) -> None:
        number = self.chance.randrange(HOSTS)
        one = self.processes[number]
        if one is not None:
            self._tell(f"{one.run} crashes")
            self.processes[number] = None
            await self._kill(one)
            self.told["syncs: died"] += 1

    async def _kill(self, one: Process) -> None:
        """End a process as `kill -9` does: nothing of what it would still do gets anywhere."""
        if one.task is None:
            return
        if not one.task.done():
            one.died = True
            self.network.close(one.line)
            one.task.cancel()
            await asyncio.wait([one.task])
        if not one.task.cancelled():
            one.task.exception()  # or it would be reported as never looked at

    def _pause(self) -> None:
        """Hold a process up, until past its lease perhaps."""
        one = self.processes[self.chance.randrange(HOSTS)]
        if one is not None:
            limit = 2 * self.hosts[0].limits.lease_timeout_s
            one.line.held_until = asyncio.get_running_loop().time() + self.chance.uniform(0, limit)
            self._tell(f"{one.run} is held up")

    def _clock_jumps(self) -> None:
        clock = self.hosts[self.chance.randrange(HOSTS)].clock
        assert isinstance(clock, VirtualClock)
        clock.jump(timedelta(seconds=self.chance.uniform(-5, 5)))

    def _foreign_update(self) -> None:
        doc_id = self.chance.choice(IDS)
        self.index.update(doc_id, drawn(self.chance))
        self._tell(f"partial update of {doc_id}")

    def _foreign_write(self) -> None:
        doc_id = self.chance.choice(self.index.ids)
        ahead = self.chance.choice([None, None, None, 0, 10_000])
        ms = int(self.hosts[0].clock.now().timestamp() * 1000)
        self.index.overwrite(doc_id, drawn(self.chance), version=None if ahead is None else ms + ahead << VERSION_BITS)
        self._tell(f"foreign write of {doc_id}, ahead {ahead}")

    def _foreign_rewrite(self) -> None:
        doc_id = self.chance.choice(IDS)
        self.index.rewrite(doc_id)
        self._tell(f"foreign rewrite of {doc_id}")

    def _foreign_delete(self) -> None:
        doc_id = self.chance.choice(IDS)
        self.index.delete(doc_id)
        self._tell(f"foreign delete of {doc_id}")

    def _refresh(self) -> None:
        self.index.refresh()

    def _replace(self) -> None:
        if self.chance.random() < 0.3:
            self.replacements += 1
            self.index.remove()
            self.index.create()
            self._tell("replaced")

    def _vanish(self) -> None:
        if self.chance.random() < 0.3:
            self.replacements += 1
            self.index.remove()
            self._tell("the index is gone")

    def _snapshot_taken(self) -> None:
        self.snapshot = self.index.snapshot()

    def _restore(self) -> None:
        if self.chance.random() < 0.3:
            self.replacements += 1
            self.index.restore(self.snapshot)
            self._tell("restored")

    async def _record_lost(self) -> None:
        uuid = self.index.uuid
        if uuid is not None and self.chance.random() < 0.3:
            await self.direct.control.delete(STATE.name, TargetRecord.key_of(uuid))
            for one in self.everyone.values():
                one.overtaken = True
            self._tell("the target's record is lost")

    async def _decide(self) -> None:
        await self._approve()

    def _tell(self, what: str) -> None:
        self.trail.append(f"{asyncio.get_running_loop().time():10.3f} {what}")


def _no_grants() -> Any:
    from connectors.grants import Grants

    return Grants()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let what draws by itself draw the same each time."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def live(seed: int, folder: Path, steps: int, told: Counter[str] | None = None) -> History:
    """Run one history to its end. Raises `Broken`, or whatever else comes of it, with the seed and the trail."""

    async def lived() -> History:
        history = History(seed, folder, told=told)
        try:
            await history.run(steps)
        except BaseException as error:
            error.add_note(f"Seed {seed}:\n" + "\n".join(history.trail))
            raise
        return history

    with seeded(seed), asyncio.Runner(loop_factory=ChaosLoop) as runner:
        return runner.run(lived())
