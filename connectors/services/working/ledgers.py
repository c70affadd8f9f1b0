"""Ledgers: the memory that jobs take for what their indices hold, and which are begun within a limit for all."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.store.job import SyncJob
from connectors.store.jobs import JobStore
from connectors.store.lanes import Lane
from connectors.store.sync_state import JobType
from connectors.sync.ledger.ledger import BYTES_A_DOCUMENT

SMALL: Final = 10_000
"""So many documents an index is thought to hold of a connector of which nothing is known yet."""


def bytes_of(job: SyncJob, documents: int | None) -> int:
    """Return what a job takes whose index held so many documents, None for not known.

    Incremental syncs have no ledger.
    """
    if job.job_type is JobType.INCREMENTAL:
        return 0
    so_far = job.document.get("indexed_document_count")
    known = documents if documents is not None else SMALL
    return BYTES_A_DOCUMENT * max(known, so_far if isinstance(so_far, int) else 0)


def within(chosen: Sequence[SyncJob], sizes: Mapping[str, int], taken: int, most: int) -> list[SyncJob]:
    """Return which of these jobs there is memory for, when so many bytes of the most that there may be are taken.

    The first for which there is none is waited for, so that it gets its turn: none that takes any overtakes it. One
    that needs more than there may be is begun when no other takes any, and then runs alone.
    """
    begun: list[SyncJob] = []
    is_full = False
    for job in chosen:
        size = sizes[job.id]
        is_full = is_full or (size > 0 < taken and taken + size > most)
        if size == 0 or not is_full:
            taken += size
            begun.append(job)
    return begun


@dataclass
class Ledgers:
    """Knows how large the ledgers of the jobs here are, by what earlier ones left, and how far each has come."""

    jobs: JobStore
    most_bytes: int
    _documents: dict[str, int | None] = field(default_factory=dict)

    async def admitted(
        self, chosen: Sequence[SyncJob], known: Sequence[SyncJob], own: Collection[str]
    ) -> list[SyncJob]:
        """Return those of the chosen jobs that may be begun now, where those of `own` run. Raises an `EngineError`."""
        if not chosen:
            return []
        before = self._documents
        self._documents = {job_id: before[job_id] for job_id in before if job_id in own}
        for job in chosen:
            self._documents[job.id] = before[job.id] if job.id in before else await self._known(job)
        sizes = {job.id: bytes_of(job, self._documents.get(job.id)) for job in (*known, *chosen)}
        return within(chosen, sizes, sum(sizes[job.id] for job in known if job.id in own), self.most_bytes)

    async def _known(self, job: SyncJob) -> int | None:
        if job.connector_id is None or job.job_type is JobType.INCREMENTAL:
            return None
        return await self.jobs.documents_of(Lane.of(job))
