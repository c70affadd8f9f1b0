"""Encoding: fields become the bytes of a JSON object, once, and equal fields the same bytes."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final

import orjson

from connectors.errors import DocumentSkipped
from connectors.filtering.wording import shortened
from connectors.sync.conversion import OPTIONS, Unconvertible, clean, convert, in_order, type_name, whole

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
    """Return a value as orjson takes it without help."""
    kind = type(value)
    if kind is str:
        return clean(value)
    if kind is int:
        return whole(value)
    if value is None or kind is bool or kind is float or kind is orjson.Fragment:
        return value
    for known, walk in _WALKS:
        if issubclass(kind, known):
            return walk(value, depth)
    return _plain(_converted(value), depth)


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


_WALKS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any, int], object]], ...]] = (
    (Enum, lambda value, depth: _plain(value.value, depth)),
    (dict, lambda value, depth: _object(dict.items(value), depth)),
    (list, lambda value, depth: _array(list.__iter__(value), depth)),
    (tuple, lambda value, depth: _array(tuple.__iter__(value), depth)),
    ((set, frozenset), lambda value, depth: in_order(_array(value, depth))),
    (str, lambda value, _: clean(str.__str__(value))),
    (int, lambda value, _: whole(int.__int__(value))),
)
"""What is walked through without a conversion, and as orjson sees it: whatever a type of its own says it contains."""
