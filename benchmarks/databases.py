"""How fast rows of a database become documents, beside the driver that streams the same table and makes nothing of it.

`python -m benchmarks.databases --rows 1000000`: each way runs in a process of its own, in turn.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import asyncmy
import psycopg
from asyncmy.cursors import SSCursor

from benchmarks.measure import Row, rows, table
from connectors.fields import Configuration
from connectors.row_walk import closing_walk, documents_behind
from connectors.sources._sql.source import SQLDataSource
from connectors.sources.mysql import MySQLDataSource
from connectors.sources.postgresql import PostgreSQLDataSource
from fixtures.mysql import server as mysql
from fixtures.mysql.server import MariaDB
from fixtures.postgresql import server as postgresql
from fixtures.postgresql.server import PostgreSQL

ROWS = 300_000
ROUNDS = 3
AT_ONCE = 1_000
COLUMNS = "id, name, price, updated_at, flag, text"
ALL = f"SELECT {COLUMNS} FROM people ORDER BY id"
PAGE = f"SELECT {COLUMNS} FROM people WHERE id > %(after)s ORDER BY id LIMIT 5000"


class Database(ABC):
    """A database with one table, which a driver can stream and a source can read."""

    title: ClassVar[str]
    driver: ClassVar[str]
    name: ClassVar[str]
    origin: ClassVar[Mapping[str, str]]
    server: ClassVar[type[MariaDB | PostgreSQL]]
    made: ClassVar[Sequence[str]]
    """What makes the table, with `{}` for the number of its rows."""

    def __init__(self, port: int) -> None:
        self.port = port

    @abstractmethod
    async def stream(self) -> int:
        """Stream the table by the driver and make nothing of it."""

    @abstractmethod
    def source(self) -> SQLDataSource:
        """Return a source that reads it."""

    async def read(self) -> int:
        """Read its rows."""
        async with self.source() as source:
            [dataset] = await source.datasets()
            async with closing_walk(source.read(dataset)) as found:
                return sum([1 async for _ in found])

    async def documents(self) -> int:
        """Walk its documents as a sync does."""
        count = 0
        async with (
            self.source() as source,
            closing_walk(documents_behind(source, await source.datasets(), None)) as walk,
        ):
            async for one in walk:
                count += type(one) is tuple  # and no checkpoint
        return count

    async def at_once(self) -> int:
        """Make documents of pages in one expression for this very table: what they still cost then, they have to."""
        async with self.source() as source:
            session, after, count = await source.connect(), 0, 0
            while rows := (await session.fetch(PAGE, {"after": after})).rows:
                documents = [
                    {
                        "id": number,
                        "name": name,
                        "price": price,
                        "updated_at": at,
                        "flag": flag,
                        "text": text,
                        "dataset": "people",
                        **self.origin,
                        "_id": f"{self.name}/people/{number}",
                        "_timestamp": at,
                    }
                    for number, name, price, at, flag, text in rows
                ]
                count, after = count + len(documents), rows[-1][0]
            await session.close()
        return count


class OfMySQL(Database):
    """MariaDB."""

    title = "MariaDB"
    driver = "asyncmy"
    name = mysql.DATABASE
    origin: ClassVar[Mapping[str, str]] = {"database": mysql.DATABASE}
    server = MariaDB
    made = (
        f"USE {mysql.DATABASE}",
        """CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR(100), price DECIMAL(12, 2),
        updated_at DATETIME(6), flag TINYINT, text TEXT)""",
        """INSERT INTO people SELECT seq, CONCAT('Person ', seq), ROUND(seq / 7, 2), '2026-01-01' + INTERVAL seq SECOND,
        seq % 2, CONCAT('Größe und mehr: ', seq, REPEAT('x', 160)) FROM seq_1_to_{}""",
    )

    async def stream(self) -> int:
        """Stream the table by the driver."""
        login = {"user": mysql.ADMIN, "password": mysql.PASSWORD, "db": self.name}
        connection = await asyncmy.connect(host="127.0.0.1", port=self.port, **login)
        cursor, count = connection.cursor(SSCursor), 0
        await cursor.execute(ALL)
        while some := await cursor.fetchmany(AT_ONCE):
            count += len(some)
        await connection.ensure_closed()
        return count

    def source(self) -> SQLDataSource:
        """Return a source that reads it."""
        given = {"host": "127.0.0.1", "port": self.port, "user": mysql.ADMIN, "password": mysql.PASSWORD}
        given |= {"database": self.name, "cursor_columns": "updated_at"}
        return MySQLDataSource(Configuration(MySQLDataSource.fields, given))


class OfPostgreSQL(Database):
    """PostgreSQL."""

    title = "PostgreSQL"
    driver = "psycopg"
    name = postgresql.DATABASE
    origin: ClassVar[Mapping[str, str]] = {"database": postgresql.DATABASE, "schema": "public"}
    server = PostgreSQL
    made = (
        """CREATE TABLE people (id bigint PRIMARY KEY, name varchar(100), price numeric(12, 2), updated_at timestamp,
        flag boolean, text text)""",
        """INSERT INTO people SELECT n, 'Person ' || n, round(n / 7.0, 2), '2026-01-01'::timestamp + n * interval '1 s',
        n % 2 = 0, 'Größe und mehr: ' || n || repeat('x', 160) FROM generate_series(1, {}) n""",
        "VACUUM ANALYZE people",
    )

    async def stream(self) -> int:
        """Stream the table by the driver."""
        login = f"user={postgresql.ADMIN} password={postgresql.PASSWORD} dbname={self.name}"
        connection = await psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={self.port} {login}")
        count = 0
        async with connection, connection.cursor("all", binary=True) as cursor:
            await cursor.execute(ALL)
            while some := await cursor.fetchmany(AT_ONCE):
                count += len(some)
        return count

    def source(self) -> SQLDataSource:
        """Return a source that reads it."""
        given = {"host": "127.0.0.1", "port": self.port, "username": postgresql.ADMIN, "password": postgresql.PASSWORD}
        given |= {"database": self.name, "schema": "public", "cursor_columns": "updated_at"}
        return PostgreSQLDataSource(Configuration(PostgreSQLDataSource.fields, given))


DATABASES: dict[str, type[Database]] = {"mysql": OfMySQL, "postgresql": OfPostgreSQL}
WAYS: dict[str, Callable[[Database], Coroutine[Any, Any, int]]] = {
    "the driver, streamed": lambda one: one.stream(),
    "read()": lambda one: one.read(),
    "documents, as a sync reads them": lambda one: one.documents(),
    "documents of pages, made at once": lambda one: one.at_once(),
}


def _once(way: str, database: Database) -> None:
    """Go through the table once, and print seconds, CPU seconds of this process and its largest memory."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    count = asyncio.run(WAYS[way](database))
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps([count, took, cpu, after.ru_maxrss // 1024]))


def run(count: int = ROWS, names: Sequence[str] = tuple(DATABASES)) -> Iterator[tuple[str, list[Row], str]]:
    """Yield what was compared, seconds, and the unit of these."""
    for name in names:
        one = DATABASES[name]
        took, cpu, memory = asyncio.run(_measured(name, count))
        yield f"{count:,} rows of {one.title}, by {one.driver}", rows(took), "µs a row"
        yield "The same, CPU of the client", rows(cpu), "µs a row"
        print("largest memory:", ", ".join(f"{way}: {most} MiB" for way, most in memory.items()))


async def _measured(name: str, count: int) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, int]]:
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    cpu: dict[str, list[float]] = {way: [] for way in WAYS}
    memory: dict[str, int] = {}
    async with DATABASES[name].server() as server:
        connection: Any = await server.connect()
        async with connection, connection.cursor() as cursor:
            for text in DATABASES[name].made:
                await cursor.execute(text.replace("{}", str(count)))
        for _ in range(ROUNDS):
            for way in WAYS:
                command = [sys.executable, "-m", "benchmarks.databases", "--database", name]
                command += ["--way", way, "--port", str(server.port)]
                out = await asyncio.to_thread(subprocess.run, command, check=True, stdout=subprocess.PIPE)
                found, seconds, busy, memory[way] = json.loads(out.stdout)
                if found != count:
                    raise AssertionError(f"{found} rows came by {way}, and {count} are there.")
                took[way].append(seconds)
                cpu[way].append(busy)
    return took, cpu, memory


def main() -> None:
    """Measure, or go one way once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--database", choices=DATABASES)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    if given.way is not None:
        _once(given.way, DATABASES[given.database](given.port))
        return
    for title, found, unit in run(given.rows, [given.database] if given.database else list(DATABASES)):
        print(table(title, found, unit=unit, per=given.rows / 1e6))


if __name__ == "__main__":
    main()
