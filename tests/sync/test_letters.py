"""The letters of a sync: when they are written and taken back, and when there are too many."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.aio.clock import SystemClock
from connectors.engine import Engine, open_engine
from connectors.engine.records import Revision
from connectors.errors import JobLost, TooManyLetters
from connectors.settings import EngineSettings
from connectors.store.dead_letter import DeadLetter, LetterKind
from connectors.store.dead_letters import DeadLetters
from connectors.store.state import StateStore
from connectors.store.sync_settings import MaxDeadLetters
from connectors.store.sync_state import JobType
from connectors.store.targets import TargetRecord
from connectors.sync.document.prepared import key_of
from connectors.sync.index.target import Target
from connectors.sync.ledger.ledger import Ledger, keys_of
from connectors.sync.letters import AT_ONCE, IN_A_ROW, Letters
from connectors.sync.owner.instance import Instance
from connectors.sync.owner.lease import Claim, Lease, leased
from connectors.sync.report import SyncReport
from connectors.sync.writing.batch import Removal, Write
from connectors.sync.writing.books import Books

READ, CONVERT, WRITE, CONTENT, ACCESS = LetterKind
AT = datetime(2026, 1, 2, tzinfo=UTC)


class ForwardClock(SystemClock):
    """A clock of which some time has passed that did not."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    def now(self) -> datetime:
        return AT


@dataclass
class Desk:
    """Where the letters of one sync are written."""

    store: DeadLetters
    state: StateStore
    clock: ForwardClock
    lease: Lease

    def begun(self, *, most: int = 1_000, share: float = 0.01) -> Letters:
        """Begin the letters of a sync anew, with a report of their own."""
        self.report = SyncReport(JobType.FULL, "docs", AT)
        return Letters(self.store, self.lease, self.report, most=MaxDeadLetters(most, share), clock=self.clock)

    async def stored(self) -> list[tuple[str, LetterKind]]:
        return sorted([(one.id, one.kind) async for one in self.store.letters("c")])

    async def left(self, *letters: tuple[str, LetterKind], run: str = "earlier") -> None:
        """Have letters of an earlier sync."""
        await self.store.put_many(
            DeadLetter(connector="c", id=doc_id, kind=kind, cause="x", reason="y", at=AT, run=run)
            for doc_id, kind in letters
        )

    async def lose(self) -> None:
        """Let somebody else own the target, and the last renewal be old."""
        record = TargetRecord(target="uuid", index="docs", epoch=2**41, owner="somebody", run="other")
        await self.state.put(TargetRecord.key_of("uuid"), record)
        self.clock.ahead_s += 50


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as opened:
        yield opened


@pytest.fixture
async def desk(engine: Engine) -> AsyncIterator[Desk]:
    clock = ForwardClock()
    state, store = await StateStore.open(engine), await DeadLetters.open(engine)
    async with leased(state, Claim(Target("docs", "docs", "uuid"), "c", "run", Instance.current()), clock) as lease:
        yield Desk(store, state, clock, lease)


def well(letters: Letters, doc_id: str, *, content: bool = False) -> None:
    letters.well(doc_id, key_of(doc_id), content=content)


# --- writing -----------------------------------------------------------------------------------------------------


async def test_a_letter_says_what_and_when_and_in_which_run(desk: Desk) -> None:
    letters = desk.begun()
    await letters.add(WRITE, "a", "cause", "the reason")
    await letters.flush()
    expected = DeadLetter(connector="c", id="a", kind=WRITE, cause="cause", reason="the reason", at=AT, run="run")
    assert [one async for one in desk.store.letters("c")] == [expected]
    assert (desk.report.letters, desk.report.content_failed) == (1, 0)


async def test_letters_wait_until_there_are_some_hundred(desk: Desk) -> None:
    letters = desk.begun()
    for number in range(AT_ONCE - 1):
        await letters.add(WRITE, f"d{number}", f"cause {number}", "reason")
    assert await desk.store.count("c") == 0
    await letters.add(WRITE, "last", "cause", "reason")
    assert await desk.store.count("c") == AT_ONCE
    await letters.add(WRITE, "one more", "another", "reason")
    assert await desk.store.count("c") == AT_ONCE
    await letters.flush()
    assert await desk.store.count("c") == AT_ONCE + 1


async def test_a_sync_that_lost_its_target_writes_and_takes_back_nothing(desk: Desk) -> None:
    await desk.left(("old", WRITE))
    letters = desk.begun()
    await letters.load()
    await letters.add(WRITE, "new", "cause", "reason")
    well(letters, "old")
    await desk.lose()
    for step in (letters.flush, letters.forget_older, letters.flush):
        with pytest.raises(JobLost):
            await step()
    assert await desk.stored() == [("old", WRITE)]


async def test_nothing_to_write_asks_nobody(desk: Desk) -> None:
    await desk.left(("old", WRITE))
    letters = desk.begun()
    await letters.load()
    await letters.add(WRITE, "a", "cause", "reason")
    well(letters, "old")
    await letters.flush()
    await desk.lose()
    well(letters, "never had one")
    await letters.flush()


async def test_a_letter_that_comes_while_others_are_written_is_written_after_them(desk: Desk) -> None:
    letters = desk.begun()
    await letters.add(WRITE, "a", "cause", "reason")
    flushing = asyncio.create_task(letters.flush())
    while not flushing.done():
        await letters.add(WRITE, f"b{desk.report.letters}", f"{desk.report.letters}", "reason")
        await asyncio.sleep(0)
    await flushing
    await letters.flush()
    assert len(await desk.stored()) == desk.report.letters


async def test_what_could_not_be_written_is_written_the_next_time(desk: Desk) -> None:
    await desk.left(("old", WRITE), ("old", CONTENT))
    letters = desk.begun()
    await letters.load()
    await letters.add(WRITE, "a", "cause", "reason")
    well(letters, "old", content=True)
    key = TargetRecord.key_of("uuid")
    ours = await desk.state.read(key, TargetRecord)
    assert ours is not None
    await desk.lose()
    with pytest.raises(JobLost):
        await letters.flush()
    await desk.state.put(key, ours.value)
    await letters.flush()
    assert await desk.stored() == [("a", WRITE)]


# --- taking back -------------------------------------------------------------------------------------------------


async def test_a_document_that_is_well_loses_its_letters_but_for_its_content(desk: Desk) -> None:
    await desk.left(("a", WRITE), ("a", READ), ("a", CONTENT), ("b", CONVERT), ("c", CONTENT))
    letters = desk.begun()
    before = letters.any_known
    await letters.load()
    assert (before, letters.any_known) == (False, True)
    well(letters, "a")
    well(letters, "c", content=True)
    well(letters, "never had one", content=True)
    assert len(await desk.stored()) == 5
    await letters.flush()
    assert await desk.stored() == [("a", CONTENT), ("b", CONVERT)]


async def test_a_content_that_came_is_not_forgotten_when_its_document_comes_again(desk: Desk) -> None:
    await desk.left(("a", CONTENT))
    letters = desk.begun()
    await letters.load()
    well(letters, "a", content=True)
    well(letters, "a", content=False)
    await letters.flush()
    assert await desk.stored() == []


async def test_a_document_that_fails_when_it_comes_again_has_its_letter(desk: Desk) -> None:
    await desk.left(("a", WRITE))
    letters = desk.begun()
    await letters.load()
    well(letters, "a")
    await letters.add(WRITE, "a", "cause", "reason")
    await letters.flush()
    assert await desk.stored() == [("a", WRITE)]


async def test_a_document_that_failed_after_it_was_sent_has_its_letter(desk: Desk) -> None:
    letters = desk.begun()
    await letters.add(READ, "a", "cause", "reason")
    well(letters, "a", content=True)  # what was sent before
    await letters.flush()
    assert await desk.stored() == [("a", READ)]


async def test_a_document_that_is_well_when_it_comes_again_has_none(desk: Desk) -> None:
    letters = desk.begun()
    await letters.add(WRITE, "a", "cause", "reason")
    letters.superseded(key_of("a"))
    well(letters, "a")
    await letters.flush()
    assert await desk.stored() == []


async def test_what_was_said_of_a_document_that_comes_again_counts_no_longer(desk: Desk) -> None:
    letters = desk.begun()
    await letters.add(WRITE, "a", "cause", "reason")
    await letters.add(CONTENT, "b", "cause", "reason")
    for doc_id in ("a", "b", "never failed"):
        letters.superseded(key_of(doc_id))
    report = desk.report
    assert (report.letters, report.superseded, report.content_failed, letters.passing) == (0, 1, 0, 0)
    letters.superseded(key_of("a"))
    assert report.superseded == 1
    well(letters, "b", content=True)
    await letters.flush()
    assert await desk.stored() == [("a", WRITE)]


@pytest.mark.parametrize("first", ["letter", "document"])
async def test_a_document_that_is_written_without_its_content_keeps_the_letter_about_it(desk: Desk, first: str) -> None:
    await desk.left(("a", CONTENT), ("a", WRITE))
    letters = desk.begun()
    await letters.load()
    if first == "document":
        well(letters, "a", content=True)
    await letters.add(CONTENT, "a", "cause", "reason", lasting=True)
    if first == "letter":
        well(letters, "a", content=True)
    await letters.flush()
    assert await desk.stored() == [("a", CONTENT)]
    assert [one.run async for one in desk.store.letters("c")] == ["run"]


async def test_a_complete_walk_forgets_what_earlier_ones_said_of_documents(desk: Desk) -> None:
    await desk.left(("a", WRITE), ("b", READ), ("c", CONVERT), ("d", CONTENT))
    letters = desk.begun()
    await letters.load()
    await letters.add(WRITE, "a", "cause", "reason")
    await letters.flush()
    await letters.forget_older()
    assert await desk.stored() == [("a", WRITE), ("d", CONTENT)]


async def test_an_id_that_is_none_has_a_letter_all_the_same(desk: Desk) -> None:
    letters = desk.begun()
    await letters.add(CONVERT, "\ud800", "convert", "half a character")
    await letters.flush()
    assert await desk.stored() == [("�", CONVERT)]
    again = desk.begun()
    await again.load()
    await again.flush()


# --- too many ----------------------------------------------------------------------------------------------------


async def add(letters: Letters, number: int, *, kind: LetterKind = WRITE, **more: Any) -> None:
    await letters.add(kind, f"{kind}{number}", f"cause {number}", f"reason {number}", **more)


@pytest.mark.parametrize(("most", "walked", "allowed"), [(10, 100, 10), (10, 5_000, 50), (0, 99, 0), (0, 100, 1)])
async def test_more_letters_than_are_allowed_end_the_sync(desk: Desk, most: int, walked: int, allowed: int) -> None:
    letters = desk.begun(most=most, share=0.01)
    desk.report.walked = walked
    for number in range(allowed):
        await add(letters, number)
    with pytest.raises(TooManyLetters) as raised:
        await add(letters, allowed)
    text = f"{allowed + 1} documents could not be indexed, and {allowed} is the limit; the last: reason {allowed}"
    assert raised.value.message == text
    assert "connectors dead-letters list c" in str(raised.value)
    assert await desk.store.count("c") == allowed + 1  # what is known is told


async def fail_in_a_row(letters: Letters, times: int, cause: str = "one cause", kind: LetterKind = WRITE) -> None:
    for number in range(times):
        await letters.add(kind, f"{cause} {number}", cause, "the reason")


@pytest.mark.parametrize("kind", LetterKind)
async def test_so_many_in_a_row_for_one_cause_end_the_sync(desk: Desk, kind: LetterKind) -> None:
    letters = desk.begun()
    await fail_in_a_row(letters, IN_A_ROW - 1, kind=kind)
    with pytest.raises(TooManyLetters, match=r"50 documents in a row could not be indexed \(one cause: the reason\)"):
        await letters.add(kind, "the last", "one cause", "the reason")
    assert await desk.store.count("c") == IN_A_ROW


async def test_another_cause_begins_a_row_of_its_own(desk: Desk) -> None:
    letters = desk.begun()
    await fail_in_a_row(letters, IN_A_ROW - 1)
    await fail_in_a_row(letters, IN_A_ROW - 1, "another")
    await fail_in_a_row(letters, IN_A_ROW - 1)
    with pytest.raises(TooManyLetters):
        await fail_in_a_row(letters, 1)


async def test_a_success_ends_the_row_of_its_own_step_alone(desk: Desk) -> None:
    letters = desk.begun()
    await fail_in_a_row(letters, IN_A_ROW - 1)
    letters.went_well(WRITE)
    await fail_in_a_row(letters, IN_A_ROW - 1)
    await fail_in_a_row(letters, IN_A_ROW - 1, kind=CONVERT)
    letters.went_well(CONVERT)
    await fail_in_a_row(letters, IN_A_ROW - 1, kind=CONVERT)
    with pytest.raises(TooManyLetters):
        await fail_in_a_row(letters, 1)


async def test_rows_of_different_steps_are_different_rows(desk: Desk) -> None:
    letters = desk.begun()
    for kind in LetterKind:
        await fail_in_a_row(letters, IN_A_ROW - 1, kind=kind)


async def test_contents_count_apart_and_never_when_it_will_be_the_same_the_next_time(desk: Desk) -> None:
    letters = desk.begun(most=0, share=0.0)
    for number in range(3 * IN_A_ROW):
        await letters.add(CONTENT, f"{number}", "too large", "reason", lasting=True)
    assert (desk.report.content_failed, desk.report.letters, letters.passing) == (3 * IN_A_ROW, 0, 0)
    await letters.add(CONTENT, "x", "unreachable", "reason")
    assert (desk.report.content_failed, desk.report.letters, letters.passing) == (3 * IN_A_ROW + 1, 0, 1)
    with pytest.raises(TooManyLetters):
        await letters.add(WRITE, "x", "cause", "reason")
    assert (desk.report.letters, letters.passing) == (1, 2)


# --- the books ---------------------------------------------------------------------------------------------------


def keys(*doc_ids: str) -> Any:
    return keys_of(b"".join(map(key_of, doc_ids)))


def write(doc_id: str, fingerprint: int = 1, *, held: bool = False) -> Write:
    return Write(doc_id, key_of(doc_id), fingerprint, held=held)


def removal(doc_id: str) -> Removal:
    return Removal(doc_id, key_of(doc_id), Revision(1, 1))


def ledger(*doc_ids: str) -> Ledger:
    found = Ledger()
    found.load(keys(*doc_ids), np.arange(len(doc_ids), dtype=np.int64) + 100)
    return found


async def test_what_is_written_is_in_the_ledger_and_counted_by_what_that_said_before(desk: Desk) -> None:
    letters = desk.begun()
    books = Books(ledger("a", "b"), letters, desk.report)
    books.written([write("a", -7, held=True), write("c", 8)])
    found = books.ledger.peek(keys("a", "b", "c"))
    assert found.held.tolist() == [True, True, True]
    assert found.fingerprints.tolist() == [-7, 101, 8]
    assert (desk.report.created, desk.report.updated, desk.report.accounted) == (1, 1, 2)


async def test_what_is_removed_is_in_the_ledger_no_more(desk: Desk) -> None:
    await desk.left(("a", CONTENT), ("a", WRITE))
    letters = desk.begun()
    await letters.load()
    books = Books(ledger("a", "b"), letters, desk.report)
    books.removed([removal("a")])
    books.overtaken(removal("b"))
    assert books.ledger.peek(keys("a", "b")).held.tolist() == [False, True]
    assert (desk.report.deleted, desk.report.accounted) == (1, 0)
    await letters.flush()
    assert await desk.stored() == []


async def test_a_written_document_takes_its_letters_back_with_its_content_where_that_is_known(desk: Desk) -> None:
    await desk.left(("a", CONTENT), ("a", WRITE), ("b", CONTENT), ("b", WRITE))
    letters = desk.begun()
    await letters.load()
    Books(ledger(), letters, desk.report).written([write("a", 5), write("b", 0)])
    await letters.flush()
    assert await desk.stored() == [("b", CONTENT)]


async def test_what_is_refused_is_a_letter_and_stays_as_it_was_in_the_ledger(desk: Desk) -> None:
    letters = desk.begun()
    books = Books(ledger("a", "b"), letters, desk.report)
    await books.refused(write("a"), "cause", "the reason")
    await books.refused(write("c"), "cause", "the reason")
    await books.refused(removal("b"), "cause", "the reason")
    await letters.flush()
    found = books.ledger.peek(keys("a", "b", "c"))
    assert found.held.tolist() == [True, True, False]
    assert found.fingerprints.tolist()[:2] == [100, 101]
    assert desk.report.letters == desk.report.accounted == 2  # a removal is of no document that was walked
    reasons = {one.id: one.reason async for one in desk.store.letters("c")}
    assert reasons == {
        "a": "the reason",
        "b": "It is not in the source any more, and can't be deleted: the reason",
        "c": "the reason",
    }


async def test_a_written_document_ends_a_row_of_refusals(desk: Desk) -> None:
    letters = desk.begun()
    books = Books(Ledger(), letters, desk.report)
    for _ in range(3):
        for number in range(IN_A_ROW - 1):
            await books.refused(write(f"{number}"), "cause", "reason")
        books.written([write("good")])
