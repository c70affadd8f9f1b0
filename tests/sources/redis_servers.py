"""Redis servers for tests, filled by the driver itself, and sources that read them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.secret import Secret
from connectors.source import Document
from connectors.sources._redis.command import Address, Command, Reply
from connectors.sources._redis.connection import Login
from connectors.sources._redis.server import Server as Server_
from connectors.sources._redis.walk import Limits, Walk
from connectors.sources.redis import RedisDataSource
from fixtures.redis.server import Server, server

SETTLES_WITHIN_S = 10.0


@dataclass
class Store:
    """A server, and somebody who writes to it."""

    server: Server
    client: Any
    """The driver's own client: its types are of what it may be set up to return."""

    @property
    def settings(self) -> dict[str, Any]:
        """What a source has to be told."""
        return {"host": "127.0.0.1", "port": self.server.port}

    def source(self, **given: object) -> RedisDataSource:
        """Return a source of it."""
        values = {**self.settings, **given}
        return RedisDataSource(Configuration(RedisDataSource.fields, values, Grants(allowed_paths=None)))

    def database(self, number: int) -> Any:
        """Return somebody who writes to another database."""
        return Redis(port=self.server.port, db=number)

    def raw(self, *words: object) -> Any:
        """Return what the server answers to a command."""
        return self.client.execute_command(*words)

    def calls(self) -> dict[str, int]:
        """Return how often the server has run each command since that was last reset."""
        found: Mapping[str, Mapping[str, int]] = self.client.info("commandstats")
        return {name.removeprefix("cmdstat_"): one["calls"] for name, one in found.items()}

    def settle(self) -> None:
        """Wait until nobody saves, and the last save or the start is so long ago that another would look different."""
        until = time.monotonic() + SETTLES_WITHIN_S
        while (
            self.client.info("persistence")["rdb_bgsave_in_progress"]
            or int(self.client.time()[0]) - int(self.client.lastsave().timestamp()) <= 2
        ):
            assert time.monotonic() < until
            time.sleep(0.1)


@contextmanager
def filled_by_hand(*arguments: str) -> Iterator[Store]:
    """Provide a server of its own."""
    with server(*arguments) as running, Redis(port=running.port) as client:
        yield Store(running, client)


async def read(source: RedisDataSource, filtering: Filter | None = None) -> dict[str, Document | Failed]:
    """Return what a source yields, by id: the later one where something comes twice."""
    async with source as opened:
        return {one.id if isinstance(one, Failed) else one["_id"]: one async for one in opened.get_docs(filtering)}


async def bodies(source: RedisDataSource, filtering: Filter | None = None) -> dict[str, Document]:
    """Return the documents that a source yields by their keys, without what is the same in all."""
    found = await read(source, filtering)
    assert not any(isinstance(one, Failed) for one in found.values())
    return {
        one["key"]: {name: value for name, value in one.items() if name not in {"_id", "key", "database"}}
        for one in found.values()
        if isinstance(one, dict)
    }


def ruled(*rules: Mapping[str, object]) -> Filter:
    """Return a filter of advanced rules."""
    return Filter({"advanced_snippet": {"value": list(rules)}})


async def changed(store: Store, token: object, **given: object) -> tuple[bool, Any]:
    """Return what a source of another process says."""
    async with store.source(**given) as source:
        return await source.changed(token)  # type: ignore[arg-type]


async def eventually(call: Any, wanted: object) -> None:
    """Wait until a call returns that."""
    async with asyncio.timeout(30):
        while await asyncio.to_thread(call) != wanted:  # noqa: ASYNC110 - another process says
            await asyncio.sleep(0.02)


class Watched:
    """Stands between a walk and its server: notes the round trips, and may do something before each of them."""

    def __init__(self, server: Server_, before: Callable[[Sequence[Command]], object] = lambda commands: None) -> None:
        self.trips: list[Sequence[Command]] = []
        self._server = server
        self._before = before

    async def ask(self, database: int, commands: Sequence[Command]) -> list[Reply]:
        """Ask the server."""
        self._before(commands)
        self.trips.append(commands)
        return await self._server.ask(database, commands)

    def check(self, reply: Reply) -> None:
        """Check as the server does."""
        self._server.check(reply)


@asynccontextmanager
async def watched(
    store: Store, keys: int, before: Callable[[Sequence[Command]], object] = lambda commands: None
) -> AsyncIterator[tuple[Walk, Watched]]:
    """Provide a walk, and who watches it."""
    login = Login(Address("127.0.0.1", store.server.port), Secret(""))
    server = Server_(login, 30.0, 0)
    try:
        seen = Watched(server, before)
        yield Walk(seen, (await server.standing()).version, Limits(keys, 10_000_000)), seen  # type: ignore[arg-type]
    finally:
        await server.close()
