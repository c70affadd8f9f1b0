"""Grants: what of this machine the settings of connectors may refer to, as config.yml says."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.errors import ConfigurationError
from connectors.references import resolved

LARGEST_SECRET: Final = 65_536


@dataclass(frozen=True)
class Grants:
    """Folders that sources of local files may read, and names that `${NAME}` may stand for.

    Nothing is granted unless it is named: whoever may write a connector document must not thereby read this machine.
    `allowed_paths` of None grants every path, for somebody who sits at the machine anyway.
    """

    allowed_paths: tuple[Path, ...] | None = ()
    exposed_secrets: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def path(self, text: str, name: str) -> Path:
        """Return a path, links followed. Raises a `ConfigurationError` for one that is not below what is allowed."""
        try:
            path = Path(text).expanduser().resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigurationError(f"{text!r} is no path: {error}.", field=name) from None
        if self.allowed_paths is None or is_below(path, self.allowed_paths):
            return path
        allowed = ", ".join(map(str, self.allowed_paths)) or "none"
        hint = f"Name a folder above it in allowed_paths of config.yml (now: {allowed})."
        raise ConfigurationError(f"{text!r} is not below an allowed path.", field=name, hint=hint)

    def revealed(self, text: str, name: str) -> str:
        """Return a text with its references resolved. Raises a `ConfigurationError` for a name that is not exposed."""

        def look_up(variable: str) -> str | None:
            if variable not in self._places:
                hint = "Add it to exposed_secrets of config.yml, or write $${ for ${."
                raise ConfigurationError(f"${{{variable}}} is not exposed to connectors.", field=name, hint=hint)
            place = self._places[variable]
            return _content(place, variable, name) if place else self.environ.get(variable)

        try:
            return resolved(text, look_up)
        except LookupError as error:
            raise ConfigurationError(f"The environment variable {error.args[0]} is not set.", field=name) from None

    @property
    def _places(self) -> dict[str, Path | None]:
        """The exposed names, each with the file that holds its secret; without one the environment does."""
        pairs = (entry.partition("=") for entry in self.exposed_secrets)
        return {variable.strip(): Path(place.strip()) if place else None for variable, _, place in pairs}


def is_below(path: Path, folders: Iterable[Path]) -> bool:
    """Return whether a path, links followed, is one of these folders or below one."""
    return any(path.is_relative_to(folder.expanduser().resolve()) for folder in folders)


def _content(place: Path, variable: str, name: str) -> str:
    try:
        with place.open(encoding="utf-8") as file:
            return file.read(LARGEST_SECRET).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"The file of {variable}, {place}, can't be read: {reason}.", field=name) from None
