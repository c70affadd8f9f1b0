"""The aftermath: what becomes of the jobs whose process died."""

from dataclasses import dataclass
from typing import Final

from connectors import logger
from connectors.errors import ConnectorsError
from connectors.services.cleaning.job_ends import JobEnds
from connectors.services.working.crew import Death
from connectors.store.job import ACTIVE, JobStatus, SyncJob
from connectors.store.jobs import MOST_ATTEMPTS

log = logger.get(__name__)
MOST_DEATHS: Final = 3
"""So often may the process of a job die while it runs nothing else."""
WHY_CANCELED: Final = "Somebody asked for it to be canceled, and the process that ran it died."


@dataclass(frozen=True)
class Aftermath:
    """Gives back the jobs of a process that died, to be begun again, each alone.

    Any of them may have been the reason, so only deaths while alone are held against a job. After three of them it ends
    in error, and one that was to be canceled is canceled.
    """

    ends: JobEnds

    async def of(self, death: Death) -> None:
        """Do it for each job of the process that this one had claimed. What fails is logged: others find it lost."""
        for job_id in sorted(death.jobs):
            try:
                await self._of_job(job_id, death)
            except ConnectorsError as error:
                log.warning("It could not be told that the process of a job died.", job=job_id, why=str(error))

    async def _of_job(self, job_id: str, death: Death) -> None:
        for _ in range(MOST_ATTEMPTS):
            job = await self.ends.jobs.get(job_id)
            if job is None or not _had(death, job) or await self._ended(job, death):
                return

    async def _ended(self, job: SyncJob, death: Death) -> bool:
        """Say what becomes of a job; False if somebody has touched it meanwhile."""
        if job.status is JobStatus.CANCELING:
            return await self.ends.cancel(job, WHY_CANCELED)
        before = job.metadata.get("deaths")
        deaths = (before if isinstance(before, int) else 0) + death.alone
        told = {"alone": True, "deaths": deaths}
        if deaths < MOST_DEATHS:
            return await self.ends.suspend(job, told)
        last = (
            f"because {death.why}." if death.why else f"with the code {death.code}. Something that it reads kills it."
        )
        error = f"The process that ran it died {deaths} times while it ran nothing else, the last time {last}"
        return await self.ends.fail(job, error, told=told)


def _had(death: Death, job: SyncJob) -> bool:
    """Return whether a process had claimed a job."""
    return job.status in ACTIVE and death.instance is not None and job.metadata.get("instance") == death.instance
