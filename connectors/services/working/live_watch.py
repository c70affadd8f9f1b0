"""The watch of a live sync: finds out, when it is told to look, whether there is a reason for the sync to end."""

from dataclasses import dataclass

from connectors.errors import JobCanceled
from connectors.services.working.job_record import JobRecord
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore
from connectors.store.job import WAITING, JobStatus
from connectors.store.jobs import JobStore
from connectors.store.lanes import Lane
from connectors.store.live import basis_of, is_live, wants_live
from connectors.sync.ending import Ending, Why


@dataclass(frozen=True)
class LiveWatch:
    """Looks at the job, its connector and the other jobs of that.

    It is told to look when its daemon has seen a change; what that means is found out here, from what is stored.
    """

    jobs: JobStore
    connectors: ConnectorStore
    record: JobRecord
    connector: Connector
    """As it was when the sync began."""
    ending: Ending

    async def look(self) -> None:
        """Look once. Raises `JobCanceled`, `JobLost` and what the engine raises."""
        if self.ending.why is not None:
            return
        job = await self.record.look()
        if job.status is JobStatus.CANCELING:
            raise JobCanceled("Somebody asked for it to be canceled.")
        connector = await self.connectors.get(self.connector.id)
        if connector is None or connector.deleted:
            raise JobCanceled("The connector was deleted.")
        if not wants_live(connector):
            self.ending.ask(Why.OFF)
        elif basis_of(connector) != basis_of(self.connector):
            self.ending.ask(Why.CHANGED)
        lane = Lane.of(job)
        for other in await self.jobs.of_connector(self.connector.id):
            if other.status in WAITING and Lane.of(other) == lane and not is_live(other) and not other.is_newer:
                self.ending.ask(Why.OTHERS)
