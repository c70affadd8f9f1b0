"""Numbers as Java reads and writes them."""

import math
import re
from decimal import Decimal, InvalidOperation
from typing import Final

_DECIMAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?", re.ASCII)
_HEX: Final = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+[fFdD]?", re.ASCII)
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf}
_MOST_EXPONENT: Final = 1_000
_BLANKS: Final = "".join(map(chr, range(33)))


class NoNumber(ValueError):
    """Raised when a text is no number."""


def parse_double(text: str) -> float:
    """Return what `Double.parseDouble` does, which takes blanks, suffixes and hexadecimal digits; raises NoNumber."""
    bare = text.strip(_BLANKS)
    if not bare:
        raise NoNumber("empty String")
    special = _SPECIAL.get(bare.lstrip("+-"))
    if special is not None and len(bare) - len(bare.lstrip("+-")) <= 1:
        return -special if bare[0] == "-" else special
    if _DECIMAL.fullmatch(bare):
        return float(bare.rstrip("fFdD"))
    if _HEX.fullmatch(bare):
        try:
            return float.fromhex(bare.rstrip("fFdD") if bare[-1] in "fFdD" else bare)
        except OverflowError:
            return math.inf
    raise NoNumber(f'For input string: "{text}"')


def parse_decimal(text: str) -> int | float:
    """Return a text as a whole number, or as a fraction; one beyond 64 bits is a float. Raises NoNumber."""
    if not text:
        raise NoNumber("empty String")
    try:
        if text.lstrip("+-").isdecimal() and len(text) - len(text.lstrip("+-")) <= 1:
            whole = int(text)
            return whole if -(2**63) <= whole < 2**63 else float(whole)
        if "_" in text or text != text.strip():
            raise NoNumber(f'For input string: "{text}"')
        number = Decimal(text)
    except (InvalidOperation, OverflowError, ValueError):
        raise NoNumber(f'For input string: "{text}"') from None
    if not number.is_finite():
        raise NoNumber(f'For input string: "{text}"')
    if number and abs(number.adjusted()) > _MOST_EXPONENT:
        if abs(number.adjusted()) > 2**31 - 1:
            raise NoNumber(f'For input string: "{text}"')
        return math.copysign(math.inf if number.adjusted() > 0 else 5e-324, number)
    whole = int(number)
    if whole == number:
        return whole if -(2**63) <= whole < 2**63 else float(number)
    if abs(whole) >= 2**53:
        # A float would lose the fraction, and so become another whole number.
        return whole if -(2**63) <= whole < 2**63 else float(number)
    return float(number)


def double_text(number: float) -> str:
    """Return what `Double.toString` does."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return f"{Decimal(repr(number)):f}"
    exact = Decimal(repr(number))
    digits = "".join(map(str, exact.as_tuple().digits)).rstrip("0")
    return f"{'-' if number < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{exact.adjusted()}"


def text_of(raw: object) -> str:
    """Return a value of a request as Java prints it."""
    match raw:
        case bool():
            return "true" if raw else "false"
        case float():
            return double_text(raw)
        case None:
            return "null"
        case dict():
            return "{" + ", ".join(f"{key}={text_of(value)}" for key, value in raw.items()) + "}"
        case list():
            return "[" + ", ".join(map(text_of, raw)) + "]"
    return str(raw)
