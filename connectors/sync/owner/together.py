"""Together: renews the leases of one process at once, those of who has nothing to write for long."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import EngineError, IndexReplaced
from connectors.store.state import StateStore
from connectors.sync.owner.lease import RENEWALS, Lease

log = logger.get(__name__)
RENEWALS_TOGETHER: Final = 2
"""How often leases are renewed within their timeout; after a failure as soon as any other."""
WATCHED_EACH: Final = 2
"""Every so many times it is looked whether a target is still what it was; before it is written to, that is asked."""
NEARLY: Final = 0.5
"""A lease that was renewed within this share of the time between two renewals need not be renewed yet."""


class Together:
    """Renews leases with one request, of which there are many in a process.

    Whoever is first to find that it is time does it for all, and who comes then finds that it is done. What could not
    be renewed so is renewed by itself, which tells why.
    """

    def __init__(self, state: StateStore, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._leases: set[Lease] = set()
        self._one = asyncio.Lock()
        self._ended_at = clock.monotonic()

    async def keep(self, lease: Lease) -> None:
        """Renew a lease until cancelled. Raises `JobLost` and `IndexReplaced`; what else fails is tried again."""
        every_s, rounds = lease.claim.timeout_s / RENEWALS_TOGETHER, 0
        pause_s = every_s
        self._leases.add(lease)
        try:
            while True:
                await self._clock.sleep(pause_s)
                try:
                    await self._renew(lease, every_s)
                    rounds += 1
                    if lease.claim.watch is not None and rounds % WATCHED_EACH == 0:
                        await lease.claim.watch.confirm()
                    pause_s = max(every_s - lease.age_s, every_s * NEARLY)
                except IndexReplaced:
                    raise
                except EngineError as error:
                    pause_s = lease.claim.timeout_s / RENEWALS
                    log.warning("The lease could not be renewed.", index=lease.claim.target.index, why=str(error))
        finally:
            self._leases.discard(lease)

    async def _renew(self, lease: Lease, every_s: float) -> None:
        asked_at = self._clock.monotonic()
        async with self._one:
            # Of many who wait here while the engine is away, only one tries: the others find that it has tried.
            if lease.age_s >= every_s * NEARLY and self._ended_at <= asked_at:
                try:
                    await self._renew_all()
                except EngineError as error:
                    log.debug("Leases could not be renewed together.", leases=len(self._leases), why=str(error))
                finally:
                    self._ended_at = self._clock.monotonic()
        if lease.age_s >= every_s * NEARLY:
            await lease.renew()

    async def _renew_all(self) -> None:
        async with AsyncExitStack() as stack:
            leases = [one for one in self._leases if not one.writing.locked()]
            for lease in leases:
                await stack.enter_async_context(lease.writing)
            sent_at = self._clock.monotonic()
            written = await self._state.replace_many([lease.renewal for lease in leases])
            for lease, record in zip(leases, written, strict=True):
                if record is not None:
                    lease.was_renewed(record, sent_at)
