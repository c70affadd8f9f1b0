"""Values of sources in a Redis server, or one that speaks like it: a hash for each connector."""

from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, Final, cast

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from connectors.errors import StorageRefused, StorageUnreachable
from connectors.secret import Secret
from connectors.storage import Kept
from connectors.storages.expiry import instant_of, number_of

PREFIX: Final = b"connectors:storage:"
TIMEOUT_S: Final = 5.0
MOST_CONNECTIONS: Final = 4
_PAGE: Final = 500
REMOVE_THIS: Final = """
    if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
    return 0
"""
"""Removes a value unless it was set anew: a field of a hash expires by itself only since Redis 7.4."""
_MAY_PASS: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.TryAgainError,
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
)
_CODES_THAT_MAY_PASS: Final = ("MISCONF", "NOREPLICAS", "BUSY", "UNKILLABLE")
"""What the driver has no class for: a disk that is full, replicas that are away, a script that runs."""
_DENIED: Final = (
    exceptions.AuthenticationError,
    exceptions.AuthorizationError,
    exceptions.NoPermissionError,
    exceptions.AuthenticationWrongNumberOfArgsError,
)


@asynccontextmanager
async def open_redis(
    url: str, username: str | None, password: Secret | None, *, timeout_s: float = TIMEOUT_S
) -> "AsyncIterator[RedisBackend]":
    """Provide a backend at a server, to which it connects when something is asked of it."""
    pool = BlockingConnectionPool.from_url(
        url,
        username=username,
        password=password.reveal() if password is not None else None,
        max_connections=MOST_CONNECTIONS,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        protocol=2,  # which every version speaks
        retry=Retry(NoBackoff(), 0),
    )
    backend = RedisBackend(Redis(connection_pool=pool), url)
    try:
        yield backend
    finally:
        await pool.aclose()


class RedisBackend:
    """Keeps values as the fields of a hash for each connector, so that all of a connector goes at once."""

    def __init__(self, client: Redis, place: str) -> None:
        self._client = client
        self._place = place

    def __repr__(self) -> str:
        return f"RedisBackend({self._place})"

    async def read(self, connector: str, key: str) -> Kept | None:
        """Return what is kept."""
        found = await self._asked(self._client.hget(_name(connector), _field(key)))
        return None if found is None else self._kept(key, found)

    async def write(self, connector: str, key: str, kept: Kept) -> None:
        """Keep it."""
        expires_at = b"" if kept.expires_at is None else str(number_of(kept.expires_at)).encode()
        await self._asked(self._client.hset(_name(connector), _field(key), b"%s %s" % (expires_at, kept.value)))

    async def remove(self, connector: str, key: str) -> None:
        """Keep it no longer."""
        await self._asked(self._client.hdel(_name(connector), _field(key)))

    async def forget(self, connector: str) -> int:
        """Remove all of a connector."""
        name = _name(connector)
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hlen(name)
        pipeline.unlink(name)
        number, _ = await self._asked(pipeline.execute())
        return int(number)

    async def remove_expired(self, now: datetime, *, most: int) -> int:
        """Remove what has expired."""
        number = 0
        for connector in sorted(await self.connectors()):
            async for key, found in self._fields(_name(connector)):
                if self._kept(key.decode(), found).has_expired(now):
                    name = _name(connector)
                    number += await self._asked(self._client.eval(REMOVE_THIS, 1, name, key, found))
                if number == most:
                    return number
        return number

    async def connectors(self) -> set[str]:
        """Return whose values there are."""
        found: set[str] = set()
        position = 0
        while True:
            position, names = await self._asked(self._client.scan(position, PREFIX + b"*", _PAGE))
            found.update(name.removeprefix(PREFIX).decode() for name in names)
            if position == 0:
                return found

    async def _fields(self, name: bytes) -> AsyncIterator[tuple[bytes, bytes]]:
        position = 0
        while True:
            position, page = await self._asked(self._client.hscan(name, position, count=_PAGE))
            for one in page.items():
                yield one
            if position == 0:
                return

    async def _asked(self, call: Awaitable[Any] | Any) -> Any:  # noqa: ANN401 - what a server answers
        with self._of_redis():
            return await cast("Awaitable[Any]", call)

    def _kept(self, key: str, found: bytes) -> Kept:
        expires_at, blank, value = found.partition(b" ")
        if not blank or not (expires_at == b"" or expires_at.isdigit()):
            raise StorageRefused(f"What Redis at {self._place} holds under {key!r} was not written by this program.")
        return Kept(value, instant_of(int(expires_at)) if expires_at else None)

    @contextmanager
    def _of_redis(self) -> Iterator[None]:
        """Make an error of Redis one of the storage. What a server says may quote a value, so it is not repeated."""
        where = f"The storage of sources, Redis at {self._place},"
        try:
            yield
        except _DENIED as error:
            text = f"{where} refuses us: {type(error).__name__}."
            raise StorageRefused(text, hint="Check storage.username and storage.password, and what they may.") from None
        except _MAY_PASS as error:
            raise StorageUnreachable(f"{where} can't be used now: {type(error).__name__}.") from None
        except exceptions.RedisError as error:
            code = str(error).partition(" ")[0]
            if code in _CODES_THAT_MAY_PASS:
                raise StorageUnreachable(f"{where} can't be used now: {code}.") from None
            text = f"{where} does not do what is needed: {type(error).__name__}."
            hint = "It has to know HGET, HSET, HDEL, HLEN, HSCAN, SCAN, UNLINK, MULTI and EVAL."
            raise StorageRefused(text, hint=hint) from None


def _name(connector: str) -> bytes:
    return PREFIX + connector.encode()


def _field(key: str) -> bytes:
    return key.encode()
