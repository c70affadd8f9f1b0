"""References: `${NAME}`, `${NAME:-default}` and `${file:/path}` in a text, which stand for what is kept elsewhere."""

import re
from collections.abc import Callable
from typing import Final

# A default holds no reference of its own: so what is never closed is given up at the next one, and a text of many such
# takes no longer than another one of its length.
_REFERENCE: Final = re.compile(
    r"\$(?P<escaped>\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*+)(?::-(?P<default>(?:[^}$]|\$(?!\{))*+))?\}"
)
_WITH_FILES: Final = re.compile(rf"{_REFERENCE.pattern}|\$\{{file:(?!-)(?P<file>[^}}]*)\}}")


def resolved_with_files(text: str, look_up: Callable[[str], str | None], read: Callable[[str], str]) -> str:
    """Do what `resolved` does, and replace `${file:/path}` by what `read` returns for the path.

    It is for texts of whoever may read the files of this machine. What is in a file is not looked through either.
    """
    pieces, at = [], 0
    for match in _WITH_FILES.finditer(text):
        if match["file"] is not None:
            pieces += [resolved(text[at : match.start()], look_up), read(match["file"])]
            at = match.end()
    return "".join([*pieces, resolved(text[at:], look_up)])


def refers(text: str) -> bool:
    """Return whether a text refers to anything, be it to a name or to a file."""
    return any(not match["escaped"] for match in _WITH_FILES.finditer(text))


def names_file(text: str) -> bool:
    """Return whether a text refers to a file."""
    return any(match["file"] is not None for match in _WITH_FILES.finditer(text))


def resolved(text: str, look_up: Callable[[str], str | None]) -> str:
    """Return a text with every reference replaced; `$${` stands for `${`, and what is put in is not looked through.

    What is looked up and empty or not there (None) gives its default, as in a shell. Raises a `LookupError` with the
    name for what is not there and has none.
    """

    def replacement(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        found = look_up(match["name"])
        default: str | None = match["default"]
        if found or (found is not None and default is None):
            return found
        if default is None:
            raise LookupError(match["name"])
        return default

    return _REFERENCE.sub(replacement, text)


def names_in(text: str) -> list[str]:
    """Return the names that a text refers to."""
    return [match["name"] for match in _REFERENCE.finditer(text) if match["name"]]
