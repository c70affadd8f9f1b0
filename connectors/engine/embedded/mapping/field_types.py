"""Types of fields: how values are read, stored, compared and shown."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from connectors.engine.embedded.mapping.date_math import evaluate, parse_refusal
from connectors.engine.embedded.mapping.date_patterns import BadDate
from connectors.engine.embedded.mapping.dates import DEFAULT_FORMAT, DateFormat, UnknownFormat, date_format
from connectors.engine.embedded.mapping.java_numbers import text_of
from connectors.engine.embedded.refusal import illegal_argument, not_implemented

Value = int | float | str
MOST_TERM_BYTES: Final = 32_766


class Malformed(ValueError):
    """Raised when a field can't have a value; `kind` is the type of the error that Elasticsearch names as its cause."""

    def __init__(self, reason: str, kind: str = "illegal_argument_exception") -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


@dataclass(frozen=True)
class Bound:
    """One end of a range, in the terms of stored values; it may be included though the query excludes it."""

    value: Value
    inclusive: bool


class FieldType(ABC):
    """What the fields of one type have in common; the parameters that change how values are read are part of it."""

    name: ClassVar[str]
    searchable: ClassVar[bool] = True

    @property
    def null_value(self) -> Value | None:
        """Return what a null of a document is stored as, None if it is not."""
        return None

    @abstractmethod
    def read(self, raw: object) -> Value | None:
        """Return how a value of a document is stored, None if it is not; raises Malformed.

        The value is neither null nor an array.
        """

    def parse(self, raw: object) -> list[Value]:
        """Return all that a value of a document stores, in the order of doc values; raises Malformed."""
        found: list[Value] = []
        self._collect(raw, found)
        return list(self.order(found))

    def _collect(self, raw: object, into: list[Value]) -> None:
        if isinstance(raw, list):
            for item in raw:
                self._collect(item, into)
            return
        value = self.null_value if raw is None else self.read(raw)
        if value is not None:
            into.append(value)

    def order(self, values: Iterable[Value]) -> tuple[Value, ...]:
        """Return the values of a document as doc values hold them."""
        return tuple(sorted(values))

    @abstractmethod
    def query_value(self, raw: object) -> Value:
        """Return what a query's value is to be compared with; raises Refusal. No stored value may equal it."""

    def terms_value(self, raw: object) -> Value:
        """Return what one of several values of a query is compared with; raises Refusal where one alone would not."""
        return self.query_value(raw)

    def term_bounds(self, raw: object) -> tuple[Bound, Bound] | None:  # noqa: ARG002
        """Return the range that a term query means, None where it means one value."""
        return None

    def query_bound(
        self,
        raw: object,
        *,
        upper: bool,
        inclusive: bool,
        pattern: str | None = None,
        time_zone: str | None = None,
    ) -> Bound:
        """Return the end of a range that `gt`, `gte`, `lt` or `lte` names; raises Refusal."""
        if pattern is not None:
            raise illegal_argument(f"Field of type [{self.name}] does not support DATE formats")
        if time_zone is not None:
            raise illegal_argument(f"Field of type [{self.name}] does not support custom time zones")
        return self._plain_bound(raw, upper=upper, inclusive=inclusive)

    def _plain_bound(self, raw: object, *, upper: bool, inclusive: bool) -> Bound:  # noqa: ARG002
        return Bound(self.query_value(raw), inclusive)

    def show(self, value: Value, pattern: str | None = None) -> object:
        """Return what `docvalue_fields` answers for a stored value."""
        if pattern is not None and pattern != "use_field_mapping":
            raise not_implemented(f"formats of the type [{self.name}]")
        return value


@dataclass(frozen=True)
class Keyword(FieldType):
    """keyword: a text as it is."""

    name: ClassVar[str] = "keyword"
    ignore_above: int | None = None
    null_value: str | None = None
    limited: bool = True

    def read(self, raw: object) -> str | None:
        """Return the text, None for one that is longer than `ignore_above`."""
        text = raw if type(raw) is str else document_text(raw)
        if not text.isascii():
            return self._beyond_ascii(text)
        if self.ignore_above is not None and len(text) > self.ignore_above:
            return None
        if len(text) > MOST_TERM_BYTES and self.limited:
            raise _immense()
        return text

    def _beyond_ascii(self, text: str) -> str | None:
        # Java counts characters beyond the first 65,536 twice, and writes half of one as a question mark.
        if self.ignore_above is not None and len(text.encode("utf-16-le", "surrogatepass")) // 2 > self.ignore_above:
            return None
        encoded = text.encode("utf-8", "replace")
        if len(encoded) > MOST_TERM_BYTES and self.limited:
            raise _immense()
        return encoded.decode()

    def order(self, values: Iterable[Value]) -> tuple[Value, ...]:
        """Return each text once, sorted."""
        return tuple(sorted(set(values)))

    def query_value(self, raw: object) -> str:
        """Return the text that a query means."""
        return text_of(raw)


def _immense() -> Malformed:
    return Malformed(f"Document contains at least one immense term (longer than {MOST_TERM_BYTES} bytes in UTF-8)")


def document_text(raw: object) -> str:
    """Return a value of a document as a text; raises Malformed for an object."""
    if isinstance(raw, dict):
        raise Malformed("Expected text but found START_OBJECT")
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw)


@dataclass(frozen=True)
class Text(FieldType):
    """text: analyzed, and without doc values."""

    name: ClassVar[str] = "text"
    norms: bool = True

    def read(self, raw: object) -> str:
        """Return the text."""
        return raw if type(raw) is str else document_text(raw)

    def order(self, values: Iterable[Value]) -> tuple[Value, ...]:
        """Return the texts in the order of the document."""
        return tuple(values)

    def query_value(self, raw: object) -> str:
        """Return the term that a query means."""
        return text_of(raw)


_BOOLEANS: Final[dict[object, int]] = {"true": 1, "false": 0, "": 0}


@dataclass(frozen=True)
class Boolean(FieldType):
    """boolean: stored as 1 and 0."""

    name: ClassVar[str] = "boolean"
    null_value: int | None = None

    def read(self, raw: object) -> int:
        """Return 1 or 0; the empty text is false."""
        if raw is True:
            return 1
        if raw is False:
            return 0
        if isinstance(raw, str):
            value = _BOOLEANS.get(raw)
            if value is None:
                raise Malformed(f"Failed to parse value [{raw}] as only [true] or [false] are allowed.")
            return value
        token = {int: "VALUE_NUMBER_INT", float: "VALUE_NUMBER_FLOAT"}.get(type(raw), "START_OBJECT")
        raise Malformed(f"Current token ({token}) not of boolean type", "x_content_parse_exception")

    def query_value(self, raw: object) -> int:
        """Return 1 or 0; the empty text is refused here."""
        text = text_of(raw)
        if text not in ("true", "false"):
            raise illegal_argument(f"Can't parse boolean value [{text}], expected [true] or [false]")
        return int(text == "true")

    def show(self, value: Value, pattern: str | None = None) -> object:
        """Return true or false."""
        return bool(super().show(value, pattern))


@dataclass(frozen=True)
class Date(FieldType):
    """date: milliseconds since the epoch. `now` is asked once for each date of a query that names it."""

    name: ClassVar[str] = "date"
    form: DateFormat = date_format(DEFAULT_FORMAT)
    null_value: int | None = None
    clock: Callable[[], float] = time.time

    def read(self, raw: object) -> int:
        """Return the time; a number is read like its text."""
        text = raw if type(raw) is str else document_text(raw)
        if not text:
            raise Malformed("cannot parse empty datetime")
        try:
            return self.form.parse(text)
        except BadDate:
            raise Malformed(f"failed to parse date field [{text}] with format [{self.form.text}]") from None

    def query_value(self, raw: object) -> int:
        """Return the first moment that a query's value means."""
        return self._evaluate(raw, round_up=False)

    def _evaluate(
        self, raw: object, *, round_up: bool, pattern: str | None = None, time_zone: str | None = None
    ) -> int:
        form = self.form
        if pattern is not None:
            form = query_format(pattern)
        elif isinstance(raw, (int, float)) and not isinstance(raw, bool):
            form = date_format("epoch_millis")
        try:
            at = evaluate(text_of(raw), form, now_ms=int(self.clock() * 1_000), round_up=round_up, time_zone=time_zone)
        except BadDate:
            raise illegal_argument(f"Unknown time-zone ID: {time_zone}") from None
        if not -(2**63) <= at < 2**63:
            raise parse_refusal(f"The date [{text_of(raw)}] is out of range")
        return at

    def term_bounds(self, raw: object) -> tuple[Bound, Bound]:
        """Return the whole day, month or whatever a date names."""
        low, high = self._evaluate(raw, round_up=False), self._evaluate(raw, round_up=True)
        return Bound(low, inclusive=True), Bound(high, inclusive=True)

    def query_bound(
        self,
        raw: object,
        *,
        upper: bool,
        inclusive: bool,
        pattern: str | None = None,
        time_zone: str | None = None,
    ) -> Bound:
        """Return the end of the range: `gt` a day begins after it, `lte` a day ends with it."""
        at = self._evaluate(raw, round_up=upper == inclusive, pattern=pattern, time_zone=time_zone)
        if not inclusive:
            at += -1 if upper else 1
        return Bound(max(-(2**63), min(at, 2**63 - 1)), inclusive=True)

    def show(self, value: Value, pattern: str | None = None) -> object:
        """Return the time as the format writes it."""
        form = self.form if pattern is None or pattern == "use_field_mapping" else query_format(pattern)
        return form.show(int(value))


def query_format(pattern: str) -> DateFormat:
    """Return the format that a query names; raises Refusal."""
    try:
        return date_format(pattern)
    except UnknownFormat as error:
        raise illegal_argument(str(error)) from None


@dataclass(frozen=True)
class Binary(FieldType):
    """binary: base64, kept in the source and never searched; it is only checked if `stored`, as Elasticsearch does."""

    name: ClassVar[str] = "binary"
    searchable: ClassVar[bool] = False
    stored: bool = False

    def read(self, raw: object) -> None:
        """Check that it is base64."""
        if isinstance(raw, dict):
            raise Malformed("Malformed content, found an object")
        if not self.stored:
            return
        if not isinstance(raw, str):
            raise Malformed("Current token not VALUE_STRING, can not access as binary", "x_content_parse_exception")
        bare = "".join(raw.split())
        body = bare.rstrip("=")
        if (
            len(bare) % 4
            or len(bare) - len(body) > 2
            or not all(c.isascii() and (c.isalnum() or c in "+/") for c in body)
        ):
            raise Malformed("Failed to decode VALUE_STRING as base64 (MIME-NO-LINEFEEDS)", "x_content_parse_exception")

    def query_value(self, raw: object) -> str:
        """Refuse it."""
        del raw
        raise illegal_argument("Binary fields do not support searching")
