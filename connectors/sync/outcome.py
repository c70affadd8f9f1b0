"""The outcome: what a connector's document says of its last sync, for whoever looks at it in Kibana or with `curl`."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import ConnectorsError, JobCanceled, JobLost, TargetInUse
from connectors.store.connector import Connector, ConnectorStatus
from connectors.store.connectors import ConnectorStore, Update
from connectors.store.sync_state import JobType
from connectors.sync.report import SyncReport

log = logger.get(__name__)
LONGEST: Final = 8_000
"""Characters of an error: it is indexed as one term, which may have 32,766 bytes."""
PATIENCE_S: Final = 20.0
"""How long it may take to tell: nobody waits longer for what the next sync tells anew."""


class Outcome:
    """Tells the document of one connector that a sync of it has begun, and how it ended.

    The sync goes its way whatever becomes of this: what fails is logged, and never raised. A sync that lost its
    target, or never had it, does not tell how it ended: the one that has it does, unless that is another connector's.
    What the document says decides nothing: a sync that was killed leaves it `in_progress`, and the next one goes on all
    the same.

    Whether the connector itself is well is told as long as its source and settings are those that the sync has
    (`read`): of others it knows nothing.
    """

    def __init__(
        self, connectors: ConnectorStore, connector_id: str, clock: Clock, read: Connector | None = None
    ) -> None:
        self._connectors = connectors
        self._id = connector_id
        self._clock = clock
        self._read = read
        self._has_begun = False

    async def begun(self, report: SyncReport) -> None:
        """Tell that a sync has reached its source and owns its target, and begins."""
        self._has_begun = True
        connected = {"status": ConnectorStatus.CONNECTED, "error": None}
        await self._tell(lambda found: _of_sync(report, "in_progress", None) | self._if_known(found, connected))

    async def completed(self, report: SyncReport) -> None:
        """Tell that a sync has ended well, or with something that a person has to know."""
        await self._ended(report, "completed", report.error)

    async def failed(self, report: SyncReport, error: Exception) -> None:
        """Tell that a sync has ended in an error; the words of one that is none of ours are for the log alone."""
        if isinstance(error, TargetInUse) or (isinstance(error, JobLost) and error.taken_by in {None, self._id}):
            return
        status = "canceled" if isinstance(error, JobCanceled) else "error"
        words = str(error) if isinstance(error, ConnectorsError) else "A fault of this program. Its log tells more."
        await self._ended(report, status, f"{type(error).__name__}: {words}")

    async def suspended(self, report: SyncReport) -> None:
        """Tell that a sync was asked to stop, and will be gone on with. There is nothing to say of one that waited."""
        if self._has_begun:
            changes = _of_sync(report, "suspended", None) | {"last_synced": self._clock.now()}
            await self._tell(lambda _: changes)

    async def abandoned(self, report: SyncReport) -> None:
        """Tell that who ran a sync is gone and that it will be gone on with, if the document says that it runs."""
        changes = _of_sync(report, "suspended", None)
        name, running = next(iter(changes)), "in_progress"
        await self._tell(lambda found: changes if found.document.get(name) == running else {})

    async def _ended(self, report: SyncReport, status: str, error: str | None) -> None:
        text = fitting(error)
        has_failed = status == "error"
        how_it_ended = {
            "last_synced": self._clock.now(),
            "last_indexed_document_count": report.created + report.updated,
            "last_deleted_document_count": report.deleted,
        }
        status_now = ConnectorStatus.ERROR if has_failed else ConnectorStatus.CONNECTED
        well_being = {"status": status_now, "error": text if has_failed else None}
        changes = _of_sync(report, status, text) | _skipping(report) | how_it_ended
        await self._tell(lambda found: changes | self._if_known(found, well_being))

    def _if_known(self, found: Connector, well_being: dict[str, Any]) -> dict[str, Any]:
        """Return how a connector is, if it is as the sync has read it."""
        is_known = self._read is None or _settings(self._read, self._read) == _settings(found, self._read)
        return well_being if is_known else {}

    async def _tell(self, changes: Update) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._connectors.update(self._id, changes)
        except (ConnectorsError, TimeoutError) as problem:
            log.warning("The connector was not told how its sync stands.", connector=self._id, why=str(problem))


def fitting(error: str | None) -> str | None:
    """Return an error as a document holds it, cut off where it would be too long for that."""
    return error if error is None or len(error) <= LONGEST else f"{error[: LONGEST - 1]}…"


def _settings(connector: Connector, read: Connector) -> Mapping[str, object]:
    """Return the source of a connector and the values of the settings that it had: what was filled in counts not."""
    given = connector.configuration
    return {"": connector.service_type, **{name: _value(given.get(name)) for name in read.configuration}}


def _value(setting: object) -> object:
    return setting.get("value") if isinstance(setting, Mapping) else setting


def _skipping(report: SyncReport) -> dict[str, Any]:
    """Return whether the last sync of the content was skipped, and why or why not; of other syncs there is no such."""
    return {} if report.job_type is JobType.ACCESS_CONTROL else {"last_sync_skipping": report.skipping}


def _of_sync(report: SyncReport, status: str, error: str | None) -> dict[str, Any]:
    """Return what a connector says of its last sync of that type."""
    prefix = "last_access_control_sync" if report.job_type is JobType.ACCESS_CONTROL else "last_sync"
    return {f"{prefix}_status": status, f"{prefix}_error": error}
