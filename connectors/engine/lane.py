"""A lane: one pool of connections to the engine, over which named calls are made, retried and decoded."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, TypeVar

import msgspec
from elastic_transport import ApiResponse, HttpHeaders, NdjsonSerializer, Serializer, TransportError
from elastic_transport.client_utils import url_to_node_config
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError

from connectors.aio.retry import NEVER, Retry
from connectors.config import EngineSettings
from connectors.engine.faults import incomplete, is_answer, translate
from connectors.engine.node import HttpNode, tls_context
from connectors.errors import EngineError, EngineFailed, EngineUnreachable

T = TypeVar("T")
Request = Callable[[AsyncElasticsearch], Awaitable[ApiResponse[Any]]]


class _AsBytes(Serializer):
    """Encodes bodies fast, and leaves answers as they came: each call decodes its own, typed."""

    mimetype: ClassVar[str] = "application/json"
    _encoder: Final = msgspec.json.Encoder()

    def dumps(self, data: object) -> bytes:
        return data if isinstance(data, bytes) else self._encoder.encode(data)

    def loads(self, data: bytes) -> bytes:
        return data


class _LinesAsBytes(_AsBytes):
    """The same for newline-delimited JSON, whose bodies are ready when they get here."""

    mimetype: ClassVar[str] = NdjsonSerializer.mimetype


_SERIALIZERS: Final[Mapping[str, Serializer]] = {
    "application/json": _AsBytes(),
    "application/x-ndjson": _LinesAsBytes(),
    "application/*": _AsBytes(),
    "text/*": _AsBytes(),
}


def client_of(
    settings: EngineSettings, node_class: type[HttpNode], *, connections: int, timeout_s: float
) -> AsyncElasticsearch:
    """Return a client with a pool of its own; it never retries and never decodes, both of which a lane does."""
    node = url_to_node_config(settings.host, use_default_ports_for_scheme=True)
    return AsyncElasticsearch(
        [node.replace(request_timeout=timeout_s, headers=_authorization(settings))],
        node_class=node_class,
        ssl_context=tls_context(settings),
        connections_per_node=connections,
        serializers=dict(_SERIALIZERS),
        max_retries=0,
        meta_header=False,
    )


def _authorization(settings: EngineSettings) -> HttpHeaders:
    """Return the header that lets us in; on the node, so that every request carries it, the greeting too."""
    if settings.api_key:
        key = settings.api_key.reveal()
        return HttpHeaders({"authorization": f"ApiKey {_base64(key) if ':' in key else key}"})
    if settings.username and settings.password:
        return HttpHeaders({"authorization": f"Basic {_base64(f'{settings.username}:{settings.password.reveal()}')}"})
    return HttpHeaders()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Lane:
    """Makes calls over one client, under one retry policy; `turn` is awaited before and held during each attempt."""

    client: AsyncElasticsearch
    where: str
    retry: Retry
    turn: Callable[[], AbstractAsyncContextManager[None]]

    async def call(self, what: str, request: Request, answer: type[T], *, repeat: bool = True) -> T:
        """Make one request until it is answered, and return the answer decoded as that type.

        `what` completes the sentence "Could not ...". Raises an `EngineError`, which says whether the request may
        have been applied all the same. With `repeat=False` there is one attempt.
        """
        maybe_applied = False

        async def attempt(_number: int) -> T:
            nonlocal maybe_applied
            try:
                async with self.turn():
                    return self._decode(await self._sent(what, request), what, answer)
            except EngineError as error:
                maybe_applied |= _answer_was_lost(error)
                error.maybe_applied = maybe_applied
                raise

        retry = self.retry if repeat else replace(self.retry, policy=NEVER)
        return await retry(attempt)

    async def _sent(self, what: str, request: Request) -> bytes:
        try:
            return bytes((await request(self.client)).body or b"")
        except (ApiError, TransportError) as error:
            if isinstance(error, NotFoundError) and is_answer(bytes(error.body or b"")):
                return bytes(error.body)
            raise translate(error, what, self.where) from error

    def _decode(self, body: bytes, what: str, answer: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=answer)
        except msgspec.ValidationError as error:
            raise EngineFailed(
                f"Could not {what}: {self.where} gave an unexpected answer: {error}.", status=200
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise incomplete(what, self.where) from error


def _answer_was_lost(error: EngineError) -> bool:
    return isinstance(error, EngineFailed) or (isinstance(error, EngineUnreachable) and not error.unsent)
