"""Keys: the `_id` of a document as its bytes, in what order they come, and what is said of them in ids and checkpoints.

Nothing else would do. Values of different types are different keys, and a comparison of MongoDB's finds only those of
one type: what comes behind a key are the greater ones of its type, and all of the types behind that.
"""

import json
import math
import struct
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import bson
from bson import json_util
from bson.binary import UUID_SUBTYPE, Binary, UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.int64 import Int64
from bson.json_util import CANONICAL_JSON_OPTIONS
from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument

from connectors.dataset import document_id
from connectors.sources._mongodb.values import EXACT, Hex

NAME: Final = b"_id\x00"
_LENGTH: Final = struct.Struct("<i")
_ORDER: Final = (
    ("minKey",),
    ("null",),
    ("int", "long", "double", "decimal"),
    ("string", "symbol"),
    ("object",),
    ("binData",),
    ("objectId",),
    ("bool",),
    ("date",),
    ("timestamp",),
    ("javascript",),
    ("javascriptWithScope",),
    ("maxKey",),
)
"""The types that an `_id` can have, in the order in which MongoDB puts them; those of a row are compared as one."""
_CODES: Final[Mapping[int, str]] = {
    0x01: "double",
    0x02: "string",
    0x03: "object",
    0x05: "binData",
    0x07: "objectId",
    0x08: "bool",
    0x09: "date",
    0x0A: "null",
    0x0D: "javascript",
    0x0E: "symbol",
    0x0F: "javascriptWithScope",
    0x10: "int",
    0x11: "timestamp",
    0x12: "long",
    0x13: "decimal",
    0x7F: "maxKey",
    0xFF: "minKey",
}
_ALONE: Final = {"minKey", "null", "maxKey"}
"""Types of one value, behind which there is none of the same."""
PLAIN: Final = frozenset({Hex, str, int, float, bool, type(None), Decimal, datetime})
"""Types of rows whose values say all that an `_id` is. Of others the bytes have to be looked at."""
_JSON: Final = json_util.JSONOptions(
    json_mode=CANONICAL_JSON_OPTIONS.json_mode,
    tz_aware=False,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)


class OddKey(str):
    """An `_id` of which a plain value would not say all: an object, a timestamp, bytes of a subtype.

    As a text it is Extended JSON. `shown` is what the document has.
    """

    element: bytes
    shown: Any
    __slots__ = ("element", "shown")

    @classmethod
    def of(cls, element: bytes, shown: Any) -> "OddKey":  # noqa: ANN401 - whatever it was decoded to
        """Return the key of an element."""
        found = cls(json.dumps(as_json(element)["_id"], ensure_ascii=False))
        found.element, found.shown = element, shown
        return found


def element_of(document: bytes | memoryview) -> bytes:
    """Return the `_id` of a document as the type and the bytes of its value. Raises a `ValueError` where it has none.

    Servers put it first in what they store.
    """
    if bytes(document[5:9]) != NAME:
        raise ValueError("It does not begin with its _id.")
    return bytes(document[4:5]) + bytes(document[9 : 9 + _size(document)])


def element_of_value(value: object) -> bytes:
    """Return what a value of a row is as an `_id`."""
    if isinstance(value, OddKey):
        return value.element
    exact = ObjectId(value) if isinstance(value, Hex) else value
    if isinstance(exact, UUID):
        exact = Binary.from_uuid(exact)
    elif isinstance(exact, Decimal):
        exact = Decimal128(str(exact))
    return element_of(bson.encode({"_id": exact}, codec_options=EXACT))


def row_value(element: bytes, value: object) -> object:
    """Return an `_id` as rows have it: what it was decoded to, or a key that says more."""
    kind = type(value)
    if isinstance(value, Int64):
        return int(value)
    if kind in PLAIN or (kind is UUID and element[5] == UUID_SUBTYPE) or (kind is bytes and not element[5]):
        return value
    return OddKey.of(element, value)


def id_of(database: str, collection: str, value: object) -> str:
    """Return the id of a document by the `_id` of its row: another one for every other key."""
    if type(value) is Hex:
        return document_id(database, (collection, ObjectId(value)))
    if isinstance(value, OddKey):
        return document_id(database, (collection, _Bson(value)))
    return document_id(database, (collection, value))


def behind(element: bytes) -> list[RawBSONDocument]:
    """Return the conditions of what comes behind a key, one after the other: of its own type, and of the types behind.

    A condition that would find nothing is left out.
    """
    place, kind = _place(element)
    found = []
    if kind not in _ALONE:
        is_nan = kind in {"double", "decimal"} and math.isnan(float(str(_decoded(element))))
        found.append(_condition(b"$gte", _encoded(-math.inf)) if is_nan else _condition(b"$gt", element))
    if later := [name for names in _ORDER[place + 1 :] for name in names]:
        found.append(RawBSONDocument(bson.encode({"_id": {"$type": later}})))
    return found


def among(elements: Iterable[bytes]) -> RawBSONDocument:
    """Return the condition of being one of several keys. It may find others too: numbers are equal across types."""
    parts = [one[:1] + str(place).encode() + b"\x00" + one[1:] for place, one in enumerate(elements)]
    several = b"".join(parts) + b"\x00"
    return _condition(b"$in", b"\x04" + _LENGTH.pack(len(several) + 4) + several)


def as_json(element: bytes) -> dict[str, Any]:
    """Return an `_id` as Extended JSON, in which every type is told."""
    document = bson.decode(alone(element), EXACT)
    found: dict[str, Any] = json.loads(json_util.dumps(document, json_options=_JSON))
    return found


def of_json(place: Mapping[str, Any], options: CodecOptions[dict[str, Any]]) -> object:
    """Return what a row has of an `_id` in Extended JSON. Raises a `ValueError` for what is none."""
    try:
        encoded = bson.encode(json_util.loads(json.dumps(place), json_options=_JSON), codec_options=EXACT)
        return row_value(element_of(encoded), bson.decode(encoded, options)["_id"])
    except (BSONError, TypeError, KeyError) as error:
        raise ValueError(f"It is no Extended JSON of an _id: {error}.") from None


class _Bson:
    """What an id shows of an odd key, as a type of its own."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


_Bson.__name__ = "bson"  # which is what the id begins that part with


def _place(element: bytes) -> tuple[int, str]:
    kind = _CODES.get(element[0])
    if kind is None:
        raise ValueError(f"An _id of the type {element[0]:#04x} can't be read on behind.")
    return next(place for place, names in enumerate(_ORDER) if kind in names), kind


def _size(document: bytes | memoryview) -> int:
    """Return how many bytes the first value of a document has."""
    kind, start = document[4], 9
    if kind in {0x0A, 0x7F, 0xFF}:
        return 0
    if kind in _FIXED:
        return _FIXED[kind]
    length: int = _LENGTH.unpack_from(document, start)[0]
    if kind in {0x02, 0x0D, 0x0E}:
        return 4 + length
    return 5 + length if kind == 0x05 else length


_FIXED: Final = {0x01: 8, 0x07: 12, 0x08: 1, 0x09: 8, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16}


def alone(element: bytes) -> bytes:
    """Return a document of nothing but an `_id`."""
    body = element[:1] + NAME + element[1:] + b"\x00"
    return _LENGTH.pack(len(body) + 4) + body


def _condition(operator: bytes, element: bytes) -> RawBSONDocument:
    """Return a condition made of the bytes of a value, which is so the very same."""
    inner = element[:1] + operator + b"\x00" + element[1:] + b"\x00"
    body = b"\x03" + NAME + _LENGTH.pack(len(inner) + 4) + inner + b"\x00"
    return RawBSONDocument(_LENGTH.pack(len(body) + 4) + body)


def _decoded(element: bytes) -> object:
    return bson.decode(alone(element), EXACT)["_id"]


def _encoded(value: object) -> bytes:
    return element_of(bson.encode({"_id": value}))
