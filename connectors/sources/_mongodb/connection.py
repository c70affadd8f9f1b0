"""The connection: a client of the driver, asked again where that may help, whose errors say what to do."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.monitoring import CommandListener

from connectors import logger
from connectors.aio.clock import Clock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.errors import SourceError, SourceUnreachable
from connectors.sources._mongodb.address import Address
from connectors.sources._mongodb.answers import Answers
from connectors.sources._mongodb.errors import explained
from connectors.sources._tls import pem_of

T = TypeVar("T")
Client = AsyncMongoClient[dict[str, Any]]
Database = AsyncDatabase[dict[str, Any]]
log = logger.get(__name__)
FIRST_PAUSE_S: Final = 2.0
"""A replica set needs some seconds to choose another primary."""
GRACE_S: Final = 10
"""How much longer than a server may think we wait for what it says."""
BETWEEN_LOOKS_MS: Final = 250
"""The driver looks for a server each half of a second: what ends then would leave a connection half made."""
POOL: Final = 4
APP: Final = "connectors"


class Connection:
    """Has one client, made when it is first needed."""

    def __init__(self, address: Address, given: Any, clock: Clock, listeners: tuple[CommandListener, ...] = ()) -> None:  # noqa: ANN401 - a Configuration
        self.address = address
        self.answers = Answers()
        self.timeout_ms: int = 1_000 * given.statement_timeout_s
        self._given = given
        self._listeners = (*listeners, self.answers)
        self._retry = Retry(RetryPolicy(1 + given.retry_count, FIRST_PAUSE_S), clock, observe=_again)
        self._client: Client | None = None
        self._is_closed = False

    async def once(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Do some work, whose errors are those of the tree."""
        if self._client is None and not self._is_closed:
            await self._reach()
        with self.meanings():
            return await work(self.client())

    async def again(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Do some work, and again after a pause where the connection was lost: it changes nothing."""
        return await self._retry(lambda _: self.once(work))

    @contextmanager
    def meanings(self) -> Iterator[None]:
        """Let errors of the driver be those of the tree, and hold nothing of what it was given."""
        reason: Exception | None = None
        try:
            yield
        except (PyMongoError, OSError, ValueError) as error:
            reason = error
        if reason is not None:  # behind the block, so that the driver's own error is not the context
            raise explained(reason, self.address)

    async def streamed(self, begin: Callable[[Client], Awaitable[Any]]) -> AsyncGenerator[bytes, None]:
        """Yield the batches of a cursor of raw ones. Only its beginning is repeated."""

        async def begun(client: Client) -> tuple[Any, bytes | None]:
            cursor = await begin(client)
            return cursor, await anext(cursor, None)

        cursor, batch = await self.again(begun)
        try:
            while batch is not None:
                yield bytes(batch)
                with self.meanings():
                    batch = await anext(cursor, None)
        finally:
            with contextlib.suppress(PyMongoError):
                await cursor.close()

    async def close(self) -> None:
        """Close the client, whatever it is doing."""
        self._is_closed = True
        client, self._client = self._client, None
        if client is not None:
            await asyncio.shield(client.close())

    def client(self) -> Client:
        """Return the client."""
        if self._is_closed:
            raise SourceError("The source was closed.")
        if self._client is None:
            self._client = self._made()
        return self._client

    async def _reach(self) -> None:
        """Look whether a host takes connections. The driver would wait for one, say less, and leave some half made."""
        wrong = []
        for host, port in self.address.places():
            try:
                async with asyncio.timeout(self._given.connect_timeout_s):
                    _, writer = await asyncio.open_connection(host, port)
            except OSError as error:
                wrong.append(f"{host}:{port}: {error.strerror or 'no answer'}")
            else:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                return
        if wrong:
            message = f"{self.address} can't be reached: {', '.join(wrong)}."
            raise SourceUnreachable(message, hint="Check host and port, and that it runs.")

    def _made(self) -> Client:
        given, address = self._given, self.address
        wait_ms = 1_000 * given.connect_timeout_s
        more: dict[str, Any] = {name: _typed(value) for name, value in address.options.items() if name != "appName"}
        with ExitStack() as stack:
            return AsyncMongoClient(
                address.url,
                appname=address.options.get("appName", APP),
                connectTimeoutMS=wait_ms,
                directConnection=address.is_direct,
                document_class=dict,
                event_listeners=self._listeners,
                maxPoolSize=POOL,
                serverSelectionTimeoutMS=wait_ms + BETWEEN_LOOKS_MS,
                socketTimeoutMS=self.timeout_ms + 1_000 * GRACE_S,
                serverMonitoringMode="poll",  # as the driver leaves connections open that it made to be told at once
                tls=address.is_encrypted,
                waitQueueTimeoutMS=wait_ms,
                **({"username": given.user} if given.user else {}),
                **({"password": given.password.reveal()} if given.password else {}),
                **self._certificates(stack),
                **more,
            )

    def _certificates(self, stack: ExitStack) -> dict[str, Any]:
        """Return the options of an encrypted connection. What the driver reads from files is there for this moment."""
        given = self._given
        if not self.address.is_encrypted:
            return {}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="connectors-")))
        found: dict[str, Any] = {"tlsInsecure": True} if given.tls_insecure else {}
        if given.ssl_ca:
            found["tlsCAFile"] = _written(folder / "ca.pem", pem_of(given.ssl_ca))
        if given.ssl_client_certificate:
            pem = pem_of(given.ssl_client_certificate.reveal())
            found["tlsCertificateKeyFile"] = _written(folder / "client.pem", pem)
        return found


def _written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")  # in a folder that nobody else may enter
    return str(path)


def _typed(value: str) -> object:
    """Return an option of a connection string as the driver takes it beside one."""
    if value.isdecimal():
        return int(value)
    if value.casefold() in {"true", "false"}:
        return value.casefold() == "true"
    return value


def _again(error: Exception, attempt: int, pause_s: float) -> None:
    log.warning("The source is asked again after a pause.", attempt=attempt, pause_s=round(pause_s, 1), why=str(error))
