"""What outlives a connector's syncs: where one that did not end goes on, and what the last complete one knew."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from connectors.engine.stamp import Stamp
from connectors.store.record import Record


class JobType(StrEnum):
    """What a sync does, as the protocol calls it."""

    FULL = "full"
    INCREMENTAL = "incremental"
    ACCESS_CONTROL = "access_control"


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a walk goes on: everything before the cursor was acknowledged.

    It holds for the recipe and the target that it was made with. `started_at` is when the first attempt began, which
    is since when a sync that goes on here has read the source.
    """

    cursor: Mapping[str, Any]
    recipe: str
    target: str
    started_at: datetime
    saved_at: datetime


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """What the last completed sync knew: all that the next one needs to be skipped, or to see what is gone.

    The token was taken before its walk. Without a stamp nothing may be skipped, and `open` says why there is none.
    """

    run: str
    at: datetime
    began_at: datetime | None = None
    recipe: str
    target: str
    token: Mapping[str, Any] | None = None
    stamp: Stamp | None = None
    open: str | None = None
    datasets: Mapping[str, int] = {}
    """How many documents each dataset had."""


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What the cursor of a connector's incremental syncs holds for, and since when; both are empty for nothing."""

    recipe: str
    target: str
    at: datetime
    by_full: bool = False
    """Whether a full sync said so: all that the index holds is of the recipe, as it was completed or later."""


class SyncState(Record, frozen=True, kw_only=True):
    """The state of one connector's syncs of one type."""

    KIND: ClassVar[str] = "sync"

    connector: str
    job_type: JobType
    epoch: int = 0
    """Of the sync that may change it: the highest that a sync of the connector had."""
    checkpoint: Checkpoint | None = None
    completed: Completed | None = None
    reached: Reached | None = None
    without_deletes: int = 0
    """How many completed syncs in a row had no delete pass."""

    @classmethod
    def key_of(cls, connector: str, job_type: JobType) -> str:
        """Return the key of a connector's state."""
        return cls.key_for(connector, str(job_type))
