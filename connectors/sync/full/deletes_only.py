"""A sync that only deletes: reads the ids of the source, and deletes from the index what is gone."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from connectors.byoc import Filter
from connectors.errors import ConfigurationError
from connectors.source_class import can_list_ids, has
from connectors.store.connector import Connector
from connectors.sync import reach
from connectors.sync.foreign import of_source, read
from connectors.sync.full.id_scan import IdScan
from connectors.sync.full.settlement import stamp_of
from connectors.sync.full.sync import FullSync
from connectors.sync.index.target import find_target
from connectors.sync.job import Job
from connectors.sync.ledger.ledger import Ledger
from connectors.sync.verdict import left_open
from connectors.sync.workplace import Workplace
from connectors.sync.writing.writer import Writer

INSTEAD: Final = "A full sync deletes what is gone, too."


class DeletesOnlySync(FullSync):
    """Deletes what is gone from the source, by its ids alone, and writes no document.

    Everything that keeps a full sync from deleting too much keeps this one too: nothing is deleted before the ids were
    read to their end, the guard and approvals count, and there is the same proof. Of what the index holds it knows
    nothing but that the source has it still, so it leaves the token, the checkpoint and the cursor of other syncs as
    they are, and all letters but those about what it has deleted.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._from = None  # where a walk would go on: what was read before that says nothing of this moment

    async def run(self) -> None:
        """Sync. Raises an error of the tree, after which the index holds all that the source has."""
        job, report = self._job, self._report
        base = await stamp_of(job.place.engine, job.target.index, job.target.uuid)
        await reach.begin(job)
        await job.letters.load()
        proof, datasets = await self._proven(base)
        report.check_sum()
        await job.place.patience(lambda _: job.letters.flush())
        await self._held_back.settle()
        self._vouch(proof)
        self._tell_held()
        report.warn_of_letters(job.connector.id)
        await job.lease.confirm()
        await self._remember(datasets)
        await self._keep_copy(proof)

    async def _walked(self, ledger: Ledger, writer: Writer) -> Mapping[str, int]:
        """Read the ids, and return how many documents each dataset has. What is counted is of this reading alone."""
        job, report = self._job, self._report
        del writer  # as nothing is written
        report.phase = "reading ids"
        report.walked = report.present = report.unindexed = report.dropped = report.superseded = report.repeated = 0
        source: Any = job.source
        scan = IdScan(job.intake.keeps, ledger, report)
        with of_source(job.mask, job.silence):
            found = source.get_ids(self._filter)
        async with read(found, job.mask, job.silence) as documents:
            await scan.read(documents, job.mask, job.silence)
        return scan.datasets

    async def _remember(self, datasets: Mapping[str, int]) -> None:
        """Say in the state which datasets are gone for good, and that none may be skipped while deletions are held.

        What the last full sync was completed with stays otherwise: it says since when the index holds what was read.
        """
        job, report = self._job, self._report
        done = job.state.value.completed
        if done is None:
            return
        is_open = left_open(letters=job.letters.passing, held=report.held, unsettled=report.unsettled)
        kept = {name: count for name, count in done.datasets.items() if report.held or datasets.get(name)}
        changed = msgspec.structs.replace(done, datasets=kept)
        if is_open is not None:
            changed = msgspec.structs.replace(changed, stamp=None, open=is_open)
        if changed != done:
            await job.place.patience(lambda _: job.state.save(completed=changed))


async def check_deletes_only(place: Workplace, connector: Connector) -> None:
    """Raise a `ConfigurationError` where ids can't be read alone, or where there is no index yet."""
    source = place.registry.source(connector.service_type or "")
    if not can_list_ids(source):
        message = f"The source {connector.service_type} can't tell its ids without all the rest."
        raise ConfigurationError(message, field="service_type", hint=INSTEAD)
    if has(source, "get_docs_by_rules") and Filter(connector.filtering).has_advanced_rules():
        message = "What advanced rules ask for can't be told by ids without all the rest."
        raise ConfigurationError(message, field="filtering", hint=INSTEAD)
    if connector.index_name and await find_target(place.engine, connector.index_name) is None:
        message = f"There is no index {connector.index_name} yet, from which anything could be gone."
        raise ConfigurationError(message, field="index_name", hint="A full sync makes it.")
