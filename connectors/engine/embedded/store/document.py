"""Documents as they are sent: JSON objects without repeated names, whose bytes are kept as they came."""

import json
from typing import Any, Final

import msgspec

from connectors.engine.embedded.refusal import Refusal

DEEPEST: Final = 1_000
"""How deep arrays and objects may stand in each other."""
_decode: Final = msgspec.json.Decoder().decode


class _Repeated(ValueError):
    pass


def parse_document(doc_id: str, raw: bytes) -> dict[str, Any]:
    """Return a document's content. Raises a `Refusal` for what is no document."""
    if not raw.strip():
        raise Refusal(400, "parse_exception", "request body is required")
    try:
        value = _decode(raw)
        if isinstance(value, dict) and _names(value) != raw.count(b'":'):
            json.loads(raw, object_pairs_hook=_unrepeated)
    except _Repeated as error:
        raise _unparsable(f"Duplicate field '{error}'") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise _unparsable(f"failed to parse document with id '{doc_id}': {error}") from error
    if not isinstance(value, dict):
        raise _unparsable(f"failed to parse document with id '{doc_id}': it is no object")
    return value


def _unparsable(reason: str) -> Refusal:
    return Refusal(400, "document_parsing_exception", reason)


def _names(value: dict[str, Any]) -> int:
    """Return how many names there are, at every depth: where that is how many the bytes show, none is repeated."""
    count = len(value)
    for below in value.values():
        if isinstance(below, dict):
            count += _names(below)
        elif isinstance(below, list):
            count += sum(_names(item) for item in below if isinstance(item, dict))
    return count


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, below in pairs:
        if name in value:
            raise _Repeated(name)
        value[name] = below
    return value
