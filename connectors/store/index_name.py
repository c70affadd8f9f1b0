"""Index names: which ones an engine takes, and the names that follow from one."""

from typing import Final

from connectors.errors import ConfigurationError

FIELD: Final = "index_name"
"""The setting of a connector that is wrong where its index is."""
MOST_BYTES: Final = 255
_FORBIDDEN: Final = '\\/*?"<>| ,#:'
_FIRST: Final = "000001"
_WRITES: Final = "-writes"


def check_name(name: str) -> None:
    """Raise a `ConfigurationError` that says which rule a name breaks, so that no request is ever made with it."""
    problem = _problem(name)
    if problem is not None:
        shown = name if len(name) <= MOST_BYTES else f"{name[:40]}..."
        raise ConfigurationError(
            f"No index can have the name {shown!r}: {problem}.", field=FIELD, hint="Give the connector another index."
        )


def first_index(alias: str) -> str:
    """Return the name of the first index behind an alias. Raises `ConfigurationError` when it would be too long."""
    name = f"{alias}-{_FIRST}"
    check_name(name)
    return name


def write_alias(index: str) -> str | None:
    """Return the alias by which a sync writes to an index that we made, None where it would be too long."""
    name = f"{index}{_WRITES}"
    return name if _problem(name) is None else None


def _problem(name: str) -> str | None:
    """Return the rule that a name breaks; what an engine knows beyond these, such as rare letters, it says itself."""
    if not name:
        return "it is empty"
    if name in {".", ".."}:
        return "it is a folder's"
    if name[0] in "_-+":
        return f"it begins with {name[0]!r}"
    found = [character for character in _FORBIDDEN if character in name]
    if found:
        return f"it contains {', '.join(map(repr, found))}"
    if name != name.lower():
        return "it has capital letters"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it is no valid Unicode"
    return f"it has {size} bytes, and {MOST_BYTES} are the most" if size > MOST_BYTES else None
