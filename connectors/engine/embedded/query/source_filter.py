"""Source filters: which part of a stored document is answered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from connectors.engine.embedded.refusal import unparsable
from connectors.engine.embedded.request import Parameters


@dataclass(frozen=True)
class SourceFilter:
    """Fields to include (all, when none are named) and to exclude, as paths that may have `*` in them."""

    wanted: bool = True
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    @classmethod
    def of_parameters(cls, parameters: Parameters, *, default: bool = True) -> "SourceFilter":
        """Return the filter that parameters ask for."""
        includes = parameters.names("_source_includes") or parameters.names("_source_include") or []
        excludes = parameters.names("_source_excludes") or parameters.names("_source_exclude") or []
        stated = parameters.text("_source")
        if stated in {"true", "false", ""}:
            return cls(stated != "false", tuple(includes), tuple(excludes))
        if stated is not None:
            includes = [*stated.split(","), *includes]
        return cls(default or bool(includes or excludes), tuple(includes), tuple(excludes))

    @classmethod
    def of_body(cls, value: object) -> "SourceFilter":
        """Return the filter that `_source` in a body asks for. Raises a `Refusal`."""
        match value:
            case bool():
                return cls(value)
            case str():
                return cls(includes=(value,))
            case list():
                return cls(includes=_names(value))
            case dict():
                unknown = value.keys() - {"includes", "include", "excludes", "exclude"}
                if unknown:
                    raise unparsable(f"Unknown key for a VALUE in [{min(unknown)}].")
                includes = value.get("includes", value.get("include", []))
                excludes = value.get("excludes", value.get("exclude", []))
                return cls(includes=_names(includes), excludes=_names(excludes))
        raise unparsable("Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] for [_source]")

    def apply(self, source: bytes) -> Any:  # noqa: ANN401 - JSON, ready or decoded
        """Return the part of a stored document: its very bytes, when that is all of it."""
        if not (self.includes or self.excludes):
            return msgspec.Raw(source)
        return self.part(msgspec.json.decode(source))

    def part(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of a document's content.

        As Elasticsearch has it, `*` stands for any part of one name, and what is emptied goes; but if an exclusion has
        a `*`, then every `*` stands for any part of a path, and what is emptied stays, unless it is in an array.
        """
        if any("*" in pattern for pattern in self.excludes):
            return _part(source, "", self.includes, self.excludes)
        part: Any = source
        if self.includes:
            part = _kept(part, [pattern.split(".") for pattern in self.includes])
        if self.excludes and part is not _NOTHING:
            part = _without(part, [pattern.split(".") for pattern in self.excludes])
        return {} if part is _NOTHING else dict(part)


def _names(value: object) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise unparsable("Expected a list of names for [_source]")
    return tuple(listed)


# --- by names ---------------------------------------------------------------------------------------------------------

Paths = list[list[str]]
_NOTHING: Final = object()
"""What is left of a value that nothing is left of, unlike a null."""


def _kept(value: Any, paths: Paths) -> Any:  # noqa: ANN401
    """Return what of a value some path reaches."""
    if any(not path for path in paths):
        return value
    if isinstance(value, list):
        return [kept for item in value if (kept := _kept(item, paths)) is not _NOTHING] or _NOTHING
    if not isinstance(value, dict):
        return _NOTHING
    parts = {name: _kept(below, _beyond(name, paths)) for name, below in value.items()}
    return {name: part for name, part in parts.items() if part is not _NOTHING} or _NOTHING


def _without(value: Any, paths: Paths) -> Any:  # noqa: ANN401
    """Return what of a value no path reaches."""
    if any(not path for path in paths):
        return _NOTHING
    if not paths or not value:
        return value
    if isinstance(value, list):
        return [rest for item in value if (rest := _without(item, paths)) is not _NOTHING] or _NOTHING
    if not isinstance(value, dict):
        return value
    parts = {name: _without(below, _beyond(name, paths)) for name, below in value.items()}
    return {name: rest for name, rest in parts.items() if rest is not _NOTHING} or _NOTHING


def _beyond(name: str, paths: Paths) -> Paths:
    """Return what is left of the paths after a name, which may itself be a path."""
    for part in name.split("."):
        beyond: Paths = []
        for path in paths:
            if not path:
                return [[]]
            head, *rest = path
            if head == "**":
                beyond += [path, *_beyond(part, [rest])] if rest else [[]]
            elif fnmatchcase(part, head):
                beyond.append(rest)
        paths = beyond
    return paths


# --- by whole paths ---------------------------------------------------------------------------------------------------


def _part(
    value: Mapping[str, Any], prefix: str, includes: tuple[str, ...], excludes: tuple[str, ...]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, below in value.items():
        path = f"{prefix}{name}"
        if _reaches(excludes, path):
            continue
        whole = not includes or _reaches(includes, path)
        part = _below(below, f"{path}.", () if whole else includes, excludes)
        if whole or part not in ({}, [], None):
            kept[name] = part
    return kept


def _below(value: Any, prefix: str, includes: tuple[str, ...], excludes: tuple[str, ...]) -> Any:  # noqa: ANN401
    if not includes and not any(_may_reach(pattern, prefix) for pattern in excludes):
        return value
    if isinstance(value, dict):
        return _part(value, prefix, includes, excludes)
    if isinstance(value, list):
        parts = [_below(item, prefix, includes, excludes) for item in value]
        empty: tuple[Any, ...] = ({}, [], None) if includes else ({}, [])
        return [part for part in parts if part not in empty]
    return None if includes else value


def _may_reach(pattern: str, prefix: str) -> bool:
    """Return whether something that begins so can be what a pattern means."""
    literal, star, _ = pattern.partition("*")
    return literal.startswith(prefix) or bool(star and prefix.startswith(literal))


def _reaches(patterns: Iterable[str], path: str) -> bool:
    """Return whether a pattern names the path or something that it lies in."""
    return any(fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}.*") for pattern in patterns)
