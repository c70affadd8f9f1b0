"""Stored: what the index has of single documents, read by their ids whether a search can see them yet or not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.aio.retry import Retry
from connectors.engine.operations import Operations
from connectors.engine.records import Revision, StoredDocument
from connectors.sync.index.mark import FIELD, Mark, epoch_of
from connectors.sync.owner.lease import Lease

_MARK_ONLY: Final = (FIELD,)


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as the index has it: who wrote it and under which version, None and 0 if it has no mark."""

    revision: Revision
    connector: str | None
    written_as: int
    fingerprint: int
    """0 when somebody wrote to it since, or its content is not known."""

    @classmethod
    def of(cls, found: StoredDocument) -> "Stored":
        """Return what is to be known of a document that was read with its mark."""
        mark = Mark.of_source(found.source)
        if mark is None:
            return cls(found.revision, None, 0, 0)
        return cls(found.revision, mark.c, mark.o, mark.f if mark.o == found.version else 0)


@dataclass(frozen=True)
class Shelf:
    """Where the documents of one connector are: reads them for the owner of the target, and for nobody else.

    A document of ours with a higher epoch than the lease's was written by a later owner, or by one whose record was
    lost: the lease rises above it, which only the owner can, before anything is concluded from it.
    """

    data: Operations
    lease: Lease
    patience: Retry

    async def read(self, ids: Sequence[str]) -> list[Stored | None]:
        """Return what there is of these documents, in their order. Raises `JobLost`."""
        index = self.lease.claim.target.index
        found = await self.patience(lambda _: self.data.get_many(index, ids, source=_MARK_ONLY))
        stored = [Stored.of(one) if one is not None else None for one in found]
        await self._make_sure(one for one in stored if one is not None and self.is_ours(one))
        return stored

    def is_ours(self, stored: Stored | None) -> bool:
        """Return whether there is a document, and it is this connector's."""
        return stored is not None and stored.connector == self.lease.claim.connector

    async def _make_sure(self, ours: Iterable[Stored]) -> None:
        # What is out of reach is no version that a clock like ours gave: a mark that somebody made up.
        highest = max((one.written_as for one in ours if self.lease.is_within_reach(one.written_as)), default=0)
        if epoch_of(highest) > self.lease.epoch:
            await self.lease.rise_above(highest)
