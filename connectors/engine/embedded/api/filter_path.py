"""`filter_path`: leaves of an answer what was asked for."""

from fnmatch import fnmatchcase
from typing import Any


def filtered(body: Any, patterns: list[str]) -> Any:  # noqa: ANN401 - JSON
    """Return the parts of a body that the patterns name: paths in which `*` is any name and `**` any path."""
    wanted = [pattern.strip().split(".") for pattern in patterns if pattern and not pattern.startswith("-")]
    unwanted = [pattern.strip()[1:].split(".") for pattern in patterns if pattern.startswith("-")]
    kept = _kept(body, wanted) if wanted else body
    for path in unwanted:
        kept = _without(kept, path)
    return {} if kept is None else kept


def reached(body: Any, patterns: list[str]) -> Any:  # noqa: ANN401 - JSON
    """Return a body without the names at its top that no pattern goes through: a quick first cut."""
    heads = [pattern.strip().split(".")[0] for pattern in patterns if pattern]
    if not isinstance(body, dict) or any(head.startswith(("-", "**")) for head in heads):
        return body
    return {name: value for name, value in body.items() if any(fnmatchcase(name, head) for head in heads)}


def _kept(value: Any, paths: list[list[str]]) -> Any:  # noqa: ANN401
    """Return what of a value some path reaches, and None when nothing."""
    if any(not path or path == ["**"] for path in paths):
        return value
    if isinstance(value, list):
        found = [kept for kept in (_kept(item, paths) for item in value) if kept is not None]
        return found or None
    if not isinstance(value, dict):
        return None
    kept = {name: part for name, below in value.items() if (part := _kept(below, _below(name, paths))) is not None}
    return kept or None


def _below(name: str, paths: list[list[str]]) -> list[list[str]]:
    below = []
    for head, *rest in paths:
        if head == "**":
            below += [[head, *rest], *_below(name, [rest] if rest else [])]
        elif fnmatchcase(name, head):
            below.append(rest)
    return below


def _without(value: Any, path: list[str]) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_without(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    head, *rest = path
    return {
        name: _without(below, rest) if fnmatchcase(name, head) else below
        for name, below in value.items()
        if rest or not fnmatchcase(name, head)
    }
