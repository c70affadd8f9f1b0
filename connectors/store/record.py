"""A record: one thing that our state index holds, as typed data here and as JSON with a kind and a version there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final, Generic, TypeVar

import msgspec

from connectors.dataset import document_id
from connectors.engine.records import Revision
from connectors.errors import RecordUnreadable

LABELS: Final = ("connector", "target", "run", "expires_at")
"""The fields by which records are found, where they have them."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What kinds of records are made from.

    A kind adds fields freely as long as they have defaults: older versions keep what they do not know. `FORMAT` rises
    when an older version would misread the record, and then refuses it.
    """

    KIND: ClassVar[str]
    FORMAT: ClassVar[int] = 1

    @classmethod
    def key_for(cls, *parts: object) -> str:
        """Return the key of a record of this kind: readable, another one for every other parts, whatever they hold."""
        return document_id(cls.KIND, parts)


T = TypeVar("T", bound=Record)


@dataclass(frozen=True)
class Versioned(Generic[T]):
    """A record and the write that it stems from; `stored` is the whole document, with what we do not know too."""

    value: T
    revision: Revision
    stored: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def document_of(value: Record, old: Mapping[str, Any], *, now: datetime, nonce: str) -> dict[str, Any]:
    """Return a record as it is stored. Fields of the `old` document that this version does not know are kept."""
    known = set(value.__struct_fields__)
    before = old.get("record")
    unknown = {name: one for name, one in before.items() if name not in known} if isinstance(before, Mapping) else {}
    return {
        **old,
        "kind": value.KIND,
        "format": value.FORMAT,
        **{name: getattr(value, name) for name in LABELS if name in known},
        "updated_at": now,
        "written_by": nonce,
        "record": {**unknown, **msgspec.to_builtins(value)},
    }


def record_of(key: str, stored: Mapping[str, Any], kind: type[T]) -> T:
    """Return the record that a document holds. Raises `RecordUnreadable` for what this version can't read rightly."""
    version = stored.get("format")
    if stored.get("kind") != kind.KIND or not isinstance(version, int):
        raise _damaged(key, kind, "it is of another kind")
    if version > kind.FORMAT:
        raise RecordUnreadable(
            f"The record {key!r} has format {version}, and this version knows {kind.KIND} up to {kind.FORMAT}.",
            key=key,
            hint="Use a version of Connectors at least as new as the newest that ran here.",
        )
    try:
        return msgspec.convert(stored.get("record"), kind)
    except msgspec.ValidationError as error:
        raise _damaged(key, kind, str(error)) from None


def _damaged(key: str, kind: type[Record], reason: str) -> RecordUnreadable:
    return RecordUnreadable(
        f"The record {key!r} is no {kind.KIND}: {reason}.",
        key=key,
        hint="Delete it: what it held is lost, and the next full sync finds out anew what it needs.",
    )
