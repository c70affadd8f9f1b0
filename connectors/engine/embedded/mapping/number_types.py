"""Types of numbers: whole ones, and those with a fraction."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from connectors.engine.embedded.mapping.field_types import Bound, FieldType, Malformed
from connectors.engine.embedded.mapping.java_numbers import NoNumber, parse_decimal, parse_double, text_of
from connectors.engine.embedded.refusal import Refusal, illegal_argument


@dataclass(frozen=True)
class Whole(FieldType):
    """Whole numbers of so many bits."""

    bits: ClassVar[int]
    coerce: bool = True
    null_value: int | None = None

    def read(self, raw: object) -> int | None:
        """Return the whole number; a fraction is cut off."""
        most = 1 << (self.bits - 1)
        if type(raw) is int:
            if -most <= raw < most:
                return raw
            raise Malformed(self._out_of_range(raw))
        if isinstance(raw, str):
            if not self.coerce:
                raise Malformed(f"{self._title} value passed as String")
            if not raw:
                return self.null_value
            number = self._of_text(raw)
        elif isinstance(raw, float):
            number = raw
            if not self.coerce and not number.is_integer() and math.isfinite(number):
                raise Malformed(f"{text_of(raw)} cannot be converted to {self._title} without data loss")
        else:
            raise not_numeric(raw)
        whole = self._whole(number)
        if whole is None:
            raise Malformed(self._out_of_range(raw))
        return whole

    def _whole(self, number: float) -> int | None:
        """Return what Java makes of a number, None if it is out of range."""
        most = 1 << (self.bits - 1)
        if math.isnan(number):
            return 0
        if math.isinf(number):
            return None
        if self.bits == 64 and number == most and isinstance(number, float):
            # A double can't tell 2^63 from its predecessor, so that is what it becomes.
            return most - 1
        if self.bits == 32 and not -most <= number <= most - 1:
            return None
        whole = int(number)
        return whole if -most <= whole < most else None

    @property
    def _title(self) -> str:
        return self.name.capitalize()

    def _of_text(self, text: str) -> int | float:
        try:
            return parse_decimal(text) if self.bits == 64 else parse_double(text)
        except NoNumber as error:
            kind = "illegal_argument_exception" if self.bits == 64 else "number_format_exception"
            raise Malformed(str(error), kind) from None

    def _out_of_range(self, raw: object) -> str:
        article = "an" if self.name == "integer" else "a"
        return f"Value [{text_of(raw)}] is out of range for {article} {self.name}"

    def query_value(self, raw: object) -> int | float:
        """Return the number; one with a fraction or out of range equals no stored one."""
        number = self._query_number(raw)
        if isinstance(number, int):
            return number if -(2**63) <= number < 2**63 else float(number)
        return int(number) if number.is_integer() and abs(number) < 2**63 else number

    def _query_number(self, raw: object) -> int | float:
        if isinstance(raw, (int, float)) and not isinstance(raw, bool):
            return raw if isinstance(raw, float) or abs(raw) <= 2**1000 else math.copysign(math.inf, raw)
        text = text_of(raw)
        try:
            if self.bits != 64:
                number = parse_double(text)
                return math.inf if math.isnan(number) else number
            return math.inf if text == "NaN" else parse_decimal(text)
        except NoNumber as error:
            raise Refusal(400, "number_format_exception", str(error)) from None

    def _plain_bound(self, raw: object, *, upper: bool, inclusive: bool) -> Bound:  # noqa: ARG002
        return Bound(self.terms_value(raw), inclusive)

    def terms_value(self, raw: object) -> int | float:
        """Return the number; one that no whole number of at least 32 bits can be is refused."""
        number = self.query_value(raw)
        most = 1 << (max(self.bits, 32) - 1)
        if not -most <= int(number if math.isfinite(number) else math.copysign(2**64, number)) < most:
            name = "a long" if self.bits == 64 else "an integer"
            raise illegal_argument(f"Value [{text_of(raw)}] is out of range for {name}")
        return number


def not_numeric(raw: object) -> Malformed:
    """Return why a boolean or an object is no number."""
    if isinstance(raw, dict):
        return Malformed("Cannot parse object as number")
    token = "VALUE_TRUE" if raw is True else "VALUE_FALSE"
    return Malformed(
        f"Current token ({token}) not numeric, can not use numeric value accessors", "x_content_parse_exception"
    )


@dataclass(frozen=True)
class Floating(FieldType):
    """Floating point numbers; `code` is how one is packed, and so how exact it is."""

    code: ClassVar[str]
    coerce: bool = True
    null_value: float | None = None

    def read(self, raw: object) -> float | None:
        """Return the number as exactly as the type holds it."""
        if isinstance(raw, float):
            number = raw
        elif type(raw) is int:
            number = _as_float(raw)
        elif isinstance(raw, str):
            if not self.coerce:
                raise Malformed(f"{self.name.capitalize()} value passed as String")
            if not raw:
                return self.null_value
            try:
                number = parse_double(raw)
            except NoNumber as error:
                raise Malformed(str(error), "number_format_exception") from None
        else:
            raise not_numeric(raw)
        rounded = number if self.code == "d" else _rounded(self.code, number)
        if not math.isfinite(rounded):
            shown = number if self.code == "e" else rounded
            raise Malformed(f"[{self.name}] supports only finite values, but got [{text_of(shown)}]")
        return rounded

    def query_value(self, raw: object) -> float:
        """Return the number, rounded as stored ones are; what is not finite equals no stored one."""
        number = _rounded(self.code, self._query_number(raw))
        return math.inf if math.isnan(number) else number

    def terms_value(self, raw: object) -> float:
        """Return the number; one that is not finite is refused."""
        number = self.query_value(raw)
        if not math.isfinite(number):
            shown = number if self.code == "f" else self._query_number(raw)
            raise illegal_argument(f"[{self.name}] supports only finite values, but got [{text_of(shown)}]")
        return number

    def _query_number(self, raw: object) -> float:
        if isinstance(raw, (int, float)) and not isinstance(raw, bool):
            return _as_float(raw)
        try:
            return parse_double(text_of(raw))
        except NoNumber as error:
            raise Refusal(400, "number_format_exception", str(error)) from None

    def _plain_bound(self, raw: object, *, upper: bool, inclusive: bool) -> Bound:
        number = self._query_number(raw)
        if math.isnan(number):
            # Java sorts it above everything else.
            return Bound(math.inf, upper)
        return Bound(number if self.code == "d" else _rounded("f", number), inclusive)


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number)


def single(number: float) -> float:
    """Return the float of 32 bits that is nearest to a number."""
    return _rounded("f", number)


def shortest(number: float) -> float:
    """Return the number with the fewest digits that a float can't tell from this one, which is what Java prints."""
    for digits in range(1, 10):
        short = float(f"{number:.{digits}g}")
        if single(short) == number:
            return short
    return number


def _rounded(code: str, number: float) -> float:
    try:
        rounded: float = struct.unpack(code, struct.pack(code, number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)
    return rounded


class Long(Whole):
    """long."""

    name = "long"
    bits = 64


class Integer(Whole):
    """integer."""

    name = "integer"
    bits = 32


class Short(Whole):
    """short."""

    name = "short"
    bits = 16


class Byte(Whole):
    """byte."""

    name = "byte"
    bits = 8


class Double(Floating):
    """double."""

    name = "double"
    code = "d"


class Float(Floating):
    """float."""

    name = "float"
    code = "f"


class HalfFloat(Floating):
    """half_float."""

    name = "half_float"
    code = "e"


WHOLE_TYPES: Final[Mapping[str, type[Whole]]] = {kind.name: kind for kind in (Long, Integer, Short, Byte)}
FLOATING_TYPES: Final[Mapping[str, type[Floating]]] = {kind.name: kind for kind in (Double, Float, HalfFloat)}
