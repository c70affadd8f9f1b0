"""The worker of the model: what a sync does, by its rules.

A worker is made of tasks, each a generator that yields before everything it asks of the outside: between any two
steps of one task anything else may happen. What it does here it does in `connectors.sync` too.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from tests.torture.model.engine import Engine, Item, Mark, Result, Stamp, Stored
from tests.torture.model.rules import Rules
from tests.torture.model.store import Completed, Copy, Disk, Here, Owner, State, Store

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION_BITS = 4
BATCH_SIZE = 2
MOST_IN_FLIGHT = 2
CURSOR_EVERY = 3 * BATCH_SIZE
MOST_ATTEMPTS = 8
ROUNDS = 4
PASSES = 3
OURS = "ours"
Steps = Generator[None, None, None]


class Lost(Exception):
    """The target has another owner."""


class Replaced(Exception):
    """The index is another one than when the sync began."""


class Source(Protocol):
    """What is read from: it counts its changes, and keeps a log of them."""

    changes: list[tuple[int, int | None]]

    def read(self, doc_id: int) -> int | None: ...

    def ids(self) -> Iterable[int]: ...


class Parcel(Protocol):
    """A bulk request on its way: it has an answer, or is lost for its sender, who can't know what became of it."""

    answer: list[Result] | None
    lost: bool


@dataclass
class Outside:
    """All that a worker can reach."""

    engine: Engine
    store: Store
    disk: Disk
    source: Source
    send: "Callable[[Worker, list[Item]], Parcel]"
    observe: "Observer"


class Observer(Protocol):
    """What is told of moments that have to be right."""

    def stamped(self, worker: "Worker") -> None: ...

    def completed(self, worker: "Worker") -> None: ...

    def asks(self, worker: "Worker") -> None: ...

    def skipped(self, worker: "Worker", token: int) -> None: ...

    def trusted(self, worker: "Worker", ledger: dict[int, int]) -> None: ...


def fingerprint(value: int) -> int:
    return value + 1


def shaped(value: int | None, recipe: int) -> int | None:
    """Return what the index is to hold of what the source has."""
    return None if value is None else value + 10 * recipe


@dataclass
class Worker:
    """One run of a sync, full or incremental."""

    outside: Outside
    rules: Rules
    run: int
    now: int
    incremental: bool = False
    tasks: list[Steps] = field(default_factory=list)
    end: str | None = None
    epoch: int = 0
    batch: int = 0
    counted: int = 0
    sent: int = 0
    ledger: dict[int, int] = field(default_factory=dict)
    read: dict[int, int | None] = field(default_factory=dict)
    waiting: dict[int, Item] = field(default_factory=dict)
    in_flight: dict[int, Item] = field(default_factory=dict)
    base: Stamp | None = None
    state: State = field(default_factory=State)
    letters: set[int] = field(default_factory=set)
    here: Here = Here(0, 0)
    read_upto: int = 0
    """Up to where an incremental sync read the log."""

    def __post_init__(self) -> None:
        self.here = Here(self.outside.store.connector.recipe, self.outside.engine.uuid)
        self.tasks.append(self._guarded(self._incremental() if self.incremental else self._full()))

    def _guarded(self, work: Steps) -> Steps:
        try:
            yield from work
        except Lost:
            self._finish("lost")
        except Replaced:
            self._finish("replaced")

    def _finish(self, end: str) -> None:
        self.end = self.end or end
        self.tasks.clear()

    # A full sync.

    def _full(self) -> Steps:
        yield from self._claim()
        yield
        token = len(self.outside.source.changes)
        yield
        now = self._stamp()
        if self._may_skip(token, now):
            self.outside.observe.skipped(self, token)
            return self._finish("skipped")
        yield from self._void()
        for number in range(PASSES):
            self.read.clear()
            yield from self._load(now, may_trust=number == 0)
            for doc_id in self.outside.source.ids():
                yield
                yield from self._visit(doc_id)
            if not self.rules.token_before_walk:
                token = len(self.outside.source.changes)
            if (yield from self._settle()):
                return (yield from self._complete(token))
            yield
            now = self._stamp()
        return self._finish("unsettled")

    def _may_skip(self, token: int, now: Stamp) -> bool:
        done = self.state.completed
        if done is None or done.token != token:
            return False
        same_recipe = done.recipe == self.here.recipe or not self.rules.skip_compares_recipe
        return same_recipe and (done.stamp == now or not self.rules.stamp_is_compared)

    def _complete(self, token: int) -> Steps:
        assert self.base is not None
        completed = Completed(token, self.base, self.here.recipe) if not self.letters else None
        yield from self._save(replace(self.state, completed=completed, reached=self.here))
        self.outside.observe.completed(self)
        self.outside.disk.copy = Copy(self.base, dict(self.ledger))
        self._finish("completed")

    def _load(self, now: Stamp, *, may_trust: bool) -> Steps:
        self.base, self.counted = now, 0
        copy = self.outside.disk.copy if may_trust else None
        if copy and (copy.stamp == now or not self.rules.stamp_is_compared):
            self.outside.observe.trusted(self, copy.ledger)
            self.ledger = dict(copy.ledger)
            return
        found: dict[int, Stored] = {}
        yield from self._scan(found)
        self.ledger = self._known(found)

    def _scan(self, found: dict[int, Stored]) -> Steps:
        """Read what is ours, a shard at a time as of different moments."""
        yield
        self.outside.engine.refresh()
        if not self.rules.stamp_before_refresh:
            yield
            self.base = self._stamp()
        for shard in range(len(self.outside.engine.shards)):
            yield
            page = self.outside.engine.scan(shard)
            found.update({doc_id: one for doc_id, one in page.items() if one.mark is not None and one.mark.c == OURS})
        yield from self._make_sure(found.values())

    def _make_sure(self, found: Iterable[Stored]) -> Steps:
        """Raise the epoch above that of every document that was found, which only the owner of the target can."""
        highest = max([one.mark.o >> VERSION_BITS for one in found if one.mark is not None], default=0)
        if highest > self.epoch and self.rules.fenced_by_higher_epoch:
            yield from self._rise(highest + 1)

    def _known(self, found: dict[int, Stored]) -> dict[int, int]:
        return {doc_id: self._fingerprint_of(one) for doc_id, one in found.items()}

    def _fingerprint_of(self, one: Stored) -> int:
        assert one.mark is not None
        if self.rules.version_is_compared and one.version != one.mark.o:
            return 0
        return one.mark.f

    def _visit(self, doc_id: int) -> Steps:
        """Read one document of the source, and send it unless the index holds it as it is."""
        value = shaped(self.outside.source.read(doc_id), self.here.recipe)
        if value is None:
            self.read.setdefault(doc_id, None)
            return
        while self.rules.once_in_flight and doc_id in self.in_flight:
            yield
        self.read[doc_id] = value
        if doc_id in self.waiting:
            del self.waiting[doc_id]
        if self.ledger.get(doc_id) != fingerprint(value):
            yield from self._queue(Item(doc_id, "index", value))

    def _settle(self) -> Generator[None, None, bool]:
        """Return whether the index holds what was walked: it advanced by what was acknowledged, and nothing is unseen.

        When it advanced otherwise it is read and compared. If it is as the ledger says, answers were lost or others
        wrote elsewhere; if not, all has to be done again.
        """
        for _ in range(ROUNDS):
            if self.rules.drained_before_stamp:
                yield from self._drain()
            else:
                self._flush()
            now = self._stamp()
            agreed = self._advance(now) == self.counted or not self.rules.audited
            unseen = {doc_id for doc_id in self.ledger if self.read.get(doc_id) is None}
            self.base, self.counted = now, 0
            if agreed and not unseen:
                yield from self._drain()
                return True
            found: dict[int, Stored] = {}
            yield from self._scan(found)
            if agreed:
                yield from self._delete(found, unseen)
            elif self._known(found) != self.ledger:
                break
        yield from self._drain()
        return False

    def _delete(self, found: dict[int, Stored], unseen: set[int]) -> Steps:
        for doc_id, one in sorted(found.items()):
            if doc_id in unseen:
                expected = (one.seq_no, one.term) if self.rules.deletes_expect_revision else None
                yield from self._queue(Item(doc_id, "delete", expected=expected))

    def _advance(self, now: Stamp) -> int | None:
        assert self.base is not None
        if self.rules.terms_are_compared:
            return now.advance_since(self.base)
        return sum(one.max_seq_no - then.max_seq_no for one, then in zip(now.shards, self.base.shards, strict=True))

    def _stamp(self) -> Stamp:
        self.outside.observe.stamped(self)
        if self.outside.engine.uuid != self.here.target:
            raise Replaced
        return self.outside.engine.stamp()

    # An incremental sync.

    def _incremental(self) -> Steps:
        yield from self._claim()
        start = cursor = yield from self._begin()
        yield
        self.base = begun = self._stamp()
        while cursor < len(self.outside.source.changes):
            yield
            page = self.outside.source.changes[cursor : cursor + BATCH_SIZE]
            for doc_id, value in page:
                while self.rules.once_in_flight and doc_id in self.in_flight:
                    yield
                self.read[doc_id] = shaped(value, self.here.recipe)
                self.waiting.pop(doc_id, None)
                yield
                yield from self._change(doc_id)
            cursor += len(page)
            is_due = (cursor - start) % CURSOR_EVERY == 0 or cursor >= len(self.outside.source.changes)
            if is_due and not self.rules.cursor_after_acknowledged:
                yield from self._move(cursor)
            yield from self._drain()
            if is_due:
                yield from self._move(cursor)
        self.read_upto = cursor
        yield from self._settle_changes(start)
        if self.end is None:
            self._append_to_copy(begun)
            self.outside.observe.completed(self)
            self._finish("completed")

    def _begin(self) -> Generator[None, None, int]:
        """Return where to begin, and keep whoever owned the target before from moving that."""
        while True:
            yield
            found = self.outside.store.connector
            yield
            if not self.rules.connector_is_touched or self.outside.store.write(found):
                break
        if self._holds():
            return found.cursor
        yield from self._void()
        return 0

    def _holds(self) -> bool:
        reached = self.state.reached
        if reached is None:
            return False
        same_recipe = reached.recipe == self.here.recipe or not self.rules.cursor_holds_for_recipe
        return same_recipe and (reached.target == self.here.target or not self.rules.cursor_holds_for_target)

    def _void(self) -> Steps:
        """Say that the cursor holds for nothing, if it was made otherwise than what is written now."""
        if self.state.reached is not None and not self._holds() and self.rules.reach_is_voided:
            yield from self._save(replace(self.state, reached=None))

    def _move(self, cursor: int) -> Steps:
        """Save a cursor in a revision of the connector that was there while the state was still ours."""
        for _ in range(MOST_ATTEMPTS):
            yield
            read = self.outside.store.connector
            reached = self.state.reached if self.rules.reach_after_cursor else self.here
            yield from self._save(replace(self.state, reached=reached))
            self.outside.observe.asks(self)
            yield
            found = self.outside.store.connector
            if found.revision != read.revision and self.rules.cursor_expects_revision:
                continue
            yield
            if self.outside.store.write(found, cursor=cursor):
                if self.state.reached != self.here:
                    yield from self._save(replace(self.state, reached=self.here))
                return
        self._finish("gave up")

    def _change(self, doc_id: int) -> Steps:
        """Compare one document with the engine's, and send what differs."""
        value, now = self.read[doc_id], self.outside.engine.get(doc_id)
        ours = now if now is not None and now.mark is not None and now.mark.c == OURS else None
        yield from self._make_sure([ours] if ours is not None else [])
        if value is None:
            self.ledger.pop(doc_id, None)
            if ours is not None:
                self.ledger[doc_id] = -1  # until it is gone
                expected = (ours.seq_no, ours.term) if self.rules.deletes_expect_revision else None
                yield from self._queue(Item(doc_id, "delete", expected=expected))
        else:
            self.ledger[doc_id] = self._fingerprint_of(ours) if ours is not None else 0
            if self.ledger[doc_id] != fingerprint(value):
                yield from self._queue(Item(doc_id, "index", value))

    def _settle_changes(self, start: int) -> Steps:
        touched = sorted({doc_id for doc_id, _ in self.outside.source.changes[start:] if doc_id in self.read})
        clean = True
        for _ in range(ROUNDS):
            yield from self._drain()
            now = self._stamp()
            if self._advance(now) == self.counted or not self.rules.incremental_audited:
                self.base = now if clean else None
                return
            clean = False
            self.base, self.counted = now, 0
            for doc_id in touched:
                yield
                yield from self._change(doc_id)
        yield from self._drain()
        self._finish("unsettled")

    def _append_to_copy(self, begun: Stamp) -> None:
        copy = self.outside.disk.copy
        if copy is None or copy.stamp != begun or self.base is None:
            self.outside.disk.copy = None
            return
        for doc_id, value in self.read.items():
            if value is None:
                copy.ledger.pop(doc_id, None)
            else:
                copy.ledger[doc_id] = self.ledger[doc_id]
        self.outside.disk.copy = Copy(self.base, copy.ledger)

    # The target.

    def _claim(self) -> Steps:
        while True:
            yield
            seen = self.outside.store.owner
            epoch = max(seen.epoch + 1, self.now)
            yield
            if self.outside.store.claim(seen, Owner(epoch, self.run)):
                self.epoch, self.batch = epoch, 0
                yield from self._take_state()
                return

    def _rise(self, above: int) -> Steps:
        """Claim a higher epoch of one's own target."""
        yield
        seen = self.outside.store.owner
        if seen.run != self.run:
            raise Lost
        epoch = max(self.epoch + 1, above)
        if not self.outside.store.claim(seen, Owner(epoch, self.run)):
            raise Lost
        self.epoch, self.batch = epoch, 0

    def _take_state(self) -> Steps:
        """Put the epoch into the state, so that whoever owned the target before can't change that any more."""
        while True:
            yield
            seen = self.outside.store.state
            if seen.epoch >= self.epoch:
                yield from self._rise(seen.epoch + 1)
            self.state = replace(seen, epoch=self.epoch)
            yield
            if self.outside.store.save(seen, self.state):
                return

    def _save(self, state: State) -> Steps:
        yield
        if not self.rules.state_is_fenced:
            self.outside.store.state = replace(state, epoch=self.outside.store.state.epoch)
        elif not self.outside.store.save(self.state, state):
            raise Lost
        self.state = state

    # Sending.

    def _queue(self, item: Item) -> Steps:
        self.waiting[item.id] = item
        if len(self.waiting) >= BATCH_SIZE:
            while len(self.tasks) > MOST_IN_FLIGHT:
                yield
            yield from self._flush_steps()

    def _flush_steps(self) -> Steps:
        if self.batch + 1 >= 1 << VERSION_BITS:
            yield from self._rise(0)
        self._flush()

    def _flush(self) -> None:
        if self.waiting:
            items = [self._numbered(item) for item in self.waiting.values()]
            self.batch += 1
            self.in_flight.update({item.id: item for item in items})
            self.waiting.clear()
            self.tasks.append(self._guarded(self._deliver(items)))

    def _numbered(self, item: Item) -> Item:
        version = self.epoch << VERSION_BITS | self.batch
        if item.action == "delete":
            return item
        mark = Mark(fingerprint(item.value), version, OURS)
        return item._replace(mark=mark, version=version if self.rules.external_versions else None)

    def _drain(self) -> Steps:
        while self.waiting or len(self.tasks) > 1:
            if self.waiting:
                yield from self._flush_steps()
            yield

    def _deliver(self, items: list[Item]) -> Steps:
        """Send a batch until it is answered, and do what the answers ask for."""
        for _ in range(MOST_ATTEMPTS):
            yield
            self.sent += 1
            parcel = self.outside.send(self, items)
            while parcel.answer is None and not parcel.lost:
                yield
            if parcel.answer is not None:
                for item, result in zip(items, parcel.answer, strict=True):
                    yield from self._answered(item, result)
                return
        self._finish("gave up")

    def _answered(self, item: Item, result: Result) -> Steps:
        for _ in range(MOST_ATTEMPTS):
            self.counted += result.seq_no is not None
            if not result.conflict:
                return self._acknowledged(item)
            if item.action == "delete" and not self.incremental:
                return self._known_of(item)  # something wrote to it since: the next round looks again
            yield
            again = yield from self._decided_anew(item, self.outside.engine.get(item.id))
            if again is None:
                return self._acknowledged(item)
            item = again
            parcel = self.outside.send(self, [item])
            while parcel.answer is None and not parcel.lost:
                yield
            # What was lost may have been applied: then the next attempt meets it.
            result = parcel.answer[0] if parcel.answer is not None else Result(conflict=True, seq_no=None)
        self.letters.add(item.id)
        return self._known_of(item)

    def _decided_anew(self, item: Item, now: Stored | None) -> Generator[None, None, Item | None]:
        """Return what to send instead of an operation that met something it did not expect; None for nothing."""
        if item.action == "delete":
            if now is None or now.mark is None or now.mark.c != OURS:
                return None
            yield from self._make_sure([now])
            return item._replace(expected=(now.seq_no, now.term))
        assert item.version is not None
        if item.version >> VERSION_BITS == self.epoch:
            yield from self._rise(((now.version >> VERSION_BITS) + 1) if now is not None else 0)
        self.batch += 1
        return self._numbered(item)

    def _acknowledged(self, item: Item) -> None:
        self._known_of(item)
        if item.action == "delete":
            self.ledger.pop(item.id, None)
        else:
            self.ledger[item.id] = fingerprint(item.value)

    def _known_of(self, item: Item) -> None:
        self.in_flight.pop(item.id, None)
