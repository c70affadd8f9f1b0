"""A configuration: the values of a source's fields, typed, checked, and with what they refer to resolved."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from connectors.binding import Problem
from connectors.errors import ConfigurationError
from connectors.fields.casts import Uncastable, is_empty, list_of
from connectors.fields.field import Field, plain
from connectors.fields.fields import Fields
from connectors.grants import Grants
from connectors.references import names_in
from connectors.secret import MASK, Secret


class Configuration(Mapping[str, Any]):
    """What a source is configured with: `configuration["host"]`, or `configuration.host`.

    A value is of its field's type, the default where it is empty, a `Secret` where the field is sensitive, and with
    `${NAME}` resolved at each look: what was resolved is never stored, nor shown. Looking at a value of another type
    raises a `ConfigurationError`; `check()` raises one that names everything that is wrong. A field whose name is one
    of a mapping's own (`items`, `fields`) has no attribute.
    """

    def __init__(self, fields: Fields, values: Mapping[str, object], grants: Grants | None = None) -> None:
        self._fields = fields
        self._values = {name: _unwrapped(value) for name, value in values.items()}
        self._grants = grants if grants is not None else Grants()

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - of the field's type
        one = self._fields[name]
        value = self._effective(one, self._resolved(one))
        if one.sensitive:
            return Secret(value)
        return self._path(one, value) if isinstance(value, Path) else value

    def __contains__(self, name: object) -> bool:
        return name in self._fields  # without a look at the value, which may be wrong

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        if name.startswith("_"):
            raise AttributeError(name)  # whatever copies it asks before there are any fields
        if name not in self._fields:
            raise AttributeError(f"There is no setting {name!r}. Known: {', '.join(self._fields)}.")
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        shown = (f"{name}={one.shown(self._given(one))}" for name, one in self._fields.items())
        return f"Configuration({', '.join(shown)})"

    @property
    def fields(self) -> Fields:
        """The fields that it has values of."""
        return self._fields

    def check(self) -> None:
        """Raise one `ConfigurationError` that names every problem, a line each; its field is that of the first."""
        problems = list(self.problems())
        if problems:
            raise ConfigurationError("\n".join(map(str, problems)), field=problems[0].name)

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the values. A field whose dependencies are not met is not looked at."""
        for name, one in self._fields.items():
            if self.counts(name):
                yield from (Problem(name, f"{one.label!r} {fault}") for fault in self._faults(one))

    def missing(self) -> Iterator[str]:
        """Yield the names of the fields that have to be set and are not, whatever else is wrong."""
        for name, one in self._fields.items():
            if one.has_to_be_set and self.counts(name):
                with suppress(Uncastable, ConfigurationError):  # which something is, though it is wrong
                    if is_empty(one.effective(self._resolved(one))):
                        yield name

    def counts(self, name: str) -> bool:
        """Return whether the fields that a field depends on have the values that make it count."""
        return all(self._is(other, wanted) for other, wanted in self._fields.conditions(name))

    def masked(self, text: str) -> str:
        """Return a text that somebody else wrote, such as a driver's error, with every secret that is in it masked."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text

    def shaping(self) -> dict[str, object]:
        """Return the values that have a part in what is indexed, as they were given: `${NAME}` is not resolved.

        Raises a `ConfigurationError` for a value that is not of its field's type.
        """
        return {
            name: self._as_given(one)
            for name, one in self._fields.items()
            if one.shapes_documents and self.counts(name)
        }

    def _secrets(self) -> set[str]:
        """Return what may not be shown, as it is and as addresses hold it."""
        found: set[str] = set()
        for one in self._fields.values():
            if self._is_masked(one):
                with suppress(ConfigurationError):
                    value = self._resolved(one)
                    texts = map(str, value if isinstance(value, list | tuple) else [value])
                    found.update(
                        way for text in texts if text for way in (text, quote(text, safe="", errors="replace"))
                    )
        return found

    def _faults(self, one: Field) -> Iterator[str]:
        try:
            value = self._resolved(one)
            faults = list(one.faults(value, masked=self._is_masked(one)))
            if not faults and one.type is Path and not is_empty(one.effective(value)):
                self._path(one, one.effective(value))
        except ConfigurationError as error:
            yield f"can't be used: {error}"
            return
        yield from faults
        if not faults and one.has_to_be_set and is_empty(one.effective(value)):
            yield "can't be empty."

    def _is(self, one: Field, wanted: object) -> bool:
        try:
            return bool(one.effective(self._resolved(one)) == one.cast(wanted))
        except (Uncastable, ConfigurationError):
            return False

    def _effective(self, one: Field, value: object) -> Any:  # noqa: ANN401 - of the field's type
        try:
            return one.effective(value)
        except Uncastable as error:
            raise _wrong(one, error) from None

    def _as_given(self, one: Field) -> object:
        given = one.or_default(self._given(one))
        if not _names_in(one, given):
            return plain(self._effective(one, given))
        try:
            return list_of(given) if one.type is list else given
        except Uncastable as error:
            raise _wrong(one, error) from None

    def _path(self, one: Field, path: Path) -> Path:
        return self._grants.path(str(path), one.name, masked=self._is_masked(one))

    def _given(self, one: Field) -> object:
        return self._values.get(one.name, one.initial)

    def _resolved(self, one: Field) -> object:
        """Return what a field was given, or its default where that is empty, with what it refers to."""
        found = self._revealed(self._given(one), one)
        chosen = one.or_default(found)
        return found if chosen is found else self._revealed(chosen, one)

    def _revealed(self, value: object, one: Field) -> object:
        if one.type is list and isinstance(value, list | tuple):
            return [self._text(part, one) for part in value]
        return self._text(value, one)

    def _text(self, value: object, one: Field) -> object:
        return self._grants.revealed(value, one.name, masked=one.sensitive) if isinstance(value, str) else value

    def _is_masked(self, one: Field) -> bool:
        """Return whether a value may not be shown: whoever reads it need not be who may read what it refers to."""
        return one.sensitive or bool([*_names_in(one, self._given(one)), *_names_in(one, one.default)])


def _names_in(one: Field, value: object) -> list[str]:
    """Return the names that a value of a field refers to."""
    texts = value if one.type is list and isinstance(value, list | tuple) else [value]
    return [name for text in texts if isinstance(text, str) for name in names_in(text)]


def _wrong(one: Field, error: Uncastable) -> ConfigurationError:
    return ConfigurationError(f"{one.label!r} has to be {error}.", field=one.name)


def _unwrapped(value: object) -> object:
    """Return the value itself, of a field of a connector document too."""
    return value.get("value") if isinstance(value, Mapping) else value
