"""A live sync: what happens in a source is in the index at once, and the cursor says nothing that is not so."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from connectors.changes import Change, Checkpoint, Cursor, Delete, Failed, Upsert
from connectors.errors import ConfigurationError, CursorExpired, EngineUnreachable, SourceError, SourceUnreachable
from connectors.store.held import HeldStatus
from connectors.store.sync_state import JobType
from connectors.sync.ending import Ending, Why
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from tests.sync.partial.intruder import intrude
from tests.sync.scripted import INDEX, Scene, doc, docs, told

FULL = JobType.FULL
PATIENCE_S = 30.0


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds that another task does."""
    async with asyncio.timeout(PATIENCE_S):
        while not await true():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.005)


@dataclass
class Living:
    """A live sync that runs."""

    scene: Scene
    ending: Ending
    task: "asyncio.Task[SyncReport]"
    report: SyncReport

    async def equal(self) -> None:
        """Wait until what a search finds is what the source holds."""
        await until(self._is_equal)

    async def _is_equal(self) -> bool:
        if self.task.done():
            await self.task
        wanted = {str(name): one.document for name, one in self.scene.log.now.items()}
        page = await self.scene.engine.data.search(INDEX, {"size": 1_000, "query": {"match_all": {}}})
        found = {hit.id: (hit.source or {}).get("number") for hit in page.hits}
        return found == {name: one["number"] for name, one in wanted.items()} and not await self.scene.difference()

    async def end(self, why: Why = Why.OTHERS) -> SyncReport:
        """Ask it to end, and return its report."""
        self.ending.ask(why)
        async with asyncio.timeout(PATIENCE_S):
            return await self.task


@asynccontextmanager
async def living(scene: Scene, run: str | None = None, **limits: Any) -> AsyncIterator[Living]:
    """Run a live sync during the block."""
    place = replace(scene.place, limits=replace(scene.place.limits, **limits))
    ending = Ending()
    sync = Sync(place, await scene.connector(), JobType.INCREMENTAL, run=run, live=ending)
    task = asyncio.create_task(sync.run())
    try:
        yield Living(scene, ending, task, sync.report)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


@pytest.fixture
async def live(scene: Scene) -> Scene:
    """Provide a scene whose source tells of changes as they happen, and whose full sync is done."""
    await scene.change(service_type="live")
    scene.log.put(*docs(10))
    await scene.sync(FULL)
    return scene


# What it does.


async def test_what_happens_is_found_while_it_runs(live: Scene) -> None:
    async with living(live) as sync:
        live.log.write(Upsert(doc(3, more=1)), Delete("doc4"), Upsert(doc(20)))
        await sync.equal()
        live.log.write(Upsert(doc(21)), Delete("doc20"))
        await sync.equal()
        report = await sync.end()
    assert told(report) == {"walked": 3, "created": 2, "updated": 1, "deleted": 2}
    assert live.log.read_from == [{"at": 10}]
    assert await live.cursor() == {"at": 15}
    assert live.log.closed == 2


async def test_without_a_full_sync_it_says_that_one_has_to_come_first(scene: Scene) -> None:
    await scene.change(service_type="live")
    scene.log.put(*docs(3))
    async with living(scene) as sync:
        async with asyncio.timeout(PATIENCE_S):
            await sync.task
        assert sync.ending.why is Why.FULL_FIRST
    assert scene.log.read_from == []


async def test_after_a_full_sync_that_has_no_cursor_it_reads_everything_once(live: Scene) -> None:
    live.log.tells_cursors = False
    async with living(live) as sync:
        await until(lambda: _is(len(live.log.read_from) > 1))
        live.log.put(doc(11))
        await sync.equal()
        await sync.end()
    assert live.log.read_from == [None, {"at": 10}]
    async with living(live) as sync:
        live.log.put(doc(12))
        await sync.equal()
        report = await sync.end()
    assert told(report) == {"walked": 1, "created": 1}


async def test_a_source_without_live_changes_is_refused(scene: Scene) -> None:
    await scene.change(service_type="telling")
    async with living(scene) as sync:
        with pytest.raises(ConfigurationError, match="can't tell of changes as they happen"):
            await sync.task


async def test_silence_is_excused(live: Scene) -> None:
    async with living(live, source_timeout_s=0.05) as sync:
        live.log.put(doc(11))
        await sync.equal()
        await asyncio.wait([sync.task], timeout=0.5)
        live.log.put(doc(12))
        await sync.equal()
        await sync.end()


async def test_while_nothing_happens_nothing_is_asked_of_the_engine(live: Scene) -> None:
    async with living(live) as sync:
        await until(lambda: _is(bool(live.log.read_from)))
        taken = [one.taken().requests for one in live.engine.traffic.values()]
        assert sum(taken) > 0
        await asyncio.wait([sync.task], timeout=0.5)
        assert [one.taken().requests for one in live.engine.traffic.values()] == [0] * len(taken)


async def _is(found: bool) -> bool:
    return found


# Rounds.


async def test_rounds_count_together_and_each_ends_with_its_proof(live: Scene) -> None:
    async with living(live, live_round_s=0.2) as sync:
        for number in range(20, 26):
            live.log.put(doc(number))
            await sync.equal()
            await asyncio.wait([sync.task], timeout=0.1)
        report = await sync.end()
    assert told(report) == {"walked": 6, "created": 6}
    assert report.passes > 1
    assert (report.walked, report.warnings) == (report.accounted, [])


async def test_what_others_wrote_over_is_mended_at_the_end_of_the_round(live: Scene) -> None:
    async with living(live, live_round_s=0.3) as sync:
        live.log.put(doc(3, more=1), doc(30))
        await sync.equal()
        await live.overwrite("doc3", number=99)
        await sync.equal()
        live.log.put(doc(31))
        await sync.equal()
        report = await sync.end()
    assert told(report) == {"walked": 5, "created": 3, "updated": 1, "unchanged": 1}
    assert live.log.read_from[-1] == {"at": 10}
    assert report.warnings == []


async def test_what_is_read_again_does_not_move_the_cursor_before_the_stream_has_come_there(
    live: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = live.log.told

    def later(cursor: Cursor | None) -> AsyncIterator[Change]:
        live.log.put(doc(3, more=2), doc(40))  # which the stream tells of as well, when this has been read
        return once(cursor)

    monkeypatch.setattr(live.log, "told", later)
    async with living(live, live_round_s=0.3, checkpoint_every_s=99.0) as sync:
        live.log.put(doc(3, more=1))
        await sync.equal()
        await live.overwrite("doc3", number=99)
        await until(lambda: _has_cursor(live))
        assert await live.cursor() == {"at": 11}
        await sync.equal()
        report = await sync.end()
    assert not await live.difference()
    assert await live.cursor() == {"at": 13}
    assert report.walked == report.accounted


async def test_the_copy_of_the_ledger_learns_what_a_round_did(live: Scene) -> None:
    async with living(live) as sync:
        live.log.write(Upsert(doc(3, more=1)), Delete("doc4"), Upsert(doc(20)))
        await sync.equal()
        await sync.end()
    report = await live.sync(FULL)
    assert (report.unchanged, report.scans, report.sent) == (10, 0, 0)


@pytest.mark.parametrize("seed", range(3))
async def test_an_engine_that_fails_again_and_again_loses_nothing(live: Scene, seed: int) -> None:
    chance, data = random.Random(seed), intrude(live)

    async def fail() -> None:
        if chance.random() < 0.4:
            raise EngineUnreachable("The connection broke.")

    async def fine() -> None:
        pass

    async with living(live, live_round_s=0.3, checkpoint_every_s=0.0) as sync:
        for _ in range(8):
            data.before += [fail, fine]  # several in a row would have it wait for long
            data.after += [fail, fine]
            for _ in range(10):
                number = chance.randrange(30)
                is_there = f"doc{number}" in live.log.now
                gone = is_there and chance.random() < 0.3
                live.log.write(Delete(f"doc{number}") if gone else Upsert(doc(number, n=chance.random())))
            await asyncio.wait([sync.task], timeout=chance.uniform(0, 0.2))
        await sync.equal()
        report = await sync.end()
    assert report.walked == report.accounted
    assert await live.cursor() == {"at": len(live.log.steps)}


# Deletions.


async def test_deletions_above_the_guard_are_held_in_later_rounds_too(live: Scene) -> None:
    await live.change(sync={"delete_guard": {"count": 2, "share": 0}})
    async with living(live, run="r", live_round_s=0.2) as sync:
        live.log.write(*(Delete(f"doc{number}") for number in range(4)))
        await until(lambda: _is(sync.report.held == 2))
        live.log.write(Delete("doc4"))
        await until(lambda: _is(sync.report.held == 3))
        report = await sync.end()
    assert report.deleted == 2
    assert await live.stored("doc4") is not None
    held = await live.place.held.get("one", "r")
    assert held is not None
    assert held.number == 3
    async with living(live, run="r", live_round_s=0.2) as sync:
        live.log.write(Delete("doc5"))
        await until(lambda: _is(sync.report.held == 4))
        await sync.end()
    assert await live.stored("doc5") is not None


async def test_fewer_deletions_in_each_round_are_carried_out(live: Scene) -> None:
    await live.change(sync={"delete_guard": {"count": 2, "share": 0}})
    async with living(live, live_round_s=0.15) as sync:
        for number in range(0, 6, 2):
            live.log.write(Delete(f"doc{number}"), Delete(f"doc{number + 1}"))
            await sync.equal()
            await asyncio.wait([sync.task], timeout=0.4)
        report = await sync.end()
    assert (report.deleted, report.held) == (6, 0)


async def test_a_document_that_comes_again_is_not_held_any_more(live: Scene) -> None:
    await live.change(sync={"delete_guard": {"count": 0, "share": 0}})
    async with living(live, run="r", live_round_s=0.2) as sync:
        live.log.write(Delete("doc1"))
        await until(lambda: _is(sync.report.held == 1))
        live.log.put(doc(1, back=True))
        await until(lambda: _is(sync.report.held == 0))
        await sync.end()
    assert await live.place.held.get("one", "r") is None


async def test_what_was_approved_stays_so_when_more_comes(live: Scene) -> None:
    await live.change(sync={"delete_guard": {"count": 0, "share": 0}})
    async with living(live, run="r", live_round_s=0.2) as sync:
        live.log.write(Delete("doc1"))
        await until(lambda: _is(sync.report.held == 1))
        await live.place.held.approve("one", "r")
        live.log.write(Delete("doc2"))
        await sync.end()
    held = await live.place.held.get("one", "r")
    assert held is not None
    assert (held.status, held.number) == (HeldStatus.APPROVED, 1)
    await live.sync(FULL)
    assert [await live.stored(name) is None for name in ("doc1", "doc2")] == [True, False]


# The cursor.


async def test_the_cursor_is_saved_while_it_runs(live: Scene) -> None:
    async with living(live, checkpoint_every_s=0.0) as sync:
        live.log.put(doc(11))
        await sync.equal()
        await until(lambda: _is_cursor(live, 11))
        sync.task.cancel()
        with suppress(asyncio.CancelledError):
            await sync.task
    live.log.read_from.clear()
    async with living(live) as sync:
        await until(lambda: _is(bool(live.log.read_from)))
        await sync.end()
    assert live.log.read_from == [{"at": 11}]


async def _has_cursor(scene: Scene) -> bool:
    return await scene.cursor() is not None


async def _is_cursor(scene: Scene, at: int) -> bool:
    return await scene.cursor() == {"at": at}


async def test_where_nothing_is_written_the_cursor_moves_on_now_and_then(live: Scene) -> None:
    async with living(live, live_round_s=0.1):
        live.log.write(Checkpoint({"at": 11}))
        await until(lambda: _is_cursor(live, 11))


async def test_an_expired_cursor_is_dropped(live: Scene) -> None:
    live.log.kept_since = 11
    async with living(live) as sync:
        with pytest.raises(CursorExpired):
            await sync.task
    assert await live.cursor() is None
    async with living(live) as sync:
        await sync.task
        assert sync.ending.why is Why.FULL_FIRST


async def test_what_came_before_the_stream_breaks_is_written(live: Scene) -> None:
    live.log.write(Upsert(doc(11)), Checkpoint({"at": 12}), SourceUnreachable("The log ends here."))
    async with living(live) as sync:
        with pytest.raises(SourceUnreachable):
            await sync.task
    assert not await live.difference()
    assert await live.cursor() == {"at": 12}


async def test_a_stream_that_breaks_after_a_long_time_is_opened_again(live: Scene) -> None:
    async with living(live, steady_s=0.0) as sync:
        live.log.put(doc(11))
        await sync.equal()
        live.log.write(SourceUnreachable("The log ends here."), Upsert(doc(12)))
        await until(lambda: _is(len(live.log.read_from) > 1))
        live.log.steps[11] = Checkpoint({"at": 12})
        await sync.equal()
        await sync.end()


async def test_a_stream_that_ends_is_a_fault_of_the_source(live: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.log, "live", live.log.told)
    async with living(live) as sync:
        with pytest.raises(SourceError, match="ended its stream"):
            await sync.task


async def test_what_is_no_change_is_a_fault_of_the_source(live: Scene) -> None:
    live.log.write(object())
    async with living(live) as sync:
        with pytest.raises(SourceError, match="which is no change"):
            await sync.task


async def test_a_document_that_can_not_be_read_has_a_letter_until_it_is_well(live: Scene) -> None:
    async with living(live, live_round_s=0.2) as sync:
        live.log.write(Failed("doc3", "It is locked."))
        await until(lambda: _has_letters(live, 1))
        live.log.put(doc(3, well=True))
        await until(lambda: _has_letters(live, 0))
        report = await sync.end()
    assert report.walked == report.accounted == 2


async def _has_letters(scene: Scene, number: int) -> bool:
    return len(await scene.letters()) == number


async def test_the_report_says_since_when_it_is_behind(live: Scene) -> None:
    data, gate = intrude(live), asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    async with living(live) as sync:
        data.before.append(wait)
        live.log.put(doc(11))
        await until(lambda: _is(sync.report.behind_since is not None))
        gate.set()
        await until(lambda: _is(sync.report.behind_since is None))
        await sync.equal()
        await sync.end()
