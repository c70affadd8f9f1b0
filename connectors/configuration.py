"""A configuration: the values of a source's fields, typed, checked, and with what they refer to resolved."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from connectors.binding import Problem
from connectors.errors import ConfigurationError
from connectors.field import Field, Uncastable, is_empty
from connectors.fields import Fields
from connectors.grants import Grants
from connectors.secret import Secret


class Configuration(Mapping[str, Any]):
    """What a source is configured with: `configuration["host"]`, or `configuration.host`.

    A value is of its field's type, the default where it is empty, a `Secret` where the field is sensitive, and with
    `${NAME}` resolved at each look: what was resolved is never stored. Looking at a wrong value raises a
    `ConfigurationError`; `check()` raises one that names all of them.
    """

    def __init__(self, fields: Fields, values: Mapping[str, object], grants: Grants | None = None) -> None:
        self._fields = fields
        self._values = {name: _unwrapped(value) for name, value in values.items()}
        self._grants = grants if grants is not None else Grants()

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - of the field's type
        one = self._fields[name]
        try:
            value = one.effective(self._raw(one))
        except Uncastable as error:
            raise ConfigurationError(f"{one.label!r} has to be {error}.", field=name) from None
        if one.sensitive:
            return Secret(value)
        return self._grants.path(str(value), name) if isinstance(value, Path) else value

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        if name.startswith("_") or name not in self._fields:
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

    def counts(self, name: str) -> bool:
        """Return whether the fields that a field depends on have the values that make it count."""
        wanted = self._fields[name].depends_on
        return all(self.counts(other) and self._is(other, value) for other, value in wanted.items())

    def shaping(self) -> dict[str, object]:
        """Return the values that have a part in what is indexed, as they were given: `${NAME}` is not resolved."""
        return {
            name: _plain(one.effective(self._given(one)))
            for name, one in self._fields.items()
            if one.shapes_documents and self.counts(name)
        }

    def _faults(self, one: Field) -> Iterator[str]:
        try:
            value = self._raw(one)
            faults = list(one.faults(value, masked=value != self._given(one)))
            yield from faults
            if not faults and is_empty(one.effective(value)) and one.has_to_be_set:
                yield "can't be empty."
            elif not faults and one.type is Path and not is_empty(one.effective(value)):
                self._grants.path(str(one.effective(value)), one.name)
        except ConfigurationError as error:
            yield f"can't be used: {error}"

    def _is(self, name: str, wanted: object) -> bool:
        one = self._fields[name]
        try:
            return bool(one.effective(self._raw(one)) == one.cast(wanted))
        except (Uncastable, ConfigurationError):
            return False

    def _given(self, one: Field) -> object:
        return self._values.get(one.name, one.initial)

    def _raw(self, one: Field) -> object:
        given = self._given(one)
        if isinstance(given, list):
            return [self._revealed(part, one) for part in given]
        return self._revealed(given, one)

    def _revealed(self, value: object, one: Field) -> object:
        return self._grants.revealed(value, one.name) if isinstance(value, str) else value


def _unwrapped(value: object) -> object:
    """Return the value itself, of a field of a connector document too."""
    return value.get("value") if isinstance(value, Mapping) else value


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
