"""The server: the embedded engine over HTTP, on loopback for `curl` and official clients, and on a Unix socket."""

import asyncio
import base64
import hmac
import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from connectors.engine.embedded.api.router import MOST_BYTES, TEXT, is_table, too_large
from connectors.engine.embedded.desk import Desk
from connectors.engine.embedded.refusal import Refusal
from connectors.secret import Secret

KEY_FILE: Final = "api_key"
LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
MEDIA_TYPES: Final = frozenset(
    {
        "application/json",
        "application/x-ndjson",
        "application/vnd.elasticsearch+json",
        "application/vnd.elasticsearch+x-ndjson",
    }
)
SLOWEST_BODY_S: Final = 60.0
"""A body that takes longer to arrive is given up, because it holds room that others wait for."""
_CLOSING_S: Final = 5.0


@dataclass(frozen=True)
class Serving:
    """A server that runs."""

    url: str


@asynccontextmanager
async def serving(
    desk: Desk, *, host: str, port: int, key: Secret | None, slowest_body_s: float = SLOWEST_BODY_S
) -> AsyncIterator[Serving]:
    """Serve an engine over TCP while the block runs, on a free port where it is 0; with a key only to who has it.

    Browsers are kept out in two ways: a request has to name this machine as its host, and a body has to be declared as
    JSON, which no page of another site can make a browser do unasked.
    """
    async with _running(_Door(desk, key, LOCAL_HOSTS, slowest_body_s)) as runner:
        await web.TCPSite(runner, host, port).start()
        yield Serving(f"http://{host}:{runner.addresses[0][1]}")


@asynccontextmanager
async def listening(desk: Desk, path: Path) -> AsyncIterator[None]:
    """Serve an engine on a Unix socket while the block runs, to this user's processes alone."""
    with _bound(path) as listener:
        async with _running(_Door(desk, None, None, SLOWEST_BODY_S)) as runner:
            await web.SockSite(runner, listener).start()
            yield


@contextmanager
def _bound(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        os.fchmod(listener.fileno(), 0o700)  # before it has a name that others could connect to
        listener.bind(str(path))
        try:
            path.chmod(0o700)
            yield listener
        finally:
            path.unlink(missing_ok=True)


@asynccontextmanager
async def _running(door: "_Door") -> AsyncIterator[web.AppRunner]:
    app = web.Application(client_max_size=MOST_BYTES)
    app.router.add_route("*", "/{path:.*}", door.answer)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_CLOSING_S, access_log=None)
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


class _Door:
    """Lets requests in, or says why not."""

    def __init__(self, desk: Desk, key: Secret | None, hosts: frozenset[str] | None, slowest_body_s: float) -> None:
        self._desk = desk
        self._expected = None if key is None else f"ApiKey {key.reveal()}"
        self._hosts = hosts
        self._slowest_body_s = slowest_body_s

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        try:
            status, content = await self._answered(request)
        except Refusal as refusal:
            status, content = refusal.status, msgspec.json.encode(refusal.body())
        compatible = "vnd.elasticsearch" in request.headers.get("accept", "")
        kind = "application/vnd.elasticsearch+json;compatible-with=8" if compatible else "application/json"
        headers = {"X-elastic-product": "Elasticsearch", "content-type": TEXT if is_table(content) else kind}
        return web.Response(status=status, body=content, headers=headers)

    async def _answered(self, request: web.Request) -> tuple[int, bytes]:
        self._check(request)
        with self._desk.place(request.raw_path, _announced(request)) as place:
            try:
                async with asyncio.timeout(self._slowest_body_s):
                    body = await request.read()
            except web.HTTPRequestEntityTooLarge:
                raise too_large() from None
            except TimeoutError:
                told = f"The body did not arrive within {self._slowest_body_s:g} s."
                raise Refusal(408, "request_timeout_exception", told) from None
            return await self._desk.answer(place, request.method, request.raw_path, body)

    def _check(self, request: web.Request) -> None:
        """Raise a `Refusal` of who is not to be let in, before anything of the body is read."""
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if self._hosts is not None and host not in self._hosts:
            listed = ", ".join(sorted(self._hosts))
            told = f"The host [{host}] is not this machine; the embedded engine answers to {listed}."
            raise Refusal(403, "security_exception", told)
        if self._expected is not None:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(errors="replace"), self._expected.encode()):
                told = "missing or wrong API key: send [Authorization: ApiKey <key>]"
                raise Refusal(401, "security_exception", told)
        if request.body_exists and request.content_length != 0 and request.content_type not in MEDIA_TYPES:
            told = f"Content-Type header [{request.headers.get('content-type', '')}] is not supported"
            raise Refusal(406, "media_type_header_exception", told)


def _announced(request: web.Request) -> int:
    """Return how large the body of a request can be."""
    if not request.body_exists:
        return 0
    if request.content_length is None or "content-encoding" in request.headers:
        return MOST_BYTES
    return request.content_length


def key_of(folder: Path) -> Secret:
    """Return the API key of a data folder, made when there is none; only the folder's owner can read it."""
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = base64.b64encode(f"connectors:{secrets.token_urlsafe(24)}".encode()).decode()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key)
    return Secret(path.read_text().strip())
