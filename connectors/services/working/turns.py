"""Turns: which of the jobs that wait is begun next, so that every connector gets its turn however many there are."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from connectors.store.job import ACTIVE, WAITING, SyncJob
from connectors.store.lanes import Lane


@dataclass(frozen=True)
class Places:
    """How many jobs may run at once here."""

    content: int = 4
    """Full and incremental syncs."""
    access_control: int = 1
    of_source: int | None = None
    """Of one service type, since what reads from one system is often limited by that system."""


def next_jobs(
    known: Sequence[SyncJob], own: Collection[str], places: Places, last_turns: Mapping[Lane, int]
) -> list[SyncJob]:
    """Return the jobs to begin now, in this order.

    `known` are all jobs that have not ended, those that others run too, the oldest first; `own` the ids of those that
    run here. `last_turns` says when a lane had its last turn here, by a number that grows. A lane whose turn is longest
    ago comes first, one that never had one before all others; and in each lane the oldest job. No lane has two jobs at
    once, wherever the first one runs.
    """
    busy = {Lane.of(job) for job in known if job.status in ACTIVE or job.id in own}
    heads: dict[Lane, SyncJob] = {}
    for job in known:
        lane = Lane.of(job)
        if job.status in WAITING and job.id not in own and lane not in busy:
            heads.setdefault(lane, job)
    running = [job for job in known if job.id in own]
    free = Counter(
        {
            False: places.content - sum(not Lane.of(job).is_access_control for job in running),
            True: places.access_control - sum(Lane.of(job).is_access_control for job in running),
        }
    )
    of_source = Counter(_source_of(job) for job in running)
    chosen = []
    for lane, job in sorted(heads.items(), key=lambda one: last_turns.get(one[0], -1)):
        source = _source_of(job)
        if free[lane.is_access_control] <= 0 or (
            places.of_source is not None and of_source[source] >= places.of_source
        ):
            continue
        free[lane.is_access_control] -= 1
        of_source[source] += 1
        chosen.append(job)
    return chosen


def _source_of(job: SyncJob) -> str | None:
    found = (job.document.get("connector") or {}).get("service_type")
    return found if isinstance(found, str) else None
