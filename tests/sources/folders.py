"""Folders of files, directory sources that read them, and what these say."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.aio.clock import SystemClock
from connectors.byoc import Filter
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.source import Document, Token
from connectors.sources.directory import DirectoryDataSource


@dataclass
class Ahead(SystemClock):
    """A clock that is ahead: to it every file is old enough for a further change to show in its times."""

    by: timedelta = timedelta(hours=1)

    def now(self) -> datetime:
        return super().now() + self.by


def source(root: Path, *, ahead: timedelta = timedelta(hours=1), **values: Any) -> DirectoryDataSource:
    fields = DirectoryDataSource.fields
    configuration = Configuration(fields, {"directory": str(root), **values}, Grants(allowed_paths=(root,)))
    configuration.check()
    return DirectoryDataSource(configuration, clock=Ahead(ahead))


def rules(*wire: object) -> Filter:
    return Filter({"advanced_snippet": {"value": list(wire)}})


async def documents(root: Path, filtering: Filter | None = None, **values: Any) -> dict[str, Document]:
    """Return the documents by id, of which none may occur twice."""
    found = [document async for document, _ in source(root, **values).get_docs(filtering)]
    assert len({document["_id"] for document in found}) == len(found)
    return {document["_id"]: document for document in found}


async def token_of(root: Path, filtering: Filter | None = None, **values: Any) -> Token:
    changed, token = await source(root, **values).changed(None, filtering)
    assert changed
    assert token is not None
    return token


async def has_changed(root: Path, token: Token, filtering: Filter | None = None, **values: Any) -> bool:
    changed, _ = await source(root, **values).changed(token, filtering)
    return changed


def planted(folder: Path) -> Path:
    """Make some files, and return the folder that they are in."""
    files = {
        "readme.md": b"# Read me",
        "docs/Photo.JPG": b"\xff\xd8",
        "docs/deep/.hidden": b"",
        "docs/deep/log": b"1\n",
    }
    root = folder / "root"
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def let_time_pass(folder: Path) -> None:
    """Wait until the file system's clock has moved on: a change in the same moment would look like none."""
    probe = folder.parent / "probe"
    probe.touch()
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        probe.touch()


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
