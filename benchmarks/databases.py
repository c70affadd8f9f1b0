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
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import asyncmy
from asyncmy.cursors import SSCursor

from benchmarks.measure import Row, rows, table
from connectors.fields import Configuration
from connectors.source import closing_walk, documents_behind
from connectors.sources.mysql import MySQLDataSource
from fixtures.mysql.server import ADMIN, DATABASE, PASSWORD, MariaDB

ROWS = 300_000
ROUNDS = 3
AT_ONCE = 1_000
PAGE = "SELECT id, name, price, updated_at, flag, text FROM people WHERE id > %(after)s ORDER BY id LIMIT 5000"
CREATE = """CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR(100), price DECIMAL(12, 2),
    updated_at DATETIME(6), flag TINYINT, text TEXT)"""
FILL = """INSERT INTO people SELECT seq, CONCAT('Person ', seq), ROUND(seq / 7, 2),
    '2026-01-01' + INTERVAL seq SECOND, seq % 2, CONCAT('Größe und mehr: ', seq, REPEAT('x', 160)) FROM seq_1_to_{}"""


async def _driver(port: int) -> int:
    connection = await asyncmy.connect(host="127.0.0.1", port=port, user=ADMIN, password=PASSWORD, db=DATABASE)
    cursor = connection.cursor(SSCursor)
    await cursor.execute("SELECT id, name, price, updated_at, flag, text FROM people ORDER BY id")
    count = 0
    while some := await cursor.fetchmany(AT_ONCE):
        count += len(some)
    await connection.ensure_closed()
    return count


async def _read(port: int) -> int:
    async with _source(port) as source:
        [dataset] = await source.datasets()
        async with closing_walk(source.read(dataset)) as found:
            return sum([1 async for _ in found])


async def _documents(port: int) -> int:
    async with _source(port) as source, closing_walk(documents_behind(source, await source.datasets(), None)) as found:
        count = 0
        async for one in found:
            count += type(one) is tuple  # and no checkpoint
        return count


async def _at_once(port: int) -> int:
    """Make documents of pages in one expression for this very table: what they still cost then, they have to cost."""
    async with _source(port) as source:
        session, after, count = await source.connect(), 0, 0
        while rows := (await session.fetch(PAGE, {"after": after})).rows:
            documents = [
                {
                    "dataset": "people",
                    "database": DATABASE,
                    "_id": f"{DATABASE}/people/{number}",
                    "_timestamp": at,
                    "id": number,
                    "name": name,
                    "price": price,
                    "updated_at": at,
                    "flag": flag,
                    "text": text,
                }
                for number, name, price, at, flag, text in rows
            ]
            count, after = count + len(documents), rows[-1][0]
        await session.close()
        return count


def _source(port: int) -> MySQLDataSource:
    given = {"host": "127.0.0.1", "port": port, "user": ADMIN, "password": PASSWORD, "database": DATABASE}
    return MySQLDataSource(Configuration(MySQLDataSource.fields, {**given, "cursor_columns": "updated_at"}))


WAYS: dict[str, Callable[[int], Coroutine[Any, Any, int]]] = {
    "asyncmy, streamed": _driver,
    "read()": _read,
    "documents, as a sync reads them": _documents,
    "documents of pages, made at once": _at_once,
}


def _once(name: str, port: int) -> None:
    """Go through the table once, and print seconds, CPU seconds of this process and its largest memory."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    count = asyncio.run(WAYS[name](port))
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps([count, took, cpu, after.ru_maxrss // 1024]))


def run(count: int = ROWS) -> Iterator[tuple[str, list[Row], str]]:
    """Yield what was compared, seconds, and the unit of these."""
    took, cpu, memory = asyncio.run(_measured(count))
    yield f"{count:,} rows of MariaDB", rows(took), "µs a row"
    yield "The same, CPU of the client", rows(cpu), "µs a row"
    print("largest memory:", ", ".join(f"{name}: {one} MiB" for name, one in memory.items()))


async def _measured(count: int) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, int]]:
    took: dict[str, list[float]] = {name: [] for name in WAYS}
    cpu: dict[str, list[float]] = {name: [] for name in WAYS}
    memory: dict[str, int] = {}
    async with MariaDB() as server:
        connection = await server.connect()
        async with connection.cursor() as cursor:
            for text in (f"USE {DATABASE}", CREATE, FILL.format(count)):
                await cursor.execute(text)
        await connection.ensure_closed()
        for _ in range(ROUNDS):
            for name in WAYS:
                command = [sys.executable, "-m", "benchmarks.databases", "--way", name, "--port", str(server.port)]
                out = await asyncio.to_thread(subprocess.run, command, check=True, stdout=subprocess.PIPE)
                found, seconds, busy, memory[name] = json.loads(out.stdout)
                if found != count:
                    raise AssertionError(f"{found} rows came by {name}, and {count} are there.")
                took[name].append(seconds)
                cpu[name].append(busy)
    return took, cpu, memory


def main() -> None:
    """Measure, or go one way once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    if given.way is not None:
        _once(given.way, given.port)
        return
    for title, found, unit in run(given.rows):
        print(table(title, found, unit=unit, per=given.rows / 1e6))


if __name__ == "__main__":
    main()
