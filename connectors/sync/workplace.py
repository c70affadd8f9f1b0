"""The workplace: what all syncs of a process work with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from connectors.aio.clock import Clock, SystemClock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.aio.throttle import AdaptiveLimiter
from connectors.engine import Engine
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.settings import Settings
from connectors.storage import Backend, Storage
from connectors.storages.engine import EngineBackend
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.held import HeldSets
from connectors.store.state import StateStore
from connectors.sync.content.downloads import DownloadLimits
from connectors.sync.ledger.copy import LedgerCopy
from connectors.sync.owner.instance import Instance
from connectors.sync.owner.together import Together
from connectors.sync.silence import Hearing
from connectors.sync.writing.writer import LONGEST_PAUSE_S, MANY_ATTEMPTS, WriterLimits


@dataclass(frozen=True)
class SyncLimits:
    """How patient syncs are, and how much they hold at once."""

    writer: WriterLimits = WriterLimits()
    downloads: DownloadLimits = DownloadLimits()
    most_bulks: int = 16
    """Bulk requests at once, at most: the limiter finds how many are best."""
    lease_timeout_s: float = 60.0
    source_timeout_s: float = 600.0
    """How long a source may say nothing that was asked."""
    checkpoint_every_s: float = 10.0
    """A sync that is interrupted goes on where it was so long before, where its source can."""
    live_round_s: float = 300.0
    """How long a live sync writes before it looks whether the index holds what it wrote."""
    steady_s: float = 60.0
    """A stream of changes that breaks after it was there for so long is opened again; one that breaks sooner is not."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings of the service say."""
        sync, downloads = settings.sync, settings.downloads
        return cls(
            writer=WriterLimits(
                batch_bytes=sync.batch_bytes,
                batch_documents=sync.batch_documents,
                waiting_bytes=sync.waiting_bytes,
                unavailable_timeout_s=sync.engine_unavailable_timeout_s,
            ),
            downloads=DownloadLimits(
                concurrent=downloads.concurrent,
                at_once_bytes=downloads.at_once_bytes,
                largest_bytes=downloads.largest_bytes,
                timeout_s=downloads.timeout_s,
            ),
            most_bulks=sync.concurrency,
            lease_timeout_s=sync.heartbeat_timeout_s,
            source_timeout_s=settings.service.source_timeout_s,
            checkpoint_every_s=sync.checkpoint_every_s,
            live_round_s=sync.live_round_s,
        )


@dataclass(frozen=True)
class Workplace:
    """The engine with its stores, and what else syncs of one process share: one limiter, one folder of copies."""

    engine: Engine
    connectors: ConnectorStore
    state: StateStore
    held: HeldSets
    letters: DeadLetters
    registry: Registry
    limiter: AdaptiveLimiter
    storage: Backend
    """What keeps the values of all sources."""
    grants: Grants = field(default_factory=Grants)
    copies: LedgerCopy | None = None
    limits: SyncLimits = SyncLimits()
    clock: Clock = field(default_factory=SystemClock)
    instance: Instance = field(default_factory=Instance.current)
    together: Together | None = None
    """Renews the leases of live syncs."""
    hung: Callable[[str], None] = lambda _why: None
    """Is told of a source that neither answers nor lets itself be cancelled: only the end of the process helps then."""

    @property
    def hearing(self) -> Hearing:
        """How long sources are listened to."""
        return Hearing(self.limits.source_timeout_s, self.hung)

    def storage_of(self, connector_id: str) -> Storage:
        """Return what the source of a connector remembers; it waits for what is away as long as a sync does."""
        return Storage(self.storage, connector_id, self.clock, self.patience)

    @property
    def patience(self) -> Retry:
        """Makes a call again for as long as a sync waits for an engine that is away."""
        return Retry(
            RetryPolicy(
                MANY_ATTEMPTS, longest_pause_s=LONGEST_PAUSE_S, limit_s=self.limits.writer.unavailable_timeout_s
            ),
            self.clock,
        )


async def open_workplace(  # noqa: PLR0913 - one for each thing that syncs share
    engine: Engine,
    registry: Registry,
    *,
    grants: Grants,
    copies: Path | None = None,
    limits: SyncLimits | None = None,
    storage: Backend | None = None,
    clock: Clock | None = None,
) -> Workplace:
    """Return the workplace at an engine, with indices of its own made where they are missing.

    Unless something else does, the engine keeps what sources remember.

    Raises an `EngineError`.
    """
    clock, limits = clock or SystemClock(), limits or SyncLimits()
    state = await StateStore.open(engine, clock)
    return Workplace(
        engine=engine,
        connectors=await ConnectorStore.open(engine),
        state=state,
        held=HeldSets(state, clock),
        letters=await DeadLetters.open(engine, clock),
        registry=registry,
        limiter=AdaptiveLimiter(most=limits.most_bulks, clock=clock),
        storage=storage or EngineBackend(state),
        grants=grants,
        copies=LedgerCopy(copies) if copies is not None else None,
        limits=limits,
        clock=clock,
        together=Together(state, clock),
    )
