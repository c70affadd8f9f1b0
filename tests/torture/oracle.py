"""The oracle: what an index should hold of a connector, what it does hold, and how the two differ.

It shares nothing with the product but the scan: what is expected is given as plain JSON, and what is there is what the
engine has stored, every document of the index read whole. Neither the ledger nor a count of ours has a say.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.engine import Engine
from connectors.engine.scan import Walk

MARK = "_sync"
_SHOWN = 5
_written = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
Content = Mapping[str, str]
"""A hash of each field of one document, by the field's name: two documents are the same if these are."""


def expected(documents: Iterable[Mapping[str, Any]]) -> dict[str, Content]:
    """Return what an index should hold of these documents, each as it should be stored, and with its `_id`."""
    found: dict[str, Content] = {}
    for document in documents:
        doc_id = document["_id"]
        if doc_id in found:
            raise ValueError(f"{doc_id!r} is expected twice: which one should be there?")
        found[doc_id] = content_of({name: value for name, value in document.items() if name != "_id"})
    return found


async def actual(engine: Engine, index: str, connector: str | None = None) -> dict[str, Content]:
    """Return what an index holds of a connector by its mark, or of everybody; the mark itself is left out."""
    await engine.data.refresh(index)
    found: dict[str, Content] = {}
    async for page in engine.data.scan(Walk(index, source=True, page_size=1_000)):
        for hit in page:
            if hit.id in found:
                raise AssertionError(f"The scan of {index} returned {hit.id!r} twice.")
            source = dict(hit.source or {})
            mark = source.pop(MARK, None) or {}
            if connector is None or mark.get("c") == connector:
                found[hit.id] = content_of(source)
    return found


def content_of(document: Mapping[str, Any]) -> Content:
    """Return the hashes of the fields of a document; the order of keys makes no difference, 1 and 1.0 are two."""
    return {name: _hash_of(value) for name, value in document.items()}


def _hash_of(value: object) -> str:
    return hashlib.blake2b(_written(value).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, repr=False)
class Difference:
    """How an index differs from what it should hold; true if it does at all. Printed, it is a report."""

    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    different: dict[str, list[str]] = field(default_factory=dict)
    """The fields that differ, by the id of their document."""

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.different)

    def __repr__(self) -> str:
        return "\n".join(self._lines()) or "no difference"

    def _lines(self) -> Iterator[str]:
        changed = [f"{doc_id!r} in {', '.join(fields)}" for doc_id, fields in self.different.items()]
        for what, ids in (
            ("missing", [repr(one) for one in self.missing]),
            ("extra", [repr(one) for one in self.extra]),
            ("different", changed),
        ):
            if ids:
                more = f"; and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
                yield f"{len(ids):,} {what}: {'; '.join(ids[:_SHOWN])}{more}"


def difference(wanted: Mapping[str, Content], found: Mapping[str, Content]) -> Difference:
    """Return how what was found differs from what is wanted, in the order of the ids."""
    common = sorted(one for one in wanted.keys() & found.keys() if wanted[one] != found[one])
    return Difference(
        missing=sorted(wanted.keys() - found.keys()),
        extra=sorted(found.keys() - wanted.keys()),
        different={one: _fields(wanted[one], found[one]) for one in common},
    )


def _fields(wanted: Content, found: Content) -> list[str]:
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
