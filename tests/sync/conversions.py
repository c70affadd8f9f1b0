"""The conversions that docs/documents.md promises, each with the JSON that comes out; and any object at all."""

import math
from collections import ChainMap, OrderedDict, deque, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

Point = namedtuple("Point", "x y")  # noqa: PYI024 - as drivers make them


class Color(Enum):
    RED = "red"
    BOTH = ("red", Decimal("1.50"))


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class Named(StrEnum):
    """Texts whose value is another one: it is the text that counts, as for every subclass."""

    ONE = "one"

    def __new__(cls, text: str) -> Self:
        one = str.__new__(cls, text)
        one._value_ = text.upper()
        return one


class Text(str):
    """A text that shows itself otherwise."""

    __slots__ = ()

    def __str__(self) -> str:
        return "shown"


class Share(float):
    """A float of a type of its own."""


class ObjectId:
    """As the one of BSON, which is not installed."""

    def __str__(self) -> str:
        return "507f1f77bcf86cd799439011"


class Decimal128:
    def to_decimal(self) -> Decimal:
        return Decimal("9.990")


class NaT(datetime):
    """As the one of pandas: an instant that is none."""

    __hash__ = datetime.__hash__

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True


@dataclass
class Owner:
    name: str
    born: date
    _note: bytes = b"\x00"


NOW = datetime(2024, 1, 2, 3, 4, 5, 120000, tzinfo=UTC)
AMSTERDAM_1930 = datetime(1930, 1, 1, tzinfo=timezone(timedelta(minutes=19, seconds=32)))
BERLIN = datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
CONVERSIONS: list[tuple[object, str]] = [
    (None, "null"),
    ("é😀\x00\u2028", '"é😀\\u0000\u2028"'),
    (Text("raw"), '"raw"'),
    (2**64 - 1, "18446744073709551615"),
    (2**64, "18446744073709551616"),
    (-(2**63) - 1, "-9223372036854775809"),
    (-(2**63), "-9223372036854775808"),
    (1.0, "1.0"),
    (math.nan, "null"),
    (math.inf, "null"),
    (-math.inf, "null"),
    (Share(1.5), "1.5"),
    (Share("nan"), "null"),
    (Decimal("5.00"), "5.00"),
    (Decimal("0.1000000000000000000000000000000000001"), "0.1000000000000000000000000000000000001"),
    (Decimal("1E+3"), "1E+3"),
    (Decimal("-0"), "-0"),
    (Decimal("NaN"), "null"),
    (Decimal("sNaN"), "null"),
    (Decimal("-Infinity"), "null"),
    (NOW, '"2024-01-02T03:04:05.120000+00:00"'),
    (NOW.replace(tzinfo=None), '"2024-01-02T03:04:05.120000+00:00"'),
    (NOW.replace(microsecond=0), '"2024-01-02T03:04:05+00:00"'),
    (NOW.replace(tzinfo=timezone(timedelta(hours=-5, minutes=-30))), '"2024-01-02T03:04:05.120000-05:30"'),
    (BERLIN, '"2024-07-01T12:00:00+02:00"'),
    (AMSTERDAM_1930, '"1929-12-31T23:40:28+00:00"'),
    (datetime.min.replace(tzinfo=UTC), '"0001-01-01T00:00:00+00:00"'),
    (NaT(2024, 1, 1), "null"),
    (date(24, 1, 2), '"0024-01-02"'),
    (time(3, 4), '"03:04:00"'),
    (time(3, 4, 5, 6, tzinfo=UTC), '"03:04:05.000006+00:00"'),
    (timedelta(days=1, microseconds=5), "86400.000005"),
    (timedelta(microseconds=-1), "-0.000001"),
    (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    (b"\x00\xff", '"AP8="'),
    (bytearray(b"a"), '"YQ=="'),
    (memoryview(b"abc")[::2], '"YWM="'),
    (ObjectId(), '"507f1f77bcf86cd799439011"'),
    (Decimal128(), "9.990"),
    (PurePosixPath("/a/b"), '"/a/b"'),
    (PureWindowsPath("c:/a"), '"c:\\\\a"'),
    (ip_address("::1"), '"::1"'),
    (ip_network("10.0.0.0/8"), '"10.0.0.0/8"'),
    (Color.RED, '"red"'),
    (Color.BOTH, '["red",1.50]'),
    (Level.HIGH, "3"),
    (Word.YES, '"yes"'),
    (Named.ONE, '"one"'),
    ((1, "a"), '[1,"a"]'),
    (Point(1, Decimal(2)), "[1,2]"),
    (deque([1, 2]), "[1,2]"),
    ({"b", "a", "é"}, '["a","b","é"]'),
    (frozenset({10, 9, 1.5, None, "1"}), '["1",1.5,10,9,null]'),
    ({frozenset({2, 1}), (1, 2), Decimal(3), UUID(int=0)}, '["00000000-0000-0000-0000-000000000000",3,[1,2],[1,2]]'),
    (OrderedDict(b=1, a=2), '{"a":2,"b":1}'),
    (MappingProxyType({"b": 1, "a": {1}}), '{"a":[1],"b":1}'),
    (ChainMap({"b": 1}, {"a": 2}), '{"a":2,"b":1}'),
    (Owner("ann", date(1990, 1, 2)), '{"_note":"AA==","born":"1990-01-02","name":"ann"}'),
    ("a\ud800", '"a\ufffd"'),
    ("\ud83d\ude00 \ude00", '"😀 \ufffd"'),
    ({"a\ud800": 1}, '{"a\ufffd":1}'),
    ({2: "a", None: "b", True: "c", 1.5: "d"}, '{"1.5":"d","2":"a","null":"b","true":"c"}'),
    ({NOW: 1, Color.RED: 2, Word.YES: 3, UUID(int=0): 4, b"a": 5},
     '{"00000000-0000-0000-0000-000000000000":4,"2024-01-02T03:04:05.120000+00:00":1,"YQ==":5,"red":2,"yes":3}'),
    (np.int64(5), "5"),
    (np.bool_(True), "true"),
    (np.float64("nan"), "null"),
    (np.float32(0.5), "0.5"),
    (np.str_("a"), '"a"'),
    (np.bytes_(b"a"), '"YQ=="'),
    (np.datetime64("2024-01-02"), '"2024-01-02"'),
    (np.datetime64("2024-01-02T03"), '"2024-01-02T03:00:00+00:00"'),
    (np.datetime64("2024-01-02T03:04:05.123456789"), '"2024-01-02T03:04:05.123456789+00:00"'),
    (np.datetime64("20240-01-02"), '"20240-01-02"'),
    (np.datetime64("NaT"), "null"),
    (np.timedelta64(1500, "ms"), "1.500000"),
    (np.timedelta64("NaT"), "null"),
    (np.arange(4).reshape(2, 2), "[[0,1],[2,3]]"),
    (np.array(5.0), "5.0"),
    (np.array(["2024-01-02T03:04:05.000000001"], "datetime64[ns]"), '["2024-01-02T03:04:05.000000001+00:00"]'),
    (np.array("2024-01-02", "datetime64[D]"), '"2024-01-02"'),
    (np.ma.masked_array([1, 2], [False, True]), "[1,null]"),
]  # fmt: skip


class Hostile(dict[str, Any]):
    """A mapping that raises when it is read as one."""

    def items(self) -> Any:
        raise ValueError("no")


def plain_values() -> st.SearchStrategy[Any]:
    """Values of JSON, half characters and long integers too."""
    return st.none() | st.booleans() | st.integers() | st.integers(2**63, 2**80) | st.floats() | texts()


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(codec=None, categories=None), max_size=8)


def objects() -> st.SearchStrategy[Any]:
    """Values of any type, known or not, in each other."""
    hashable = st.one_of(
        plain_values(),
        st.decimals().filter(lambda number: not number.is_snan()),  # which has no hash
        st.dates(),
        st.times(),
        st.datetimes(),
        st.datetimes(timezones=st.timezones()),
        st.datetimes(timezones=st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)),
        st.timedeltas(),
        st.uuids(),
        st.binary(max_size=8),
        st.ip_addresses(),
        st.fractions(),
        st.complex_numbers(),
        st.sampled_from([Color.RED, Color.BOTH, Level.HIGH, Word.YES, int, ObjectId(), object(), ..., len]),
        st.integers(-(2**62), 2**62).map(lambda n: np.datetime64(n, "ns")),
        st.integers(-(2**62), 2**62).map(lambda n: np.datetime64(n, "h")),
        st.integers(-(2**62), 2**62).map(lambda n: np.timedelta64(n, "D")),
        st.floats(width=32).map(np.float32),
    )
    keys = hashable | st.tuples(hashable)

    def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(texts(), inner, max_size=4),
            st.dictionaries(keys, inner, max_size=4),
            st.sets(keys, max_size=4),
            st.sets(keys, max_size=4).map(frozenset),
            st.dictionaries(texts(), inner, max_size=2).map(MappingProxyType),
            st.builds(Owner, inner, inner),
            st.lists(inner, max_size=2).map(iter),
            st.builds(Hostile),
            st.integers(0, 400).map(nested),
        )

    return st.recursive(hashable, grown, max_leaves=12)


def nested(depth: int) -> object:
    found: object = 1
    for _ in range(depth):
        found = [found]
    return found
