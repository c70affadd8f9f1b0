"""Preparing: a document of a source becomes bytes, once, and the hashes by which it is known."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson
from xxhash import xxh3_64, xxh3_64_intdigest, xxh3_128_digest

from connectors.download import Content
from connectors.errors import DocumentSkipped
from connectors.sync.document.conversion import type_name, word_of
from connectors.sync.document.encoding import encoded
from connectors.sync.document.shape import Shape
from connectors.sync.index.mark import FIELD

LONGEST_ID: Final = 512
"""Bytes of an id: one that is longer refuses the whole bulk that it is in."""
_SHORT_ID: Final = LONGEST_ID // 4
"""Characters of which there are at most so many bytes."""
_LARGEST_ID: Final = 10**LONGEST_ID
_FIRST: Final = b'"' + FIELD.encode()


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """A document, ready to be compared and sent.

    `key` is what the ledger knows the id by; `metadata` hashes the body and the shape; `body` is a JSON object with
    sorted names, without `_id`, and without a mark.
    """

    id: str
    key: bytes
    metadata: int
    body: bytes


class Preparer:
    """Prepares the documents of one sync, each by itself: one that is refused leaves nothing behind.

    `extra` are fields that every document gets, whatever it has of that name: `Pipeline.fields`.
    """

    def __init__(self, shape: Shape, extra: Mapping[str, object] | None = None) -> None:
        self._seed = shape.seed
        self._extra = dict(extra or {})

    def __call__(self, document: Mapping[str, Any]) -> Prepared:
        """Return a document prepared, with the field `id` if the source has none of that name.

        Raises `DocumentSkipped` for what can't be indexed whatever the index is like.
        """
        fields = dict(document) if type(document) is dict else _fields_of(document)
        doc_id = fields.pop("_id", None)
        if type(doc_id) is not str:
            doc_id = _text_of(doc_id)
        if not 0 < len(doc_id) <= _SHORT_ID:
            _check_length(doc_id)
        if "id" not in fields:
            fields["id"] = doc_id
        if self._extra:
            fields.update(self._extra)
        key = key_of(doc_id)
        body = encoded(fields)
        if body[1:7] <= _FIRST and FIELD in _names(fields, body):  # else every name comes behind: they are sorted
            _check_names(body)
        return Prepared(doc_id, key, xxh3_64_intdigest(body, self._seed), body)


def id_in(document: object) -> str | None:
    """Return the id of a document that may be refused for other reasons, as it would be stored; None without one."""
    try:
        return _text_of(document.get("_id")) if isinstance(document, Mapping) else None
    except Exception:  # noqa: BLE001 - an object of somebody else's, which may do anything
        return None


def id_of(document: object) -> str:
    """Return the id that a document would be prepared with. Raises `DocumentSkipped` when it could not be."""
    doc_id = (document if isinstance(document, dict) else _fields_of(document)).get("_id")
    if type(doc_id) is not str:
        doc_id = _text_of(doc_id)
    _check_length(doc_id)
    return doc_id


def key_of(doc_id: str) -> bytes:
    """Return the 16 bytes that stand for an id. Raises `DocumentSkipped` for one that can't be UTF-8."""
    try:
        return xxh3_128_digest(doc_id)
    except UnicodeEncodeError:
        reason = "The _id holds half a character (a lone surrogate)."
        raise DocumentSkipped(reason, hint="Two such ids would become one: let the source escape it.") from None


def fingerprint(metadata: int, content: int) -> int:
    """Return the fingerprint of a document from the hash of its metadata and that of its content, 0 if it has none.

    It has 64 bits and a sign, as an engine's `long`, and is never 0, which stands for one that is unknown.
    """
    if content:
        metadata = xxh3_64_intdigest(content.to_bytes(8, "little", signed=True), metadata)
    return _signed(metadata)


def version_digest(content_version: str, shape: Shape) -> int:
    """Return the hash of a content by its version, as `fingerprint` takes it: signed and never 0."""
    return _signed(
        xxh3_64_intdigest(b"version\0" + content_version.encode("utf-8", "surrogatepass"), shape.content_seed)
    )


def content_digest(content: Content, shape: Shape) -> int:
    """Return the hash of a content that has no version and was fetched: of its bytes, or of the fields that it adds.

    Raises `DocumentSkipped` for fields that can't be converted.
    """
    kind, raw = (b"fields\0", encoded(content)) if isinstance(content, Mapping) else (b"bytes\0", content)
    hashed = xxh3_64(kind, seed=shape.content_seed)
    hashed.update(raw)
    return _signed(hashed.intdigest())


def _signed(digest: int) -> int:
    return (digest - (digest >> 63 << 64)) or 1


def _fields_of(document: object) -> dict[str, Any]:
    if isinstance(document, dict):
        return dict(dict.items(document))
    if not isinstance(document, Mapping):
        raise DocumentSkipped(f"The document is of the type {type_name(type(document))}, and no dict.")
    try:
        return dict(document)
    except Exception as error:  # noqa: BLE001 - an object of somebody else's, which may do anything
        raise DocumentSkipped(f"The document can't be read as a dict ({type_name(type(error))}).") from None


def _text_of(doc_id: object) -> str:
    """Return an id that is no text as one, where it has one form only."""
    if isinstance(doc_id, str):
        return str.__str__(doc_id)
    if isinstance(doc_id, int) and not isinstance(doc_id, bool) and abs(doc_id) < _LARGEST_ID:
        return int.__repr__(doc_id)
    if doc_id is None:
        raise DocumentSkipped("The document has no _id.")
    word = word_of(doc_id)
    if word is None:
        reason = f"The _id is of the type {type_name(type(doc_id))}, which is no text."
        raise DocumentSkipped(reason, hint="Let the source make a text of it.")
    return word


def _check_length(doc_id: str) -> None:
    if not doc_id:
        raise DocumentSkipped("The _id is empty.")
    size = len(doc_id.encode("utf-8", "surrogatepass"))
    if size > LONGEST_ID:
        reason = f"The _id has {size} bytes; an engine takes {LONGEST_ID}."
        raise DocumentSkipped(reason, hint="Let the source end long ids in a hash.")


def _names(fields: dict[str, Any], body: bytes) -> str:
    try:
        return "\0".join(fields)
    except TypeError:  # names that are no texts, and are some by now
        return "\0".join(orjson.loads(body))


def _check_names(body: bytes) -> None:
    """Refuse the fields that an engine would take for the mark, or for a part of it."""
    for name in orjson.loads(body):
        if name == FIELD or name.startswith(f"{FIELD}."):
            reason = f"The document has a field {name}, and {FIELD} is where its own state is kept."
            raise DocumentSkipped(reason, hint="Let the source leave it out or call it otherwise.")
