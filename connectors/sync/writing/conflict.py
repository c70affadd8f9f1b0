"""A conflict: an operation that met a higher version than it was sent under, and what it has to rise above."""

from dataclasses import dataclass

from connectors.engine.records import StoredDocument
from connectors.sync.index.mark import MOST_BATCHES, epoch_of, version
from connectors.sync.writing.batch import Operation


@dataclass(frozen=True)
class Conflicting:
    """An operation that met a higher version, with the body of its document, and that version as far as it was told."""

    operation: Operation
    body: bytes
    met: int | None

    def to_rise_above(self, sent: int, stored: StoredDocument | None) -> int:
        """Return the version to rise above: of the document that is there now, else of its deletion.

        What version a deletion has can't be read. Where the engine did not tell it, it is taken to be of the epoch that
        was sent.
        """
        if stored is not None:
            return stored.version
        return self.met if self.met is not None else version(epoch_of(sent), MOST_BATCHES - 1)


def out_of_reach(met: int, stored: StoredDocument | None) -> str:
    """Return why a document can't be written over a version, and what to do about it."""
    if stored is not None:
        return f"The document has the version {met}, which somebody else gave it; delete it first."
    return (
        f"The document was deleted under the version {met}, which somebody else gave it; it can be indexed again when "
        "the engine has forgotten that (index.gc_deletes)."
    )
