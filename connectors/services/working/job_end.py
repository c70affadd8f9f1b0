"""The end of a job: what its document says of that."""

from dataclasses import dataclass

from connectors.store.job import JobStatus


@dataclass(frozen=True)
class End:
    """How a job ends: what its document says of it, and why a full sync has to follow, if one has to."""

    status: JobStatus
    error: str | None = None
    followed_because: str | None = None
    following: str | None = None
    """The id of the job of that, where it does not follow from why there is one."""
