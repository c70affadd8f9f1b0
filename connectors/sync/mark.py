"""Mark: what a stored document says about itself, and the version that goes with it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import msgspec

FIELD: Final = "_sync"
VERSION_BITS: Final = 21
"""How many bits of a version number the batch; the rest is the writer's epoch."""
MOST_BATCHES: Final = 1 << VERSION_BITS
"""Batches in an epoch: their numbers are lower."""
_encode: Final = msgspec.json.Encoder().encode
_LONG: Final = {"type": "long", "index": False, "doc_values": True}


class Mark(msgspec.Struct, frozen=True, gc=False):
    """The mark of a document of ours.

    `f` is the fingerprint of all of it (0: unknown), `d` that of its content alone (0: it has none), `v` the version
    that the write of the mark made, `o` the writer's epoch and batch (`epoch_of`), `c` the connector.
    """

    FIELDS: ClassVar[tuple[str, ...]] = tuple(f"{FIELD}.{name}" for name in "fdvoc")
    """The fields to ask for in a scan."""
    MAPPING: ClassVar[Mapping[str, Any]] = {
        FIELD: {
            "type": "object",
            "dynamic": False,
            "properties": {**dict.fromkeys("fdvo", _LONG), "c": {"type": "keyword"}},
        }
    }
    """The properties of an index that holds marks. Only the connector is searched for."""

    f: int
    d: int
    v: int
    o: int
    c: str

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any] | None) -> Self | None:
        """Return the mark in a hit's doc values (`FIELDS`). None where there is none, or somebody else's data."""
        if fields is None:
            return None
        try:
            (f,), (d,), (v,), (o,), (c,) = [fields[name] for name in cls.FIELDS]
        except (KeyError, TypeError, ValueError):
            return None
        return cls._of(f, d, v, o, c)

    @classmethod
    def of_source(cls, source: Mapping[str, Any]) -> Self | None:
        """Return the mark in a document. None where there is none, or somebody else's data."""
        found = source.get(FIELD)
        if not isinstance(found, dict) or len(found) != len(cls.FIELDS):
            return None
        try:
            return cls._of(found["f"], found["d"], found["v"], found["o"], found["c"])
        except KeyError:
            return None

    @classmethod
    def _of(cls, f: object, d: object, v: object, o: object, c: object) -> Self | None:
        if type(f) is int and type(d) is int and type(v) is int and type(o) is int and type(c) is str:
            return cls(f, d, v, o, c)
        return None


def marked(body: bytes, mark: Mark) -> bytes:
    """Return a JSON object, which has no mark yet, with one in front. The bytes of the object stay as they are."""
    return b'{"_sync":' + _encode(mark) + (b"," if len(body) > 2 else b"") + body[1:]


def version(epoch: int, batch: int) -> int:
    """Return the version of what a batch of an epoch writes. Raises `ValueError` when the batch is none of an epoch."""
    if not 0 <= batch < MOST_BATCHES:
        raise ValueError(f"{batch} is not the number of a batch")
    return epoch << VERSION_BITS | batch


def epoch_of(version: int) -> int:
    """Return the epoch of a version."""
    return version >> VERSION_BITS
