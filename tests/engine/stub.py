"""A stub of an engine on a real socket: answers what it is told to, badly where it is told so."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

PRODUCT = {"x-elastic-product": "Elasticsearch"}
ELASTICSEARCH = {"cluster_name": "test", "version": {"number": "8.19.8"}, "tagline": "You Know, for Search"}
OPENSEARCH = {"cluster_name": "test", "version": {"number": "2.19.6", "distribution": "opensearch"}}


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(status: int = 200, body: object = None, headers: dict[str, str] | None = None) -> Reply:
    """Answer properly; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    kind = {"content-type": "application/vnd.elasticsearch+json;compatible-with=8"}
    lines = {**kind, **PRODUCT, **(headers or {}), "content-length": str(len(content))}

    async def reply(writer: asyncio.StreamWriter) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        writer.write(f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + content)
        await writer.drain()

    return reply


def refusal(status: int, kind: str, reason: str = "the reason", *, headers: dict[str, str] | None = None) -> Reply:
    """Answer with an error of the shape that engines use."""
    cause = {"type": kind, "reason": reason, "index": "docs"}
    return answer(status, {"error": {**cause, "root_cause": [cause]}, "status": status}, headers)


def greeting(body: object = None, headers: dict[str, str] | None = None) -> Reply:
    return answer(200, ELASTICSEARCH if body is None else body, headers)


def half(promised: int = 1000) -> Reply:
    """Begin an answer, promise more than comes, and end the connection."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {promised}\r\n"
        writer.write(f'{head}x-elastic-product: Elasticsearch\r\n\r\n{{"took": 1, "hits'.encode())
        await writer.drain()
        writer.close()

    return reply


def reset() -> Reply:
    """Reset the connection."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return reply


def silence(seconds: float = 60.0) -> Reply:
    """Say nothing for so long, then nothing at all."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)

    return reply


def later(seconds: float, reply: Reply) -> Reply:
    """Reply after a while."""

    async def wait(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await reply(writer)

    return wait


class Stub:
    """Gives one reply of its script a request, in order, whatever connection it comes over, and keeps the requests."""

    def __init__(self, *script: Reply, tls: ssl.SSLContext | None = None) -> None:
        self.script = list(script)
        self.requests: list[Received] = []
        self.connections = 0
        self.url = ""
        self._tls = tls
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def asked(self) -> list[str]:
        """The requests so far, without the greeting."""
        return [f"{one.method} {one.target}" for one in self.requests if one.target != "/"]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"https://localhost:{port}" if self._tls else f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening, and end the connections that there are."""
        self._server.close()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def reply_to(self, request: Received) -> Reply:
        """Return what to do about a request: the next of the script, whatever it asks for."""
        return self.script.pop(0) if self.script else answer(500, b"the script is over")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self.connections += 1
        try:
            while (request := await self._read(reader, writer)) is not None:
                self.requests.append(request)
                await self.reply_to(request)(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._serving.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received | None:
        first_byte = await reader.readexactly(1)
        if not first_byte.isalpha():  # a TLS handshake, which a server of plain HTTP answers in plain words
            await answer(400, b"")(writer)
            return None
        head = first_byte + await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Received(method, target, headers, body)
