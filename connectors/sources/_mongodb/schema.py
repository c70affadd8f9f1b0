"""The schema of a collection, inferred from some of its documents: what types each field was seen to have."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from connectors.changes import Failed
from connectors.dataset import Row

MOST_FIELDS: Final = 2_000
_OF_OBJECTS: Final = 3
"""How deep the fields of objects are told."""
_TYPES: Final[tuple[tuple[type | tuple[type, ...], Mapping[str, Any]], ...]] = (
    (bool, {"type": "boolean"}),
    (int, {"type": "integer"}),
    ((float, Decimal), {"type": "number"}),
    (datetime, {"type": "string", "format": "date-time"}),
    (UUID, {"type": "string", "format": "uuid"}),
    ((bytes, bytearray), {"type": "string", "contentEncoding": "base64"}),
    (str, {"type": "string"}),
)


def schema_of(rows: Iterable[Row | Failed]) -> dict[str, Any]:
    """Return the JSON Schema that these rows are alike in."""
    whole = [row for row in rows if isinstance(row, dict)]
    schema = _object(whole, 0)
    schema["properties"] = {"_id": schema["properties"].pop("_id", {}), **schema["properties"]}
    return {**schema, "required": ["_id"]}


def _object(found: Iterable[Mapping[str, Any]], depth: int) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for one in found:
        for name, value in one.items():
            if name in values or len(values) < MOST_FIELDS:
                values.setdefault(name, []).append(value)
    return {"type": "object", "properties": {name: _value(several, depth) for name, several in values.items()}}


def _value(values: Iterable[Any], depth: int) -> dict[str, Any]:
    """Return the schema of values: of one kind with all that is known of it, of several with their types alone."""
    schemas: list[dict[str, Any]] = []
    objects = [one for one in values if isinstance(one, Mapping)]
    if objects:
        schemas.append(_object(objects, depth + 1) if depth < _OF_OBJECTS else {"type": "object"})
    lists = [one for one in values if isinstance(one, list)]
    if lists:
        inner = [part for one in lists for part in one]
        schemas.append({"type": "array", **({"items": _value(inner, depth + 1)} if inner else {})})
    for one in values:
        plain = dict(_plain(one))
        if plain and plain not in schemas:
            schemas.append(plain)
    if len(schemas) > 1:
        return {"type": list(dict.fromkeys(one["type"] for one in schemas))}
    return schemas[0] if schemas else {}


def _plain(value: object) -> Mapping[str, Any]:
    if value is None:
        return {"type": "null"}
    return next((schema for kind, schema in _TYPES if isinstance(value, kind)), {})
