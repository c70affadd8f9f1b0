"""References: `${NAME}` and `${NAME:-default}` in a text, which stand for something that is kept elsewhere."""

import re
from collections.abc import Callable
from typing import Final

_REFERENCE: Final = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def resolved(text: str, look_up: Callable[[str], str | None]) -> str:
    """Return a text with every reference replaced; `$${` stands for `${`.

    What is looked up and not there (None) gives its default. Raises a `LookupError` with the name where there is none.
    """

    def replacement(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        found = look_up(match["name"])
        if found is not None:
            return found
        default: str | None = match["default"]
        if default is None:
            raise LookupError(match["name"])
        return default

    return _REFERENCE.sub(replacement, text)


def names_in(text: str) -> list[str]:
    """Return the names that a text refers to."""
    return [match["name"] for match in _REFERENCE.finditer(text) if match["name"]]
