"""Patterns: regular expressions of people we don't know, matched in linear time."""

from collections.abc import Callable
from typing import Final

import re2  # type: ignore[import-untyped]  # there are no stubs

_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False  # they are ours to report, not for stderr
_OPTIONS.never_capture = True


class InvalidPattern(ValueError):
    """What is no regular expression, or none that can be matched without backtracking."""


class Pattern:
    """A regular expression in the syntax of RE2. Raises `InvalidPattern` with the reason."""

    __slots__ = ("_found", "text")

    def __init__(self, text: str, *, whole: bool = False) -> None:
        self.text = text
        try:
            expression = re2.compile(text, options=_OPTIONS)
        except re2.error as error:
            raise InvalidPattern(_reason(error)) from None
        except UnicodeEncodeError:
            raise InvalidPattern("it holds half a character") from None
        self._found = _set_of(text, whole=whole) or (expression.fullmatch if whole else expression.match)

    def matches(self, value: str) -> bool:
        """Return whether a text matches from its start, or as a whole where that was asked for."""
        try:
            return self._found(value) is not None
        except UnicodeEncodeError:
            return self._found(value.encode("utf-8", "replace").decode()) is not None


def _set_of(text: str, *, whole: bool) -> Callable[[str], object] | None:
    """Return how a set of one pattern matches, which is several times faster than a pattern alone that finds groups.

    None for the few patterns that are too large for it.
    """
    patterns = re2.Set.FullMatchSet(_OPTIONS) if whole else re2.Set.MatchSet(_OPTIONS)
    try:
        patterns.Add(text)
        patterns.Compile()
    except re2.error:
        return None
    match: Callable[[str], object] = patterns.Match
    return match


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else str(error)
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
