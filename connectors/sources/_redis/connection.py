"""The connection to a Redis server: several commands in one round trip, and whatever goes wrong as what it means."""

import asyncio
import contextlib
import math
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis import exceptions
from redis.asyncio import connection as driver

from connectors.errors import SourceUnreachable
from connectors.secret import Secret
from connectors.sources._redis.command import Address, Command, Refusal, Reply
from connectors.sources._redis.errors import explained

CONNECT_WITHIN_S: Final = 10.0


@dataclass(frozen=True)
class Login:
    """Where a server is, who logs in, and how the connection is encrypted, if it is."""

    address: Address
    password: Secret
    trusted: ssl.SSLContext | None = None


class Connection:
    """One connection, made when it is first asked something and of no use after a fault that is not the server's word.

    It speaks RESP2, which every version knows, and leaves replies as they come.
    """

    def __init__(self, login: Login, timeout_s: float) -> None:
        self._address = login.address
        self._timeout_s = timeout_s
        self._database = 0
        given: dict[str, Any] = {
            "host": login.address.host,
            "port": login.address.port,
            "username": login.address.user,
            "password": login.password.reveal() or None,
            "socket_timeout": None,  # the limit of a whole round trip is ours
            "socket_connect_timeout": CONNECT_WITHIN_S,
            "protocol": 2,
            "driver_info": None,
        }
        self._driver: driver.Connection = (
            driver.Connection(**given) if login.trusted is None else _encrypted(login.trusted, given)
        )

    async def ask(self, database: int, commands: Sequence[Command]) -> list[Reply]:
        """Return what the server answers to each command, in one round trip. Raises what keeps it from answering."""
        packed = list(commands)
        if database != self._database:
            packed.insert(0, ("SELECT", database))
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._driver.connect()  # type: ignore[no-untyped-call]
                self._database = -1  # until it is known
                await self._driver.send_packed_command(self._driver.pack_commands(packed))
                replies = [await self._reply() for _ in packed]
        except TimeoutError:
            await self.close()
            message = f"{self._address} did not answer within {self._timeout_s:g} s."
            raise SourceUnreachable(message, hint="Raise answer_timeout_s if that was to be expected.") from None
        except (exceptions.RedisError, OSError) as error:
            await self.close()
            raise explained(error, self._address) from None
        except BaseException:
            await self.close()
            raise
        if len(packed) > len(commands) and isinstance(selected := replies.pop(0), Refusal):
            raise explained(selected.error, self._address, database)
        self._database = database
        return replies

    async def close(self) -> None:
        """Close it, at once."""
        self._database = 0
        with contextlib.suppress(exceptions.RedisError, OSError):
            await self._driver.disconnect(nowait=True)

    async def _reply(self) -> Reply:
        try:
            return await self._driver.read_response(timeout=math.inf)
        except exceptions.ResponseError as error:
            return Refusal(error)


def _encrypted(trusted: ssl.SSLContext, given: dict[str, Any]) -> driver.Connection:
    """Return a connection of the driver's with a context of ours, as its own can't be made of what a setting holds."""
    made = driver.SSLConnection(**given)
    made.ssl_context.context = trusted
    return made
