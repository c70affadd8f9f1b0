"""Changes: what a source yields beside documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.download import Download, Fetch

Cursor = Mapping[str, Any]
"""Where a source stands: JSON that only the source understands."""


@dataclass(frozen=True)
class Upsert:
    """A document that is new or different."""

    document: dict[str, Any]
    download: Download | Fetch | None = None


@dataclass(frozen=True)
class Delete:
    """A document that is gone."""

    id: str


@dataclass(frozen=True)
class Checkpoint:
    """Everything before this was yielded; a walk that is given the cursor goes on behind it."""

    cursor: Cursor


@dataclass(frozen=True)
class Failed:
    """A document that is there, but can't be read: it is neither changed nor deleted, and reported with the reason."""

    id: str
    reason: str


Change = Upsert | Delete | Checkpoint | Failed
