"""Mark: what a stored document says about itself, and the version that goes with it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import msgspec

from connectors.engine.records import Hit

FIELD: Final = "_sync"
VERSION_BITS: Final = 21
"""How many bits of a version number the batch; the rest is the writer's epoch."""
MOST_BATCHES: Final = 1 << VERSION_BITS
"""Batches in an epoch: their numbers are lower."""
_encode: Final = msgspec.json.Encoder().encode
_LONG: Final = {"type": "long", "index": False}


class Mark(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The mark of a document of ours.

    `f` is the fingerprint of all of it (0: unknown), `d` that of its content alone (0: it has none), `o` the version
    that its writer gave it, `c` the connector, and `k` the names of the fields that its content added. While the
    document's `_version` is `o`, nobody has written to it since.
    """

    SCANNED: ClassVar[tuple[str, ...]] = (f"{FIELD}.f", f"{FIELD}.o")
    """The fields to ask for in a scan of one connector's documents: see `scanned_fingerprint`."""
    MAPPING: ClassVar[Mapping[str, Any]] = {
        FIELD: {
            "type": "object",
            "dynamic": False,
            "properties": {**dict.fromkeys("fdo", _LONG), "c": {"type": "keyword"}},
        }
    }
    """The properties of an index that holds marks. Only the connector is searched for."""

    f: int
    d: int
    o: int
    c: str
    k: list[str] | None = None

    @classmethod
    def of_source(cls, source: Mapping[str, Any] | None) -> Self | None:
        """Return the mark in a document. None where there is none, or somebody else's data."""
        try:
            return msgspec.convert((source or {}).get(FIELD), cls)
        except msgspec.ValidationError:
            return None


def scanned_fingerprint(hit: Hit) -> int:
    """Return the fingerprint of a document that a scan returned; 0 when somebody wrote to it since, or to its mark."""
    try:
        (fingerprint,), (origin,) = [hit.fields[name] for name in Mark.SCANNED]  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return 0
    return fingerprint if type(fingerprint) is int and origin == hit.version else 0


def scanned_origin(hit: Hit) -> int:
    """Return the version that the writer of a document gave it, as a scan returned it; 0 for what is none."""
    try:
        (origin,) = hit.fields[Mark.SCANNED[1]]  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return 0
    return origin if type(origin) is int else 0


def marked(body: bytes, mark: Mark) -> bytes:
    """Return a JSON object, which has no mark yet, with one in front. The bytes of the object stay as they are."""
    return b'{"_sync":' + _encode(mark) + (b"," if len(body) > 2 else b"") + body[1:]


def mark_template(version: int, connector: str) -> bytes:
    """Return what `marked` makes of an object with fields when a mark has no names, to be filled in.

    What is filled in (`%`) are `f`, `d`, and the object without its first brace. It takes a third of the time.
    """
    return b'{"_sync":{"f":%%d,"d":%%d,"o":%d,"c":%b},%%b' % (version, _encode(connector).replace(b"%", b"%%"))


def version(epoch: int, batch: int) -> int:
    """Return the version of what a batch of an epoch writes. Raises `ValueError` when the batch is none of an epoch."""
    if not 0 <= batch < MOST_BATCHES:
        raise ValueError(f"{batch} is not the number of a batch")
    return epoch << VERSION_BITS | batch


def epoch_of(version: int) -> int:
    """Return the epoch of a version."""
    return version >> VERSION_BITS
