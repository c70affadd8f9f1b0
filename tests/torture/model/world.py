"""The world of the model: a seed decides what happens next, and what must never be is checked whenever it could be."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.torture.model.engine import Engine, Item, Result, Stored
from tests.torture.model.rules import Rules
from tests.torture.model.store import Disk, Owner, Store
from tests.torture.model.worker import OURS, VERSION_BITS, Outside, Worker, fingerprint, shaped

IDS = 4
HOSTS = 2


class Broken(AssertionError):
    """Something happened that must never happen."""


@dataclass
class WorldSource:
    """A table of which somebody changes rows; a walk may yield a row twice."""

    chance: random.Random
    rows: dict[int, int] = field(default_factory=dict)
    changes: list[tuple[int, int | None]] = field(default_factory=list)

    def read(self, doc_id: int) -> int | None:
        return self.rows.get(doc_id)

    def ids(self) -> Iterator[int]:
        for doc_id in range(IDS):
            yield doc_id
            if self.chance.random() < 0.1:
                yield self.chance.randrange(doc_id + 1)

    def change(self) -> None:
        doc_id = self.chance.randrange(IDS)
        if doc_id in self.rows and self.chance.random() < 0.5:
            del self.rows[doc_id]
        else:
            self.rows[doc_id] = self.chance.randrange(3)
        self.changes.append((doc_id, self.rows.get(doc_id)))


@dataclass
class WorldParcel:
    """A bulk on its way. `done` counts the operations of it that were applied."""

    sender: Worker
    items: list[Item]
    answer: list[Result] | None = None
    lost: bool = False
    done: int = 0


@dataclass
class World:
    """One history: two hosts with a worker each, an engine, a source, and everything that goes wrong."""

    seed: int
    rules: Rules = Rules()
    told: Counter[str] = field(default_factory=Counter)
    trail: list[str] | None = None

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.engine = Engine(self.chance.choice([1, 2, 2, 3]))
        self.source = WorldSource(self.chance)
        self.store = Store()
        self.disks = [Disk() for _ in range(HOSTS)]
        self.workers: list[Worker | None] = [None] * HOSTS
        self.parcels: list[WorldParcel] = []
        self.runs = 0
        self.clock = 1
        self.snapshot = self.engine.saved()
        self.stamped_content: dict[int, dict[int, Stored]] = {}
        # Which of the things that go wrong go wrong in this history.
        self.faults = [name for name in FAULTS for _ in range(self.chance.choice([0, 0, 1, 1, 5]))]
        self.trouble = self.chance.choice([0.02, 0.1, 0.3])
        self.takeovers = self.chance.choice([0.005, 0.02, 0.1, 0.3])
        self.held_up = [0] * HOSTS
        self.tainted: dict[int, int] = {}
        self.stamped_at: dict[int, int] = {}
        self.time = 0

    # The history.

    def run(self, steps: int) -> None:
        for _ in range(self.chance.randrange(3, 8)):
            self.source.change()
        for _ in range(steps):
            self.step()
        self.end_well()

    def step(self) -> None:
        self.clock += self.chance.random() < 0.05
        self.time += 1
        if self.faults and self.chance.random() < self.trouble:
            getattr(self, self.chance.choice(self.faults))()
            return
        if self.parcels and self.chance.random() < 0.3:
            self.move(self.chance.choice(self.parcels))
            return
        host = self.chance.randrange(HOSTS)
        if self.time < self.held_up[host]:
            return
        worker = self.workers[host]
        if worker is None or worker.end is not None:
            if worker is not None:
                self.told[worker.end or ""] += 1
                self.workers[host] = None
            # While another one is at work a claim is a takeover: safe at any moment, if the rules are.
            busy = any(one is not None and one.end is None for one in self.workers)
            if not busy or self.chance.random() < self.takeovers:
                self.start(host, incremental=self.chance.random() < 0.3)
            return
        self.advance(worker)

    def start(self, host: int, *, incremental: bool) -> Worker:
        self.runs += 1
        outside = Outside(self.engine, self.store, self.disks[host], self.source, self.send, self)
        worker = Worker(outside, self.rules, self.runs, self.clock, incremental)
        self.workers[host] = worker
        self.tell(f"host {host} starts run {self.runs} {'incremental' if incremental else 'full'}")
        return worker

    def advance(self, worker: Worker) -> None:
        task = self.chance.choice(worker.tasks)
        try:
            next(task)
        except StopIteration:
            if task in worker.tasks:
                worker.tasks.remove(task)
        self.told["steps"] += 1

    def end_well(self) -> None:
        """Let everything late arrive: one more sync alone makes the index equal, and one more writes nothing."""
        self.workers = [None] * HOSTS
        for parcel in self.parcels:
            self.deliver(parcel, len(parcel.items))
        self.parcels.clear()
        self.faults.clear()
        for attempt in range(3):
            worker = self.alone()
            if worker.end in {"completed", "skipped"} and not worker.letters:
                break
            if attempt == 2:
                raise Broken(f"a sync alone ends {worker.end}, letters {worker.letters}")
        self.equal("after the last sync")
        again = self.alone()
        if again.end != "skipped" or again.sent:
            raise Broken(f"a sync of what did not change ends {again.end} with {again.sent} requests")

    def alone(self) -> Worker:
        worker = self.start(0, incremental=False)
        while worker.end is None:
            if self.parcels:
                self.move(self.parcels[0], kindly=True)
            else:
                self.advance(worker)
        return worker

    # The network.

    def send(self, worker: Worker, items: list[Item]) -> WorldParcel:
        parcel = WorldParcel(worker, items)
        self.parcels.append(parcel)
        return parcel

    def move(self, parcel: WorldParcel, *, kindly: bool = False) -> None:
        """Let a bulk arrive, whole or in part, and its answer get back or not."""
        luck = 1.0 if kindly or "lose" not in self.faults else self.chance.random()
        if luck < 0.15 and not parcel.lost:
            parcel.lost = True  # given up by its sender, and still on its way
            return
        if luck < 0.25:
            self.deliver(parcel, self.chance.randrange(len(parcel.items) + 1))
            if self.chance.random() < 0.5:
                return  # the rest arrives later, or never
        else:
            parcel.answer = self.deliver(parcel, len(parcel.items))
            for item in parcel.items if parcel.answer is not None and luck >= 0.4 else ():
                self.engine.acknowledge(item.id)
        if luck < 0.4 and not parcel.lost:
            parcel.answer, parcel.lost = None, True
        self.parcels.remove(parcel)
        if parcel.answer is None:
            parcel.lost = True

    def deliver(self, parcel: WorldParcel, upto: int) -> list[Result] | None:
        """Apply the operations up to one of them. Only what arrives whole at once is answered."""
        whole = parcel.done == 0
        results = [self.applied(parcel, item) for item in parcel.items[parcel.done : upto]]
        parcel.done = max(parcel.done, upto)
        return results if whole and not parcel.lost else None

    def applied(self, parcel: WorldParcel, item: Item) -> Result:
        before = self.engine.get(item.id)
        result = self.engine.apply(item)
        if not result.conflict:
            self.check_write(parcel.sender, item, before)
            if parcel.sender not in self.workers or self.store.owner.run != parcel.sender.run:
                self.taint(item.id)
            self.tell(f"run {parcel.sender.run} applied {item}")
        return result

    # What goes wrong.

    def lose(self) -> None:
        """Answers get lost: see `move`."""

    def source_changes(self) -> None:
        self.source.change()
        self.tell(f"source {self.source.changes[-1]}")

    def crash(self) -> None:
        host = self.chance.randrange(HOSTS)
        if self.workers[host] is not None:
            self.told["crashes"] += 1
        self.workers[host] = None

    def pause(self) -> None:
        """Hold a worker up in the middle of whatever it does, while others go on."""
        self.held_up[self.chance.randrange(HOSTS)] = self.time + self.chance.randrange(100)

    def asks(self, worker: Worker) -> None:
        """Let a request for a record be a slow one."""
        if "pause" in self.faults and worker in self.workers and self.chance.random() < 0.3:
            self.held_up[self.workers.index(worker)] = self.time + self.chance.randrange(150)

    def foreign_update(self) -> None:
        doc_id = self.chance.randrange(IDS)
        self.engine.partial_update(doc_id, self.chance.randrange(3))
        self.taint(doc_id)
        self.tell(f"partial update of {doc_id}")

    def foreign_write(self) -> None:
        doc_id = self.chance.randrange(IDS + 1)
        if self.chance.random() < 0.1:
            item = Item(doc_id, "index", 7, version=(self.clock + 3) << 4)
        else:
            item = Item(doc_id, "index", self.chance.randrange(3))
        self.engine.apply(item)
        self.taint(doc_id)
        self.tell(f"foreign {item}")

    def foreign_delete(self) -> None:
        doc_id = self.chance.randrange(IDS)
        self.engine.apply(Item(doc_id, "delete"))
        self.taint(doc_id)
        self.tell(f"foreign delete {doc_id}")

    def refresh(self) -> None:
        self.engine.refresh()

    def fail_over(self) -> None:
        shard = self.chance.randrange(len(self.engine.shards))
        lost = self.engine.fail_over(shard, loses=self.chance.random() < 0.5)
        if lost is not None:
            self.taint(lost)
        self.tell(f"fail over of shard {shard}, which loses the last write to {lost}")

    def forget(self) -> None:
        self.engine.forget_tombstones()

    def replace(self) -> None:
        if self.chance.random() < 0.3:
            self.engine.replace()
            self.tainted.clear()  # whatever was written to the other index, this one is read anew
            self.tell("replaced")

    def snapshot_taken(self) -> None:
        self.snapshot = self.engine.saved()

    def restore(self) -> None:
        if self.chance.random() < 0.3:
            self.engine.restore(self.snapshot)
            self.tainted.clear()
            self.tell("restored")

    def record_lost(self) -> None:
        if self.chance.random() < 0.3:
            self.store.owner = Owner()
            self.tell("the target's record is lost")

    def person_writes(self) -> None:
        """Change something in the connector, or move the cursor back."""
        found = self.store.connector
        moved = self.chance.random() < 0.2
        self.store.write(found, cursor=self.chance.randrange(found.cursor + 1) if moved else None)
        self.tell(f"a person writes {self.store.connector}")

    def rules_change(self) -> None:
        found = self.store.connector
        self.store.write(found, recipe=1 - found.recipe)
        self.tell(f"other rules: {self.store.connector}")

    def taint(self, *ids: int) -> None:
        """Remember that something wrote which is not the owner of the target: an incremental sync can't know of it."""
        self.tainted.update(dict.fromkeys(ids, self.time))

    # What must hold.

    def stamped(self, worker: Worker) -> None:
        self.stamped_at[worker.run] = self.time
        self.stamped_content[worker.run] = self.engine.content()

    def completed(self, worker: Worker) -> None:
        self.told["audited"] += 1
        content = self.stamped_content[worker.run]
        for doc_id, value in worker.read.items():
            if doc_id in worker.letters:
                continue
            found = content.get(doc_id)
            ours = found is not None and found.mark is not None and found.mark.c == OURS
            if value is None and ours:
                raise Broken(f"run {worker.run} completed, {doc_id} is not in the source: {found}")
            if value is not None and (found is None or not ours or found.value != value):
                raise Broken(f"run {worker.run} completed, {doc_id} should be {value}: {found}")
        if worker.incremental:
            self.check_log(worker, content)
        else:
            clean = self.stamped_at[worker.run]
            self.tainted = {doc_id: when for doc_id, when in self.tainted.items() if when > clean}
            for doc_id, found in content.items():
                if found.mark is not None and doc_id not in worker.read:
                    raise Broken(f"run {worker.run} completed, {doc_id} was never read: {found}")

    def check_log(self, worker: Worker, content: dict[int, Stored]) -> None:
        """Check that what no stranger wrote to is as the log of the source has it."""
        known = dict(self.source.changes[: worker.read_upto])
        for doc_id in range(IDS):
            found = content.get(doc_id)
            mark = found.mark if found is not None else None
            if mark is not None and mark.o >> VERSION_BITS > worker.epoch:
                continue  # a later owner knows more
            value = found.value if found is not None and mark is not None else None
            wanted = shaped(known.get(doc_id), worker.here.recipe)
            if doc_id not in self.tainted and doc_id not in worker.letters and value != wanted:
                raise Broken(f"run {worker.run} is up to date, {doc_id} should be {wanted}: {found}")

    def skipped(self, worker: Worker, token: int) -> None:
        if len(self.source.changes) != token:
            return  # it changed after the question was answered
        self.told["checked skips"] += 1
        self.compare(self.stamped_content[worker.run], worker.here.recipe, f"run {worker.run} skipped")

    def trusted(self, worker: Worker, ledger: dict[int, int]) -> None:
        content = self.stamped_content[worker.run]
        for doc_id, known in ledger.items():
            found = content.get(doc_id)
            if known and (found is None or fingerprint(found.value) != known):
                raise Broken(f"a copy says {known} of {doc_id}: {found}")
        ours = {doc_id for doc_id, one in content.items() if one.mark is not None and one.mark.c == OURS}
        if ours != ledger.keys():
            raise Broken(f"a copy knows {set(ledger)}, the index holds {ours}")

    def check_write(self, sender: Worker, item: Item, before: Stored | None) -> None:
        if item.action == "delete":
            self.check_delete(sender, item, before)
        elif before is not None and before.mark is not None and item.mark is not None and item.mark.o < before.mark.o:
            raise Broken(f"run {sender.run} wrote an older version of {item.id} over a newer one: {before}, {item}")

    def check_delete(self, sender: Worker, item: Item, before: Stored | None) -> None:
        self.told["deletes"] += 1
        if sender.here.target != self.engine.uuid:
            # A request can't name the UUID of its index, and a revision may be the same by chance.
            self.told["deletes in an index that was replaced while they were on their way"] += 1
            self.taint(item.id)
            return
        if sender.read.get(item.id) is not None:
            raise Broken(f"run {sender.run} deleted {item.id}, which it had read")
        if before is None:
            return
        if before.mark is None or before.mark.c != OURS:
            raise Broken(f"run {sender.run} deleted {item.id}, which is not ours: {before}")
        if before.mark.o >> VERSION_BITS > sender.epoch:
            raise Broken(f"run {sender.run} deleted {item.id}, which a later owner had written: {before}")

    def equal(self, when: str) -> None:
        self.compare(self.engine.content(), self.store.connector.recipe, when)

    def compare(self, content: dict[int, Stored], recipe: int, when: str) -> None:
        ours = {doc_id: one.value for doc_id, one in content.items() if one.mark is not None and one.mark.c == OURS}
        wanted = {doc_id: shaped(value, recipe) for doc_id, value in self.source.rows.items()}
        if ours != wanted:
            raise Broken(f"{when} the index holds {ours}, the source {wanted}")

    def tell(self, what: str) -> None:
        if self.trail is not None:
            self.trail.append(what)


FAULTS = (
    "lose",
    "source_changes",
    "crash",
    "pause",
    "foreign_update",
    "foreign_write",
    "foreign_delete",
    "refresh",
    "fail_over",
    "forget",
    "replace",
    "snapshot_taken",
    "restore",
    "record_lost",
    "person_writes",
    "rules_change",
)
