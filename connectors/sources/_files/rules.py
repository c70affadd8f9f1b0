"""Rules of files: which are kept, by their path, size and age."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from connectors.errors import ConfigurationError
from connectors.filtering.schema import AdvancedRulesSchemaValidator
from connectors.filtering.validation import AdvancedRules, Results, SyncRuleValidationResult
from connectors.sources._files.globs import Glob, InvalidGlob
from connectors.sources._files.walk import Entry

_SIZE: Final = re.compile(r"(\d{1,18}) ?([kmgt]?)i?b?", re.IGNORECASE | re.ASCII)
_AGE: Final = re.compile(r"(\d{1,8}) ?([smhdw])", re.ASCII)
_SIZE_SCHEMA: Final = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}], "examples": [4096, "10 MB"]}
_AGE_SCHEMA: Final = {"type": "string", "examples": ["90s", "15m", "12h", "30d", "4w"]}
_POWERS: Final = " kmgt"
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class InvalidFileRule(ValueError):
    """What a rule has and can't be used. The message is a sentence."""


@dataclass(frozen=True)
class FileRule:
    """Keeps the files of which everything is true that it says; sizes are bytes, ages nanoseconds."""

    pattern: Glob | None = None
    min_size: int | None = None
    max_size: int | None = None
    newer_than: int | None = None
    older_than: int | None = None

    @classmethod
    def of(cls, wire: object) -> "FileRule":
        """Return a rule as people write it. Raises `InvalidFileRule`, also for one that could keep nothing."""
        if not isinstance(wire, Mapping) or not wire or wire.keys() - _READERS.keys():
            raise InvalidFileRule(f"A rule has at least one of {', '.join(_READERS)}, and nothing else.")
        rule = cls(**{name: _read(name, value) for name, value in wire.items()})
        if rule.min_size is not None and rule.max_size is not None and rule.min_size > rule.max_size:
            raise InvalidFileRule("No file is at least as large as min_size and not larger than max_size.")
        if rule.newer_than is not None and rule.older_than is not None and rule.newer_than <= rule.older_than:
            raise InvalidFileRule("No file is newer than newer_than and older than older_than.")
        return rule

    def keeps(self, entry: Entry, now_ns: int) -> bool:
        """Return whether a file is kept at that moment."""
        size, age = entry.stat.st_size, now_ns - entry.stat.st_mtime_ns
        return (
            (self.min_size is None or size >= self.min_size)
            and (self.max_size is None or size <= self.max_size)
            and (self.newer_than is None or age < self.newer_than)
            and (self.older_than is None or age >= self.older_than)
            and (self.pattern is None or self.pattern.matches(entry.relative))
        )


def rules_of(rules: AdvancedRules) -> tuple[FileRule, ...]:
    """Return advanced rules, of which a file has to match one. Raises a `ConfigurationError` for invalid ones."""
    if isinstance(rules, Mapping) and rules:
        raise ConfigurationError("Advanced rules of files are a list of objects.", field="filtering")
    try:
        return tuple(FileRule.of(one) for one in rules)
    except InvalidFileRule as error:
        raise ConfigurationError(str(error), field="filtering") from None


class FileRulesValidator(AdvancedRulesSchemaValidator):
    """Checks advanced rules of files: by the schema what they consist of, then whether their texts mean something."""

    schema: ClassVar[Mapping[str, Any]] = {
        "type": "array",
        "description": "A file is kept when it matches one of these, and an element when all that it says is true.",
        "items": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                "pattern": {
                    "type": "string",
                    "description": "A glob of paths below the directory.",
                    "examples": ["**/*.md"],
                },
                "min_size": {**_SIZE_SCHEMA, "description": "Bytes that it has at the least."},
                "max_size": {**_SIZE_SCHEMA, "description": "Bytes that it has at the most."},
                "newer_than": {**_AGE_SCHEMA, "description": "How long ago it was changed at the most."},
                "older_than": {**_AGE_SCHEMA, "description": "How long ago it was changed at the least."},
            },
        },
    }

    def validate(self, advanced_rules: AdvancedRules) -> Results | Awaitable[Results]:
        """Return a result for each problem."""
        found = super().validate(advanced_rules)
        against = found if isinstance(found, list) else []
        wrong = list(_wrong_texts(advanced_rules))
        if not against and not wrong:
            wrong = list(_contradictions(advanced_rules))
        own = SyncRuleValidationResult.ADVANCED_RULES
        return [*against, *(SyncRuleValidationResult.invalid_result(own, one) for one in wrong)] or found


def _wrong_texts(rules: AdvancedRules) -> Iterator[str]:
    """Yield which texts mean nothing, of elements with other problems too."""
    for place, one in enumerate(rules if isinstance(rules, list) else ()):
        for name, value in one.items() if isinstance(one, Mapping) else ():
            if name in _READERS and isinstance(value, str):
                try:
                    _read(name, value)
                except InvalidFileRule as error:
                    yield f"rules[{place}]: {error}"


def _contradictions(rules: AdvancedRules) -> Iterator[str]:
    """Yield which elements no file could match."""
    for place, one in enumerate(rules):
        try:
            FileRule.of(one)
        except InvalidFileRule as error:
            yield f"rules[{place}]: {error}"


def _read(name: str, value: object) -> Any:  # noqa: ANN401 - what its key wants
    try:
        return _READERS[name](value)
    except InvalidGlob as error:
        raise InvalidFileRule(f"The pattern {value!r} {error}.") from None
    except _Unreadable as error:
        raise InvalidFileRule(f"{name} has to be {error}, not {value!r}.") from None


class _Unreadable(ValueError):
    """A value that is not what its key wants; the message says what that is."""


def _glob(value: object) -> Glob:
    if not isinstance(value, str):
        raise _Unreadable("a text")
    return Glob(value)


def _bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise _Unreadable("a number of bytes, or one with KB, MB, GB or TB, each 1,024 of the one before")
    factor: int = 1024 ** _POWERS.index(found[2].lower() or " ")
    return int(found[1]) * factor


def _nanoseconds(value: object) -> int:
    found = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise _Unreadable("a time such as 90s, 15m, 12h, 30d or 4w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) // timedelta(microseconds=1) * 1000


_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "pattern": _glob,
    "min_size": _bytes,
    "max_size": _bytes,
    "newer_than": _nanoseconds,
    "older_than": _nanoseconds,
}
