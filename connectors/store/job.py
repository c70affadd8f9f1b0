"""A sync job: the document of one run of a connector, read leniently, as Kibana, curl or an older version wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from connectors.store.lenient import LenientDocument
from connectors.store.sync_state import JobType


class JobStatus(StrEnum):
    """What became of a job so far, as the protocol calls it."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    CANCELING = "canceling"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    ERROR = "error"
    CANCELED = "canceled"


WAITING: Final = frozenset({JobStatus.PENDING, JobStatus.SUSPENDED})
"""Of a job that somebody should begin, or go on with."""
ACTIVE: Final = frozenset({JobStatus.IN_PROGRESS, JobStatus.CANCELING})
"""Of a job that somebody has begun."""
ENDED: Final = frozenset({JobStatus.COMPLETED, JobStatus.ERROR, JobStatus.CANCELED})
"""Of a job that nobody touches any more."""


_STATUSES: Final[Mapping[str | None, JobStatus]] = {str(status): status for status in JobStatus}
_TYPES: Final[Mapping[str, JobType]] = {str(kind): kind for kind in JobType}
"""Each by its name: a daemon asks so many times a second that it matters how it is found."""
FORMAT: Final = 2
"""Of what the metadata of a job tells its worker: it rises when an older version would run such a job wrongly."""


FORCE: Final = "force"
"""What the metadata of a job says is true of a full sync that is not to be skipped."""


class Trigger(StrEnum):
    """Why there is a job."""

    ON_DEMAND = "on_demand"
    SCHEDULED = "scheduled"


@dataclass(frozen=True)
class SyncJob(LenientDocument):
    """A job document as it was read, with what we do not know of it too."""

    @property
    def connector_id(self) -> str | None:
        """Which connector it is a run of."""
        found = (self._mapping("connector") or {}).get("id")
        return found if isinstance(found, str) and found else None

    @property
    def job_type(self) -> JobType | None:
        """What it does; None for what no sync is. A job that does not say so is a full sync."""
        text = self.document.get("job_type") or JobType.FULL
        return _TYPES.get(text) if isinstance(text, str) else None

    @property
    def status(self) -> JobStatus | None:
        """What became of it so far."""
        return _STATUSES.get(self._text("status"))

    @property
    def trigger(self) -> Trigger | None:
        """Why there is one."""
        text = self._text("trigger_method")
        return Trigger(text) if text in set(Trigger) else None

    @property
    def error(self) -> str | None:
        """Why it ended badly, or what a person has to know of it all the same."""
        return self._text("error")

    @property
    def worker_hostname(self) -> str | None:
        """Where it runs, or ran."""
        return self._text("worker_hostname")

    @property
    def created_at(self) -> datetime | None:
        """When somebody wanted it."""
        return self._instant("created_at")

    @property
    def started_at(self) -> datetime | None:
        """When it was begun."""
        return self._instant("started_at")

    @property
    def completed_at(self) -> datetime | None:
        """When it ended."""
        return self._instant("completed_at")

    @property
    def last_seen(self) -> datetime | None:
        """When whoever runs it said so last."""
        return self._instant("last_seen")

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What else there is to say of it: held deletions, resumptions, dead letters."""
        return self._mapping("metadata") or {}

    @property
    def is_forced(self) -> bool:
        """Whether somebody wants everything to be read though nothing has changed."""
        return self.metadata.get(FORCE) is True

    @property
    def is_newer(self) -> bool:
        """Whether a newer version made it, for such as itself: it is left alone."""
        found = self.metadata.get("format")
        return isinstance(found, int) and found > FORMAT
