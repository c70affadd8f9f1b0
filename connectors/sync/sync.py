"""The sync: one run of a connector, which returns one report or raises one error."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from connectors.errors import ConfigurationError
from connectors.source_class import has
from connectors.store.connector import Connector
from connectors.store.sync_state import JobType
from connectors.sync.ending import Ending
from connectors.sync.full.adding import AddingSync
from connectors.sync.full.deletes_only import DeletesOnlySync, check_deletes_only
from connectors.sync.full.sync import FullSync, nobody_told
from connectors.sync.job import begun
from connectors.sync.partial.incremental import IncrementalSync
from connectors.sync.partial.live import LiveSync
from connectors.sync.report import SyncReport
from connectors.sync.verdict import check_force
from connectors.sync.workplace import Workplace


class Sync:
    """Makes the index of a connector equal to its source.

    `report` may be read at any time while it runs: it is what is returned in the end. Cancelling the task that runs it
    ends it at once, and what was acknowledged stays. After an error the index holds no less than before, and the next
    sync goes on from what it holds. One that `adds_only` is a full sync with other settings than those that the
    connector has; one that `deletes_only` reads ids alone; one with `force` reads everything though nothing changed. An
    incremental one that is `live` goes on until it is asked to end.
    """

    def __init__(  # noqa: PLR0913 - three of them say which kind of full sync it is
        self,
        place: Workplace,
        connector: Connector,
        job_type: JobType = JobType.FULL,
        *,
        run: str | None = None,
        adds_only: bool = False,
        deletes_only: bool = False,
        force: bool = False,
        live: Ending | None = None,
        waiting: Callable[[str], None] = lambda _owner: None,
    ) -> None:
        self._place = place
        self._connector = connector
        self._run = run or uuid4().hex
        self._waiting = waiting
        self._live = live
        self.report = SyncReport(
            job_type,
            connector.index_name or "",
            place.clock.now(),
            adds_only=adds_only,
            deletes_only=deletes_only,
            forced=force,
        )

    @property
    def _may_be_skipped(self) -> bool:
        report = self.report
        return report.job_type is JobType.FULL and not report.adds_only and not report.deletes_only

    async def run(self, *, owning: Callable[[], Awaitable[None]] = nobody_told) -> SyncReport:
        """Sync once. Raises an error of the tree.

        `owning` is awaited when the source is reached and the target is ours, before anything is read. Of a full sync
        that is skipped it is not: that has ended before anybody could see it begin.
        """
        report = self.report
        if report.forced:
            check_force(report.job_type, deletes_only=report.deletes_only)
        if report.deletes_only:
            await check_deletes_only(self._place, self._connector)
        live, waiting = self._live is not None, self._waiting
        async with begun(self._place, self._connector, report, run=self._run, live=live, waiting=waiting) as job:
            if not self._may_be_skipped:
                await owning()
            if report.job_type is JobType.ACCESS_CONTROL and not has(job.source, "get_access_control"):
                raise ConfigurationError(
                    f"The source {self._connector.service_type} does not say who may read what.", field="service_type"
                )
            if self._live is not None:
                await LiveSync(job, self._live).run()
            elif report.job_type is JobType.INCREMENTAL:
                await IncrementalSync(job).run()
            elif report.adds_only:
                await AddingSync(job).run()
            elif report.deletes_only:
                await DeletesOnlySync(job).run()
            else:
                await FullSync(job, reading=owning if self._may_be_skipped else nobody_told).run()
        report.phase = "done"
        report.finished_at = self._place.clock.now()
        return report
