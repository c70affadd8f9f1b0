"""Globs as Redis matches keys by them, byte by byte and in linear time."""

import re
from collections.abc import Iterator
from typing import Final

from connectors.pattern import Pattern

ALL: Final = "*"
_ANYTHING: Final = r"(?s:.*)"
_ANY_BYTE: Final = r"(?s:.)"
_NOTHING: Final = r"[^\x{00}-\x{10FFFF}]"


class Glob:
    """A pattern: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before what is meant as it stands.

    Bytes are matched as if each was a character, so that keys that are no text can be matched too.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._pattern = None if is_all(text) else Pattern("".join(_expression(text.encode())), whole=True)

    def matches(self, key: bytes) -> bool:
        """Return whether a key matches, as the server would say: the empty one does not match what is not all."""
        return self._pattern is None or (key != b"" and self._pattern.matches(key.decode("latin-1")))


def is_all(text: str) -> bool:
    """Return whether a pattern is one that every key matches."""
    return text.strip(ALL) == ""


def _expression(glob: bytes) -> Iterator[str]:
    """Yield the parts of a regular expression."""
    place, end = 0, len(glob)
    while place < end:
        one = glob[place : place + 1]
        if one == b"*":
            yield _ANYTHING
        elif one == b"?":
            yield _ANY_BYTE
        elif one == b"[":
            place, expression = _choice(glob, place + 1)
            yield expression
        else:
            if one == b"\\" and place + 1 < end:
                place += 1
            yield _literal(glob[place])
        place += 1


def _choice(glob: bytes, place: int) -> tuple[int, str]:
    """Return where a choice of bytes ends, and its expression. One that has no end ends with the pattern."""
    negated = glob[place : place + 1] == b"^"
    place += negated
    parts = []
    while place < len(glob) and glob[place] != ord("]"):
        if glob[place] == ord("\\") and place + 1 < len(glob):
            place += 1
            parts.append(_literal(glob[place]))
        elif place + 2 < len(glob) and glob[place + 1] == ord("-"):
            low, high = sorted((glob[place], glob[place + 2]))
            parts.append(f"{_literal(low)}-{_literal(high)}")
            place += 2
        else:
            parts.append(_literal(glob[place]))
        place += 1
    if not parts:
        return place, _ANY_BYTE if negated else _NOTHING
    return place, f"[{'^' if negated else ''}{''.join(parts)}]"


def _literal(byte: int) -> str:
    return re.escape(chr(byte)) if chr(byte).isalnum() and byte < 128 else rf"\x{{{byte:02X}}}"
