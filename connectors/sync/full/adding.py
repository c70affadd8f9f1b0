"""An adding sync: walks the source with other settings than the connector's, adds and updates, and never deletes."""

from connectors.sync import reach
from connectors.sync.full.settlement import stamp_of
from connectors.sync.full.sync import FullSync


class AddingSync(FullSync):
    """Brings into the index what a source yields with other settings, which may be a part of it only.

    What it does not find is left alone, and so are held deletions and dead letters. It is never skipped, and leaves
    nothing that a later sync goes on from or is skipped by: the next full one walks the whole source, and makes right
    what this one wrote otherwise. Only where it wrote nothing, the cursor of incremental syncs holds as before.
    """

    async def run(self) -> None:
        """Sync. Raises an error of the tree, after which the index holds no less than before."""
        job, report = self._job, self._report
        base = await stamp_of(job.place.engine, job.target.index, job.target.uuid)
        reached = await reach.void(job)
        await job.letters.load()
        proof, _ = await self._proven(base)
        report.check_sum()
        await job.place.patience(lambda _: job.letters.flush())
        self._vouch(proof)
        report.warn_of_letters(job.connector.id)
        await job.lease.confirm()
        if not report.sent and not report.letters:
            await reach.save(job, reached)
