"""How fast drivers of SQL databases stream a table, and what they hold of it meanwhile: each in a process of its own.

pip install asyncmy aiomysql mysql-connector-python asyncpg "psycopg[binary]"
python -m benchmarks.spikes.sql_drivers
"""

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

from benchmarks.measure import rows, table
from fixtures.mysql.server import PASSWORD, MariaDB
from fixtures.postgresql.server import ADMIN, PostgreSQL

ROWS = 300_000
ROUNDS = 3
FETCH = 1_000
SELECT = "SELECT id, name, price, updated_at, flag, text FROM {} ORDER BY id"
CREATE_MYSQL = """CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR(100), price DECIMAL(12, 2),
    updated_at DATETIME(6), flag TINYINT, text TEXT)"""
FILL_MYSQL = f"""INSERT INTO people SELECT seq, CONCAT('Person ', seq), ROUND(seq / 7, 2),
    '2026-01-01' + INTERVAL seq SECOND, seq % 2, CONCAT('Größe und mehr: ', seq, REPEAT('x', 160))
    FROM seq_1_to_{ROWS}"""
FILL_POSTGRESQL = f"""CREATE TABLE people AS
    SELECT id::bigint, 'Person ' || id AS name, (id / 7.0)::numeric(12, 2) AS price,
    timestamp '2026-01-01' + id * interval '1 second' AS updated_at, id % 2 = 0 AS flag,
    'Größe und mehr: ' || id || repeat('x', 160) AS text
    FROM generate_series(1, {ROWS}) AS id"""


async def _asyncmy(port: int) -> int:
    asyncmy, cursors = import_module("asyncmy"), import_module("asyncmy.cursors")
    connection = await asyncmy.connect(host="127.0.0.1", port=port, user=ADMIN, password=PASSWORD, db="shop")
    return await _mysql(connection.cursor(cursors.SSCursor))


async def _aiomysql(port: int) -> int:
    aiomysql = import_module("aiomysql")
    connection = await aiomysql.connect(host="127.0.0.1", port=port, user=ADMIN, password=PASSWORD, db="shop")
    return await _mysql(await connection.cursor(aiomysql.SSCursor))


async def _connector(port: int) -> int:
    connector = import_module("mysql.connector.aio")
    address = {"host": "127.0.0.1", "port": port, "user": ADMIN, "password": PASSWORD, "database": "shop"}
    connection = await connector.connect(**address, ssl_disabled=True)  # fails on one without TLS
    return await _mysql(await connection.cursor())


async def _mysql(cursor: Any) -> int:  # noqa: ANN401 - of any driver
    await cursor.execute(SELECT.format("people"))
    count = 0
    while some := await cursor.fetchmany(FETCH):
        count += len(some)
    return count


async def _asyncpg(port: int) -> int:
    asyncpg = import_module("asyncpg")
    connection = await asyncpg.connect(host="127.0.0.1", port=port, user=ADMIN, password=PASSWORD, database="postgres")
    count = 0
    async with connection.transaction():
        cursor = await connection.cursor(SELECT.format("people"))
        while some := await cursor.fetch(FETCH):
            count += len(some)
    return count


async def _psycopg(port: int) -> int:
    psycopg = import_module("psycopg")
    address = f"host=127.0.0.1 port={port} user={ADMIN} password={PASSWORD} dbname=postgres"
    count = 0
    async with await psycopg.AsyncConnection.connect(address) as connection, connection.cursor("people") as cursor:
        await cursor.execute(SELECT.format("people"))
        while some := await cursor.fetchmany(FETCH):
            count += len(some)
    return count


MYSQL = {"asyncmy": _asyncmy, "aiomysql": _aiomysql, "mysql.connector.aio": _connector}
POSTGRESQL = {"asyncpg": _asyncpg, "psycopg": _psycopg}
WAYS: dict[str, Callable[[int], Coroutine[Any, Any, int]]] = {**MYSQL, **POSTGRESQL}


def _once(name: str, port: int) -> None:
    """Stream the table once, and print seconds, CPU seconds of this process and its largest memory."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    count = asyncio.run(WAYS[name](port))
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert count == ROWS, (name, count)
    print(took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss / 1024)


def _compared(title: str, names: list[str], port: int) -> None:
    took: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    memory: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name in names:
            command = [sys.executable, "-m", __spec__.name, name, str(port)]
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
            took[name].append(float(found[0]))
            cpu[name].append(float(found[1]))
            memory[name] = float(found[2])
    print(table(f"{title}: {ROWS:,} rows, seconds", rows(took), unit="s"))
    print(table(f"{title}: CPU of the client", rows(cpu), unit="s"))
    print("largest memory:", {name: f"{one:.0f} MiB" for name, one in memory.items()})


async def _all() -> None:
    async with MariaDB() as server:
        connection = await server.connect()
        async with connection.cursor() as cursor:
            await cursor.execute("USE shop")
            await cursor.execute(CREATE_MYSQL)
            await cursor.execute(FILL_MYSQL)
        await connection.ensure_closed()
        await asyncio.to_thread(_compared, "MariaDB", list(MYSQL), server.port)
    async with PostgreSQL() as other:
        filling = await other.connect()
        await filling.execute(FILL_POSTGRESQL)
        await filling.execute("ALTER TABLE people ADD PRIMARY KEY (id)")
        await filling.close()
        await asyncio.to_thread(_compared, "PostgreSQL", list(POSTGRESQL), other.port)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _once(sys.argv[1], int(sys.argv[2]))
    else:
        asyncio.run(_all())
