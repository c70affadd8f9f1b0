"""A secret: a string that never prints itself, and the file that one is kept in."""

import re
from pathlib import Path
from typing import Final

MASK: Final = "***"
LARGEST: Final = 65_536
"""Bytes of a file that holds a secret."""


_USER_INFO: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE)


class NoSecret(Exception):
    """A file that no secret can be read from; the message says why, and nothing of what is in it."""


class Secret:
    """Holds a password or key; only `reveal()` gives it away, and reads as such where it is called."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself: call it where it is sent, never where it is shown."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def without_user_info(text: str) -> str:
    """Return a text with `***` in place of what stands before an @ in the addresses that it holds."""
    return _USER_INFO.sub(rf"\g<scheme>{MASK}@", text)


def secret_in(place: Path) -> str:
    """Return the secret in a file, without the end of its last line. Raises `NoSecret`.

    That is raised outside of `except`: the error of a decoder holds what it could not decode.
    """
    raw, reason = b"", "it is no file"
    try:
        if place.is_file() or not place.exists():  # nothing that waits for somebody to write into it
            with place.open("rb") as file:
                raw, reason = file.read(LARGEST + 1), ""
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "that is no path"
    if len(raw) > LARGEST:
        reason = f"it is larger than {LARGEST} bytes"
    text = _decoded(raw)
    if reason or text is None:
        raise NoSecret(reason or "it is not text in UTF-8")
    return text.rstrip("\r\n")


def _decoded(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
