"""The report: the only counters of a sync, from its first document to its end."""

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime

from connectors.errors import Miscounted
from connectors.store.sync_state import JobType
from connectors.sync.verdict import Verdict


@dataclass
class SyncReport:
    """What a sync has done so far; whoever shows progress reads it while the sync writes it.

    Every document that was walked is in exactly one of created, updated, unchanged, dropped, letters and superseded; of
    a sync that only deletes, in one of present, unindexed, dropped and superseded.
    """

    job_type: JobType
    index: str
    started_at: datetime
    finished_at: datetime | None = None
    adds_only: bool = False
    """Whether it reads with other settings than the connector's, so that nothing is known of what is gone."""

    deletes_only: bool = False
    """Whether it reads ids alone, so that nothing is known of what is in the documents."""

    walked: int = 0
    """Documents that the source yielded."""
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    dropped: int = 0
    """By a sync rule."""
    letters: int = 0
    """That could not be indexed."""
    superseded: int = 0
    """That came again under the same id before they were written."""
    present: int = 0
    """That the index has, and of which only the ids were read."""
    unindexed: int = 0
    """That the index has not, and of which only the ids were read."""

    deleted: int = 0
    held: int = 0
    """That should be deleted, and are held for a person's word."""
    repeated: int = 0
    """Ids that came more than once in a walk."""
    recovered: int = 0
    """Documents whose dead letters were retried, and that are well now or gone."""
    content_failed: int = 0
    """Documents that are indexed without their content, as it could not be had."""
    downloaded: int = 0
    downloaded_bytes: int = 0

    sent: int = 0
    """Operations that requests carried, with those that were sent again."""
    requests: int = 0
    sent_bytes: int = 0
    conflicts: int = 0
    passes: int = 0
    """Walks of the source: more than one where others wrote to the index meanwhile."""
    scans: int = 0

    forced: bool = False
    """Whether all is to be read though nothing has changed."""
    verdict: Verdict | None = None
    """Whether a full sync is skipped, and why or why not; None before that is known, and of syncs that never are."""
    unsettled: bool = False
    """Whether others kept writing to the index, so that it can't be vouched for."""
    resumed_since: datetime | None = None
    """When the sync began that this one went on with."""
    behind_since: datetime | None = None
    """Of a live sync: since when something has come that is not written yet; None while there is nothing."""
    caught_up_at: datetime | None = None
    """Of a live sync: until when all that happened in the source is in the index, as far as was noted."""
    phase: str = "starting"
    waiting_for: str | None = None
    """What the engine says while it takes nothing."""
    expected: int | None = None
    """How many documents will have been walked at the end of this walk, as far as the source can tell."""
    warnings: list[str] = field(default_factory=list)
    """What a person has to know."""
    remarks: list[str] = field(default_factory=list)
    """What the source has remarked: it explains something, and nobody has to act upon it."""

    @property
    def skipped(self) -> bool:
        """Whether nothing was read, as nothing had changed."""
        return self.verdict is not None and self.verdict.is_skip

    @property
    def skipping(self) -> dict[str, object] | None:
        """The verdict as JSON holds it."""
        return self.verdict.wire() if self.verdict is not None else None

    @property
    def accounted(self) -> int:
        """The documents of which it is known what became of them."""
        if self.deletes_only:  # whose letters are about what could not be deleted
            return self.present + self.unindexed + self.dropped + self.superseded
        return self.created + self.updated + self.unchanged + self.dropped + self.letters + self.superseded

    def check_sum(self) -> None:
        """Raise `Miscounted` when it is not known of every document that was walked what became of it."""
        if self.walked != self.accounted:
            raise Miscounted(
                f"Of {self.walked:,} documents that were read, {self.accounted:,} are accounted for.",
                hint="This is a fault of this program; please report it with the log of the sync.",
            )

    def warn_of_letters(self, connector: str) -> None:
        """Let a person know that documents could not be indexed, if that is so."""
        if self.letters:
            command = f"connectors dead-letters list {connector}"
            self.warnings.append(f"{self.letters:,} documents could not be indexed: `{command}` tells why.")

    @property
    def error(self) -> str | None:
        """What a person has to know of a sync that ended; None when all is well."""
        return " ".join(self.warnings) or None

    def counters(self) -> dict[str, int]:
        """Return the numbers, for a checkpoint and for the wire."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.type is int}

    def wire(self) -> dict[str, object]:
        """Return all of it as JSON holds it."""
        found = asdict(self)
        del found["verdict"]
        moments = {name: value.isoformat() for name, value in found.items() if isinstance(value, datetime)}
        return {**found, **moments, "skipped": self.skipped, "skipping": self.skipping, "error": self.error}
