"""Keys: names of bytes, and the ids of the documents that they become."""

import re
from dataclasses import dataclass
from typing import Any, Final

from connectors.dataset import document_id

_BYTES: Final = "bytes:"
_HASHED: Final = "%#"
"""What stands in the id of a long key before its hash, and in no other."""


@dataclass(frozen=True)
class Place:
    """A key of a database."""

    database: int
    key: bytes

    @property
    def id(self) -> str:
        """The id of its document, another one for every other key."""
        return document_id(str(self.database), (text_of(self.key),))

    @classmethod
    def meant_by(cls, id_: str) -> "Place | None":
        """Return the place that has this id, or None for an id of no place, or one that only tells its hash."""
        number, slash, part = id_.partition("/")
        if not slash or not number.isdigit() or is_hashed(id_):
            return None
        try:
            key = bytes.fromhex(part.removeprefix(_BYTES)) if part.startswith(_BYTES) else _unescaped(part).encode()
        except ValueError:
            return None
        found = cls(int(number), key)
        return found if found.id == id_ else None


def is_hashed(id_: str) -> bool:
    """Return whether an id ends in the hash of what was too long for it."""
    return _HASHED in id_


def text_of(raw: bytes) -> str | bytes:
    """Return bytes as the text that they are, or as they are if they are none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def fields_of_key(key: bytes) -> dict[str, Any]:
    """Return what a document says of its key: a text to be read and found, and its bytes where they are none."""
    text = text_of(key)
    if isinstance(text, str):
        return {"key": text}
    return {"key": key.decode("utf-8", "backslashreplace"), "key_base64": key}


def _unescaped(part: str) -> str:
    quoted = part[1:-1] if len(part) > 1 and part[0] == part[-1] == '"' else part
    return re.sub(r"%([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), quoted)
