"""A batch: operations under one version, already the bytes of a bulk request, some of which may be sent again."""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.engine.bulk import delete_line, index_line
from connectors.engine.records import Revision
from connectors.sync.mark import FIELD, Mark, marked
from connectors.sync.prepared import Prepared

_AROUND: Final = len(f'{{"{FIELD}":')
_encode: Final = msgspec.json.Encoder().encode


class Write(msgspec.Struct, gc=False):
    """A document that is to be in the index, without its body, which is in the batch.

    `fingerprint` and `content` are what its mark says; `held` whether the index held the document before.
    """

    id: str
    key: bytes
    fingerprint: int
    content: int = 0
    held: bool = False
    names: list[str] | None = None
    conflicts: int = 0

    @classmethod
    def of(
        cls, prepared: Prepared, fingerprint: int, *, content: int = 0, held: bool, names: list[str] | None = None
    ) -> "Write":
        """Return the write of a prepared document."""
        return cls(prepared.id, prepared.key, fingerprint, content, held, names)

    def mark(self, version: int, connector: str) -> Mark:
        """Return the mark of the document when it is written under a version."""
        return Mark(self.fingerprint, self.content, version, connector, self.names)


class Removal(msgspec.Struct, gc=False):
    """A document that is to be in the index no more, unless somebody has written to it since that revision."""

    id: str
    key: bytes
    revision: Revision
    conflicts: int = 0


Operation = Write | Removal


class Batch:
    """Operations that are sent together: each id once. Whatever is left of it is sent again with the same bytes."""

    __slots__ = ("connector", "lines", "operations", "size", "version")

    def __init__(self, version: int, connector: str) -> None:
        self.version = version
        self.connector = connector
        self.operations: list[Operation] = []
        self.lines: list[bytes] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self.operations)

    def add(self, operation: Operation, body: bytes = b"") -> None:
        """Add an operation, a write with the body of its document."""
        if isinstance(operation, Write):
            mark = operation.mark(self.version, self.connector)
            line = index_line(operation.id, version=self.version) + marked(body, mark) + b"\n"
        else:
            line = delete_line(operation.id, expected=operation.revision)
        self.operations.append(operation)
        self.lines.append(line)
        self.size += len(line)

    def body(self) -> bytes:
        """Return the request's body."""
        return b"".join(self.lines)

    def keep(self, places: Sequence[int]) -> None:
        """Leave only these operations in it."""
        self.operations = [self.operations[place] for place in places]
        self.lines = [self.lines[place] for place in places]
        self.size = sum(map(len, self.lines))

    def halves(self) -> "tuple[Batch, Batch]":
        """Return its operations in two batches of the same version."""
        middle = len(self.operations) // 2
        return self._part(0, middle), self._part(middle, len(self.operations))

    def document(self, place: int) -> bytes:
        """Return the body that a write was added with."""
        operation = self.operations[place]
        if not isinstance(operation, Write):
            raise TypeError("a removal has no document")
        _, _, stored = self.lines[place].partition(b"\n")
        rest = stored[_AROUND + len(_encode(operation.mark(self.version, self.connector))) : -1]
        return b"{" + rest.removeprefix(b",")

    def _part(self, start: int, stop: int) -> "Batch":
        part = Batch(self.version, self.connector)
        part.operations, part.lines = self.operations[start:stop], self.lines[start:stop]
        part.size = sum(map(len, part.lines))
        return part
