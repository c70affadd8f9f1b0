"""A field: one setting of a source, with its type, its default, what it may hold and how it is shown."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from connectors.errors import ConfigurationError
from connectors.pattern import InvalidPattern, Pattern
from connectors.secret import MASK

Wire = dict[str, Any]
TYPES: Final[Mapping[type, str]] = {str: "str", int: "int", float: "float", bool: "bool", list: "list", Path: "str"}
"""The types that a field may have, and what the protocol calls them. A `Path` is one below `allowed_paths`."""
_TRUE: Final = ("true", "t", "yes", "y", "on", "1")
_FALSE: Final = ("false", "f", "no", "n", "off", "0")


class Uncastable(ValueError):
    """A value that is not of its field's type; the message says what it should be."""


@dataclass(frozen=True)
class Field:
    """One setting of a source.

    A field without a default has to be set, unless `required` says otherwise. A sensitive one is a `Secret` in the
    source's hands and prints as `***`. `depends_on` names other fields with the values that make this one count, and
    `options` the values to choose from with their labels. `shapes` says whether it has a part in which documents there
    are and what they hold; False is for connections, paging and the like, so that a change of them does not read
    everything again. Secrets never count.
    """

    name: str
    label: str
    _: KW_ONLY
    type: type = str
    default: Any = field(default=None, repr=False)
    value: Any = field(default=None, repr=False)
    example: Any = field(default=None, repr=False)
    tooltip: str | None = None
    required: bool | None = None
    sensitive: bool = False
    advanced: bool = False
    multiline: bool = False
    options: Mapping[Any, str] = field(default_factory=dict)
    depends_on: Mapping[str, Any] = field(default_factory=dict)
    greater_than: float | None = None
    less_than: float | None = None
    included_in: Sequence[Any] = ()
    pattern: str | None = None
    list_type: Literal["str", "int"] | None = None
    shapes: bool = True

    def __post_init__(self) -> None:
        """Refuse a declaration that can't be kept."""
        if self.type not in TYPES:
            raise ConfigurationError(f"A field has no type {self.type!r}.", field=self.name)
        if self.sensitive and self.type is not str:
            raise ConfigurationError("A sensitive field is a text.", field=self.name)
        if (self.greater_than, self.less_than) != (None, None) and self.type not in {int, float}:
            raise ConfigurationError("Only a number is greater or less than something.", field=self.name)
        try:
            _ = self._expression
        except InvalidPattern as error:
            raise ConfigurationError(f"The pattern {self.pattern!r} is wrong: {error}.", field=self.name) from None
        for given in (self.default, self.value, self.example):
            for fault in self.faults(given):
                raise ConfigurationError(f"The declared value {given!r} {fault}", field=self.name)

    @property
    def has_to_be_set(self) -> bool:
        """Whether there is nothing to use in its place when it is empty."""
        return self.required if self.required is not None else self.default is None and self.type is not bool

    @property
    def shapes_documents(self) -> bool:
        """Whether a change of it may change what is indexed."""
        return self.shapes and not self.sensitive

    @cached_property
    def _expression(self) -> Pattern | None:
        return None if self.pattern is None else Pattern(self.pattern, whole=True)

    def cast(self, value: object) -> Any:  # noqa: ANN401 - of the field's type
        """Return a value as one of the field's type; None for an empty one. Raises `Uncastable`."""
        if self.type is list:
            return _list_of(value, self.list_type)
        if value is None or value == "":
            return "" if self.type is str else None
        return _CASTS[self.type](value)

    def effective(self, value: object) -> Any:  # noqa: ANN401 - as above
        """Return what counts: the value, or the default where it is empty and need not be set. Raises `Uncastable`."""
        found = self.cast(value)
        if is_empty(found) and not self.has_to_be_set and self.default is not None:
            found = self.cast(self.default)
        return False if found is None and self.type is bool else found

    def faults(self, value: object, *, masked: bool = False) -> Iterator[str]:
        """Yield what is wrong with a value that is not empty, as the end of a sentence that begins with its name."""
        show = (lambda _: MASK) if masked or self.sensitive else _shown
        try:
            found = self.cast(value)
        except Uncastable as error:
            yield f"has to be {error}, not {show(value)}."
            return
        if is_empty(found):
            return
        for one in found if self.type is list else [found]:
            yield from self._faults_of(one, show(one))

    def _faults_of(self, value: Any, shown: str) -> Iterator[str]:  # noqa: ANN401
        if self.greater_than is not None and not value > self.greater_than:
            yield f"has to be greater than {self.greater_than:g}, not {shown}."
        if self.less_than is not None and not value < self.less_than:
            yield f"has to be less than {self.less_than:g}, not {shown}."
        for allowed in (self.included_in, self.options):
            if allowed and value not in list(allowed):
                yield f"has to be one of {', '.join(map(str, allowed))}, not {shown}."
        if self._expression is not None and not self._expression.matches(str(value)):
            yield f"has to match {self.pattern}, which {shown} does not."

    def shown(self, value: object) -> str:
        """Return a value as it may be printed."""
        return MASK if self.sensitive else _shown(value)

    @property
    def initial(self) -> Any:  # noqa: ANN401
        """The value that a new connector begins with."""
        given = self.value if self.value is not None else self.default
        if given is None:
            return False if self.type is bool else [] if self.type is list else ""
        return str(given) if self.type is Path else given

    @property
    def display(self) -> str:
        """How Kibana's form shows it."""
        if self.options:
            return "dropdown"
        if self.multiline:
            return "textarea"
        return {bool: "toggle", int: "numeric", float: "numeric"}.get(self.type, "text")

    @property
    def validations(self) -> list[Wire]:
        """What it may hold, as the protocol says it."""
        kinds = {
            "greater_than": self.greater_than,
            "less_than": self.less_than,
            "included_in": list(self.included_in) or None,
            "regex": self.pattern,
            "list_type": self.list_type,
        }
        return [{"type": kind, "constraint": value} for kind, value in kinds.items() if value is not None]


def _shown(value: object) -> str:
    return repr(str(value) if isinstance(value, Path) else value)


def is_empty(value: object) -> bool:
    """Return whether a value, cast, counts as none."""
    if isinstance(value, list):
        return all(one in ("", None) for one in value)
    return value is None or value == ""


def _text(value: object) -> str:
    if isinstance(value, list | dict | set):
        raise Uncastable("a text")
    return str(value)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _TRUE + _FALSE:
        raise Uncastable("true or false")
    return word in _TRUE


def _whole(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return int(value)
        except ValueError:
            pass
    raise Uncastable("a whole number")


def _number(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise Uncastable("a number")


_CASTS: Final[Mapping[type, Callable[[object], Any]]] = {
    bool: _flag,
    int: _whole,
    float: _number,
    str: _text,
    Path: lambda value: Path(_text(value)),
}


def _list_of(value: object, items: str | None) -> list[Any]:
    match value:
        case None:
            return []
        case str():
            parts: list[Any] = [part.strip() for part in value.split(",") if part.strip()]
        case list() | tuple():
            parts = list(value)
        case set() | frozenset():
            parts = sorted(value, key=str)
        case dict():
            parts = list(value.items())
        case _:
            parts = [value]
    if items == "int":
        try:
            return [_whole(part) for part in parts]
        except Uncastable:
            raise Uncastable("a list of whole numbers") from None
    return [_text(part) for part in parts] if items == "str" else parts
