"""Killed daemons: whatever of a daemon dies at any moment, and it is started again, every job ends and all is equal."""

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from connectors.store.connectors import NAME as CONNECTORS
from connectors.store.job import JobStatus, SyncJob
from connectors.store.state import INDEX as STATE
from tests.torture.archive import Archive, Reading, walks
from tests.torture.conftest import Report
from tests.torture.exchange import Seen
from tests.torture.faults import Fault, ResetBefore
from tests.torture.fleet import Fleet, Member, fleet, has_ended, holds, scheduled, send
from tests.torture.job_book import job_in
from tests.torture.messages import Answer
from tests.torture.watcher import Watcher

SHORT = (3, 8)
"""Seeds of moments that no test of the sync alone knows."""
PROMISE = (
    "A daemon syncs an archive, and is killed, or its worker process is, or both: when a bulk arrives or was applied, "
    "in the deletes, when a checkpoint is saved, between a tick and its job, between the claim of a job and its lease, "
    "while a job ends, and once more while the job that went on ends. It is started again. Every job ends, each once; "
    "a tick has one job; what is read again is what was read since the last checkpoint; the connector says what its "
    "last job says; the index is equal to the archive, and at no observed moment misses what was there all the time."
)
Victim = Literal["daemon", "worker", "both"]
SOON = timedelta(seconds=3)
"""How long a daemon has to see the schedule of the only tick before that."""
VICTIMS: tuple[Victim, ...] = ("worker", "daemon", "both")
KILLED = {"worker": "workers", "daemon": "daemons", "both": "daemons with their workers"}
"""What they are called in the report."""


def _written(seen: Seen, place: str) -> Mapping[str, Any] | None:
    """Return the document that a request writes at a place, given by the beginning of its path."""
    is_write = seen.request.method in {"PUT", "POST"} and seen.request.path.startswith(f"/{place}")
    return msgspec.json.decode(seen.content) if is_write and seen.content else None


def _deletes(seen: Seen) -> bool:
    return seen.is_bulk and any(action.kind == "delete" for action in seen.actions)


def _checkpoint(seen: Seen) -> Mapping[str, Any] | None:
    return ((_written(seen, f"{STATE.name}/_doc/sync%2F") or {}).get("record") or {}).get("checkpoint")


def _says(seen: Seen, **wanted: object) -> bool:
    """Return whether a request writes a job that says this."""
    job = job_in(seen)
    return job is not None and all(job[1].get(name) == value for name, value in wanted.items())


def _follows(seen: Seen) -> bool:
    job = job_in(seen)
    return job is not None and job[1]["status"] == "pending" and "follows" in (job[1].get("metadata") or {})


def _connector_ends(seen: Seen) -> bool:
    return (_written(seen, f"{CONNECTORS}/_doc/") or {}).get("last_sync_status") == "completed"


SORTS: Mapping[str, tuple[Callable[[Seen], bool], int]] = {
    "in the writes": (lambda seen: seen.is_bulk and not _deletes(seen), 6),
    "in the deletes": (_deletes, 2),
    "at a checkpoint": (lambda seen: _checkpoint(seen) is not None, 3),
    "at a tick": (lambda seen: _written(seen, f"{STATE.name}/_create/tick%2F") is not None, 1),
    "at the making of a job": (lambda seen: _says(seen, status="pending", trigger_method="scheduled"), 1),
    "at the claim of a job": (lambda seen: _says(seen, status="in_progress"), 1),
    "at the lease": (lambda seen: _written(seen, f"{STATE.name}/_doc/target%2F") is not None, 1),
    "at the end of a job": (lambda seen: _says(seen, status="completed"), 1),
    "at the end of a job that went on": (lambda seen: _says(seen, status="completed"), 1),
    "at the making of a job that follows": (_follows, 1),
    "at a checkpoint of a job that follows": (lambda seen: _checkpoint(seen) is not None, 3),
    "at the connector's word of the end": (_connector_ends, 1),
    "at any request": (lambda seen: True, 120),
}
"""The sorts of moments: which request, and the highest number of it that surely comes."""
BY_DAEMON = {"at a tick", "at the making of a job"}
FOLLOWS = "at a checkpoint of a job that follows"
GONE_ON_WITH = {"at the end of a job that went on", "at the making of a job that follows", FOLLOWS}
"""Before these a worker is killed behind its second checkpoint, so that its job is gone on with."""


@dataclass(frozen=True)
class Moment:
    """When something is killed: at the n-th request of a sort, before it reaches the engine or after; and what."""

    sort: str
    number: int
    after: bool
    victim: Victim

    @classmethod
    def drawn(cls, chance: random.Random, seed: int) -> "list[Moment]":
        """Return the moments of a round: one by itself or behind another one, so that each of all comes in turn."""
        turn, place = divmod(seed, len(SORTS))
        sort = list(SORTS)[place]
        victims = [one for one in VICTIMS if one != "worker" or sort not in BY_DAEMON]
        victim, after = victims[(turn + place) % len(victims)], (turn // 3 + place) % 2 == 0
        last = cls(sort, chance.randrange(1, SORTS[sort][1] + 1), after, victim)
        return [cls("at a checkpoint", 2, after=True, victim="worker"), last] if sort in GONE_ON_WITH else [last]


@dataclass
class Doom:
    """What kills a part of a daemon at a moment."""

    member: Member
    moment: Moment
    met: asyncio.Event = field(default_factory=asyncio.Event)
    _number: int = 0

    def come(self) -> None:
        """Count the requests from now on."""
        self.member.line.on_request(SORTS[self.moment.sort][0], self._meet, after=self.moment.after)

    def _meet(self, _: Seen) -> Fault | None:
        self._number += 1
        if self._number != self.moment.number:
            return None
        self.met.set()
        if self.moment.victim == "worker":
            for pid in self.member.workers:
                send(pid, signal.SIGKILL)
        else:
            self.member.signal(signal.SIGKILL, workers=self.moment.victim == "both")
        is_of_worker = self.moment.sort not in BY_DAEMON
        return None if self.moment.victim == "daemon" and is_of_worker else ResetBefore()


@dataclass
class Checkpoints:
    """The checkpoints that an engine has taken, each with its moment; None where one was removed."""

    saved: list[tuple[float, str | None]] = field(default_factory=list)

    def see(self, seen: Seen, answer: Answer) -> None:
        """Witness a write of the state of a connector."""
        if answer.status in {200, 201} and _written(seen, f"{STATE.name}/_doc/sync%2F") is not None:
            found = _checkpoint(seen)
            self.saved.append((time.monotonic(), found["cursor"]["after"] if found else None))

    def at(self, moment: float) -> str:
        """Return behind which id a walk that begins at a moment has to begin."""
        found = [after for at, after in self.saved if at < moment]
        return (found[-1] if found else None) or ""


async def prepared(here: Fleet, seed: int) -> tuple[Archive, Member]:
    """Return an archive that was synced, and then changed, and the daemon that did so."""
    archive = await here.archive("c", seed, 200)
    member = await here.join()
    await here.until(await here.want("c"), has_ended)
    assert not await here.differs("c", archive.contents())
    archive.change(inserts=60, updates=40, deletes=25)
    values = {**(await here.connector("c")).configuration}
    await here.change("c", configuration={**values, "pause_s": {"value": 0.1}})
    await here.looked()
    return archive, member


async def killed_and_started_again(here: Fleet, archive: Archive, member: Member, moments: list[Moment]) -> None:
    """Want a sync in the way that the first moment needs, and kill at each."""
    dooms = [Doom(member, one) for one in moments]
    dooms[0].come()
    if moments[0].sort in BY_DAEMON:
        at = datetime.now(UTC) + SOON
        await here.change("c", scheduling=scheduled(f"{at.second} {at.minute} {at.hour} * * ?"))
    else:
        await here.want("c")
    for number, doom in enumerate(dooms):
        if number:
            if doom.moment.sort == FOLLOWS:
                await holds(lambda: _runs_what_follows(here))
            doom.come()
        await holds(partial(_is_met, here, doom, archive))
        if doom.moment.victim != "worker":
            await here.again(member)
    if moments[0].sort in BY_DAEMON:
        await holds(lambda: _tick_has_its_job(here))
    await here.quiet()


async def _is_met(here: Fleet, doom: Doom, archive: Archive) -> bool:
    """Return whether a moment has come. A slow machine saves fewer checkpoints: then one more sync is wanted."""
    if doom.met.is_set() or doom.moment.sort != "at a checkpoint" or await here.desk.jobs.open_jobs():
        return doom.met.is_set()
    archive.change(inserts=10, updates=20, deletes=10)
    await here.want("c")
    return False


async def _runs_what_follows(here: Fleet) -> bool:
    return any("follows" in job.metadata for job in await here.desk.jobs.active())


async def _tick_has_its_job(here: Fleet) -> bool:
    ticks = await here.ticks_of("c")
    return [one.done for one in ticks] == [True] and await here.desk.jobs.get(ticks[0].job) is not None


async def check_jobs(here: Fleet) -> list[SyncJob]:
    """Hold the jobs of the connector to what was wanted of them, and return them, the newest first."""
    jobs, ticks = await here.jobs_of("c"), await here.ticks_of("c")
    assert {job.status for job in jobs} == {JobStatus.COMPLETED}, jobs
    assert [job.id for job in jobs if job.trigger == "scheduled"] == [one.job for one in ticks], (jobs, ticks)
    wanted = [job for job in jobs if job.trigger == "on_demand"]
    resumed = {job.id for job in jobs if job.metadata["sync"].get("resumed_since") is not None}
    following = [job for job in wanted if "follows" in job.metadata]
    assert {job.metadata["follows"] for job in following} >= resumed, jobs
    made_good = [job.metadata["sync"][name] for job in following for name in ("created", "updated")]
    assert set(made_good) <= {0}, jobs  # nothing was passed over by the walks that went on
    return jobs


def check_readings(archive: Archive, checkpoints: Checkpoints, since: float) -> Counter[str]:
    """Hold every walk to its checkpoint: it begins exactly behind the last one that was saved."""
    facts: Counter[str] = Counter()
    found = list(walks([one for one in archive.readings() if one.at > since]))
    for walk in found:
        assert walk[0].after == checkpoints.at(walk[0].at), (walk[0], checkpoints.saved)
    for earlier, later in pairwise(found):
        if later[0].after:
            facts["walks that went on"] += 1
            facts["documents read again by them"] += len(ids_in(earlier) & ids_in(later))
            facts["documents not read again by them"] += len(ids_in(earlier) - ids_in(later))
    return facts


def ids_in(walk: list[Reading]) -> set[str]:
    """Return the ids that a walk has read."""
    return {doc_id for one in walk for doc_id in one.ids}


async def one_round(seed: int, folder: Path, engine_url: str | None = None) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    moments = Moment.drawn(random.Random(f"killed daemon {seed}"), seed)
    async with fleet(folder, engine_url, checkpoint_every_s=0.02) as here:
        archive, member = await prepared(here, seed)
        checkpoints, since = Checkpoints(), time.monotonic()
        member.line.on_answer(checkpoints.see)
        before = (await here.stored("c")).keys()
        async with Watcher(here.engine, "c", before, every_s=0.1) as watcher:
            await killed_and_started_again(here, archive, member, moments)
        assert not await here.differs("c", archive.contents()), (seed, moments)
        steady = before & archive.contents().keys()
        assert (watcher.missing & steady, watcher.looks > 0) == (set(), True), (seed, moments)
        jobs = await check_jobs(here)
        facts = here.book.check() + check_readings(archive, checkpoints, since)
        assert facts["walks that went on"] or moments[0] != Moment("at a checkpoint", 2, after=True, victim="worker")
        await check_connector(here, max(jobs, key=lambda job: str(job.completed_at)))
        again = await here.until(await here.want("c"), has_ended)
        counts = [again.metadata["sync"][name] for name in ("created", "updated", "deleted")]
        assert (again.status, counts) == (JobStatus.COMPLETED, [0, 0, 0]), (seed, moments, again)
    facts += Counter(f"kills {one.sort}" for one in moments) + Counter(KILLED[one.victim] for one in moments)
    return facts + Counter({"looks at the index meanwhile": watcher.looks})


async def check_connector(here: Fleet, last: SyncJob) -> None:
    """Hold the connector to what its last job says."""
    document = (await here.connector("c")).document
    assert (document["last_sync_status"], document["status"], document["error"]) == ("completed", "connected", None)
    for name in ("indexed_document_count", "deleted_document_count"):
        assert document[f"last_{name}"] == last.document[name], (document, last)


@pytest.mark.parametrize("seed", SHORT)
async def test_a_daemon_that_was_killed_completes_what_it_had_begun(seed: int, tmp_path: Path) -> None:
    await one_round(seed, tmp_path)


@pytest.mark.long_round
async def test_daemons_that_were_killed_complete_what_they_had_begun_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await one_round(seed, tmp_path_factory.mktemp(f"daemon{seed}"))
    report.add("Killed daemons", PROMISE, seeds, dict(facts))
