"""The arena: an engine behind a faulty line, connectors in it, and real processes that sync them and may be killed."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from connectors.engine import open_engine
from connectors.engine.embedded.desk import desk_of
from connectors.engine.embedded.server import serving
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.settings import EngineSettings
from connectors.store.dead_letter import DeadLetter
from connectors.sync.ledger.copy import LedgerCopy
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from connectors.sync.workplace import Workplace, open_workplace
from tests.torture.fault_proxy import FaultProxy
from tests.torture.one_sync import SOURCES, Order, Told
from tests.torture.oracle import Content, Difference, actual, difference
from tests.torture.sent import port_of

ROOT = Path(__file__).parent.parent.parent
INDEX = "docs"
PATIENCE_S = 300.0


def command(order: Order) -> list[str]:
    """Return what is to be run to carry out an order."""
    return [sys.executable, "-m", "tests.torture.one_sync", msgspec.json.encode(order).decode()]


@dataclass(frozen=True)
class End:
    """How a process ended: by itself, and then with what it told, or killed."""

    returncode: int
    told: list[Told]
    log: str

    @property
    def only(self) -> Told:
        """What it told of its only sync."""
        assert len(self.told) == 1, (self.returncode, self.log)
        return self.told[0]

    @property
    def report(self) -> dict[str, Any]:
        """The report of its only sync, which has to have gone well."""
        assert self.only.error is None, (self.only.text, self.log)
        return self.only.report


class Runner:
    """A process that syncs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._told: list[Told] = []

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()

    async def next(self) -> Told:
        """Have it sync once more, and return what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._told:
            self._process.stdin.write(b"go\n")
            await self._process.stdin.drain()
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
        assert line, await self.ended()
        self._told.append(msgspec.json.decode(line, type=Told))
        return self._told[-1]

    async def ended(self) -> End:
        """Wait for its end."""
        out, log = await asyncio.wait_for(self._process.communicate(), PATIENCE_S)
        assert self._process.returncode in {0, -9}, log.decode()
        told = [*self._told, *(msgspec.json.decode(line, type=Told) for line in out.splitlines())]
        return End(self._process.returncode, told, log.decode())


class Arena:
    """One engine, reached directly by the test and through the proxy by the processes."""

    def __init__(self, proxy: FaultProxy, place: Workplace, folder: Path) -> None:
        self.proxy = proxy
        self.place = place
        self.folder = folder
        self.engine = place.engine
        self.ledgers = folder / "ledgers"
        self._running: list[asyncio.subprocess.Process] = []

    async def connect(
        self, service_type: str, configuration: Mapping[str, object], *, name: str = "c1", **document: object
    ) -> str:
        """Create a connector, and return its id."""
        values = {field: {"value": value} for field, value in configuration.items()}
        document = {"service_type": service_type, "index_name": INDEX, "configuration": values, **document}
        await self.place.connectors.create(name, document)
        return name

    async def start(self, connector: str = "c1", **conditions: Any) -> Runner:
        """Start a process that syncs a connector."""
        given = {"ledgers": str(self.ledgers), **conditions}
        order = Order(engine=self.proxy.url, connector=connector, **given)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command(order), stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, limit=2**20
        )
        self._running.append(process)
        return Runner(process)

    async def sync(self, connector: str = "c1", **conditions: Any) -> End:
        """Sync a connector in a process of its own, and return how that ended."""
        return await (await self.start(connector, **conditions)).ended()

    async def sync_here(self, connector: str = "c1", *, ledgers: LedgerCopy | None = None) -> SyncReport:
        """Sync a connector in this process, without faults: what a test begins with, or where no process is needed."""
        found = await self.place.connectors.get(connector)
        assert found is not None
        return await Sync(replace(self.place, copies=ledgers or LedgerCopy(self.ledgers)), found).run()

    async def stored(self, connector: str | None = "c1", index: str = INDEX) -> dict[str, Content]:
        """Return what the index holds of a connector, or of everybody."""
        return await actual(self.engine, index, connector)

    async def differs(self, wanted: Mapping[str, Content], connector: str = "c1") -> Difference:
        """Return how the index differs from what a connector should have there."""
        return difference(wanted, await self.stored(connector))

    async def letters(self, connector: str = "c1") -> list[DeadLetter]:
        """Return the dead letters of a connector, in the order of their ids."""
        found = [letter async for letter in self.place.letters.letters(connector)]
        return sorted(found, key=lambda letter: letter.id)

    async def close(self) -> None:
        """End what still runs."""
        for process in self._running:
            if process.returncode is None:
                process.kill()
                await process.communicate()


@asynccontextmanager
async def arena(folder: Path, engine_url: str | None = None, **options: Any) -> AsyncIterator[Arena]:
    """Provide an arena around the engine of an address, or around an embedded one of its own."""
    if engine_url is None:
        async with desk_of(folder / "data") as desk, serving(desk, host="127.0.0.1", port=0, key=None) as server:
            async with arena(folder, server.url, **options) as one:
                yield one
        return
    async with (
        FaultProxy(port_of(engine_url), **options) as proxy,
        open_engine(EngineSettings(host=engine_url)) as engine,
    ):
        place = await open_workplace(engine, Registry(SOURCES), grants=Grants(allowed_paths=None))
        one = Arena(proxy, place, folder)
        try:
            yield one
        finally:
            await one.close()
