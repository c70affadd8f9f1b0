"""Live syncs as they are stored: which connectors are to have one, which jobs are one, and which one is whose."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import msgspec

from connectors.errors import ConfigurationError
from connectors.store.connector import Connector, ConnectorStatus
from connectors.store.job import ACTIVE, FORMAT, SyncJob
from connectors.store.lenient import instant_of
from connectors.store.record import Record
from connectors.store.sync_state import JobType

LIVE: Final = "live"
"""What it is called, also the phase of one that writes what happens."""
METADATA: Final[Mapping[str, Any]] = {LIVE: True, "format": FORMAT}
"""What the job of a live sync says of itself: an older version would take it for an incremental sync, and end it."""
READY: Final = frozenset({ConnectorStatus.CONFIGURED, ConnectorStatus.CONNECTED, ConnectorStatus.ERROR})
_SHAPING: Final = ("service_type", "index_name", "language", "pipeline", "configuration", "filtering", "sync")
_CONTENT: Final = (JobType.FULL, JobType.INCREMENTAL)


class LiveRecord(Record, frozen=True, kw_only=True):
    """Which job is the live sync of a connector, changed by compare-and-set, so that there is one of them.

    Whoever finds that there is no job of that id makes it: it is one job, as its id follows from the number.
    """

    KIND: ClassVar[str] = "live"

    connector: str
    number: int = 0
    """Of jobs that were before it."""
    failures: int = 0
    """Of jobs in a row before it that did not run for long."""
    basis: str = ""
    """What the connector was like when the job was made: when it is other, a job that ended badly is begun anew."""

    @property
    def job(self) -> str:
        """The id of the job."""
        told = "\0".join(("live", self.connector, str(self.number)))
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @classmethod
    def key_of(cls, connector: str) -> str:
        """Return the key of a connector's record."""
        return cls.key_for(connector)


def is_live(job: SyncJob) -> bool:
    """Return whether a job is a live sync."""
    return job.job_type is JobType.INCREMENTAL and job.metadata.get(LIVE) is True


def lag_of(job: SyncJob, now: datetime) -> timedelta | None:
    """Return for how long the index has been behind the source, as the job of a live sync says; None if it does not.

    It is nothing while all that came is written. While the job waits it is the time since that was so last.
    """
    report = job.metadata.get("sync")
    if not isinstance(report, Mapping):
        return None
    if job.status in ACTIVE and report.get("phase") == LIVE and report.get("behind_since") is None:
        return timedelta()
    since = instant_of(report.get("caught_up_at"))
    return max(now - since, timedelta()) if since is not None else None


def wants_live(connector: Connector) -> bool:
    """Return whether a connector is to have a live sync: it says so, and its content is synced by a schedule."""
    if connector.deleted or connector.status not in READY:
        return False
    schedules = connector.schedules
    try:
        return connector.sync.live and any(schedules[kind].enabled for kind in _CONTENT)
    except ConfigurationError:
        return False


def basis_of(connector: Connector) -> str:
    """Return a hash of all in a connector's document that its live sync depends on."""
    shaping = {name: connector.document.get(name) for name in _SHAPING}
    told = msgspec.json.encode([shaping, wants_live(connector)], order="deterministic")
    return hashlib.sha256(told).hexdigest()[:32]
