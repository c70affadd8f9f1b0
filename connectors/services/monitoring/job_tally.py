"""The tally of jobs: what the jobs of a daemon come to, from what is heard of them while they run."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connectors.aio.clock import Clock
from connectors.services.monitoring.metrics import Metrics, Numbers
from connectors.services.working.messages import Ended, FromWorker, Progress, Requests
from connectors.store.job import WAITING, JobStatus, SyncJob
from connectors.store.live import is_live, lag_of

UNKNOWN: Final = "unknown"
DIED: Final = "died"
_OUTCOMES: Final = {
    "created": "created",
    "updated": "updated",
    "unchanged": "unchanged",
    "dropped": "dropped",
    "superseded": "superseded",
    "letters": "dead_letter",
    "deleted": "deleted",
    "held": "held",
    "content_failed": "without_content",
}
"""What a report calls it, and what a metric does."""
Kind = tuple[str, str]


@dataclass
class _Running:
    """A job that a process was given, and how far it has come as far as is known."""

    kind: Kind
    progress: Progress
    is_live: bool = False


class JobTally:
    """Counts jobs and what they do. Whoever gives them out and hears of them says so here."""

    def __init__(self, metrics: Metrics, service_types: Collection[str], clock: Clock) -> None:
        self._metrics = metrics
        self.service_types = service_types
        """Those that the daemon has sources for."""
        self._clock = clock
        self._running: dict[str, _Running] = {}
        self._waiting: Counter[Kind] = Counter()
        self._live_waiting: list[SyncJob] = []
        """Live syncs that nobody runs."""

    def known(self, jobs: Iterable[SyncJob]) -> None:
        """Take note of the jobs that have not ended."""
        jobs = list(jobs)
        self._live_waiting = [job for job in jobs if is_live(job) and job.status in WAITING]
        waiting = Counter(self._kind_of(job) for job in jobs if job.status in WAITING)
        for kind in self._waiting.keys() | waiting.keys():
            self._metrics.jobs_waiting.labels(*kind).set(waiting[kind])
        self._waiting = waiting

    def given(self, job: SyncJob) -> None:
        """Take note that a process is to run a job."""
        kind = self._kind_of(job)
        self._running[job.id] = _Running(kind, Progress(job=job.id), is_live(job))
        self._metrics.jobs_running.labels(*kind).inc()
        if job.status is JobStatus.PENDING and job.created_at is not None:
            waited_s = (self._clock.now() - job.created_at).total_seconds()
            self._metrics.job_wait_seconds.labels(kind[0]).observe(max(waited_s, 0.0))

    def lags(self) -> Numbers:
        """Return for how long the index of a live sync has been behind its source at most, by the type of that.

        Of those that wait any daemon sees it, and of others the one that runs them.
        """
        now, found = self._clock.now(), dict[tuple[str, ...], float]()
        lags = [(self._kind_of(job)[1], lag_of(job, now)) for job in self._live_waiting]
        for running in self._running.values():
            if running.is_live:
                since = running.progress.behind_since
                lags.append((running.kind[1], timedelta(seconds=now.timestamp() - since) if since else timedelta()))
        for service_type, lag in lags:
            if lag is not None:
                found[service_type,] = max(found.get((service_type,), 0.0), lag.total_seconds())
        return found

    def heard(self, message: FromWorker) -> None:
        """Take note of what a process says."""
        match message:
            case Progress():
                self._come_on(message)
            case Requests():
                for lane, traffic in message.lanes.items():
                    self._metrics.traffic[lane].add(traffic)
            case Ended():
                self._ended(message.job, message.status)

    def died(self, jobs: Iterable[str]) -> None:
        """Take note that a process has died, and with it what it ran."""
        self._metrics.worker_deaths.inc()
        for job in jobs:
            self._ended(job, DIED)

    def _come_on(self, progress: Progress) -> None:
        running = self._running.get(progress.job)
        if running is None:
            return
        for name, outcome in _OUTCOMES.items():
            more = getattr(progress, name) - getattr(running.progress, name)
            if more > 0:
                self._metrics.documents.labels(*running.kind, outcome).inc(more)
        for name, counter in (
            ("sent_bytes", self._metrics.sent_bytes),
            ("downloaded_bytes", self._metrics.downloaded_bytes),
        ):
            counter.labels(*running.kind).inc(max(getattr(progress, name) - getattr(running.progress, name), 0))
        running.progress = progress

    def _ended(self, job: str, status: str | None) -> None:
        running = self._running.pop(job, None)
        if running is None:
            return
        self._metrics.jobs_running.labels(*running.kind).dec()
        if status is not None:
            self._metrics.jobs_ended.labels(*running.kind, status).inc()

    def _kind_of(self, job: SyncJob) -> Kind:
        """Return the type of a job and of its source, as far as both are known: anybody may write anything into it."""
        found = (job.document.get("connector") or {}).get("service_type")
        service_type = found if isinstance(found, str) and found in self.service_types else UNKNOWN
        return str(job.job_type or UNKNOWN), service_type
