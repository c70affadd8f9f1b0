"""Bodies of bulk requests and what engines answer to them, taken apart and put together again by a proxy."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

REJECTED = "es_rejected_execution_exception"


class _Meta(msgspec.Struct, frozen=True):
    """What an action line says, as far as anybody here asks; not the product's own reading of it."""

    id: str | None = msgspec.field(name="_id", default=None)
    index: str | None = msgspec.field(name="_index", default=None)
    version: int | None = None


class _Item(msgspec.Struct, frozen=True):
    status: int
    index: str | None = msgspec.field(name="_index", default=None)
    seq_no: int | None = msgspec.field(name="_seq_no", default=None)


class _Items(msgspec.Struct, frozen=True):
    items: list[dict[str, _Item]] = []


class _RawItems(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw]


_metas = msgspec.json.Decoder(dict[str, _Meta])
_items = msgspec.json.Decoder(_Items)
_raw_items = msgspec.json.Decoder(_RawItems)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Action:
    """One action of a bulk: index, create, update or delete, and which bytes of the body are its lines."""

    kind: str
    id: str | None
    index: str | None
    version: int | None
    start: int
    end: int


@dataclass(frozen=True)
class ItemResult:
    """What an engine answered to one action; one that was applied has a sequence number."""

    status: int
    seq_no: int | None


def is_bulk(method: str, path: str) -> bool:
    """Return whether a request is a bulk."""
    return method in {"POST", "PUT"} and path.rstrip("/").endswith("/_bulk")


def actions_of(body: bytes) -> list[Action]:
    """Return the actions of a body. Raises `ValueError` for one that engines would not understand either."""
    found: list[Action] = []
    start = 0
    while start < len(body):
        end = body.index(b"\n", start) + 1
        ((kind, meta),) = _metas.decode(body[start:end]).items()
        if kind != "delete":
            end = body.index(b"\n", end) + 1
        found.append(Action(kind, meta.id, meta.index, meta.version, start, end))
        start = end
    return found


def body_of(actions: Iterable[Action], body: bytes) -> bytes:
    """Return the lines of some of the actions of a body, as a body of their own."""
    return b"".join(body[one.start : one.end] for one in actions)


def results_of(answer: bytes) -> tuple[ItemResult, ...]:
    """Return what an answer says of each action; nothing where a filter left the items out or it is no answer."""
    try:
        items = _items.decode(answer).items
    except msgspec.DecodeError:
        return ()
    return tuple(ItemResult(one.status, one.seq_no) for item in items for one in item.values())


def rejection(action: Action, index: str | None) -> dict[str, Any]:
    """Return the item with which an engine refuses one action for now."""
    error = {"type": REJECTED, "reason": "rejected execution of primary operation: the proxy has no room for it"}
    return {action.kind: {"_index": action.index or index, "_id": action.id, "status": 429, "error": error}}


def merged(answer: bytes | None, actions: Sequence[Action], refused: Collection[int], index: str | None) -> bytes:
    """Return the answer to all actions, of which those at some positions were refused and never delivered.

    `answer` is the engine's to the others, or None where no other was left. What else it says stays as it is.
    """
    fields: Mapping[str, Any] = {"took": 0} if answer is None else _fields.decode(answer)
    others = iter([] if answer is None else _raw_items.decode(answer).items)
    concrete = index if answer is None else _concrete(answer) or index
    items = [
        rejection(action, concrete) if position in refused else next(others) for position, action in enumerate(actions)
    ]
    return msgspec.json.encode({**fields, "errors": True, "items": items})


def _concrete(answer: bytes) -> str | None:
    """Return the index that an engine wrote to, which it names instead of the alias that was asked for."""
    return next((one.index for item in _items.decode(answer).items for one in item.values()), None)
