"""The server as a walk sees it: one connection, made again when it is lost, as long as it is the same server."""

import asyncio
from collections.abc import Sequence

from connectors import logger
from connectors.aio.retry import Retry, RetryPolicy
from connectors.errors import SourceError
from connectors.sources._redis.command import Command, Refusal, Reply
from connectors.sources._redis.connection import Connection, Login
from connectors.sources._redis.errors import cluster, explained
from connectors.sources._redis.standing import Standing

log = logger.get(__name__)
_LONGEST_WAIT_S = 3_600.0


class Server:
    """Asks several commands at a time, and again when the connection was lost."""

    def __init__(self, login: Login, timeout_s: float, retries: int) -> None:
        self._login = login
        self._timeout_s = timeout_s
        self._retry = Retry(RetryPolicy(attempts=1 + retries, limit_s=_LONGEST_WAIT_S), observe=_again)
        self._connection: Connection | None = None
        self._seen: Standing | None = None
        self._is_closed = False
        self._turn = asyncio.Lock()

    async def standing(self) -> Standing:
        """Return where the server stands now. From then on it has to be this one."""
        self._seen = None
        [reply] = await self.ask(0, [("INFO",)])
        self._seen = self._told(reply)
        return self._seen

    async def ask(self, database: int, commands: Sequence[Command]) -> list[Reply]:
        """Return what the server answers to each command: a `Refusal` where it refuses that one alone."""

        async def attempt(_: int) -> list[Reply]:
            async with self._turn:  # as answers come in the order of the questions
                connection = await self._connected()
                try:
                    return await connection.ask(database, commands)
                except BaseException:
                    self._connection = None
                    await connection.close()
                    raise

        return await self._retry(attempt)

    def check(self, reply: Reply) -> None:
        """Raise what a reply means that is none."""
        if isinstance(reply, Refusal):
            raise explained(reply.error, self._login.address)

    async def close(self) -> None:
        """Close the connection, and make no other one."""
        self._is_closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> Connection:
        """Return a connection. Where there was one before, its server has to be the same process with the same keys."""
        self._check_open()
        if self._connection is None:
            connection = Connection(self._login, self._timeout_s)
            try:
                [reply] = await connection.ask(0, [("INFO",)])
                self._compare(self._told(reply))
                self._check_open()  # which it may be no more
            except BaseException:
                await connection.close()
                raise
            self._connection = connection
        return self._connection

    def _check_open(self) -> None:
        if self._is_closed:
            raise SourceError("The source was closed.")

    def _told(self, reply: Reply) -> Standing:
        self.check(reply)
        found = Standing.of(reply)
        if found.is_of_cluster:
            raise cluster(self._login.address)
        return found

    def _compare(self, now: Standing) -> None:
        """Raise an error when a walk would go on with a cursor of another server, which means nothing there."""
        if self._seen is not None and (now.run_id is None or now.run_id != self._seen.run_id):
            message = f"{self._login.address} was restarted while it was read, or another server answers there."
            raise SourceError(message, hint="The next sync reads it from the beginning.")


def _again(error: Exception, attempt: int, pause_s: float) -> None:
    log.warning("The source is asked again after a pause.", attempt=attempt, pause_s=round(pause_s, 1), why=str(error))
