"""Versions: whether a write may be applied over what is there, and which version it then has."""

from dataclasses import dataclass
from typing import Final, Literal

from connectors.engine.embedded.refusal import Refusal

VersionType = Literal["internal", "external", "external_gte"]
LARGEST: Final = 2**63 - 1
CONFLICT: Final = "version_conflict_engine_exception"


@dataclass(frozen=True)
class Standing:
    """The last operation on an id; a tombstone stands too, for as long as it is kept."""

    row: int
    shard: int
    seq: int
    term: int
    version: int
    deleted: bool


@dataclass(frozen=True)
class Condition:
    """What a write expects of what is there."""

    create: bool = False
    version: int | None = None
    version_type: VersionType = "internal"
    if_seq_no: int | None = None
    if_primary_term: int | None = None

    def new_version(self, doc_id: str, standing: Standing | None) -> int:
        """Return the version that the write gets over what stands there. Raises a `Refusal` with status 409."""
        live = standing is not None and not standing.deleted
        if self.if_seq_no is not None:
            self._check_sequence(doc_id, standing if live else None)
        if self.create and standing is not None and live:
            raise conflict(doc_id, f"document already exists (current version [{standing.version}])")
        if self.version is None:
            return 1 if standing is None else standing.version + 1
        if standing is not None:
            self._check_version(doc_id, standing.version, self.version)
        return self.version

    def _check_sequence(self, doc_id: str, live: Standing | None) -> None:
        required = f"required seqNo [{self.if_seq_no}], primary term [{self.if_primary_term}]."
        if live is None:
            raise conflict(doc_id, f"{required} but no document was found")
        if (live.seq, live.term) != (self.if_seq_no, self.if_primary_term):
            found = f"current document has seqNo [{live.seq}] and primary term [{live.term}]"
            raise conflict(doc_id, f"{required} {found}")

    def _check_version(self, doc_id: str, current: int, provided: int) -> None:
        if self.version_type == "external" and provided <= current:
            told = "higher or equal to the one provided"
        elif self.version_type == "external_gte" and provided < current:
            told = "higher than the one provided"
        else:
            return
        raise conflict(doc_id, f"current version [{current}] is {told} [{provided}]")

    def problems(self) -> list[str]:
        """Return what makes the condition one that no document can meet, in Elasticsearch's words."""
        found = []
        if (self.if_seq_no is None) != (self.if_primary_term in {None, 0}):
            missing = "ifSeqNo is unassigned, but primary term is" if self.if_seq_no is None else "ifSeqNo is set, but"
            found.append(f"{missing} primary term is [{self.if_primary_term or 0}]")
        if self.if_seq_no is not None and (self.version is not None or self.version_type != "internal"):
            found.append("compare and write operations can not use versioning")
        if self.create and (self.if_seq_no is not None or self.version is not None or self.version_type != "internal"):
            found.append("create operations do not support versioning. use index instead")
        if self.version_type == "internal" and self.version is not None:
            found.append(
                "internal versioning can not be used for optimistic concurrency control. "
                "Please use `if_seq_no` and `if_primary_term` instead"
            )
        if self.version_type != "internal" and (self.version is None or self.version < 0):
            found.append(f"illegal version value [{self.version}] for version type [{self.version_type.upper()}]")
        return found


def conflict(doc_id: str, why: str) -> Refusal:
    """Return the refusal of a write that expected something else."""
    return Refusal(409, CONFLICT, f"[{doc_id}]: version conflict, {why}")
