"""Addresses: where a database is, one or several hosts that are tried in turn."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors import logger
from connectors.errors import ConfigurationError, SourceUnreachable
from connectors.sources._sql.session import Session

log = logger.get(__name__)
_HOST: Final = re.compile(
    r"(?:\[(?P<six>[0-9a-fA-F.]*(?::[0-9a-fA-F.]*){2,})\]|(?P<name>[^\s:\[\],]+))(?::(?P<port>\d{1,5}))?"
    r"|(?P<bare>[0-9a-fA-F.]*(?::[0-9a-fA-F.]*){2,})"
)
"""A host with or without a port. One of IPv6 with a port stands in brackets."""


@dataclass(frozen=True)
class Address:
    """Where a database is, and who asks for it: what of that may be shown."""

    host: str
    port: int
    user: str
    database: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def addresses_of(hosts: str, port: int, user: str, database: str) -> list[Address]:
    """Return the addresses of hosts as a setting has them. Raises a `ConfigurationError`."""
    found = []
    for one in hosts.split(","):
        parts = _HOST.fullmatch(one.strip())
        if parts is None:
            hint = "Write them as: replica.example.org, db.example.org:3307"
            raise ConfigurationError(f"{one.strip()!r} is no host.", field="host", hint=hint)
        host = parts["six"] or parts["bare"] or parts["name"]
        found.append(Address(host, int(parts["port"] or port), user, database))
    return found


async def first_reached(addresses: Sequence[Address], connect: Callable[[Address], Awaitable[Session]]) -> Session:
    """Return a session of the first host that can be reached. Raises what keeps from having one."""
    *others, last = addresses
    for address in others:
        try:
            return await connect(address)
        except SourceUnreachable as error:
            log.warning("A host can't be reached, and the next one is asked.", why=str(error))
    return await connect(last)
