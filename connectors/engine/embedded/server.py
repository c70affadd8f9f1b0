"""The server: the embedded engine over HTTP, for `curl` and the official clients."""

import asyncio
import base64
import hmac
import os
import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from connectors.engine.embedded.api.router import MOST_BYTES
from connectors.engine.embedded.engine import EmbeddedEngine
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
_CLOSING_S: Final = 5.0


@dataclass(frozen=True)
class Serving:
    """A server that runs."""

    url: str


@asynccontextmanager
async def serving(engine: EmbeddedEngine, *, host: str, port: int, key: Secret | None) -> AsyncIterator[Serving]:
    """Serve an engine while the block runs, on a free port where it is 0; with a key only to those who have it.

    The engine works in a thread of its own, so that the event loop is free. Browsers are kept out in two ways: a
    request has to name this machine as its host, and a body has to be declared as JSON, which no page of another site
    can make a browser do unasked.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="embedded-engine") as thread:
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_route("*", "/{path:.*}", _Door(engine, thread, key).answer)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_CLOSING_S, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            yield Serving(f"http://{host}:{runner.addresses[0][1]}")
        finally:
            await runner.cleanup()


class _Door:
    """Lets requests in, or says why not."""

    def __init__(self, engine: EmbeddedEngine, thread: ThreadPoolExecutor, key: Secret | None) -> None:
        self._engine = engine
        self._thread = thread
        self._expected = None if key is None else f"ApiKey {key.reveal()}"

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            too_large = Refusal(413, "content_too_long_exception", f"A body may have {MOST_BYTES} bytes at the most.")
            return self._response(request, 413, msgspec.json.encode(too_large.body()))
        refusal = self._refusal(request, has_body=bool(body))
        if refusal is not None:
            return self._response(request, refusal.status, msgspec.json.encode(refusal.body()))
        loop = asyncio.get_running_loop()
        handle = self._engine.handle
        status, content = await loop.run_in_executor(self._thread, handle, request.method, request.raw_path, body)
        return self._response(request, status, content)

    def _refusal(self, request: web.Request, *, has_body: bool) -> Refusal | None:
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in LOCAL_HOSTS:
            listed = ", ".join(sorted(LOCAL_HOSTS))
            told = f"The host [{host}] is not this machine; the embedded engine answers to {listed}."
            return Refusal(403, "security_exception", told)
        if self._expected is not None:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), self._expected.encode()):
                return Refusal(
                    401, "security_exception", "missing or wrong API key: send [Authorization: ApiKey <key>]"
                )
        if has_body and request.content_type not in MEDIA_TYPES:
            told = f"Content-Type header [{request.headers.get('content-type', '')}] is not supported"
            return Refusal(406, "media_type_header_exception", told)
        return None

    def _response(self, request: web.Request, status: int, content: bytes) -> web.Response:
        compatible = "vnd.elasticsearch" in request.headers.get("accept", "")
        kind = "application/vnd.elasticsearch+json;compatible-with=8" if compatible else "application/json"
        headers = {"X-elastic-product": "Elasticsearch", "content-type": kind}
        return web.Response(status=status, body=content, headers=headers)


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
