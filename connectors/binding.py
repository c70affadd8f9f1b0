"""Binding: makes typed settings of plain values, finding every problem and naming where it is."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Literal,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

import msgspec

from connectors.references import resolved, resolved_with_files
from connectors.secret import NoSecret, secret_in

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """What is wrong, and with which setting (its dotted name; empty for the whole)."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" if self.name else self.text


@runtime_checkable
class Checked(Protocol):
    """A section of settings that has rules no single value can show."""

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong, each with the name of a field of this section."""
        ...


def setting(*, default: object, text: str, example: str | None = None) -> Any:  # noqa: ANN401 - as dataclasses.field
    """Declare one setting: its default, the help shown in config.yml and the docs, an example where it is empty."""
    metadata = {"text": text, "example": example}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def choices_of(hint: object) -> tuple[object, ...]:
    """Return the values that a setting may have, where its type names them."""
    optional = type(None) in get_args(hint)
    named = [one for one in (get_args(hint) if optional else [hint]) if get_origin(one) is Literal]
    return get_args(named[0]) if named else ()


@dataclass
class Binder:
    """Builds sections, and collects in `problems` whatever is wrong with what was given.

    `${NAME}` and `${NAME:-default}` in a value are replaced from `environ`, and `${file:/path}` by what is in that
    file, if `files` says that whoever wrote the values may read the files of this machine.
    """

    environ: Mapping[str, str]
    files: bool = False
    problems: list[Problem] = field(default_factory=list)
    nothing: ClassVar[Mapping[str, object]] = {}

    def section(self, kind: type[T], given: object, name: str = "") -> T:
        """Return the section of that kind; where something is wrong, its default stands in."""
        before = len(self.problems)
        built = kind(**self._values(kind, self._mapping(given, name), name))
        if len(self.problems) == before and isinstance(built, Checked):
            self.problems.extend(Problem(_join(name, p.name), p.text) for p in built.problems())
        return built

    def _values(self, kind: type, given: Mapping[str, object], name: str) -> dict[str, object]:
        hints = get_type_hints(kind, include_extras=True)
        defaults = {known.name: known.default for known in fields(kind)}
        values: dict[str, object] = {}
        for key, value in given.items():
            at = _join(name, key)
            if key not in defaults:
                self._add(at, f"There is no such setting. {_nearest(key, list(defaults))}")
            elif is_dataclass(hints[key]) and isinstance(hints[key], type):
                values[key] = self.section(hints[key], value, at)
            elif value is None and defaults[key] is not None and type(None) in get_args(hints[key]):
                values[key] = None  # which is another value than the default
            elif value is not None and not (value == "" and defaults[key] is None):
                for bound in self._value(hints[key], value, at):
                    values[key] = bound
        return values

    def _mapping(self, given: object, name: str) -> Mapping[str, object]:
        if isinstance(given, dict):
            return {str(key): value for key, value in given.items()}
        if given is not None:
            self._add(name, "This is a section: its settings stand below it, indented.")
        return self.nothing

    def _value(self, hint: object, value: object, at: str) -> Iterator[object]:
        """Yield the typed value, or nothing when there is a problem with it."""
        try:
            given = _parts(value) if isinstance(value, str) and get_origin(hint) is tuple else value
            yield msgspec.convert(self._resolved(given), hint, strict=False, dec_hook=_from_text)
        except msgspec.ValidationError as error:
            self._add(at, _explained(str(error), hint, value))
        except LookupError as error:
            self._add(at, f"The environment variable {error.args[0]} is not set.")
        except _NoFile as error:
            self._add(at, str(error))

    def _resolved(self, value: object) -> object:
        match value:
            case str() if self.files:
                return resolved_with_files(value, self.environ.get, _content)
            case str():
                return resolved(value, self.environ.get)
            case list():
                return [self._resolved(one) for one in value]
            case dict():
                return {key: self._resolved(one) for key, one in value.items()}
        return value

    def _add(self, name: str, text: str) -> None:
        self.problems.append(Problem(name, text))


class _NoFile(Exception):
    """A value refers to a file that can't be used."""


def _content(path: str) -> str:
    """Return the secret in a file that a value refers to."""
    try:
        return secret_in(Path(path).expanduser())
    except NoSecret as error:
        raise _NoFile(f"The file {path!r} can't be used: {error}.") from None


def _parts(text: str) -> list[str]:
    """Return what stands between commas: nothing in an empty text."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _from_text(kind: type, value: object) -> object:
    """Make what msgspec does not know, secrets and paths, of their text."""
    if not isinstance(value, str):
        raise msgspec.ValidationError(f"Expected `str`, got `{type(value).__name__}`")
    if kind is Path and not value.strip():  # which would be the working folder
        raise msgspec.ValidationError("Expected a path")
    return kind(value)


def _explained(error: str, hint: object, value: object) -> str:
    if known := choices_of(hint):
        return f"There is no {value!r} here. Known: {', '.join(map(str, known))}."
    if error.startswith("Expected `str"):
        return f"{error}. Put it into quotes."
    return f"{error}, not {value!r}."


def _join(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
