"""What a source yields: documents, what became of them, and how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.dataset import Dataset
from connectors.download import Download, Fetch

Document = dict[str, Any]
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
Single = Document | Failed | tuple[Document, Download | Fetch | None]
"""A document, alone or with a download, or that there is one that can't be read."""
Yielded = Single | Dataset
"""What a walk yields. What comes behind a dataset is of that one."""
