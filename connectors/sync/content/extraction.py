"""Extraction: what the bytes of a content become in a document. Extractors of other formats plug in here."""

import asyncio
import binascii
import codecs
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Protocol

from connectors.errors import DocumentSkipped

BODY: Final = "body"
ATTACHMENT: Final = "_attachment"
SLICE_BYTES: Final = 3 * 2**16
"""What is worked on before other tasks have a turn, under a millisecond; a multiple of 12, so base64 has no seams."""
_WITH_MARK: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SPACED: Final = bytes(
    code if code >= 0x20 and code != 0x7F else code if chr(code) in "\t\n\r" else 0x20 for code in range(256)
)
"""Turns the control characters of a text in UTF-8 into spaces. Its other bytes are never below 0x80."""


class Extractor(Protocol):
    """Makes fields of bytes."""

    @property
    def version(self) -> str:
        """What it is and does, in few words: a part of the shape, so that another version reads everything again."""
        ...

    async def fields_of(self, content: bytes, name: str | None) -> Mapping[str, Any]:
        """Return the fields that a content becomes, none where there is no text; `name` is its file's, if known.

        Called for several contents at once. Long work gives other tasks their turn. Raises `DocumentSkipped` for a
        content that is broken.
        """
        ...


class PlainText:
    """Indexes what is text already, as `body`; anything else has no text.

    Text is what a byte order mark says is UTF-8, UTF-16 or UTF-32, and without one what is UTF-8 from end to end.
    Encodings are never guessed. A NUL is in no text; other control characters become spaces.
    """

    version: ClassVar[str] = "text-1"

    async def fields_of(self, content: bytes, name: str | None) -> Mapping[str, Any]:
        """Return the text as `body`, or nothing."""
        del name  # what a file is called does not say what is in it
        text = await _text_of(content)
        return {} if text is None else {BODY: text}


class PipelineAttachment:
    """Sends contents as they are, for an ingest pipeline of the engine to extract."""

    version: ClassVar[str] = "attachment-1"

    async def fields_of(self, content: bytes, name: str | None) -> Mapping[str, Any]:
        """Return the content as base64, under the name that such a pipeline reads."""
        del name
        parts = []
        for part in _slices(content):
            parts.append(binascii.b2a_base64(part, newline=False).decode("ascii"))
            await _turn_for_others(part)
        return {ATTACHMENT: "".join(parts)}


async def bytes_of(attachment: object) -> bytes:
    """Return what an `_attachment` holds: bytes as they are, or decoded from base64. Raises `DocumentSkipped`."""
    if isinstance(attachment, bytes):
        return attachment
    broken = DocumentSkipped(f"The {ATTACHMENT} of the download is neither bytes nor base64.")
    if not isinstance(attachment, str):
        raise broken
    raw = attachment.encode("ascii", "replace").translate(None, b"\r\n")
    if b"=" in raw[:-2]:  # a slice that ends with one would be accepted
        raise broken
    parts = []
    try:
        for part in _slices(raw):
            parts.append(binascii.a2b_base64(part, strict_mode=True))
            await _turn_for_others(part)
    except binascii.Error:
        raise broken from None
    return b"".join(parts)


async def _text_of(content: bytes) -> str | None:
    encoding = next((name for mark, name in _WITH_MARK if content.startswith(mark)), "utf-8")
    decoder = codecs.getincrementaldecoder(encoding)()
    parts = []
    try:
        for part in _slices(content):
            raw = decoder.decode(part).encode()
            if b"\0" in raw:
                return None
            parts.append(raw.translate(_SPACED).decode())
            await _turn_for_others(part)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return None
    return "".join(parts)


def _slices(content: bytes) -> Iterator[bytes]:
    return (content[start : start + SLICE_BYTES] for start in range(0, len(content), SLICE_BYTES))


async def _turn_for_others(part: bytes) -> None:
    """Let other tasks run between the slices of a long content.

    A thread would not do: decoding and encoding hold the interpreter's lock, so the event loop would wait as long.
    """
    if len(part) == SLICE_BYTES:
        await asyncio.sleep(0)
