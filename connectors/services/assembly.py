"""The assembly: makes the parts of a daemon of its settings, each of those settings that it depends on."""

import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from os import getpid
from typing import Final

from connectors.aio.clock import Clock
from connectors.registry import Registry
from connectors.schedule import Windows, zone_of
from connectors.services.cleaning.janitor import Janitor
from connectors.services.cleaning.remains import Shelf
from connectors.services.desk import Desk
from connectors.services.monitoring.job_tally import JobTally
from connectors.services.monitoring.metrics import Metrics, Numbers
from connectors.services.monitoring.pulse import Pulse, Pulses
from connectors.services.parts import Part, Run
from connectors.services.preparing.examination import Means
from connectors.services.preparing.preparation import Preparation
from connectors.services.scheduling.keeper import Keeper
from connectors.services.scheduling.roster import Roster
from connectors.services.scheduling.scheduler import Scheduler
from connectors.services.working.messages import FROM_DAEMON, Begin
from connectors.services.working.resident import resident_bytes
from connectors.services.working.turns import Places
from connectors.services.working.worker import Worker, WorkLimits
from connectors.settings import MonitoringSettings, ServiceSettings, Settings
from connectors.store.sync_state import JobType
from connectors.store.ticks import Ticks

PREPARE_EVERY_S: Final = 1.0
PREPARED_LATE_AFTER_S: Final = 180.0
"""A look at connectors takes as long as the slowest of their sources."""
LOOKS_OF_JANITOR: Final = 12
"""How often it looks within the time after which a job counts as lost."""
CLEANED_LATE_AFTER_S: Final = 300.0
"""A look of the janitor may remove thousands of records."""


@dataclass
class Assembly:
    """Makes parts. What they share, and the worker with its processes, is made once."""

    shelf: Shelf
    clock: Clock
    metrics: Metrics
    pulses: Pulses
    settings: Settings
    roster: Roster = field(init=False)
    worker: Worker = field(init=False)
    _tally: JobTally = field(init=False)

    def __post_init__(self) -> None:
        self.roster = Roster(self.shelf.connectors, self.clock)
        desk = self._desk(Registry(self.settings.sources))
        self._tally = JobTally(self.metrics, desk.registry.places, self.clock)
        command = [sys.executable, "-m", "connectors.services.working.process", FROM_DAEMON]
        pulse = self.pulses.of("worker")
        limits = limits_of(self.settings)
        self.worker = Worker(desk, command, limits, self.clock, tally=self._tally, pulse=pulse)
        self.worker.adopt(limits, Begin(self.settings), renew=False)
        self.metrics.readings.worker_processes.read = lambda: {(): len(self.worker.crew.pids)}
        self.metrics.readings.resident_memory.read = self._memory
        self.metrics.readings.look_age.read = self.pulses.ages
        self.metrics.readings.live_lag.read = self._tally.lags
        self.metrics.readings.connectors.read = self._connectors

    def adopt(self, settings: Settings) -> None:
        """Make parts of these settings from now on; the worker goes on with them, with what it runs."""
        renew = of_processes(settings) != of_processes(self.settings)
        self.settings = settings
        self._tally.service_types = Registry(settings.sources).places
        self.worker.adopt(limits_of(settings), Begin(settings), renew=renew)

    def parts(self) -> Sequence[Part]:
        """Return the parts: the worker, and those that make work for it or look after what there is."""
        settings, service = self.settings, self.settings.service
        return [
            Part("worker", lambda: self.worker.run),
            Part("scheduler", self._scheduler, (settings.sources, service.timezone, service.jitter_s, service.windows)),
            Part("live syncs", self._keeper, settings.sources),
            Part("preparation", self._preparation, (settings.sources, settings.grants, service.timezone)),
            Part("janitor", self._janitor, service.keep_jobs_days),
        ]

    def _scheduler(self) -> Run:
        service = self.settings.service

        def made(job_type: JobType, delay_s: float) -> None:
            self.metrics.tick_delay_seconds.labels(str(job_type)).observe(max(delay_s, 0.0))

        return Scheduler(
            self._desk(Registry(self.settings.sources)),
            self.roster,
            self.clock,
            zone_of(service.timezone),
            timedelta(seconds=service.jitter_s),
            Windows.parse(service.windows),
            pulse=self.pulses.of("scheduler"),
            made=made,
        ).run

    def _keeper(self) -> Run:
        return Keeper(
            self._desk(Registry(self.settings.sources)),
            self.shelf.state,
            self.roster,
            self.clock,
            lambda: self.worker.known,
            self.worker.crew.look,
            pulse=self.pulses.of("live syncs"),
        ).run

    def _preparation(self) -> Run:
        settings, zone = self.settings, zone_of(self.settings.service.timezone)
        registry, means = Registry(settings.sources), Means(settings.grants, self.shelf.storage)
        preparation = Preparation(self.shelf.connectors, registry, means, self.clock, zone)
        pulse = self.pulses.of("preparation", late_after_s=PREPARED_LATE_AFTER_S)
        return lambda: self._every(PREPARE_EVERY_S, lambda: self._prepare(preparation), pulse)

    def _janitor(self) -> Run:
        timeout_s = self.settings.sync.heartbeat_timeout_s
        kept = timedelta(days=self.settings.service.keep_jobs_days)
        janitor = Janitor.of(self.shelf, self.roster, self.clock, timeout_s=timeout_s, retention=kept)
        pulse = self.pulses.of("janitor", late_after_s=CLEANED_LATE_AFTER_S)
        return lambda: self._every(timeout_s / LOOKS_OF_JANITOR, janitor.look, pulse)

    async def _prepare(self, preparation: Preparation) -> bool:
        await preparation.look(self.roster.connectors)
        return True

    async def _every(self, seconds: float, look: Callable[[], Awaitable[bool]], pulse: Pulse) -> None:
        while True:
            pulse.began()
            if await look():
                pulse.looked()
            await self.clock.sleep(seconds)

    def _desk(self, registry: Registry) -> Desk:
        return Desk(self.shelf.connectors, self.shelf.jobs, Ticks(self.shelf.state), registry)

    def _memory(self) -> Numbers:
        return {
            ("daemon",): resident_bytes(getpid()) or 0,
            ("workers",): sum(resident_bytes(pid) or 0 for pid in self.worker.crew.pids),
        }

    def _connectors(self) -> Mapping[tuple[str, ...], float]:
        counted = Counter(str(one.status or "unknown") for one in self.roster.connectors.values())
        return {(status,): number for status, number in counted.items()}


def of_processes(settings: Settings) -> Settings:
    """Return settings without what only the daemon itself looks at, so that its processes need not be renewed."""
    service = ServiceSettings(source_timeout_s=settings.service.source_timeout_s)
    return replace(settings, service=service, monitoring=MonitoringSettings())


def limits_of(settings: Settings) -> WorkLimits:
    """Return how much a daemon works on at once."""
    service = settings.service
    places = Places(
        service.max_concurrent_content_syncs,
        service.max_concurrent_access_control_syncs,
        service.max_live_syncs,
        service.max_concurrent_syncs_of_source,
        service.max_concurrent_syncs_of_host,
    )
    return WorkLimits(
        processes=service.workers,
        places=places,
        silent_after_s=service.source_timeout_s,
        stop_within_s=service.shutdown_timeout_s,
        ledger_bytes=service.max_ledger_bytes,
        memory_bytes=service.worker_memory_bytes,
    )
