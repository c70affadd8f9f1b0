"""Selections: which keys of a database are wanted, by the settings and by advanced rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.errors import ConfigurationError
from connectors.sources._redis.command import Command
from connectors.sources._redis.globs import ALL, Glob, is_all
from connectors.sources._redis.values import TYPES


@dataclass(frozen=True)
class Choice:
    """Keys that match one of several patterns, and whose values are of one of several types; None for all."""

    patterns: tuple[Glob, ...] | None = None
    types: tuple[bytes, ...] | None = None

    def takes(self, key: bytes, type_: bytes) -> bool:
        """Return whether a key is among them."""
        return (self.types is None or type_ in self.types) and self.matches(key)

    def matches(self, key: bytes) -> bool:
        """Return whether a key is, if its type is."""
        return self.patterns is None or any(one.matches(key) for one in self.patterns)


@dataclass(frozen=True)
class Selection:
    """Keys that the settings allow, and that one of several choices takes, where there are any."""

    allowed: Choice = Choice()
    choices: tuple[Choice, ...] = (Choice(),)

    def matches(self, key: bytes) -> bool:
        """Return whether a key may be wanted, before its type is known."""
        return self.allowed.matches(key) and any(one.matches(key) for one in self.choices)

    def takes(self, key: bytes, type_: bytes) -> bool:
        """Return whether a key is wanted."""
        return self.allowed.matches(key) and any(one.takes(key, type_) for one in self.choices)

    def needs_types(self, *, knows_types: bool) -> bool:
        """Return whether the type of each key has to be known that the command below finds."""
        return self._only_type(knows_types=knows_types) is None and any(one.types is not None for one in self.choices)

    def scan(self, cursor: bytes, count: int, *, knows_types: bool) -> Command:
        """Return the command that asks for some keys: for as few that are not wanted as one pattern and type can."""
        command: Command = ("SCAN", cursor, "COUNT", count)
        patterns = self.allowed.patterns
        if len(self.choices) == 1:
            patterns = patterns or self.choices[0].patterns
        if (type_ := self._only_type(knows_types=knows_types)) is not None:
            command = (*command, "TYPE", type_)
        if patterns is not None and len(patterns) == 1:
            command = (*command, "MATCH", patterns[0].text)
        return command

    def _only_type(self, *, knows_types: bool) -> bytes | None:
        """Return the type that all keys have to have, where there is one and the server can be asked for it."""
        types = self.choices[0].types if len(self.choices) == 1 else None
        return types[0] if knows_types and types is not None and len(types) == 1 else None


def chosen(patterns: Sequence[str] | None, types: Sequence[str] | None = None) -> Choice:
    """Return a choice as people write it."""
    globs = None if patterns is None or any(map(is_all, patterns)) else tuple(map(Glob, patterns))
    return Choice(globs, None if types is None else tuple(TYPES[one] for one in types))


def numbers_of(databases: Sequence[str]) -> tuple[int, ...] | None:
    """Return the numbers of databases, or None for all that have keys. Raises a `ConfigurationError`."""
    if ALL in databases:
        return None
    wrong = [one for one in databases if not (one.isascii() and one.isdigit() and len(one) < 10)]
    if wrong:
        message = f"{wrong[0]!r} is no number of a database."
        raise ConfigurationError(message, field="database", hint="Write numbers, separated by commas, or *.")
    return tuple(sorted(set(map(int, databases))))
