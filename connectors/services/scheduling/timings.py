"""Timings: the schedules of a connector that are enabled and may be followed, and what is wrong with the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.errors import ConfigurationError
from connectors.schedule import Schedule, Windows
from connectors.schedule.zone import Zone
from connectors.store.connector import Connector, ConnectorStatus
from connectors.store.custom_schedule import OVERRIDES, CustomSchedule, custom_schedules
from connectors.store.sync_settings import FIELD
from connectors.store.sync_state import JobType

READY: Final = frozenset({ConnectorStatus.CONFIGURED, ConnectorStatus.CONNECTED, ConnectorStatus.ERROR})
"""A connector of any other status waits for a person."""
LAST_SCHEDULED: Final[Mapping[JobType, str]] = {
    JobType.FULL: "last_sync_scheduled_at",
    JobType.INCREMENTAL: "last_incremental_sync_scheduled_at",
    JobType.ACCESS_CONTROL: "last_access_control_sync_scheduled_at",
}
_NEEDED: Final[Mapping[JobType, str]] = {
    JobType.INCREMENTAL: "incremental_sync",
    JobType.ACCESS_CONTROL: "document_level_security",
}
"""The feature without which a sync of this type is never due, whatever its schedule says."""


@dataclass(frozen=True)
class Timing:
    """A schedule that is enabled."""

    job_type: JobType
    schedule: Schedule
    custom: CustomSchedule | None = None
    """The custom schedule that it is of, if it is of one."""
    windows: Windows | None = None
    """When its syncs may begin; None where the connector does not say."""

    @property
    def name(self) -> str:
        """What its ticks go by."""
        return str(self.job_type) if self.custom is None else self.custom.tick_name

    @property
    def form(self) -> str:
        """What it says: when that changes, its ticks count anew."""
        return self.schedule.text


@dataclass(frozen=True)
class Timings:
    """What the schedules of a connector come to."""

    timings: tuple[Timing, ...] = ()
    faults: tuple[str, ...] = ()
    """What a person has to mend."""


def timings_of(connector: Connector, now: datetime, zone: Zone) -> Timings:
    """Return the schedules of a connector that make it due, and what is wrong with those that can't."""
    if connector.status not in READY:
        return Timings()
    timings, faults, windows = list[Timing](), list[str](), _windows_of(connector)
    for job_type in JobType:
        found = connector.scheduling.get(str(job_type))
        if not isinstance(found, Mapping) or found.get("enabled") is not True or not _may(connector, job_type):
            continue
        schedule, fault = _read(found.get("interval"), f"scheduling.{job_type}.interval", now, zone)
        faults += fault
        timings += [Timing(job_type, one, windows=windows) for one in schedule]
    for custom in custom_schedules(connector).values():
        if not custom.enabled:
            continue
        schedule, fault = _read(custom.interval, f"{custom.setting}.interval", now, zone)
        faults += fault
        if custom.fault is not None:
            faults.append(f"{custom.setting}.{OVERRIDES}: {custom.fault}")
        else:
            timings += [Timing(JobType.FULL, one, custom, windows) for one in schedule]
    return Timings(tuple(timings), tuple(faults))


def _windows_of(connector: Connector) -> Windows | None:
    """Return when syncs of a connector may begin; what can't be read is told by the sync, which ends in that error."""
    if connector.document.get(FIELD) is None:
        return None
    try:
        return Windows.parse(connector.sync.windows) or None
    except ConfigurationError:
        return None


def _read(interval: object, setting: str, now: datetime, zone: Zone) -> tuple[list[Schedule], list[str]]:
    """Return the schedule that an interval says, if it says one, and what is wrong with it, if anything is.

    One that fires no more is a fault, and followed all the same: its last tick may be what is due.
    """
    found = list[Schedule]()
    try:
        found.append(Schedule.parse(interval, setting=setting))
        found[0].check(now, zone, setting=setting)
    except ConfigurationError as error:
        return found, [f"{setting}: {error}"]
    return found, []


def _may(connector: Connector, job_type: JobType) -> bool:
    needed = _NEEDED.get(job_type)
    if needed is None:
        return True
    feature = connector.features.get(needed)
    return isinstance(feature, Mapping) and feature.get("enabled") is True
