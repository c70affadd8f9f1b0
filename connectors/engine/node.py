"""The HTTP node: one engine address over aiohttp, with TLS, client certificates, a proxy and limits."""

import asyncio
import base64
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from elastic_transport import ApiResponseMeta, BaseAsyncNode, HttpHeaders, NodeConfig
from elastic_transport._node import NodeApiResponse  # what a node returns has no public name
from elastic_transport.client_utils import DEFAULT, DefaultType
from yarl import URL

import connectors
from connectors import logger
from connectors.errors import EngineUnreachable, EngineUntrusted
from connectors.secret import Secret
from connectors.settings import EngineSettings

log = logger.get(__name__)
PRODUCT_HEADER: Final = "x-elastic-product"
PRODUCT: Final = "Elasticsearch"
PIECE: Final = 2**18
"""Bytes of a body that are handed on at once."""
USER_AGENT: Final = f"connectors/{connectors.__version__}"


@dataclass(frozen=True)
class Request:
    """One request on its way to the engine."""

    method: str
    target: str
    body: bytes | None
    headers: HttpHeaders
    timeout_s: float | None


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: HttpHeaders
    content: bytes


class Pieces(aiohttp.Payload):
    """A large body, handed on a piece at a time: asyncio keeps a copy of what a socket does not take at once."""

    _value: bytes

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return it as text."""
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write it, waiting after each piece until most of that was taken."""
        whole = memoryview(self._value)
        for start in range(0, len(whole), PIECE):
            await writer.write(whole[start : start + PIECE])

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write it, of which the length is known anyway."""
        del content_length
        await self.write(writer)


class HttpNode(BaseAsyncNode):
    """Sends requests to one address, and raises errors of our own tree.

    `configured` makes the subclass that carries what the client library's own node settings have no place for. A node
    that is `known` to be an engine says so in the product header that the client checks, because proxies and
    OpenSearch leave it out.
    """

    proxy: ClassVar[str | None] = None
    proxy_headers: ClassVar[Mapping[str, str]] = {}
    connect_timeout_s: ClassVar[float] = 10.0
    known: ClassVar[bool] = False

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def configured(cls, settings: EngineSettings, *, known: bool) -> "type[HttpNode]":
        """Return this class with the proxy and the connect timeout of the settings."""
        login = basic_auth(settings.proxy_username, settings.proxy_password)
        members = {
            "proxy": settings.proxy,
            "proxy_headers": {"proxy-authorization": login} if login else {},
            "connect_timeout_s": settings.connect_timeout_s,
            "known": known,
        }
        return type(f"Configured{cls.__name__}", (cls,), members)

    @property
    def where(self) -> str:
        """What messages call the engine."""
        return self.base_url

    async def perform_request(  # type: ignore[override] # the base class declares the synchronous signature
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> NodeApiResponse:
        """Send one request and return its whole answer, as the client library asks for it."""
        timeout_s = self.config.request_timeout if isinstance(request_timeout, DefaultType) else request_timeout
        started = asyncio.get_running_loop().time()
        reply = await self.exchange(Request(method, target, body, headers or HttpHeaders(), timeout_s))
        meta = ApiResponseMeta(
            node=self.config,
            duration=asyncio.get_running_loop().time() - started,
            http_version="1.1",
            status=reply.status,
            headers=reply.headers,
        )
        return NodeApiResponse(meta, reply.content)

    async def exchange(self, request: Request) -> Reply:
        """Send a request over the wire and return what comes back. Raises an `EngineError`."""
        try:
            async with self._open_session().request(
                request.method,
                URL(self.base_url + request.target, encoded=True),  # otherwise an id such as `..` would be normalised
                data=_payload(request.body),
                headers=self._merged(request.headers),
                timeout=aiohttp.ClientTimeout(total=request.timeout_s, sock_connect=self.connect_timeout_s),
                proxy=self.proxy,
                proxy_headers=self.proxy_headers,
                allow_redirects=False,
            ) as answer:
                return Reply(answer.status, self._received(answer), await answer.read())
        except (aiohttp.ClientError, OSError) as error:
            raise self._fault(error, request.timeout_s) from error

    async def close(self) -> None:  # type: ignore[override]
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _merged(self, headers: HttpHeaders) -> dict[str, str]:
        merged = HttpHeaders(self.headers)
        merged.update(headers)
        merged["user-agent"] = USER_AGENT
        if not self.base_url.startswith("https:"):  # where there is TLS, they go with the CONNECT to the proxy alone
            merged.update(self.proxy_headers)
        return dict(merged)

    def _received(self, answer: aiohttp.ClientResponse) -> HttpHeaders:
        headers = HttpHeaders(answer.headers)
        if self.known:
            headers[PRODUCT_HEADER] = PRODUCT
        warning = headers.pop("warning", None)  # the client would raise it as a warning of Python's
        if warning is not None:
            log.debug("The engine warns.", warning=warning, path=answer.url.path)
        return headers

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("accept", "accept-encoding", "content-type"),
            )
            # Unasked, aiohttp repeats a PUT or DELETE whose connection broke. Then a write could meet its own first
            # attempt and nobody would know, so only the lane repeats. There is no public switch; tests watch this one.
            self._session._retry_connection = False  # noqa: SLF001
        return self._session

    def _connector(self) -> aiohttp.BaseConnector:
        tls: ssl.SSLContext | bool = self.config.ssl_context or True
        return aiohttp.TCPConnector(limit=self.config.connections_per_node, ssl=tls)

    def _fault(self, error: Exception, timeout_s: float | None) -> EngineUnreachable | EngineUntrusted:
        where = self.where
        match error:
            case aiohttp.ClientConnectorCertificateError():
                return EngineUntrusted(
                    f"The certificate of {where} is not trusted: {error.certificate_error}.",
                    hint="Name its authority in engine.ca_certs.",
                )
            case aiohttp.ClientSSLError() | ssl.SSLError():
                reason = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
                return EngineUntrusted(
                    f"No TLS connection to {where}: {reason}.",
                    hint="Check that the address means https, and engine.client_cert where the engine asks for one.",
                )
            case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
                return EngineUnreachable(f"The proxy {self.proxy} gives no way to {where}: {error}.", unsent=True)
            case aiohttp.ServerTimeoutError() if isinstance(error, aiohttp.ConnectionTimeoutError):
                return EngineUnreachable(f"No connection to {where} within {self.connect_timeout_s:g} s.", unsent=True)
            case TimeoutError():
                return EngineUnreachable(f"No answer from {where} within {timeout_s:g} s.")
            case aiohttp.ClientConnectorError():
                return EngineUnreachable(
                    f"No connection to {where}: {_reason(error.os_error)}.",
                    unsent=True,
                    hint="Is the engine running, and is engine.host its address?",
                )
            case aiohttp.ClientPayloadError():
                return EngineUnreachable(f"The answer of {where} broke off.")
            case aiohttp.ServerDisconnectedError() if not isinstance(error.message, str):  # it is the answer's head
                return EngineUnreachable(f"The answer of {where} broke off.")
        return EngineUnreachable(f"The connection to {where} broke: {str(error) or type(error).__name__}.")


def _payload(body: bytes | None) -> bytes | Pieces | None:
    return Pieces(body) if body is not None and len(body) > PIECE else body


def _reason(error: OSError) -> str:
    """Return the system's own words: asyncio puts the address there instead, which the message names anyway."""
    if error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error) or "the connection was closed at once"


def basic_auth(username: str | None, password: Secret | None) -> str | None:
    """Return what a header says to log in with a user name and password; None without them."""
    if not (username and password):
        return None
    return f"Basic {base64.b64encode(f'{username}:{password.reveal()}'.encode()).decode()}"
