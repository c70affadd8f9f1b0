"""A PostgreSQL server for tests: databases made for one test each, and the source that reads them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
import trustme

from connectors.sources._sql.source import SQLDataSource
from connectors.sources.postgresql import PostgreSQLDataSource
from fixtures.postgresql.server import DATABASE, PASSWORD, USER, PostgreSQL
from tests.sources.sql_store import Store

_NUMBERS: Final = count(1)


@dataclass(frozen=True)
class Database(Store):
    """A database of its own on the server, whose schema `public` the user of the source may read."""

    server: PostgreSQL
    name: str
    kind: ClassVar[type[SQLDataSource]] = PostgreSQLDataSource

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a source that reads it."""
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "username": USER,
            "password": PASSWORD,
            "database": self.name,
            "retry_count": 0,
        }

    async def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as somebody who may do everything, and return the rows of the last one."""
        connection = await self.server.connect(database=self.name)
        try:
            cursor = connection.cursor()
            for one in statements:
                await cursor.execute(one.encode())
            return await cursor.fetchall() if cursor.description else []
        finally:
            await connection.close()

    async def connections(self) -> int:
        """Return how many sessions of sources the server has that read this database."""
        count = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}' AND datname = '{self.name}'"
        [(found,)] = await self.run(count)
        return int(found)


class QuietPostgreSQL(PostgreSQL):
    """A server that writes nothing on its own, as it does when it analyses tables that have changed."""

    def command(self) -> Sequence[str]:
        return [*super().command(), "--autovacuum=off"]


class EncryptedPostgreSQL(QuietPostgreSQL):
    """A server with a certificate."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        super().__init__()
        self._certificate = certificate

    def command(self) -> Sequence[str]:
        files = {"cert": self._certificate.cert_chain_pems[0], "key": self._certificate.private_key_pem}
        for name, pem in files.items():
            pem.write_to_path(str(self.folder / name))
            (self.folder / name).chmod(0o600)
            shutil.chown(self.folder / name, self.folder.stat().st_uid, self.folder.stat().st_gid)
        options = (f"--ssl_{name}_file={self.folder / name}" for name in files)
        return [*super().command(), "--ssl=on", *options]


@asynccontextmanager
async def own_server(encrypted_by: trustme.LeafCert | None = None) -> AsyncIterator[Database]:
    """Provide a database on a server of its own, which may be killed."""
    server = QuietPostgreSQL() if encrypted_by is None else EncryptedPostgreSQL(encrypted_by)
    try:
        await server.__aenter__()
    except RuntimeError as error:
        _skip_without_server(error)
        raise
    try:
        await _of_all(server).run(*_user())
        name = await asyncio.to_thread(lambda: _made(server))
        yield Database(server, name)
    finally:
        await server.close()


def started() -> Iterator[PostgreSQL]:
    """Start a server, where there is one to be had."""
    server = QuietPostgreSQL()
    try:
        asyncio.run(server.__aenter__())
    except RuntimeError as error:
        _skip_without_server(error)
        raise
    _of_all(server).done(*_user())
    yield server
    asyncio.run(server.close())


@contextmanager
def made(server: PostgreSQL) -> Iterator[Database]:
    """Provide a new database."""
    name = _made(server)
    try:
        yield Database(server, name)
    finally:
        _of_all(server).done(f"DROP DATABASE {name} WITH (FORCE)")


def _made(server: PostgreSQL) -> str:
    name = f"test_{next(_NUMBERS)}"
    _of_all(server).done(f"CREATE DATABASE {name} STRATEGY file_copy")
    Database(server, name).done(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {USER}")
    return name


def _of_all(server: PostgreSQL) -> Database:
    return Database(server, DATABASE)


def _user() -> list[str]:
    return [f"CREATE USER {USER} PASSWORD '{PASSWORD}'"]


def _skip_without_server(error: RuntimeError) -> None:
    if not any(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        pytest.skip(str(error))
