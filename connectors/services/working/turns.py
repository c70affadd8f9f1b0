"""Turns: which of the jobs that wait is begun next, so that every connector gets its turn however many there are."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from connectors.services.working.remote_host import host_of
from connectors.store.job import ACTIVE, WAITING, JobStatus, SyncJob
from connectors.store.lanes import Lane
from connectors.store.live import is_live


@dataclass(frozen=True)
class Places:
    """How many jobs may run at once here."""

    content: int = 4
    """Full and incremental syncs."""
    access_control: int = 1
    live: int = 20
    """Live syncs, which count as nothing else."""
    of_source: int | None = None
    """Of one service type, since what reads from one system is often limited by that system."""
    of_host: int | None = None
    """That read from one remote host, of whichever connectors."""


def next_jobs(
    known: Sequence[SyncJob], own: Collection[str], places: Places, last_turns: Mapping[Lane, int]
) -> list[SyncJob]:
    """Return the jobs to begin now, in this order.

    `known` are all jobs that have not ended, those that others run too, the oldest first; `own` the ids of those that
    run here. `last_turns` says when a lane had its last turn here, by a number that grows. A lane whose turn is longest
    ago comes first, one that never had one before all others; and in each lane the oldest job, a live sync behind all
    others. No lane has two jobs at once, wherever the first one runs. Jobs of a newer format are for newer daemons.
    """
    waiting = [job for job in known if job.status in WAITING and job.id not in own and not job.is_newer]
    if not waiting:
        return []
    busy = {Lane.of(job) for job in known if job.status in ACTIVE or job.id in own}
    heads: dict[Lane, SyncJob] = {}
    for job in sorted(waiting, key=is_live):
        lane = Lane.of(job)
        if lane not in busy:
            heads.setdefault(lane, job)
    taken = Counter(group for job in known if job.id in own for group in _limits(job, places))
    chosen = []
    for _, job in sorted(heads.items(), key=lambda one: last_turns.get(one[0], -1)):
        limits = _limits(job, places)
        if all(taken[group] < most for group, most in limits.items()):
            taken.update(limits.keys())
            chosen.append(job)
    return chosen


def to_look(known: Sequence[SyncJob], own: Collection[str]) -> list[str]:
    """Return the live syncs that run here and have a reason to end: somebody said so, or another job waits."""
    waiting = {Lane.of(job) for job in known if job.status in WAITING and not is_live(job) and not job.is_newer}
    return [
        job.id
        for job in known
        if job.id in own and is_live(job) and (job.status is JobStatus.CANCELING or Lane.of(job) in waiting)
    ]


def _limits(job: SyncJob, places: Places) -> Mapping[tuple[str, str | None], int]:
    """Return the groups of jobs that a job belongs to, with how many of each there may be at once."""
    if is_live(job):
        return {("kind", "live"): places.live}
    is_access_control = Lane.of(job).is_access_control
    limits: dict[tuple[str, str | None], int] = {
        ("kind", str(is_access_control)): places.access_control if is_access_control else places.content
    }
    if places.of_source is not None:
        limits["source", _source_of(job)] = places.of_source
    if places.of_host is not None and (host := host_of(job)) is not None:
        limits["host", host] = places.of_host
    return limits


def _source_of(job: SyncJob) -> str | None:
    snapshot = job.document.get("connector")
    found = snapshot.get("service_type") if isinstance(snapshot, Mapping) else None
    return found if isinstance(found, str) else None
