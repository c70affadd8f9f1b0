"""What the engine's named operations return, decoded straight from the wire."""

from typing import Any

import msgspec


class Revision(msgspec.Struct, frozen=True):
    """Which write a document stems from: what a compare-and-set compares."""

    seq_no: int
    primary_term: int


class _Underscored(msgspec.Struct, frozen=True, gc=False, rename=lambda name: f"_{name}"):
    """A record whose fields have an underscore in front on the wire, unless they say otherwise."""


class StoredDocument(_Underscored, frozen=True, gc=False):
    """A document as the engine holds it; `index` is the concrete one, whatever name was asked for."""

    index: str
    id: str
    version: int
    seq_no: int
    primary_term: int
    source: dict[str, Any]

    @property
    def revision(self) -> Revision:
        """What to expect in a compare-and-set."""
        return Revision(self.seq_no, self.primary_term)


class Written(_Underscored, frozen=True, gc=False):
    """What a single write did: `result` is created, updated, deleted, noop or not_found."""

    index: str
    id: str
    version: int
    seq_no: int
    primary_term: int
    result: str = msgspec.field(name="result")

    @property
    def revision(self) -> Revision:
        """What the next compare-and-set of this document expects."""
        return Revision(self.seq_no, self.primary_term)


class Hit(_Underscored, frozen=True, gc=False):
    """One result of a search or a scan, with what was asked for and None for the rest."""

    index: str
    id: str
    source: dict[str, Any] | None = None
    version: int | None = None
    seq_no: int | None = None
    primary_term: int | None = None
    fields: dict[str, list[Any]] | None = msgspec.field(name="fields", default=None)
    sort: list[Any] | None = msgspec.field(name="sort", default=None)


class SearchPage(msgspec.Struct, frozen=True):
    """What one search found: `total` counts every match, exactly; `hits` are those that were asked for."""

    total: int
    hits: list[Hit]


class Reason(msgspec.Struct, frozen=True):
    """Why an engine refused something, in its own words."""

    type: str = "unknown"
    reason: str | None = None


class Failure(Reason, frozen=True, kw_only=True):
    """A reason with the reasons behind it."""

    index: str | None = None
    root_cause: list[Reason] = []
    caused_by: Reason | None = None


class Total(msgspec.Struct, frozen=True):
    """How many documents match, exactly (`eq`) or at least (`gte`)."""

    value: int
    relation: str


class Hits(msgspec.Struct, frozen=True):
    """The inner part of a search's answer."""

    hits: list[Hit]
    total: Total | None = None


class Shards(msgspec.Struct, frozen=True):
    """How many shards took part."""

    total: int
    successful: int
    failed: int


class SearchAnswer(msgspec.Struct, frozen=True):
    """A search's answer on the wire."""

    timed_out: bool
    hits: Hits
    shards: Shards = msgspec.field(name="_shards")
    pit_id: str | None = None


class Lookup(_Underscored, frozen=True, gc=False):
    """A read by id, which may find nothing."""

    index: str
    id: str
    found: bool = msgspec.field(name="found")
    version: int = 0
    seq_no: int = 0
    primary_term: int = 0
    source: dict[str, Any] = {}

    @property
    def document(self) -> StoredDocument | None:
        """What was found."""
        if not self.found:
            return None
        return StoredDocument(self.index, self.id, self.version, self.seq_no, self.primary_term, self.source)


class _FoundOrFailed(Lookup, frozen=True, gc=False):
    """One of several reads by id, which may fail alone."""

    found: bool = msgspec.field(name="found", default=False)
    error: Failure | None = msgspec.field(name="error", default=None)


class Lookups(msgspec.Struct, frozen=True):
    """Several reads by id, in the order of the ids."""

    docs: list[_FoundOrFailed]


class Counted(msgspec.Struct, frozen=True):
    """How many documents match."""

    count: int
