"""Values: what those of BSON become, by conversions that the decoder itself calls for the types that need one."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from bson import Regex
from bson.binary import UUID_SUBTYPE, Binary, UuidRepresentation
from bson.code import Code
from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.timestamp import Timestamp

REPRESENTATIONS: Final = {
    "standard": UuidRepresentation.STANDARD,
    "python_legacy": UuidRepresentation.PYTHON_LEGACY,
    "java_legacy": UuidRepresentation.JAVA_LEGACY,
    "csharp_legacy": UuidRepresentation.CSHARP_LEGACY,
}
"""How a UUID of the subtype 3 is written, by the setting; `standard` stands for: it is not known to be one."""
LEGACY_SUBTYPE: Final = 3
EXACT: Final = CodecOptions[dict[str, Any]](
    tz_aware=False,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)
"""Decodes so that what is encoded again is the same."""
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC, as are all that have no zone
_CYCLE_DAYS: Final = 146_097
"""Days after which the calendar begins anew: of 400 years."""
_FLAGS: Final = {
    re.IGNORECASE: "i",
    re.LOCALE: "l",
    re.MULTILINE: "m",
    re.DOTALL: "s",
    re.UNICODE: "u",
    re.VERBOSE: "x",
}


class Hex(str):
    """An ObjectId, as its 24 digits."""

    __slots__ = ()


class Word(str):
    """A text that stands for a value that is none."""

    __slots__ = ()


class Moment(datetime):
    """The seconds of a timestamp, which is what the server itself uses for the order of changes."""


def codec(uuid_representation: str) -> CodecOptions[dict[str, Any]]:
    """Return what decodes documents into what an index takes.

    Instants have no zone, and are in UTC. What is of the types `Hex`, `Word` and `Moment`, and other subclasses of
    Python's own types, is an id that has to be looked at again: it says less than the value did.
    """
    representation = REPRESENTATIONS[uuid_representation]

    def of_binary(value: Binary) -> bytes | UUID:
        if value.subtype == UUID_SUBTYPE and len(value) == 16:
            return value.as_uuid(UuidRepresentation.STANDARD)
        known = representation is not UuidRepresentation.STANDARD
        if value.subtype == LEGACY_SUBTYPE and known and len(value) == 16:
            return value.as_uuid(representation)
        return bytes(value)

    conversions: dict[type, Callable[[Any], Any]] = {**_CONVERSIONS, Binary: of_binary}
    return CodecOptions[dict[str, Any]](
        tz_aware=False,
        uuid_representation=UuidRepresentation.UNSPECIFIED,
        type_registry=TypeRegistry([_decoder(kind, convert) for kind, convert in conversions.items()]),
        datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    )


def instant_text(milliseconds: int) -> str:
    """Return an instant of any year as ISO 8601 has it; before the year 0 and after 9999 it has a sign."""
    days, rest = divmod(milliseconds, 86_400_000)
    cycles, days = divmod(days, _CYCLE_DAYS)
    found = _EPOCH + timedelta(days=days, milliseconds=rest)
    year = found.year + 400 * cycles
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04}-{found:%m-%dT%H:%M:%S}.{found.microsecond // 1000:03}+00:00"


def _decoder(kind: type, convert: Callable[[Any], Any]) -> TypeDecoder:
    """Return a conversion as the driver wants it: an object of a class of its own."""
    found: TypeDecoder = type(
        "_Decoder", (TypeDecoder,), {"bson_type": kind, "transform_bson": staticmethod(convert)}
    )()
    return found


def _of_regex(value: "Regex[str]") -> Word:
    return Word(f"/{value.pattern}/{''.join(letter for flag, letter in _FLAGS.items() if value.flags & flag)}")


def _of_timestamp(value: Timestamp) -> Moment:
    found = datetime.fromtimestamp(value.time, UTC)
    return Moment(found.year, found.month, found.day, found.hour, found.minute, found.second)


def _of_code(value: Code) -> object:
    return Word(value) if value.scope is None else {"code": str(value), "scope": value.scope}


_CONVERSIONS: Final[dict[type, Callable[[Any], Any]]] = {
    ObjectId: lambda value: Hex(value.binary.hex()),
    Decimal128: Decimal128.to_decimal,
    Regex: _of_regex,
    Timestamp: _of_timestamp,
    DatetimeMS: lambda value: Word(instant_text(int(value))),
    MinKey: lambda _: Word("MinKey"),
    MaxKey: lambda _: Word("MaxKey"),
    Code: _of_code,
    DBRef: lambda value: dict(value.as_doc()),
}
