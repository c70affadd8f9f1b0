"""A batch: operations under one version, already the bytes of a bulk request, some of which may be sent again."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import msgspec

from connectors.engine.bulk import delete_line, index_line, index_template
from connectors.engine.records import Revision
from connectors.sync.document.prepared import Prepared
from connectors.sync.index.mark import FIELD, Mark, mark_template, marked

BESIDE_LINE: Final = 250
"""Bytes, about, that an operation takes beside its line: what is small has more around it than in it."""
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

    __slots__ = ("_ends", "_joined", "_lines", "_template", "connector", "operations", "size", "version")

    def __init__(self, version: int, connector: str) -> None:
        self.version = version
        self.connector = connector
        self.operations: list[Operation] = []
        self.size = 0
        self._template = _template(version, connector)
        self._lines: list[bytes] = []
        self._joined: bytes | None = None
        self._ends: list[int] = []

    def __len__(self) -> int:
        return len(self.operations)

    @property
    def footprint(self) -> int:
        """How many bytes of memory it takes, about."""
        return self.size + BESIDE_LINE * len(self.operations)

    def add(self, operation: Operation, body: bytes = b"") -> None:
        """Add an operation, a write with the body of its document. Not after it was sent."""
        if type(operation) is Write:
            if operation.names is None and len(body) > 2:  # as nearly all: in one go, which takes a third of the time
                line = self._template % (_encode(operation.id), operation.fingerprint, operation.content, body[1:])
            else:
                mark = operation.mark(self.version, self.connector)
                line = index_line(operation.id, version=self.version) + marked(body, mark) + b"\n"
        else:
            line = delete_line(operation.id, expected=operation.revision)  # type: ignore[union-attr]
        self.operations.append(operation)
        self._lines.append(line)
        self.size += len(line)

    def body(self) -> bytes:
        """Return the request's body, which is all that the batch keeps of its lines from then on."""
        if self._joined is None:
            self._ends = list(accumulate(map(len, self._lines)))
            self._joined = b"".join(self._lines)
            self._lines = []
        return self._joined

    def keep(self, places: Sequence[int]) -> None:
        """Leave only these operations in it."""
        self._take([self.operations[place] for place in places], [self._line(place) for place in places])

    def halves(self) -> "tuple[Batch, Batch]":
        """Return its operations in two batches of the same version."""
        middle = len(self.operations) // 2
        return self._part(0, middle), self._part(middle, len(self.operations))

    def document(self, place: int) -> bytes:
        """Return the body that a write was added with."""
        operation = self.operations[place]
        if not isinstance(operation, Write):
            raise TypeError("a removal has no document")
        _, _, stored = self._line(place).partition(b"\n")
        rest = stored[_AROUND + len(_encode(operation.mark(self.version, self.connector))) : -1]
        return b"{" + rest.removeprefix(b",")

    def _line(self, place: int) -> bytes:
        if self._joined is None:
            return self._lines[place]
        return self._joined[self._ends[place - 1] if place else 0 : self._ends[place]]

    def _part(self, start: int, stop: int) -> "Batch":
        part = Batch(self.version, self.connector)
        part._take(self.operations[start:stop], [self._line(place) for place in range(start, stop)])
        return part

    def _take(self, operations: list[Operation], lines: list[bytes]) -> None:
        self.operations, self._lines, self._joined, self._ends = operations, lines, None, []
        self.size = sum(map(len, lines))


def _template(version: int, connector: str) -> bytes:
    """Return the lines of a write without names, to be filled in: id, fingerprint, content, rest of the body."""
    return index_template(version) + mark_template(version, connector) + b"\n"
