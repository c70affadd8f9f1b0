"""A lane: one pool of connections to the engine, over which named calls are made, retried and decoded."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec
from elastic_transport import ApiResponse, TransportError
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError

from connectors.aio.retry import NEVER, Retry
from connectors.engine.faults import incomplete, is_answer, translate
from connectors.engine.traffic import Traffic
from connectors.errors import EngineError, EngineFailed, EngineUnreachable

T = TypeVar("T")
Request = Callable[[AsyncElasticsearch], Awaitable[ApiResponse[Any]]]


@dataclass(frozen=True)
class Lane:
    """Makes calls over one client, under one retry policy; `turn` is awaited before and held during each attempt."""

    client: AsyncElasticsearch
    where: str
    retry: Retry
    turn: Callable[[], AbstractAsyncContextManager[None]]
    traffic: Traffic = field(default_factory=Traffic)

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
                    return await self._counted(what, request, answer)
            except EngineError as error:
                maybe_applied |= _answer_was_lost(error)
                error.maybe_applied = maybe_applied
                raise

        retry = self.retry if repeat else replace(self.retry, policy=NEVER)
        return await retry(attempt)

    async def _counted(self, what: str, request: Request, answer: type[T]) -> T:
        started = time.monotonic()
        try:
            found = self._decode(await self._sent(what, request), what, answer)
        except EngineError as error:
            self.traffic.count(time.monotonic() - started, error)
            raise
        self.traffic.count(time.monotonic() - started)
        return found

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
