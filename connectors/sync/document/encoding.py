"""Encoding: fields become the bytes of a JSON object, once, and equal fields the same bytes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from connectors.errors import DocumentSkipped
from connectors.sync.document.conversion import OPTIONS, Unconvertible, clean, convert, in_order, type_name, whole
from connectors.wording import shortened

DEEPEST: Final = 254
"""How deep arrays and objects may stand in each other: as deep as orjson goes. Engines stop at 20 where they index."""
LONGEST_PATH: Final = 200
"""Characters of the path of a field in a message."""


def encoded(fields: Mapping[str, object]) -> bytes:
    """Return a JSON object with sorted names, every value converted as docs/documents.md says.

    Raises `DocumentSkipped` with the path and the type of what can't be converted.
    """
    try:
        return orjson.dumps(fields, convert, OPTIONS)
    except orjson.JSONEncodeError:
        # Something that orjson leaves to nobody (names that are no texts, half characters, long integers), or that
        # can't be converted: it is found, or mended, by walking through everything.
        return orjson.dumps(_mended(fields), None, OPTIONS)


def _mended(fields: Mapping[str, object]) -> object:
    try:
        return _plain(fields, 1)
    except Unconvertible as error:
        raise DocumentSkipped(
            f"{_where(error.path)} {error.reason}.", hint="Let the source yield something else, or leave it out."
        ) from None
    except RecursionError:
        raise DocumentSkipped("The document is nested too deep.") from None


def _where(path: list[str]) -> str:
    shown = shortened(".".join(reversed(path)), LONGEST_PATH)
    return f"The field {shown}" if path else "The document"


def _plain(value: Any, depth: int) -> object:  # noqa: ANN401 - whatever a source yields
    """Return a value as orjson takes it without help.

    It spends few frames on a level, so that Python's own limit is further away than ours.
    """
    for _ in range(DEEPEST):
        kind = type(value)
        if kind is str:
            return clean(value)
        if value is None or kind is bool or kind is float or kind is orjson.Fragment:
            return value
        walk = _walk_of(kind)
        if walk is not None:
            return walk.finish(walk.begin(value), depth)
        value = _converted(value)
    raise Unconvertible("is converted into something that has to be converted, without end")


def _walk_of(kind: type) -> "_Walk | None":
    return next((walk for known, walk in _WALKS if issubclass(kind, known)), None)


def _converted(value: object) -> object:
    try:
        return convert(value)
    except (Unconvertible, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001 - an object of somebody else's, which may do anything
        kinds = f"{type_name(type(value))}, whose conversion failed ({type_name(type(error))})"
        raise Unconvertible(f"is of the type {kinds}") from None


def _array(parts: Iterable[object], depth: int) -> list[object]:
    _check(depth)
    found: list[object] = []
    for part in parts:
        try:
            found.append(_plain(part, depth + 1))
        except Unconvertible as error:
            error.path.append(str(len(found)))
            raise
    return found


def _object(items: Iterable[tuple[Any, object]], depth: int) -> dict[str, object]:
    _check(depth)
    found: dict[str, object] = {}
    for key, value in items:
        name = clean(key) if type(key) is str else _name(key)
        if name in found:
            raise Unconvertible(f"has two names that both become {shortened(name, LONGEST_PATH)}")
        try:
            found[name] = _plain(value, depth + 1)
        except Unconvertible as error:
            error.path.append(name)
            raise
    return found


def _check(depth: int) -> None:
    if depth > DEEPEST:
        raise Unconvertible(f"is nested more than {DEEPEST} deep")


def _name(key: object) -> str:
    """Return a name that is no text: what its value would be, without quotes."""
    plain = _plain(key, DEEPEST)
    if isinstance(plain, str):
        return plain
    if isinstance(plain, list | dict):
        raise Unconvertible(f"has a name of the type {type_name(type(key))}")
    raw = orjson.dumps(plain)
    return str(orjson.loads(raw)) if raw.startswith(b'"') else raw.decode()


def _sorted_array(parts: Iterable[object], depth: int) -> list[object]:
    return in_order(_array(parts, depth))


@dataclass(frozen=True)
class _Walk:
    """How to go through a value without a conversion, as orjson sees it: whatever its type says that it contains."""

    begin: Callable[[Any], Any]
    finish: Callable[[Any, int], object]


_WALKS: Final[tuple[tuple[type | tuple[type, ...], _Walk], ...]] = (
    (dict, _Walk(dict.items, _object)),
    (list, _Walk(list.__iter__, _array)),
    (tuple, _Walk(tuple.__iter__, _array)),
    ((set, frozenset), _Walk(iter, _sorted_array)),
    (str, _Walk(str.__str__, lambda text, _: clean(text))),
    (int, _Walk(int.__int__, lambda number, _: whole(number))),
)
