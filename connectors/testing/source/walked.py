"""Walked: what a walk yielded, taken apart and compared."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.download import Download, download_of
from connectors.source import Document
from connectors.testing.source.promise import fail
from connectors.testing.source.serializable import canonical


@dataclass(frozen=True)
class Walked:
    """A document and the download that came with it."""

    document: Document
    download: Download | None = None

    @classmethod
    def of(cls, yielded: object) -> "Walked":
        """Return what was yielded, taken apart. Fails for what a walk may not yield."""
        if isinstance(yielded, Failed):
            fail(
                f"The walk yielded {yielded}: the documents of the fixture `settings` have to be readable, all of them."
            )
        document, given = yielded if isinstance(yielded, tuple) and len(yielded) == 2 else (yielded, None)
        if not isinstance(document, dict) or not (given is None or callable(given)):
            fail(f"The walk yielded {yielded!r}: yield a dict, (dict, Download or None), or a Failed.")
        return cls(document, download_of(given))

    @property
    def id(self) -> str:
        """The document's id; fails for one that has none that is a text."""
        found = self.document.get("_id")
        if not isinstance(found, str):
            fail(f"The document {self.document!r} has no `_id` that is a text.")
        return found

    @property
    def said(self) -> Document:
        """What its download says of itself."""
        return {} if self.download is None else {name: getattr(self.download, name) for name in _SAID}


Documents = Mapping[str, Document]
_SAID: Final = ("content_version", "size", "name")


async def walk(source: Any, filtering: Filter | None = None) -> AsyncGenerator[Walked, None]:  # noqa: ANN401 - any source
    """Yield what a source's walk yields, taken apart, and close the walk at the end."""
    async with aclosing(source.get_docs(filtering)) as yielded:
        async for one in yielded:
            if not isinstance(one, Dataset):
                yield Walked.of(one)


async def documents_of(source: Any, filtering: Filter | None = None) -> dict[str, Document]:  # noqa: ANN401
    """Return the documents that a walk yields, by id."""
    return {id_: one.document for id_, one in (await walked_by_id(source, filtering)).items()}


async def walked_by_id(source: Any, filtering: Filter | None = None) -> dict[str, Walked]:  # noqa: ANN401
    """Return what a walk yields by id. Of an id that comes twice it is the last, as in an index."""
    found: dict[str, Walked] = {}
    async with aclosing(walk(source, filtering)) as walked:
        async for one in walked:
            found[one.id] = one
    return found


def difference(one: Documents, other: Documents) -> str:
    """Return the first thing that differs, for people; nothing where all is equal."""
    for id_ in [*one, *(id_ for id_ in other if id_ not in one)]:
        if id_ not in other or id_ not in one:
            return f"the document {id_!r} is in the {'second' if id_ in other else 'first'} only"
        if found := difference_of(one[id_], other[id_]):
            return f"the document {id_!r} differs: {found}"
    return ""


def difference_of(one: Document, other: Document) -> str:
    """Return the first field that differs between two documents or rows, for people."""
    for name in [*one, *(name for name in other if name not in one)]:
        if name not in one or name not in other:
            return f"`{name}` is in the {'second' if name in other else 'first'} only"
        if canonical(one[name]) != canonical(other[name]):
            return f"`{name}` is {one[name]!r} in the first and {other[name]!r} in the second"
    return ""
