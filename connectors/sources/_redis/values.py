"""Values: how those of each type are asked for, and which field of a document holds them.

Each type has a field of its own, so that an index never meets a text where it has seen an object. Names that users have
made (fields of hashes) are values there, so that an index does not get a field for each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.sources._redis.command import Command, Reply
from connectors.sources._redis.keys import text_of

Parts = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A type: what documents call it, what it is asked by, and what its answer becomes.

    `form` returns None for the answer to a key that is not there any more.
    """

    name: str
    words: Callable[[bytes], Command]
    form: Callable[[Reply], Parts | None]
    may_be_empty: bool = False


def _text(field: str, raw: bytes) -> Parts:
    """Return bytes in a field; what is no text in Base64, in one that says so."""
    text = text_of(raw)
    return {field: text} if isinstance(text, str) else {f"{field}_base64": raw}


def _texts(field: str, several: Sequence[bytes]) -> Parts:
    """Return bytes in a list; all of them in Base64 where one is no text, as nobody could tell which are."""
    try:
        return {field: [one.decode() for one in several]}
    except UnicodeDecodeError:
        return {f"{field}_base64": list(several)}


def _string(reply: Reply) -> Parts | None:
    return None if reply is None else _text("value", reply)


def _json(reply: Reply) -> Parts | None:
    return None if reply is None else _text("json", reply)


def _list(reply: Reply) -> Parts | None:
    return _texts("items", reply) if reply else None


def _set(reply: Reply) -> Parts | None:
    return _texts("members", sorted(reply)) if reply else None


def _hash(reply: Reply) -> Parts | None:
    """Return fields and values in an order that stays: the server's own is another one after a restart."""
    return {"fields": _pairs(sorted(_paired(reply)))} if reply else None


def _scored(reply: Reply) -> Parts | None:
    if not reply:
        return None
    return {"scored": [{**_text("member", member), **_score(raw)} for member, raw in _paired(reply)]}


def _stream(reply: Reply) -> Parts | None:
    return {"entries": [{"id": id_.decode(), "fields": _pairs(_paired(pairs or ()))} for id_, pairs in reply]}


def _pairs(several: Iterable[tuple[bytes, bytes]]) -> list[Parts]:
    return [{**_text("field", field), **_text("value", value)} for field, value in several]


def _paired(flat: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _score(raw: bytes) -> Parts:
    """Return a score. No engine has a number that is infinite."""
    score = float(raw)
    if score in {float("inf"), float("-inf")}:
        return {"infinite_score": "inf" if score > 0 else "-inf"}
    return {"score": score}


KINDS: Final[Mapping[bytes, Kind]] = {
    b"string": Kind("string", lambda key: ("GET", key), _string),
    b"hash": Kind("hash", lambda key: ("HGETALL", key), _hash),
    b"list": Kind("list", lambda key: ("LRANGE", key, 0, -1), _list),
    b"set": Kind("set", lambda key: ("SMEMBERS", key), _set),
    b"zset": Kind("zset", lambda key: ("ZRANGE", key, 0, -1, "WITHSCORES"), _scored),
    b"stream": Kind("stream", lambda key: ("XRANGE", key, "-", "+"), _stream, may_be_empty=True),
    b"ReJSON-RL": Kind("json", lambda key: ("JSON.GET", key), _json),
}
"""Every type that is read, by the name that the server has for it."""
TYPES: Final[Mapping[str, bytes]] = {kind.name: wire for wire, kind in KINDS.items()}
"""The same the other way round."""
