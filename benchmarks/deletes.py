"""What it costs to find out what is gone: a sync that only deletes, beside a full one, of what did not change.

`python -m benchmarks.deletes --rows 200000`: wide rows of MariaDB, an index of the embedded engine; both in turn.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.measure import rows, table
from connectors import logger
from connectors.engine import open_engine
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.settings import EngineSettings
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from connectors.sync.workplace import Workplace, open_workplace
from fixtures.mysql.server import ADMIN, DATABASE, PASSWORD, MariaDB

ROWS: Final = 100_000
ROUNDS: Final = 5
KB: Final = 1_000
WAYS: Final = {"a full sync": False, "deletes only": True}
CREATE: Final = """CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR(100), price DECIMAL(12, 2),
    updated_at DATETIME(6), flag TINYINT, note VARCHAR(500), text TEXT)"""
FILL: Final = """INSERT INTO people SELECT seq, CONCAT('Person ', seq), ROUND(seq / 7, 2),
    '2026-01-01' + INTERVAL seq SECOND, seq % 2, REPEAT(MD5(seq), 10), REPEAT(SHA1(seq), 40) FROM seq_1_to_{}"""


class Measured:
    """A database and an index that are equal, and what syncs of them take."""

    def __init__(self, server: MariaDB, place: Workplace) -> None:
        self._server = server
        self._place = place

    async def run(self, *statements: str) -> list[tuple[str, ...]]:
        """Run statements as somebody who may do everything."""
        connection = await self._server.connect()
        async with connection.cursor() as cursor:
            for text in (f"USE {DATABASE}", *statements):
                await cursor.execute(text)
            found = list(await cursor.fetchall())
        await connection.ensure_closed()
        return found

    async def sync(self, *, deletes_only: bool = False) -> SyncReport:
        """Sync."""
        connector = await self._place.connectors.get("shop")
        if connector is None:
            raise AssertionError("There is no connector.")
        return await Sync(self._place, connector, deletes_only=deletes_only).run()

    async def cost(self, *, deletes_only: bool) -> tuple[float, float, float]:
        """Return what a sync of what did not change takes: seconds, CPU seconds, and bytes that the server sends."""
        before, began, busy = await self._sent(), time.perf_counter(), time.process_time()
        report = await self.sync(deletes_only=deletes_only)
        took, busy = time.perf_counter() - began, time.process_time() - busy
        if report.sent or not report.walked:
            raise AssertionError(f"Nothing had changed, and the sync did this: {report}")
        return took, busy, float(await self._sent() - before)

    async def _sent(self) -> int:
        return int((await self.run("SHOW GLOBAL STATUS LIKE 'Bytes_sent'"))[0][1])


@asynccontextmanager
async def measured(count: int) -> AsyncIterator[Measured]:
    """Provide a table of so many rows that was synced."""
    with tempfile.TemporaryDirectory() as folder:
        async with MariaDB() as server, open_engine(EngineSettings(data=Path(folder) / "data")) as engine:
            place = await open_workplace(engine, Registry(), grants=Grants(), copies=Path(folder) / "ledgers")
            given = {"host": "127.0.0.1", "port": server.port, "user": ADMIN, "password": PASSWORD}
            values = {name: {"value": value} for name, value in {**given, "database": DATABASE}.items()}
            fields = {"service_type": "mysql", "index_name": "people", "configuration": values}
            await place.connectors.create("shop", fields)
            found = Measured(server, place)
            await found.run(CREATE, FILL.format(count))
            await found.sync()
            yield found


async def _compared(count: int) -> None:
    took: dict[str, list[float]] = {name: [] for name in WAYS}
    cpu: dict[str, list[float]] = {name: [] for name in WAYS}
    sent: dict[str, list[float]] = {name: [] for name in WAYS}
    async with measured(count) as here:
        for _ in range(ROUNDS):
            for name, deletes_only in WAYS.items():
                seconds, busy, amount = await here.cost(deletes_only=deletes_only)
                took[name].append(seconds)
                cpu[name].append(busy)
                sent[name].append(amount)
    print(table(f"{count:,} rows of MariaDB that did not change", rows(took), unit="µs a row", per=count / 1e6))
    print(table("The same, CPU of this process", rows(cpu), unit="µs a row", per=count / 1e6))
    print(table("What the database sends for it", rows(sent), unit="KB", per=KB))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    logger.set_up(level="warning", style="text")
    asyncio.run(_compared(parser.parse_args().rows))


if __name__ == "__main__":
    main()
