"""Remains: what is stored about a connector that is gone goes a day later, and of no other connector anything."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.services.cleaning.remains import Remains
from connectors.storage import MemoryBackend, Storage
from connectors.store.dead_letter import DeadLetter, LetterKind
from connectors.store.held import HeldSet, HeldSets
from connectors.store.sync_state import JobType, SyncState
from connectors.store.targets import TargetRecord
from connectors.store.ticks import TickRecord, Ticks
from tests.services.yard import Yard

DAY = timedelta(days=1)
LOOK = timedelta(minutes=10)
INDEX = ".elastic-connectors-state-v1"


async def leave(yard: Yard, name: str, held: int = 2_500) -> None:
    """Leave in the stores all that a connector leaves there."""
    state, now = yard.shelf.state, yard.watch.moment
    for job_type in JobType:
        await state.put(SyncState.key_of(name, job_type), SyncState(connector=name, job_type=job_type))
    ticks = Ticks(state)
    await ticks.since(name, {"full": "hourly"}, now)
    await ticks.claim(TickRecord(connector=name, schedule="full", instant=now, job="j"))

    async def ids() -> AsyncIterator[Sequence[str]]:
        yield [f"id{number}" for number in range(held)]

    one = HeldSet(connector=name, run="r", target="t", job_type=JobType.FULL, reason="many", created_at=now)
    await HeldSets(state, yard.watch).hold(one, ids())
    await Storage(yard.shelf.storage, name).set("token", "secret")
    target = TargetRecord(target=f"t-{name}", index="i", epoch=5, connector=name)
    await state.put(TargetRecord.key_of(target.target), target)
    letter = DeadLetter(connector=name, id="x", kind=LetterKind.WRITE, cause="c", reason="r", at=now, run="r")
    await yard.shelf.letters.put_many([letter])


async def left(yard: Yard, name: str) -> dict[str, int]:
    """Return what there is of a connector: how many records of each kind, and how many letters."""
    await yard.engine.control.refresh(INDEX)
    page = await yard.engine.control.search(INDEX, {"size": 1_000, "query": {"term": {"connector": name}}})
    kinds = [str((hit.source or {})["kind"]) for hit in page.hits]
    letters = await yard.shelf.letters.count(name)
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))} | ({"letters": letters} if letters else {})


ALL = {"held": 1, "held-chunk": 3, "letters": 1, "schedules": 1, "sync": 3, "target": 1, "tick": 1, "value": 1}


async def test_what_a_connector_left_goes_a_day_after_it_and_what_others_have_stays(yard: Yard) -> None:
    for name in ("c", "marked", "stays"):
        await yard.connect(name)
        await leave(yard, name)
    assert await left(yard, "c") == ALL
    janitor = yard.janitor()
    await janitor.look()
    await yard.delete("c")
    await yard.shelf.connectors.update("marked", lambda _: {"deleted": True})
    yard.pass_(10 * DAY)
    await janitor.look()
    assert await left(yard, "c") == await left(yard, "marked") == ALL
    yard.pass_(DAY - LOOK)
    await janitor.look()
    assert await left(yard, "c") == ALL
    yard.pass_(LOOK)
    await janitor.look()
    assert await left(yard, "c") == await left(yard, "marked") == {"target": 1}
    assert await left(yard, "stays") == ALL


async def test_a_connector_that_comes_back_keeps_what_it_left(yard: Yard) -> None:
    await leave(yard, "c")
    janitor = yard.janitor()
    await janitor.look()
    yard.pass_(DAY / 2)
    await yard.connect()
    await janitor.look()
    await yard.delete()
    yard.pass_(DAY / 2)
    await janitor.look()
    assert await left(yard, "c") == ALL
    yard.pass_(DAY / 2)
    await janitor.look()
    assert await left(yard, "c") == ALL


@pytest.mark.parametrize("status", ["in_progress", "canceling"])
async def test_while_a_job_is_active_all_of_it_stays(yard: Yard, status: str) -> None:
    await leave(yard, "c")
    remains = Remains(yard.shelf, yard.roster(), yard.watch)
    job = await yard.job(status)
    await remains.look()
    yard.pass_(2 * DAY)
    await remains.look()
    assert await left(yard, "c") == ALL
    await yard.jobs.change(job, lambda _: {"status": "error"})
    await remains.look()
    assert await left(yard, "c") == {"target": 1}


async def test_much_of_it_goes_in_several_looks_that_any_daemon_may_go_on_with(yard: Yard) -> None:
    await leave(yard, "c")
    one, other = (Remains(yard.shelf, yard.roster(), yard.watch, at_once=2) for _ in range(2))
    await one.look()
    await other.look()
    yard.pass_(DAY)
    looks = 0
    while not await (one, other)[looks % 2].look():
        looks += 1
    assert looks == 5
    assert await left(yard, "c") == {"target": 1}


async def test_what_a_newer_version_left_goes_too(yard: Yard) -> None:
    await leave(yard, "c")
    key = SyncState.key_of("c", JobType.FULL)
    stored = await yard.engine.control.get(INDEX, key)
    assert stored is not None
    await yard.engine.control.put(INDEX, key, {**stored.source, "format": 99})
    janitor = yard.janitor()
    await janitor.look()
    yard.pass_(DAY)
    await janitor.look()
    assert await left(yard, "c") == {"target": 1}


async def test_values_that_are_kept_elsewhere_go_too_and_tell_of_a_connector_that_left_nothing_else(yard: Yard) -> None:
    await yard.connect("stays")
    elsewhere = MemoryBackend()
    for name in ("c", "stays"):
        await Storage(elsewhere, name).set("token", "secret")
    await leave(yard, "before")  # it was in the engine when that still kept values
    remains = Remains(replace(yard.shelf, storage=elsewhere), yard.roster(), yard.watch)
    await remains.look()
    assert await elsewhere.connectors() == {"c", "stays"}
    yard.pass_(DAY)
    await remains.look()
    assert await elsewhere.connectors() == {"stays"}
    assert await left(yard, "before") == {"target": 1}
