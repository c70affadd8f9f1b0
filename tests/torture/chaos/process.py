"""The process: one sync with an engine and a workplace of its own, on one line, that can be killed at any moment."""

import asyncio
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.aio.clock import Clock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.aio.throttle import AdaptiveLimiter
from connectors.engine import Engine
from connectors.engine.client import client_of
from connectors.engine.flavor import EngineInfo, Flavor
from connectors.engine.indices import Indices
from connectors.engine.lane import Lane
from connectors.engine.operations import Operations
from connectors.engine.pressure import Pressure
from connectors.errors import ConnectorsError
from connectors.registry import Registry
from connectors.settings import EngineSettings
from connectors.storages.engine import EngineBackend
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.held import HeldSets
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.sync.ledger.copy import LedgerCopy
from connectors.sync.ledger.ledger import Ledger
from connectors.sync.owner.instance import Instance
from connectors.sync.sync import Sync
from connectors.sync.workplace import SyncLimits, Workplace
from tests.torture.chaos.index import Snapshot
from tests.torture.chaos.network import ADDRESS, Line, Network
from tests.torture.chaos.table import Reading

INFO = EngineInfo(Flavor.EMBEDDED, "8.19.0", "chaos", ADDRESS)


def engine_over(network: Network, line: Line, clock: Clock) -> Engine:
    """Return an engine that is reached on a line."""
    settings = EngineSettings()
    pressure = Pressure(slow_after_s=settings.slow_after_s)
    retry = Retry(RetryPolicy(attempts=settings.attempts), clock)

    def lane(turn: Any, timeout_s: float) -> Lane:
        client = client_of(settings, ADDRESS, network.node_of(line), connections=1, timeout_s=timeout_s)
        return Lane(client, ADDRESS, retry, turn)

    control, data = lane(pressure.control, settings.control_timeout_s), lane(pressure.data, settings.data_timeout_s)
    return Engine(
        info=INFO,
        control=Operations(control, Flavor.EMBEDDED),
        data=Operations(data, Flavor.EMBEDDED),
        indices=Indices(control, Flavor.EMBEDDED),
        pressure=pressure,
    )


class OneSource(Registry):
    """A registry of one source, whatever is asked for."""

    def __init__(self, source: type[Any]) -> None:
        super().__init__()
        self._source = source

    def source(self, service_type: str) -> type[Any]:
        """Return it."""
        return self._source


class WatchedCopies(LedgerCopy):
    """Copies of ledgers of one host; `loaded` is shown each that is read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, fsync=lambda _: None)
        self.loaded = _unseen

    def load(self, name: str) -> tuple[bytes, Ledger] | None:
        """Return the stamp and the ledger that were saved last."""
        found = super().load(name)
        if found is not None:
            self.loaded(*found)
        return found


def _unseen(stamp_json: bytes, ledger: Ledger) -> None:
    """Look away."""


@dataclass(frozen=True)
class Host:
    """Where processes run: what outlives them, and what all of them have in common."""

    name: str
    folder: Path
    clock: Clock
    limits: SyncLimits


@dataclass(eq=False)
class Process:
    """One sync. A history notes down here what it sees of it."""

    number: int
    host: Host
    job_type: JobType
    line: Line
    reading: Reading
    copies: WatchedCopies
    sync: Sync
    task: asyncio.Task[Any] | None = None
    epoch: int = 0
    """The highest under which it is known to own the target."""
    stamped: Snapshot | None = None
    """What the index held when it was last asked where it stands."""
    stamped_at: int = 0
    overtaken: bool = False
    """Whether somebody else has written to the records that it fences itself by."""
    replacements: int = 0
    """How often the index had been replaced when it began."""
    died: bool = False

    @property
    def run(self) -> str:
        """What its sync is called."""
        return self.line.name

    def start(self) -> None:
        """Begin."""
        self.task = asyncio.create_task(self.sync.run(), name=self.run)

    @property
    def ended(self) -> bool:
        """Whether it did, in any way."""
        return self.died or (self.task is not None and self.task.done())

    @property
    def error(self) -> BaseException | None:
        """What its sync raised."""
        return self.task.exception() if self.task is not None and not self.died and self.task.done() else None

    @property
    def end(self) -> str:
        """How it ended."""
        if self.died or self.task is None:
            return "died"
        report = self.sync.report
        if (error := self.error) is not None:
            return type(error).__name__ if isinstance(error, ConnectorsError) else f"!{error!r}"
        if report.skipped:
            return "skipped"
        if report.unsettled:
            return "unsettled"
        return "completed"


def workplace(engine: Engine, host: Host, source: type[Any], copies: LedgerCopy, instance: Instance) -> Workplace:
    """Return a workplace whose indices are there."""
    state = StateStore(engine.control, host.clock)
    return Workplace(
        engine=engine,
        connectors=ConnectorStore(engine.control),
        state=state,
        held=HeldSets(state, host.clock),
        letters=DeadLetters(engine.control, host.clock),
        registry=OneSource(source),
        limiter=AdaptiveLimiter(most=host.limits.most_bulks, clock=host.clock, first=host.limits.most_bulks),
        storage=EngineBackend(state),
        copies=copies,
        limits=host.limits,
        clock=host.clock,
        instance=instance,
    )


def instance_of(host: Host, number: int, chance: random.Random) -> Instance:
    """Return who a process is: one that others take for dead at once, or one whose lease they have to watch."""
    now = Instance.current()
    if chance.random() < 0.5:
        return replace(now, host=host.name, start=f"{number}, long ago")
    return Instance(host.name, "", number, "")


def process(
    network: Network,
    host: Host,
    number: int,
    connector: Connector,
    source: type[Any],
    job_type: JobType,
) -> Process:
    """Return a process that has not begun yet."""
    line, reading, copies = Line(f"run {number}"), Reading(), WatchedCopies(host.folder)
    bound = type("BoundSource", (source,), {"line": line, "reading": reading, "network": network})
    place = workplace(
        engine_over(network, line, host.clock), host, bound, copies, instance_of(host, number, network.chance)
    )
    sync = Sync(place, connector, job_type, run=line.name)
    return Process(number, host, job_type, line, reading, copies, sync)
