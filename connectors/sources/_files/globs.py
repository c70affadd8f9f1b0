"""Globs: patterns of paths, as people write them in shells, matched in linear time."""

import re
from typing import Final

from connectors.pattern import InvalidPattern, Pattern

LONGEST: Final = 4096
"""Characters, which are as many as a path has at the most."""
_SPLIT: Final = re.compile(r"\*+|\[|\\|.", re.DOTALL)
_UNMATCHABLE: Final = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)")
_SLASH: Final = ord("/")


class InvalidGlob(ValueError):
    """What is no glob, or one that no path could ever match. The message is the end of a sentence."""


class Glob:
    """A pattern of relative paths, whose parts are separated by `/`. Raises `InvalidGlob` with the reason.

    `*` is any text without a `/`, `?` one character but `/`, `[a-z]` and `[!a-z]` one of those or of the others,
    `{a,b}` one of several, and `**` as a whole part any number of folders, none included. A backslash takes the
    meaning from the character that follows. Names that begin with a dot are like any other, and case matters. A byte
    of a name that is no UTF-8 counts as one character.
    """

    __slots__ = ("_pattern", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise InvalidGlob(f"is longer than {LONGEST} characters")
        if _UNMATCHABLE.search(text):
            raise InvalidGlob("has an empty part, or one of dots only: no path below a folder is like that")
        try:
            self._pattern = Pattern(_Translation(text).expression, whole=True)
        except InvalidPattern as error:
            raise InvalidGlob(f"can't be used: {error}") from None

    def matches(self, relative: str) -> bool:
        """Return whether a relative path matches as a whole."""
        return self._pattern.matches(relative)


class _Translation:
    """Reads a glob from its start to its end, and writes it as a regular expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._braces = 0
        self._written: list[str] = []
        while self._place < len(text):
            self._written.append(self._next())
        if self._braces:
            raise InvalidGlob("lacks a `}`")

    @property
    def expression(self) -> str:
        return "".join(self._written)

    def _next(self) -> str:
        start = self._place
        piece = self._piece()
        match piece[0]:
            case "*":
                return "[^/]*" if piece == "*" else self._folders(piece, start)
            case "?":
                return "[^/]"
            case "[":
                return self._class()
            case "{":
                self._braces += 1
                return "(?:"
            case "," if self._braces:
                return "|"
            case "}" if self._braces:
                self._braces -= 1
                return ")"
            case "\\":
                return re.escape(self._character("ends in a backslash"))
        return re.escape(piece)

    def _piece(self) -> str:
        found = _SPLIT.match(self._text, self._place)
        self._place = found.end() if found else len(self._text)
        return found[0] if found else ""

    def _character(self, missing: str) -> str:
        if self._place >= len(self._text):
            raise InvalidGlob(missing)
        self._place += 1
        return self._text[self._place - 1]

    def _folders(self, piece: str, start: int) -> str:
        before, after = self._text[start - 1 : start], self._text[self._place : self._place + 1]
        begins, ends = (before in ("", "/") or self._divides(before)), (not after or self._divides(after))
        if piece != "**" or not begins or not (after == "/" or ends):
            raise InvalidGlob(f"has a `{piece}` that is no part of its own between slashes")
        if after == "/":
            self._place += 1
            return "(?:(?s:.*)/)?"
        return "(?s:.+)"

    def _divides(self, character: str) -> bool:
        return self._braces > 0 and character in "{,}"

    def _class(self) -> str:
        """Return a class of characters, without the slash even where a range goes over it."""
        unclosed = "lacks a `]`"
        first = self._character(unclosed)
        negative = first in "!^"
        one = self._character(unclosed) if negative else first
        ranges: list[tuple[int, int]] = [(_SLASH, _SLASH)] if negative else []
        while one != "]" or not ranges[negative:]:
            low = self._character(unclosed) if one == "\\" else one
            if one == "[" and self._text[self._place : self._place + 1] in (":", ".", "="):
                raise InvalidGlob("has a named class of characters; write them as a range")
            high, one = low, self._character(unclosed)
            if one == "-" and self._text[self._place : self._place + 1] != "]":
                high = self._character(unclosed)
                high = self._character(unclosed) if high == "\\" else high
                one = self._character(unclosed)
            if high < low:
                raise InvalidGlob(f"has the range {low}-{high}, which is the wrong way round")
            ranges += [(ord(low), ord(high))]
        return _class_of(ranges, negative=negative)


def _class_of(ranges: list[tuple[int, int]], *, negative: bool) -> str:
    if not negative:
        ranges = [part for low, high in ranges for part in _without_slash(low, high)]
        if not ranges:
            raise InvalidGlob("has a `/` for a class of characters, which never holds it")
    members = "".join(f"{re.escape(chr(low))}-{re.escape(chr(high))}" for low, high in ranges)
    return f"[{'^' if negative else ''}{members}]"


def _without_slash(low: int, high: int) -> list[tuple[int, int]]:
    if not low <= _SLASH <= high:
        return [(low, high)]
    return [(start, end) for start, end in ((low, _SLASH - 1), (_SLASH + 1, high)) if start <= end]
