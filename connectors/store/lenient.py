"""Lenient reading: what a document of the protocol says, whoever wrote it, where that has a meaning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from connectors.engine.records import Hit, Revision, StoredDocument


@dataclass(frozen=True)
class LenientDocument:
    """A document that Kibana, curl or another version may have written, kept whole.

    What has no meaning where it stands counts as not there. It prints nothing of the document, which may hold secrets.
    """

    id: str
    document: Mapping[str, Any] = field(repr=False)
    revision: Revision = field(repr=False)

    @classmethod
    def of_hit(cls, hit: Hit) -> Self:
        """Return what a search found."""
        return cls(hit.id, hit.source or {}, Revision(hit.seq_no or 0, hit.primary_term or 0))

    @classmethod
    def of_stored(cls, found: StoredDocument) -> Self:
        """Return what was read by its id."""
        return cls(found.id, found.source, found.revision)

    def _text(self, name: str) -> str | None:
        found = self.document.get(name)
        return found if isinstance(found, str) and found else None

    def _mapping(self, name: str) -> Mapping[str, Any] | None:
        found = self.document.get(name)
        return found if isinstance(found, Mapping) else None

    def _number(self, name: str) -> int:
        found = self.document.get(name)
        return found if isinstance(found, int) and not isinstance(found, bool) else 0

    def _instant(self, name: str) -> datetime | None:
        """Return a moment; without a zone it is one of UTC."""
        return instant_of(self.document.get(name))


def instant_of(found: object) -> datetime | None:
    """Return the moment that a text of ISO 8601 tells, or a number of milliseconds; None for what is none."""
    try:
        if isinstance(found, str):
            moment = datetime.fromisoformat(found)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if isinstance(found, int) and not isinstance(found, bool):
            return datetime.fromtimestamp(found / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
