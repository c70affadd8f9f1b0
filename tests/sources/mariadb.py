"""A MariaDB server for the tests of MySQL: databases made for one test each, and the source that reads them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar, Final

import asyncmy
import pytest
import trustme

from connectors.sources._mysql.position import LEAST_UPTIME_S
from connectors.sources._sql.source import SQLDataSource
from connectors.sources.mysql import MySQLDataSource
from fixtures.mysql.server import ADMIN, PASSWORD, USER, MariaDB
from tests.sources.changes import until
from tests.sources.sql_store import Store

_NUMBERS: Final = count(1)


@dataclass(frozen=True)
class Database(Store):
    """A database of its own on the server, which the user of the source may read."""

    server: MariaDB
    name: str
    kind: ClassVar[type[SQLDataSource]] = MySQLDataSource

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a source that reads it."""
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": USER,
            "password": PASSWORD,
            "database": self.name,
            "retry_count": 0,
        }

    async def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as somebody who may do everything, and return the rows of the last one."""
        connection = await asyncmy.connect(
            host="127.0.0.1",
            port=self.server.port,
            user=ADMIN,
            password=PASSWORD,
            database=self.name,
            autocommit=True,
            charset="utf8mb4",
        )
        try:
            cursor = connection.cursor()
            for one in statements:
                await cursor.execute(one)
            return list(await cursor.fetchall())
        finally:
            await connection.ensure_closed()

    async def connections(self) -> int:
        """Return how many sessions of sources the server has that read this database."""
        count = f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE user = '{USER}' AND db = '{self.name}'"
        [(found,)] = await self.run(count)
        return int(found)


class QuietMariaDB(MariaDB):
    """A server that writes nothing on its own, as statistics of tables are, some seconds after these have changed."""

    def command(self) -> Sequence[str]:
        return [*super().command(), "--innodb-stats-auto-recalc=OFF"]


class EncryptedMariaDB(QuietMariaDB):
    """A server with a certificate."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        super().__init__()
        self._certificate = certificate

    def command(self) -> Sequence[str]:
        files = {"cert": self._certificate.cert_chain_pems[0], "key": self._certificate.private_key_pem}
        for name, pem in files.items():
            pem.write_to_path(str(self.folder / name))
            (self.folder / name).chmod(0o644)
        return [*super().command(), *(f"--ssl-{name}={self.folder / name}" for name in files)]


@asynccontextmanager
async def own_server(encrypted_by: trustme.LeafCert | None = None) -> AsyncIterator[Database]:
    """Provide a database on a server of its own, which may be killed."""
    server = QuietMariaDB() if encrypted_by is None else EncryptedMariaDB(encrypted_by)
    try:
        await server.__aenter__()
    except RuntimeError as error:
        if shutil.which("mariadbd") is None:
            pytest.skip(str(error))
        raise
    try:
        found = Database(server, "shop")
        await found.run(f"GRANT SELECT ON shop.* TO '{USER}'@'127.0.0.1'")
        yield found
    finally:
        await server.close()


def started() -> Iterator[MariaDB]:
    """Start a server, where there is one to be had, and let it run until it can tell of changes."""
    server = QuietMariaDB()
    try:
        asyncio.run(server.__aenter__())
        asyncio.run(until(lambda: _has_run(server)))
    except RuntimeError as error:
        if shutil.which("mariadbd") is None:
            pytest.skip(str(error))
        raise
    yield server
    asyncio.run(server.close())


async def _has_run(server: MariaDB) -> bool:
    """Return whether it was started so long ago that another start could not look the same."""
    connection = await server.connect(ADMIN)
    try:
        cursor = connection.cursor()
        await cursor.execute("SHOW STATUS LIKE 'Uptime'")
        [(_, seconds)] = await cursor.fetchall()
        return int(seconds) >= LEAST_UPTIME_S
    finally:
        await connection.ensure_closed()


@contextmanager
def made(server: MariaDB) -> Iterator[Database]:
    """Provide a new database."""
    found, all_of_them = Database(server, f"test_{next(_NUMBERS)}"), Database(server, "mysql")
    all_of_them.done(
        f"CREATE DATABASE {found.name} CHARACTER SET utf8mb4",
        f"GRANT SELECT, SHOW VIEW ON {found.name}.* TO '{USER}'@'127.0.0.1'",
    )
    try:
        yield found
    finally:
        all_of_them.done(f"DROP DATABASE {found.name}")
