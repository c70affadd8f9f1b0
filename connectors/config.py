"""The configuration: config.yml and the environment as settings, with what is wrong and where each was given."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Final

from connectors.binding import Binder, Problem
from connectors.errors import ConfigurationError
from connectors.settings import Settings
from connectors.settings_file import SettingsFile

ENVIRONMENT_PREFIX: Final = "CONNECTORS__"
DEFAULT_PLACE: Final = Path("config.yml")


@dataclass(frozen=True)
class Origin:
    """Where a setting was given: in words, and the value as it was written there."""

    place: str
    given: object = field(repr=False)


@dataclass(frozen=True)
class LoadedSettings:
    """The settings, what is wrong with what was given, and where each that was given is from, by its dotted name.

    Where something is wrong, its default stands in.
    """

    settings: Settings
    problems: tuple[Problem, ...]
    origins: Mapping[str, Origin]


_SECTIONS: Final = frozenset(one.name for one in fields(Settings) if is_dataclass(getattr(Settings(), one.name)))
_MAPPING: Final = "sources"


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a file, overridden by the environment (`CONNECTORS__ENGINE__HOST`).

    Without a path that is `config.yml` in the working folder, if there is one. Raises one `ConfigurationError` that
    names every problem; its field is that of the first.
    """
    loaded = read_settings(path, environ)
    if loaded.problems:
        raise ConfigurationError("\n".join(map(str, loaded.problems)), field=loaded.problems[0].name)
    return loaded.settings


def read_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> LoadedSettings:
    """Return the same with what is wrong. Raises a `ConfigurationError` only for a file that can't be read."""
    place = path if path is not None else DEFAULT_PLACE
    file = SettingsFile.read(place, {*_SECTIONS, _MAPPING}, required=path is not None)
    binder = Binder(environ, files=True)
    settings = binder.section(Settings, _overridden(file.given, environ))
    origins = dict([*_origins_in(file), *_origins_in_environment(file.given, environ)])
    return LoadedSettings(settings, (*file.problems(), *binder.problems), origins)


def _overridden(given: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    """Return what was given with what `CONNECTORS__SECTION__NAME` variables say in its place."""
    merged = dict(given)
    for variable, section, name in _variables(given, environ):
        values = merged.get(section) or {}
        if not name:
            merged[section] = environ[variable]
        elif isinstance(values, dict):
            merged[section] = {**values, name: environ[variable]}
    return merged


def _variables(given: Mapping[str, object], environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the variables that give a setting, each with its section and name; a list of no section has no name."""
    lists = {one.name for one in fields(Settings) if isinstance(one.default, tuple)}
    for variable in sorted(environ):
        if variable.startswith(ENVIRONMENT_PREFIX):
            section, _, name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
            if (section in lists and not name) or (name and isinstance(given.get(section) or {}, dict)):
                yield variable, section, name


def _origins_in(file: SettingsFile) -> Iterator[tuple[str, Origin]]:
    """Yield where a file gives each setting."""
    for key in file.keys:
        section, _, name = key.name.partition(".")
        within, place = file.given.get(section), f"{file.path}, line {key.line}"
        if section == _MAPPING:
            if not key.is_within:
                yield section, Origin(place, within)  # of which the whole is one setting
        elif section not in _SECTIONS:
            yield key.name, Origin(place, within)
        elif name and isinstance(within, dict):
            yield key.name, Origin(place, within.get(name))


def _origins_in_environment(given: Mapping[str, object], environ: Mapping[str, str]) -> Iterator[tuple[str, Origin]]:
    for variable, section, name in _variables(given, environ):
        is_one = not name or section == _MAPPING
        yield section if is_one else f"{section}.{name}", Origin(variable, environ[variable])
