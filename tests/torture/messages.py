"""HTTP/1.1 messages as a proxy needs them: read whole off a connection, and written again as they were."""

import asyncio
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

Headers = Sequence[tuple[str, str]]
_FRAMING = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True)
class Message:
    """A request or an answer: its first line, its headers in their order, and its body without any framing."""

    first: str
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return the value of a header, and nothing where it is missing."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def head(self) -> bytes:
        """Return the first line and the headers, framed by the length of the body."""
        length = self.header("content-length") if not self.body else ""  # what an answer to HEAD says of a body
        lines = [self.first, *(f"{key}: {value}" for key, value in self.headers if key.lower() not in _FRAMING)]
        return "\r\n".join([*lines, f"content-length: {length or len(self.body)}", "", ""]).encode("latin-1")

    @property
    def closes(self) -> bool:
        """Whether the connection ends with it."""
        return self.header("connection").lower() == "close"

    @property
    def content(self) -> bytes:
        """The body as its author wrote it."""
        return gzip.decompress(self.body) if self.header("content-encoding") == "gzip" else self.body

    def with_content(self, content: bytes) -> Self:
        """Return the same message with another body, which is not compressed."""
        headers = [one for one in self.headers if one[0].lower() not in {"content-encoding", "content-length"}]
        return replace(self, headers=headers, body=content)


@dataclass(frozen=True)
class Request(Message):
    """What a client asks."""

    @property
    def method(self) -> str:
        """GET and the like."""
        return self.first.split(" ")[0]

    @property
    def target(self) -> str:
        """The path with its query."""
        return self.first.split(" ")[1]

    @property
    def path(self) -> str:
        """The path alone."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Answer(Message):
    """What a server says to it."""

    @property
    def status(self) -> int:
        """200 and the like."""
        return int(self.first.split(" ")[1])


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """Return the next request of a connection with all of its body; None when the client has no more."""
    try:
        first, headers = await _read_head(reader)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    request = Request(first, headers)
    if request.header("expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return replace(request, body=await _read_body(reader, request) or b"")


async def read_answer(reader: asyncio.StreamReader, method: str) -> Answer:
    """Return the answer to a request of that method. Raises `IncompleteReadError` for one that breaks off."""
    while True:
        answer = Answer(*await _read_head(reader))
        if answer.status >= 200:
            break
    if method == "HEAD" or answer.status in _BODILESS:
        return answer
    body = await _read_body(reader, answer)
    if body is None:  # then its end is that of the connection
        return replace(answer, headers=[*answer.headers, ("connection", "close")], body=await reader.read())
    return replace(answer, body=body)


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, Headers]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    parted = (line.partition(":") for line in lines)
    return first, [(name, value.strip()) for name, _, value in parted]


async def _read_body(reader: asyncio.StreamReader, head: Message) -> bytes | None:
    """Return the body that a head announces; None where it announces nothing."""
    if "chunked" in head.header("transfer-encoding").lower():
        chunks = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            chunks.append(await reader.readexactly(size))
            await reader.readexactly(2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass  # a trailer, which nobody here sends
        return b"".join(chunks)
    length = head.header("content-length")
    return await reader.readexactly(int(length)) if length else None
