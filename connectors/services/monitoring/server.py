"""The server: tells over HTTP whether the daemon lives and is ready, and its metrics, and lets nobody hold it up."""

import asyncio
import ipaddress
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import web

from connectors import logger
from connectors.aio.clock import Clock, SystemClock
from connectors.services.monitoring.health import Finding, Health
from connectors.services.monitoring.metrics import Metrics
from connectors.settings import MonitoringSettings

log = logger.get(__name__)
AGAIN_AFTER_S: Final = 30.0
"""How long to wait before an address that was taken is tried again: an older daemon may be ending."""
MOST_VISITORS: Final = 64
"""Connections at once. Whoever comes on top of that is turned away."""
VISIT_S: Final = 10.0
"""How long a connection may last, whatever is said over it, or not."""
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_JSON: Final = "application/json"


@dataclass(frozen=True)
class Limits:
    """How much whoever connects may take."""

    visitors: int = MOST_VISITORS
    visit_s: float = VISIT_S


@dataclass(frozen=True)
class Monitor:
    """Answers `GET /healthz`, `/readyz` and `/metrics`, one request a connection.

    Browsers are kept out: where the address is a loopback one, a request has to name this machine as its host, or one
    of `monitoring.names`; elsewhere an address in numbers or the machine's own name will do too. None of them is a name
    that a page of another site could have.
    """

    settings: MonitoringSettings
    health: Health
    metrics: Metrics
    clock: Clock = SystemClock()
    limits: Limits = Limits()

    async def run(self) -> None:
        """Serve until cancelled. An address that can't be had is told once, and tried again now and then."""
        host, port = self.settings.host, self.settings.port
        if port is None:
            return
        is_told = False
        while True:
            try:
                async with self.serving(port) as found:
                    log.info("Metrics and health are told over HTTP.", url=found)
                    await asyncio.Event().wait()
            except OSError as error:
                if not is_told:
                    is_told = True
                    reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
                    log.warning(
                        "Metrics and health are not told, as the address can't be had. Set monitoring.port to another "
                        "port for each daemon of a machine, or to null.",
                        host=host,
                        port=port,
                        why=reason,
                    )
            await self.clock.sleep(AGAIN_AFTER_S)

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[str]:
        """Serve during the block, at a free port where it is 0, and provide the URL. Raises an `OSError`."""
        pages = web.Server(self._answer, access_log=None, keepalive_timeout=0, lingering_time=0)
        loop = asyncio.get_running_loop()

        def visitor() -> asyncio.Protocol:
            if len(pages.connections) >= self.limits.visitors:
                return _Full()
            visit = pages()
            loop.call_later(self.limits.visit_s, _end, visit)
            return visit

        server = await loop.create_server(visitor, self.settings.host, port)
        try:
            found = server.sockets[0].getsockname()[1]
            shown = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
            yield f"http://{shown}:{found}"
        finally:
            server.close()
            await pages.shutdown(0)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        answer = await self._answered(request)
        answer.force_close()
        answer.headers["server"] = "connectors"
        answer.headers["cache-control"] = "no-store"
        answer.headers["x-content-type-options"] = "nosniff"
        return answer

    async def _answered(self, request: web.BaseRequest) -> web.Response:
        if not self._admits(request.headers.get("host", "")):
            return _refused(403, "The host that this request is for is not this machine.", "monitoring.names")
        if request.method not in {"GET", "HEAD"}:
            return _refused(405, "There is nothing to do here but to GET.", None)
        match request.path:
            case "/healthz":
                return _found(self.health.alive())
            case "/readyz":
                return _found(await self.health.ready())
            case "/metrics":
                written = self.metrics.written(request.headers.get("accept", ""))
                return web.Response(body=written.content, headers={"content-type": written.content_type})
        return _refused(404, "There are /healthz, /readyz and /metrics.", None)

    def _admits(self, header: str) -> bool:
        host = _name_in(header)
        if host in LOCAL or host in self.settings.names:
            return True
        if self.settings.host in LOCAL:
            return False
        return _is_number(host) or host in {self.settings.host, socket.gethostname().lower()}


class _Full(asyncio.Protocol):
    """Turns somebody away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a stream server makes
        transport.abort()


def _end(visit: web.RequestHandler) -> None:
    """End a connection that is there still: of a client that is slow, in asking or in listening."""
    if visit.transport is not None:
        visit.transport.abort()


def _found(finding: Finding) -> web.Response:
    return _json(200 if finding.well else 503, finding.told)


def _refused(status: int, reason: str, setting: str | None) -> web.Response:
    return _json(status, {"error": reason, **({"setting": setting} if setting is not None else {})})


def _json(status: int, told: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(told) + b"\n", headers={"content-type": _JSON})


def _name_in(header: str) -> str:
    """Return the host of a `Host` header, without its port and brackets."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
