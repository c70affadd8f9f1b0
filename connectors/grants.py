"""Grants: what of this machine the settings of connectors may refer to, as config.yml says."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import ConfigurationError
from connectors.references import resolved
from connectors.secret import MASK, NoSecret, secret_in


@dataclass(frozen=True)
class Grants:
    """Folders that sources of local files may read, and names that `${NAME}` may stand for.

    Nothing is granted unless it is named: whoever may write a connector document must not thereby read this machine.
    `allowed_paths` of None grants every path, for somebody who sits at the machine anyway.
    """

    allowed_paths: tuple[Path, ...] | None = ()
    exposed_secrets: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def path(self, text: str, name: str, *, masked: bool = False) -> Path:
        """Return a path, links followed. Raises a `ConfigurationError` for one that is not below what is allowed.

        The error is the same whatever there is or is not on this machine, and shows no path that is `masked`.
        """
        path = _real(text)
        if path is not None and (self.allowed_paths is None or is_below(path, self.allowed_paths)):
            return path
        shown = MASK if masked else repr(text)
        if self.allowed_paths is None:
            raise ConfigurationError(f"{shown} is no path, or its links lead nowhere.", field=name)
        allowed = ", ".join(map(str, self.allowed_paths)) or "none"
        hint = f"Name a folder above it in allowed_paths of config.yml (now: {allowed})."
        raise ConfigurationError(f"{shown} is not below an allowed path.", field=name, hint=hint)

    def revealed(self, text: str, name: str, *, masked: bool = False) -> str:
        """Return a text with its references resolved. Raises a `ConfigurationError` for a name that is not exposed.

        The error does not show that name where the text is `masked`: it may be a part of a password.
        """

        def look_up(variable: str) -> str | None:
            if variable not in self._places:
                hint = "Add it to exposed_secrets of config.yml, or write $${ for ${."
                shown = "What it refers to" if masked else f"${{{variable}}}"
                raise ConfigurationError(f"{shown} is not exposed to connectors.", field=name, hint=hint)
            place = self._places[variable]
            return _content(place, variable, name) if place else _checked(self.environ.get(variable), variable, name)

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
    real = path.resolve()
    return any(real.is_relative_to(folder.expanduser().resolve()) for folder in folders)


def _real(text: str) -> Path | None:
    """Return a path, links followed; None for what can't be one."""
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def _content(place: Path, variable: str, name: str) -> str:
    """Return the secret in a file. Its error is raised outside of `except`, so that it brings no other one along."""
    try:
        return secret_in(place)
    except NoSecret as error:
        reason = str(error)
    raise ConfigurationError(f"The file of {variable}, {place}, can't be used: {reason}.", field=name)


def _checked(text: str | None, variable: str, name: str) -> str | None:
    """Return what the environment holds, which need not be text."""
    if text is not None and any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigurationError(f"The environment variable {variable} is not text in UTF-8.", field=name)
    return text
