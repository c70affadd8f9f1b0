"""A dead letter: that one document could not be indexed, or not wholly, and why; never what is in it."""

import hashlib
import re
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from connectors.errors import RecordUnreadable

FORMAT: Final = 1
LONGEST_ID: Final = 8_192
"""Characters of an id that are kept; an engine takes 512 bytes, so that a longer one is never that of a document."""
LONGEST_CAUSE: Final = 200
LONGEST_REASON: Final = 1_000
MOST_FIELDS: Final = 100
_PREVIEW: Final = re.compile(r"(Preview of field's value: |For input string: ).*", re.DOTALL)
"""Where an engine quotes what it could not take."""


class LetterKind(StrEnum):
    """At which step a document failed."""

    READ = "read"
    """The source has it, and could not read it."""
    CONVERT = "convert"
    """It can't become JSON, or its id is none."""
    WRITE = "write"
    """The engine, a pipeline or another connector's claim to it kept it out of the index."""
    CONTENT = "content"
    """It is indexed without its content, as that could not be fetched."""
    ACCESS = "access"
    """It says who may read what, and is not indexed, at whatever step: another index, and ids of its own."""


OF_CONTENT_SYNCS: Final = frozenset(LetterKind) - {LetterKind.ACCESS}
"""The kinds of letters about documents and what is in them."""
OF_DOCUMENTS: Final = OF_CONTENT_SYNCS - {LetterKind.CONTENT}
"""The kinds of letters about documents that are not indexed: settled by any success or delete of the document."""
OF_ACCESS: Final = frozenset({LetterKind.ACCESS})
"""The same of who may read what."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One document and what is wrong with it.

    `cause` is the short form by which letters are counted together; `reason` tells all, `fields` names what of the
    document it is about.
    """

    connector: str
    id: str
    kind: LetterKind
    cause: str
    reason: str
    at: datetime
    run: str
    fields: tuple[str, ...] = ()


class CauseCount(msgspec.Struct, frozen=True):
    """How many letters there are of one kind and cause, and some of them."""

    kind: LetterKind
    cause: str
    count: int
    samples: tuple[DeadLetter, ...] = ()


def key_of(connector: str, document_id: str, kind: LetterKind) -> str:
    """Return the key of the only letter about a document and kind of failure; it is as short for any id."""
    parts = (one.encode("utf-8", "surrogatepass") for one in (connector, document_id, kind.value))
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hashlib.blake2b(framed, digest_size=20).hexdigest()


def stored(letter: DeadLetter) -> bytes:
    """Return a letter as it is stored: bounded, sayable in UTF-8, and without what an engine quotes of a document."""
    kept = DeadLetter(
        connector=letter.connector,
        id=_bounded(letter.id, LONGEST_ID),
        kind=letter.kind,
        cause=_bounded(letter.cause, LONGEST_CAUSE),
        reason=_bounded(_PREVIEW.sub(r"\1…", letter.reason), LONGEST_REASON),
        at=letter.at,
        run=letter.run,
        fields=tuple(_bounded(name, LONGEST_CAUSE) for name in letter.fields[:MOST_FIELDS]),
    )
    return msgspec.json.encode({"format": FORMAT, **msgspec.to_builtins(kept)})


def letter_of(key: str, source: object) -> DeadLetter:
    """Return the letter that a document holds. Raises `RecordUnreadable` for one of a newer version, or for none."""
    found = source.get("format") if isinstance(source, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise RecordUnreadable(
            f"The dead letter {key!r} has format {found}, and this version knows {FORMAT}.",
            key=key,
            hint="Use a version of Connectors at least as new as the newest that ran here.",
        )
    try:
        return msgspec.convert(source, DeadLetter)
    except msgspec.ValidationError as error:
        raise RecordUnreadable(f"The dead letter {key!r} is none: {error}.", key=key, hint="Delete it.") from None


def _bounded(text: str, longest: int) -> str:
    sayable = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return sayable if len(sayable) <= longest else f"{sayable[: longest - 1]}…"
