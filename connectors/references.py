"""References: `${NAME}` and `${NAME:-default}` in a text, which stand for something that is kept elsewhere."""

import re
from collections.abc import Callable
from typing import Final

# A default holds no reference of its own: so what is never closed is given up at the next one, and a text of many such
# takes no longer than another one of its length.
_REFERENCE: Final = re.compile(
    r"\$(?P<escaped>\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*+)(?::-(?P<default>(?:[^}$]|\$(?!\{))*+))?\}"
)


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
