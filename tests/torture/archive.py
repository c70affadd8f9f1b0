"""An archive: a file of documents that a test changes, and a source that walks it page by page and notes what it read.

Every page is read from the file as it is then, and noted in a file beside it before anything of it is yielded.
"""

import asyncio
import hashlib
import json
import os
import random
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.byoc import Filter
from connectors.changes import Checkpoint, Cursor
from connectors.fields import Field, Fields
from connectors.source import BaseDataSource, Document, Token
from tests.torture.oracle import Content, expected

PAGE = 20
GROUPS = ("red", "green", "blue")


class ArchiveDataSource(BaseDataSource):
    """Reads an archive in the order of its ids."""

    name = "Archive"
    service_type = "archive"
    fields = Fields(
        Field("archive", "Archive", type=Path),
        Field("label", "Label of all documents", default="first"),
        Field("pause_s", "Seconds between pages", type=float, default=0.0, shapes=False),
    )

    async def ping(self) -> None:
        """Find the archive."""
        _read(Path(self.configuration.archive))

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Compare the whole of it."""
        del filtering
        found = _digest_of(Path(self.configuration.archive))
        return token is None or token.get("digest") != found, {"digest": found}

    async def get_docs(self, filtering: Filter | None = None) -> AsyncGenerator[Document, None]:
        """Yield everything."""
        async for one in self.get_docs_from(None, filtering):
            if not isinstance(one, Checkpoint):
                yield one

    async def get_docs_from(
        self, cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncGenerator[Document | Checkpoint, None]:
        """Yield page after page, each with a checkpoint behind it."""
        del filtering
        after, begins = str((cursor or {}).get("after", "")), True
        path = Path(self.configuration.archive)
        while True:
            page = dict([one for one in sorted(_read(path).items()) if one[0] > after][:PAGE])
            self._note(path, Reading(time.monotonic(), os.getpid(), after, begins, tuple(page)))
            for doc_id, content in page.items():
                yield {"_id": doc_id, "label": self.configuration.label, **content}
            if len(page) < PAGE:
                return
            after, begins = max(page), False
            yield Checkpoint({"after": after})
            await asyncio.sleep(self.configuration.pause_s)

    def _note(self, path: Path, reading: "Reading") -> None:
        with _notes_of(path).open("a", encoding="ascii") as file:
            file.write(json.dumps(vars(reading)) + "\n")


class InvertedDataSource(ArchiveDataSource):
    """Reads the same in another way, as a connector whose service type was changed does."""

    name = "Inverted"
    service_type = "inverted"

    async def get_docs_from(
        self, cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncGenerator[Document | Checkpoint, None]:
        """Yield the same documents, each under another id."""
        async for one in super().get_docs_from(cursor, filtering):
            yield one if isinstance(one, Checkpoint) else inverted(one)


def inverted(document: Document) -> Document:
    """Return a document as the other source has it."""
    return {**document, "_id": f"inverted {document['_id']}"}


SOURCES = {
    "archive": "tests.torture.archive:ArchiveDataSource",
    "inverted": "tests.torture.archive:InvertedDataSource",
}


@dataclass(frozen=True)
class Reading:
    """That a process has read a page: when, the id behind which it begins, and whether a walk begins with it."""

    at: float
    pid: int
    after: str
    begins: bool
    ids: tuple[str, ...]


class Archive:
    """An archive as a test has it in hand."""

    def __init__(self, path: Path, seed: object, *, count: int = 0) -> None:
        self.path = path
        self._random = random.Random(f"archive {seed}")
        self._made = 0
        self._documents: dict[str, dict[str, Any]] = {}
        self.change(inserts=count)

    def change(self, *, inserts: int = 0, updates: int = 0, deletes: int = 0) -> None:
        """Change so many documents; every one that is written is a new one."""
        for _ in range(updates):
            self._documents[self._any()] = self._content()
        for _ in range(deletes):
            del self._documents[self._any()]
        for _ in range(inserts):
            self._documents[f"{self._random.randrange(2**32):08x}"] = self._content()
        self._write()

    def delete(self, doc_id: str) -> None:
        """Delete a document."""
        del self._documents[doc_id]
        self._write()

    def __contains__(self, doc_id: str) -> bool:
        return doc_id in self._documents

    @property
    def configuration(self) -> dict[str, object]:
        """The settings of a connector that reads it."""
        return {"archive": str(self.path)}

    def documents(self, label: str = "first") -> list[Document]:
        """Return every document as a connector with that label yields it."""
        found = sorted(self._documents.items())
        return [{"_id": doc_id, "id": doc_id, "label": label, **content} for doc_id, content in found]

    def contents(self, label: str = "first") -> dict[str, Content]:
        """Return what an index should hold of it."""
        return expected(self.documents(label))

    def readings(self) -> list[Reading]:
        """Return what was read so far, in this order."""
        path = _notes_of(self.path)
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        return [Reading(**{**one, "ids": tuple(one["ids"])}) for one in map(json.loads, lines)]

    def _any(self) -> str:
        return self._random.choice(sorted(self._documents))

    def _content(self) -> dict[str, Any]:
        self._made += 1
        return {"number": self._made, "group": self._random.choice(GROUPS), "text": "word " * self._random.randrange(9)}

    def _write(self) -> None:
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(self._documents), encoding="ascii")
        temporary.replace(self.path)


def walks(readings: list[Reading]) -> Iterator[list[Reading]]:
    """Yield what was read, walk by walk; no two walks of an archive may have gone on at once."""
    walk: list[Reading] = []
    for one in readings:
        if one.begins and walk:
            yield walk
            walk = []
        walk.append(one)
    if walk:
        yield walk


def _read(path: Path) -> Mapping[str, dict[str, Any]]:
    found: Mapping[str, dict[str, Any]] = json.loads(path.read_text(encoding="ascii"))
    return found


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _notes_of(path: Path) -> Path:
    return path.with_suffix(".readings")
