"""The outcome: what a connector's document says of its last sync, for whoever looks at it in Kibana or with `curl`."""

import asyncio
from typing import Any, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import ConnectorsError, JobCanceled, JobLost, TargetInUse
from connectors.store.connector import ConnectorStatus
from connectors.store.connectors import ConnectorStore
from connectors.store.sync_state import JobType
from connectors.sync.report import SyncReport

log = logger.get(__name__)
LONGEST: Final = 8_000
"""Characters of an error: it is indexed as one term, which may have 32,766 bytes."""
PATIENCE_S: Final = 20.0
"""How long it may take to tell: nobody waits longer for what the next sync tells anew."""


class Outcome:
    """Tells the document of one connector how a sync of it ended.

    The sync has ended already whatever becomes of this: what fails is logged, and never raised. A sync that lost its
    target, or never had it, tells nothing: the one that has it does.
    """

    def __init__(self, connectors: ConnectorStore, connector_id: str, clock: Clock) -> None:
        self._connectors = connectors
        self._id = connector_id
        self._clock = clock

    async def completed(self, report: SyncReport) -> None:
        """Tell that a sync has ended well, or with something that a person has to know."""
        await self._tell(report, "completed", report.error)

    async def failed(self, report: SyncReport, error: Exception) -> None:
        """Tell that a sync has ended in an error; the words of one that is none of ours are for the log alone."""
        if isinstance(error, JobLost | TargetInUse):
            return
        status = "canceled" if isinstance(error, JobCanceled) else "error"
        words = str(error) if isinstance(error, ConnectorsError) else "A fault of this program. Its log tells more."
        await self._tell(report, status, f"{type(error).__name__}: {words}")

    async def suspended(self, report: SyncReport) -> None:
        """Tell that a sync was asked to stop, and will be gone on with."""
        await self._tell(report, "suspended", None)

    async def _tell(self, report: SyncReport, status: str, error: str | None) -> None:
        text = error if error is None or len(error) <= LONGEST else f"{error[: LONGEST - 1]}…"
        prefix = "last_access_control_sync" if report.job_type is JobType.ACCESS_CONTROL else "last_sync"
        changes: dict[str, Any] = {
            "last_synced": self._clock.now(),
            f"{prefix}_status": status,
            f"{prefix}_error": text,
        }
        if status != "suspended":  # of which there is nothing to say yet
            has_failed = status == "error"
            changes |= {
                "status": ConnectorStatus.ERROR if has_failed else ConnectorStatus.CONNECTED,
                "error": text if has_failed else None,
                "last_indexed_document_count": report.created + report.updated,
                "last_deleted_document_count": report.deleted,
            }
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._connectors.update(self._id, lambda _: changes)
        except (ConnectorsError, TimeoutError) as problem:
            log.warning("The connector was not told how its sync ended.", connector=self._id, why=str(problem))
