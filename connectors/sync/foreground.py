"""A sync in the foreground: run now, with the full sync that has to follow some, and told to the connector."""

import asyncio
from collections.abc import Callable

from connectors import logger
from connectors.errors import ConfigurationError, IndexReplaced
from connectors.store.connector import Connector
from connectors.store.sync_state import JobType
from connectors.sync.full.deletes_only import check_deletes_only
from connectors.sync.outcome import Outcome
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from connectors.sync.verdict import check_force
from connectors.sync.workplace import Workplace

log = logger.get(__name__)


async def run_foreground(  # noqa: PLR0913 - two of them say which kind of full sync it is
    place: Workplace,
    connector: Connector,
    job_type: JobType = JobType.FULL,
    *,
    deletes_only: bool = False,
    force: bool = False,
    begun: Callable[[SyncReport], None] = lambda _report: None,
    waiting: Callable[[str], None] = lambda _owner: None,
) -> list[SyncReport]:
    """Sync a connector, and return the report of each sync that this took.

    A sync whose index was replaced meanwhile is followed by a full one, and so is one that went on with what an
    earlier one had begun: each once, for two in a row have another reason. `begun` is told of each report as its sync
    begins, and `waiting` of the owner of the index while it has to be found out whether that one is alive. One that
    `deletes_only` is followed by none: it was not asked for. With `force` neither it nor one that follows is skipped.
    Raises the error of a sync, and whatever happens tells the connector.
    """
    if force:
        check_force(job_type, deletes_only=deletes_only)
    if deletes_only:  # which is no fault of the connector, and not told to it
        await check_deletes_only(place, connector)
    reports: list[SyncReport] = []
    was_replaced = was_resumed = False
    while True:
        try:
            sync = Sync(place, connector, job_type, deletes_only=deletes_only, force=force, waiting=waiting)
            begun(sync.report)
            reports.append(await _run(place, connector, sync))
        except IndexReplaced as error:
            if was_replaced or deletes_only:
                raise
            was_replaced = True
            log.warning("A full sync follows, as the index was replaced.", connector=connector.id, why=str(error))
        else:
            if reports[-1].resumed_since is None or was_resumed:
                return reports
            was_replaced, was_resumed = False, True
            log.info("A full sync follows the one that was resumed.", connector=connector.id)
        connector = await _again(place, connector.id)
        job_type = job_type if job_type is JobType.ACCESS_CONTROL else JobType.FULL


async def _run(place: Workplace, connector: Connector, sync: Sync) -> SyncReport:
    outcome = Outcome(place.connectors, connector.id, place.clock, connector)
    try:
        report = await sync.run(owning=lambda: outcome.begun(sync.report))
    except asyncio.CancelledError:
        await outcome.suspended(sync.report)
        raise
    except Exception as error:
        await outcome.failed(sync.report, error)
        raise
    await outcome.completed(report)
    return report


async def _again(place: Workplace, connector_id: str) -> Connector:
    """Return a connector as it is now: what its index is may have been changed."""
    found = await place.connectors.get(connector_id)
    if found is None or found.deleted:
        raise ConfigurationError(f"The connector {connector_id!r} was deleted meanwhile.", field="id")
    return found
