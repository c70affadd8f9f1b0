"""Stopped daemons: who stands still past its lease is taken over, and harms nothing when it goes on."""

import asyncio
import random
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.store.job import ENDED, JobStatus, Trigger
from tests.torture.archive import Archive
from tests.torture.conftest import Report
from tests.torture.exchange import Exchange, Seen
from tests.torture.faults import Fault
from tests.torture.fleet import PATIENCE_S, Fleet, Member, fleet, has_ended, holds, scheduled, send

SHORT = range(1)
CONNECTORS = 12
INCIDENTS = 3
PROMISE = (
    "Two to five daemons sync a dozen connectors, half of them by schedules and half when somebody wants it. Three "
    "times in a round the owner of a job, or its whole daemon, is stopped while a bulk of it is on its way, until "
    "another daemon has taken the job over or completed it; the bulk arrives in the middle of that or afterwards, and "
    "the owner goes on. A job has one owner at a time, who alone writes its state; a tick has one job, and each wanted "
    "job is completed once. When it is completed the index is equal to the archive. What the first owner lands after "
    "that is undone by the next sync, which is not skipped."
)


@dataclass(frozen=True)
class Held(Fault):
    """It is delivered when somebody lets it."""

    name = "held"
    released: asyncio.Event

    async def befall(self, exchange: Exchange) -> None:
        await self.released.wait()
        await exchange.answer(await exchange.deliver())


@dataclass(eq=False)
class Trap:
    """Stops whoever sends the next bulk for a connector, and holds all that it has sent for it."""

    connector: str
    whole: bool
    """Whether its daemon is stopped too."""
    caught: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    member: Member | None = None
    stopped: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """The documents that were to be written by what is held."""
    waiting: int = 0

    def set_for(self, member: Member) -> None:
        """Lie in wait on the line of a daemon."""
        member.line.on_request(self._is_meant, lambda seen: self._catch(member, seen))
        member.line.on_request(self._is_meant, lambda _: self._let_through(member), after=True)

    def go_on(self) -> None:
        """Let everything go on that was stopped."""
        for pid in self.stopped:
            send(pid, signal.SIGCONT)

    def _is_meant(self, seen: Seen) -> bool:
        return seen.is_bulk and (seen.index or "").startswith(f"{self.connector}-")

    def _catch(self, member: Member, seen: Seen) -> Fault | None:
        if self.released.is_set() or self.member not in {None, member}:
            return None
        if self.member is None:
            self.member = member
            self.stopped = member.pids if self.whole else member.workers
            for pid in self.stopped:
                send(pid, signal.SIGSTOP)
            self.caught.set()
        self.ids += [action.id for action in seen.actions if action.kind != "delete" and action.id is not None]
        self.waiting += 1
        return Held(self.released)

    def _let_through(self, member: Member) -> None:
        if member is self.member:
            self.waiting -= 1


async def landed(trap: Trap) -> bool:
    """Return whether all that was held has been delivered."""
    return trap.waiting <= 0


async def incident(here: Fleet, name: str, archive: Archive, chance: random.Random) -> Counter[str]:
    """Stop the owner of a job, have it taken over, and let the owner go on."""
    trap, is_early = Trap(name, whole=chance.random() < 0.5), chance.random() < 0.5
    for member in here.members:
        trap.set_for(member)
    archive.change(inserts=25, updates=10, deletes=3)
    job = await here.want(name)
    async with asyncio.timeout(PATIENCE_S):
        await trap.caught.wait()
    archive.delete(chance.choice([one for one in trap.ids if one in archive]))
    if is_early:
        await holds(lambda: _is_taken_over(here, archive, job, trap))
        trap.released.set()
        if chance.random() < 0.5:
            trap.go_on()
    done = await here.until(job, has_ended)
    assert (done.status, done.error) == (JobStatus.COMPLETED, None), done
    assert str(done.metadata["instance"]).split("|")[2] not in map(str, trap.stopped)
    assert not await here.differs(name, archive.contents()), (name, trap)
    trap.released.set()
    await holds(lambda: landed(trap))
    left = await here.differs(name, archive.contents())
    trap.go_on()
    again = await here.until(await here.want(name), has_ended)
    assert again.status is JobStatus.COMPLETED, again
    assert not (left and again.metadata["sync"]["skipped"]), (left, again)
    assert not await here.differs(name, archive.contents()), (name, left)
    return Counter(
        {
            "owners that were stopped with their daemon" if trap.whole else "owners that were stopped alone": 1,
            "documents that landed after the job was completed": len(left.extra) + len(left.different),
            "bulks that arrived in the middle of another's sync": is_early,
        }
    )


async def _is_taken_over(here: Fleet, archive: Archive, job: str, trap: Trap) -> bool:
    """Return whether another process walks the archive for a job already, or has done so."""
    others = [one for one in archive.readings() if one.pid not in trap.stopped and one.at > _caught_at(here, job)]
    return len(others) >= 2 or has_ended(await here.job(job))


def _caught_at(here: Fleet, job: str) -> float:
    """Return when a job was claimed first; before that no walk is one of it."""
    return here.book.claims(job)[0].at


async def check_schedules(here: Fleet, names: list[str]) -> Counter[str]:
    """Hold every scheduled job to one tick, and every tick to its one job, or to one that waited already."""
    facts: Counter[str] = Counter()
    for name in names:
        ticks, jobs = await here.ticks_of(name), await here.jobs_of(name)
        named = Counter(one.job for one in ticks)
        made = Counter(job.id for job in jobs if job.trigger is Trigger.SCHEDULED)
        assert set(named.values()) | set(made.values()) == {1}, (named, made)
        assert made.keys() <= named.keys(), (named, made)
        last = max(one.instant for one in ticks)
        assert all(one.done for one in ticks if one.instant == last), ticks
        assert {job.status for job in jobs} == {JobStatus.COMPLETED}, jobs
        facts["ticks"] += len(ticks)
        facts["jobs of ticks"] += len(made)
    return facts


def check_wanted(here: Fleet, wanted: list[str]) -> Counter[str]:
    """Hold each wanted job to be completed once, and to be claimed once and whenever it was given back."""
    for job in wanted:
        entries = here.book.of(job)
        ends = [one.status for one in entries if one.status in ENDED]
        assert ends == [JobStatus.COMPLETED], (job, entries)
        given_back = sum(one.status is JobStatus.SUSPENDED for one in entries)
        assert len(here.book.claims(job)) == 1 + given_back, (job, given_back, entries)
    return Counter({"wanted jobs": len(wanted)})


async def one_round(seed: int, folder: Path, engine_url: str | None = None) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"stopped {seed}")
    facts: Counter[str] = Counter()
    names = [f"c{number}" for number in range(CONNECTORS)]
    by_schedule, by_want = names[::2], names[1::2]
    async with fleet(folder, engine_url, heartbeat_timeout_s=3.0) as here:
        archives = {
            name: await here.archive(
                name,
                f"{seed} {name}",
                60,
                pause_s=0.1,
                scheduling=scheduled("*/5 * * * * ?") if number % 2 == 0 else {},
            )
            for number, name in enumerate(names)
        }
        for _ in range(2 + seed % 4):
            await here.join(max_concurrent_content_syncs=6)
        await here.ready()
        for victim in chance.sample(by_want, INCIDENTS):
            for name in names:
                archives[name].change(inserts=5, updates=5, deletes=2)
            others = [await here.want(name) for name in by_want if name != victim]
            facts += await incident(here, victim, archives[victim], chance)
            for job in others:
                await here.until(job, has_ended)
        await here.unscheduled(*by_schedule)
        for job in [await here.want(name) for name in names]:
            await here.until(job, has_ended)
        for name in names:
            assert not await here.differs(name, archives[name].contents()), (seed, name)
        facts += here.book.check() + await check_schedules(here, by_schedule)
        jobs = [job.id for name in names for job in await here.jobs_of(name) if job.trigger is Trigger.ON_DEMAND]
        facts += check_wanted(here, jobs)
        assert [one.daemon.process.returncode for one in here.members] == [None] * len(here.members)
    return facts


@pytest.mark.parametrize("seed", SHORT)
async def test_an_owner_that_stood_still_past_its_lease_harms_nothing(seed: int, tmp_path: Path) -> None:
    await one_round(seed, tmp_path)


@pytest.mark.long_round
async def test_owners_that_stood_still_past_their_leases_harm_nothing_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await one_round(seed, tmp_path_factory.mktemp(f"stopped{seed}"))
    report.add("Daemons that stand still", PROMISE, seeds, dict(facts))
