"""A field: one setting of a source, with its type, its default, what it may hold and how it is shown."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal, get_args

from connectors.errors import ConfigurationError
from connectors.fields.casts import Uncastable, cast_to, is_empty, list_of, shown
from connectors.pattern import InvalidPattern, Pattern
from connectors.secret import MASK, without_user_info

TYPES: Final[Mapping[type, str]] = {str: "str", int: "int", float: "float", bool: "bool", list: "list", Path: "str"}
"""The types that a field may have, and what the protocol calls them. A `Path` is one below `allowed_paths`."""
Display = Literal["text", "textarea", "numeric", "dropdown", "toggle"]
MOST_LISTED: Final = 5
_ITEMS: Final[Mapping[str | None, type]] = {"str": str, "int": int}
Rule = tuple[Callable[[Any], bool], str]
"""What a value has to keep, and the words for that."""


@dataclass(frozen=True)
class Field:
    """One setting of a source.

    A field without a default has to be set, unless `required` says otherwise. A sensitive one is a `Secret` in the
    source's hands and prints as `***`. `depends_on` names other fields with the values that make this one count, and
    `options` the values to choose from with their labels. `shapes` says whether it has a part in which documents there
    are and what they hold; False is for connections, paging and the like, so that a change of them does not read
    everything again. Secrets never count.

    A new connector begins with `value`, or the default. Of a list, `included_in`, `options` and `pattern` are for each
    of its elements. `display` and `order` are Kibana's, where they are not what the type and the place suggest.
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
    display: Display | None = None
    order: int | None = None
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
        for mistake in chain(self._mistakes_of_type(), self._mistakes_of_limits()):  # the first ends it
            raise ConfigurationError(mistake, field=self.name)
        for given in (self.default, self.value, self.example):
            for fault in self.faults(given):
                raise ConfigurationError(f"The declared value {self.shown(given)} {fault}", field=self.name)

    @property
    def has_to_be_set(self) -> bool:
        """Whether there is nothing to use in its place when it is empty."""
        return self.required if self.required is not None else self.default is None and self.type is not bool

    @property
    def shapes_documents(self) -> bool:
        """Whether a change of it may change what is indexed."""
        return self.shapes and not self.sensitive

    @property
    def initial(self) -> Any:  # noqa: ANN401 - of the field's type
        """The value that a new connector begins with."""
        for given in (self.value, self.default):
            if given is not None:
                return plain(given)
        return False if self.type is bool else [] if self.type is list else ""

    @property
    def allowed(self) -> list[Any]:
        """The only values that it, or each of its elements, may have; none where any will do."""
        sets = [[self._element(one) for one in several] for several in (self.included_in, self.options) if several]
        return [one for one in sets[0] if all(_holds(others, one) for others in sets)] if sets else []

    def cast(self, value: object) -> Any:  # noqa: ANN401 - as above
        """Return a value as one of the field's type; None for an empty one. Raises `Uncastable`."""
        if self.type is list:
            return list_of(value, _ITEMS.get(self.list_type))
        if is_empty(value):
            return "" if self.type is str else None
        return cast_to(self.type, value)

    def or_default(self, value: object) -> object:
        """Return a value as it is, or the default where it is empty and need not be set."""
        return self.default if not self.has_to_be_set and self.default is not None and self._lacks(value) else value

    def effective(self, value: object) -> Any:  # noqa: ANN401 - as above
        """Return what counts: the value, or the default where it is empty and need not be set. Raises `Uncastable`."""
        found = self.cast(self.or_default(value))
        return False if found is None and self.type is bool and not self.has_to_be_set else found

    def faults(self, value: object, *, masked: bool = False) -> Iterator[str]:
        """Yield what is wrong with a value that is not empty, as the end of a sentence that begins with its name."""
        show = (lambda _: MASK) if masked else self.shown
        try:
            found = self.cast(value)
        except Uncastable as error:
            yield f"has to be {error}, not {show(value)}."
            return
        elements = found if self.type is list else [] if is_empty(found) else [found]
        for keeps, what in self._rules():
            wrong = [show(one) for one in elements if not keeps(one)]
            if wrong:
                more = f" and {len(wrong) - MOST_LISTED} more" if len(wrong) > MOST_LISTED else ""
                yield f"{what}, not {', '.join(wrong[:MOST_LISTED])}{more}."

    def shown(self, value: object) -> str:
        """Return a value as it may be printed: of an address without who logs in."""
        if self.sensitive:
            return MASK
        return shown(without_user_info(value) if isinstance(value, str) else value)

    def _element(self, value: object) -> Any:  # noqa: ANN401 - of the type of the field, or of its elements
        if self.type is list:
            return next(iter(list_of([value], _ITEMS.get(self.list_type))), "")
        return self.cast(value)

    def _lacks(self, value: object) -> bool:
        try:
            return is_empty(self.cast(value))
        except Uncastable:
            return False

    def _rules(self) -> Iterator[Rule]:
        low, high, allowed, pattern = self.greater_than, self.less_than, self.allowed, self.pattern
        if low is not None:
            yield (lambda value: value > low), f"has to be greater than {low}"
        if high is not None:
            yield (lambda value: value < high), f"has to be less than {high}"
        if allowed:
            yield (lambda value: _holds(allowed, value)), f"has to be one of {', '.join(map(str, allowed))}"
        if pattern is not None:
            yield _compiled(pattern).matches, f"has to match {pattern}"

    def _mistakes_of_type(self) -> Iterator[str]:
        if self.type not in TYPES:
            yield f"A field has no type {self.type!r}."
        if self.sensitive and self.type is not str:
            yield "A sensitive field is a text."
        if self.list_type not in (None, *_ITEMS):
            yield f"A list has no elements of the type {self.list_type!r}."
        if self.list_type is not None and self.type is not list:
            yield "Only a list has elements."
        if self.display not in (None, *get_args(Display)):
            yield f"Nothing is displayed as {self.display!r}."
        if self.order is not None and type(self.order) is not int:
            yield f"Its order is a whole number, not {self.order!r}."

    def _mistakes_of_limits(self) -> Iterator[str]:
        limits = [limit for limit in (self.greater_than, self.less_than) if limit is not None]
        if limits and self.type not in {int, float}:
            yield "Only a number is greater or less than something."
        if not all(type(one) is int or (type(one) is float and math.isfinite(one)) for one in limits):
            yield "It is greater or less than a number."
        if self.type is Path and (self.included_in or self.options or self.pattern is not None):
            yield "What a path may be is for allowed_paths to say."
        if not isinstance(self.included_in, list | tuple):
            yield "What it has to be included in is a list."
        elif (self.included_in or self.options) and not self._has_choice():
            yield "It may have no value at all."
        if self.pattern is not None and self.type is not str and self.list_type != "str":
            yield "Only a text matches a pattern."
        elif self.pattern is not None:
            try:
                _compiled(self.pattern)
            except InvalidPattern as error:
                yield f"The pattern {self.pattern!r} is wrong: {error}."

    def _has_choice(self) -> bool:
        try:
            return bool(self.allowed)
        except Uncastable:
            return False


@lru_cache
def _compiled(pattern: str) -> Pattern:
    return Pattern(pattern, whole=True)


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value as JSON has it, and one that may be changed."""
    match value:
        case Path():
            return str(value)
        case Mapping():
            return {name: plain(one) for name, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case set() | frozenset():
            return [plain(one) for one in sorted(value, key=shown)]
    return value


def _holds(values: Sequence[object], wanted: object) -> bool:
    """Return whether a value is among others, where true is not 1."""
    return any(one == wanted and isinstance(one, bool) == isinstance(wanted, bool) for one in values)
