"""The JSON Schema of a field: what it has to be, in the words of forms, command lines and other programs."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from connectors.fields.casts import is_empty
from connectors.fields.field import Field, plain

Schema = dict[str, Any]
_TYPES: Final = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", Path: "string"}
_ITEMS: Final = {"str": "string", "int": "integer", None: ["string", "number", "boolean", "null"]}
_NOTHING: Final = ["", None]
_EMPTY: Final[Mapping[type, object]] = {str: "", Path: "", list: []}
_SETS: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_MEMBER: Final = r"(?: [^]\[\\&~^-] | \\ [^a-zA-Z0-9&~_\s] | \\ [tnrf] )"
_PIECE: Final = re.compile(
    rf"""
      (?P<any> \.)
    | \\ (?P<kind> [dwsDWS])
    | \[ (?P<set> \^? -? (?: \\ [dws] | {_MEMBER} (?: - {_MEMBER} )? )+ -? ) \]
    | \\ (?P<mark> [^a-zA-Z0-9_\s])
    | \\ [tnrf]
    | \( (?: \?: | (?!\?) ) | [)|] | [\^$] (?![*+?{{])
    | (?: [*+?] | \{{ \d+ (?: , \d* )? \}} ) \??
    | [^\\.\[\]{{}}()|^$*+?]
    """,
    re.VERBOSE,
)


def annotations_of(one: Field) -> Schema:
    """Return what a schema says of a field whether or not it counts."""
    default = one.cast(one.initial)
    return _present(
        title=one.label,
        description=one.tooltip,
        type=_TYPES[one.type],
        default=None if is_empty(default) or one.sensitive else plain(default),
        writeOnly=one.sensitive or None,
    )


def limits_of(one: Field) -> Schema:
    """Return what a schema asks of the value of a field that counts. What may be empty has no other limit then."""
    if one.type is list:
        items = {"type": _ITEMS[one.list_type], **_choice_of(one, optional=True)}
        some = {"not": {"enum": _NOTHING}} if one.has_to_be_set else None
        return _present(items=items, contains=some)
    is_text = one.type in {str, Path}
    return _present(
        exclusiveMinimum=one.greater_than,
        exclusiveMaximum=one.less_than,
        minLength=1 if is_text and one.has_to_be_set else None,
        **_choice_of(one, optional=is_text and not one.has_to_be_set),
    )


def being(one: Field, wanted: object) -> Schema:
    """Return a schema of the objects in which a field has a value, be it that this is what it has when it is empty."""
    value = one.cast(wanted)
    empty = _EMPTY.get(one.type, value)
    met = [given for given in ([value] if empty == value else [value, empty]) if one.effective(given) == value]
    if not met:
        return {"not": {}}  # it was to be empty, and then its default is used
    missing = one.effective(one.initial) == value
    return {"properties": {one.name: {"enum": plain(met)}}, **({} if missing else {"required": [one.name]})}


def example_of(one: Field) -> Any:  # noqa: ANN401 - of the field's type
    """Return a value that is allowed; None where none is needed, or none can be made up."""
    for given in (one.example, *(() if one.sensitive else (one.value, one.default))):
        if not is_empty(one.cast(given)):
            return plain(one.cast(given))
    if not one.has_to_be_set:
        return False if one.type is bool else None
    return next((plain(value) for value in _candidates(one) if not any(one.faults(value))), None)


def portable(pattern: str) -> str | None:
    """Return an expression of RE2 in the syntax that every reader of JSON Schema takes, or None if that can't be."""
    pieces, at = [], 0
    while at < len(pattern):
        piece = _PIECE.match(pattern, at)
        if piece is None:
            return None
        pieces.append(_translated(piece))
        at = piece.end()
    return "".join(pieces)


def _candidates(one: Field) -> list[Any]:
    """Return values of which one is allowed, where there is no pattern and there are any."""
    if one.allowed:
        found = one.allowed
    elif one.type in {int, float}:
        low, high = one.greater_than, one.less_than
        found = [1, *([] if low is None else [math.floor(low) + 1]), *([] if high is None else [math.ceil(high) - 1])]
        found += [] if low is None or high is None else [(low + high) / 2]
    else:
        found = [False if one.type is bool else 1 if one.list_type == "int" else "…"]
    return [[value] for value in found] if one.type is list else found


def _translated(piece: re.Match[str]) -> str:
    if piece["any"]:
        return r"[^\n]"
    if piece["kind"]:
        return f"[{'^' * piece['kind'].isupper()}{_SETS[piece['kind'].lower()]}]"
    if piece["set"]:
        members = re.sub(r"\\(.)", lambda found: _SETS.get(found[1]) or _escaped(found[1]), piece["set"])
        return f"[{members}]"
    return _escaped(piece["mark"]) if piece["mark"] else piece[0]


def _escaped(mark: str) -> str:
    """Return a character that was escaped, escaped still where it has to be."""
    return rf"\{mark}" if mark in r"\^$.*+?()[]{}|/-tnrf" else mark


def _choice_of(one: Field, *, optional: bool) -> Schema:
    """Return the values and the pattern that a field has, or each of its elements; with `optional`, or be empty."""
    pattern = portable(one.pattern) if one.pattern is not None else None
    nothing = [] if not optional or one.list_type == "int" else _NOTHING if _is_mixed(one) else [""]
    return _present(
        enum=[*plain(one.allowed), *nothing] if one.allowed else None,
        pattern=None if pattern is None else f"^(?:{pattern}){'?' if optional else ''}$",
    )


def _is_mixed(one: Field) -> bool:
    return one.type is list and one.list_type is None


def _present(**words: object) -> Schema:
    return {word: value for word, value in words.items() if value is not None}
