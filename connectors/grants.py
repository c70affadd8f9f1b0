"""Grants: what of this machine the settings of connectors may refer to, as config.yml says."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.errors import ConfigurationError
from connectors.references import resolved
from connectors.secret import MASK

LARGEST_SECRET: Final = 65_536
"""Bytes of a file that holds a secret."""


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
    """Return the secret in a file, without the end of its last line.

    Its errors are raised outside of `except`: the one of a decoder holds what it could not decode.
    """
    raw, reason = b"", "it is no file"
    try:
        if place.is_file() or not place.exists():  # nothing that waits for somebody to write into it
            with place.open("rb") as file:
                raw, reason = file.read(LARGEST_SECRET + 1), ""
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "that is no path"
    if len(raw) > LARGEST_SECRET:
        reason = f"it is larger than {LARGEST_SECRET} bytes"
    text = _decoded(raw)
    if reason or text is None:
        why = reason or "it is not text in UTF-8"
        raise ConfigurationError(f"The file of {variable}, {place}, can't be used: {why}.", field=name)
    return text.rstrip("\r\n")


def _decoded(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _checked(text: str | None, variable: str, name: str) -> str | None:
    """Return what the environment holds, which need not be text."""
    if text is not None and any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigurationError(f"The environment variable {variable} is not text in UTF-8.", field=name)
    return text
