"""The promises: what must hold in a history, checked wherever it could break."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.engine.stamp import Stamp
from connectors.store.sync_state import JobType
from connectors.sync.document.prepared import key_of
from connectors.sync.index.mark import epoch_of
from connectors.sync.ledger.ledger import Ledger, keys_of
from tests.torture.chaos.index import Snapshot, Stored, TargetIndex, is_ours
from tests.torture.chaos.process import Process
from tests.torture.chaos.table import Table, Value


class Broken(AssertionError):
    """Something happened that must never happen."""


@dataclass(frozen=True)
class Written:
    """One operation of a bulk that is applied: a write with its version and its body, or a delete."""

    id: str
    kind: str
    version: int | None
    body: Mapping[str, Any] | None


@dataclass
class Promises:
    """Compares what syncs say and do with what a history knows."""

    connector: str
    index: TargetIndex
    table: Table
    told: Counter[str]
    fingerprints: dict[tuple[str, Value], int] = field(default_factory=dict)
    tainted: dict[str, int] = field(default_factory=dict)
    time: int = 0
    """Counts the steps of a history."""

    # What a sync says.

    def completed(self, process: Process, letters: set[str]) -> None:
        """Check that the index held what a sync had read, when that asked it for the last time."""
        run, report, reading = process.run, process.sync.report, process.reading
        if process.stamped is None or report.walked != report.accounted or report.walked != reading.yielded:
            raise Broken(f"{run} yielded {reading.yielded}, and counts {report.walked} and {report.accounted}")
        for doc_id, value in reading.values.items():
            if doc_id not in letters | reading.failed:
                self._check_read(process, value, doc_id, process.stamped.content.get(doc_id))
        if report.held:
            self.told["held deletions"] += report.held
        elif process.job_type is JobType.INCREMENTAL:
            self._check_log(process, letters)
        elif not reading.resumed:
            read = reading.values.keys() | reading.failed
            for doc_id in process.stamped.ours(self.connector):
                if doc_id not in read:
                    raise Broken(f"{run} completed, and never read {doc_id}")
            self.tainted = {doc_id: when for doc_id, when in self.tainted.items() if when > process.stamped_at}
        self.taint(*letters, *reading.failed)

    def _check_read(self, process: Process, value: Value | None, doc_id: str, found: Stored | None) -> None:
        """Check that the index held a document as a sync had read it, or not, if that was gone."""
        ours = found if is_ours(found, self.connector) else None
        may_stay = process.sync.report.held or process.reading.resumed
        if (ours.value if ours is not None else None) != value and not (value is None and may_stay):
            raise Broken(f"{process.run} completed, and {doc_id} should be {value}: {found}")

    def _check_log(self, process: Process, letters: set[str]) -> None:
        """Check that what no stranger wrote to is as the log of the source has it."""
        if process.stamped is None:
            return
        known = dict(self.table.changes[: process.reading.reached])
        for doc_id in self.table.ids:
            found = process.stamped.content.get(doc_id)
            mark = found.mark if found is not None else None
            if mark is not None and epoch_of(mark.o) > process.epoch:
                continue  # a later owner knows more
            value = found.value if found is not None and mark is not None else None
            if doc_id not in self.tainted and doc_id not in letters and value != known.get(doc_id):
                raise Broken(f"{process.run} is up to date, and {doc_id} should be {known.get(doc_id)}: {found}")

    def taint(self, *ids: str) -> None:
        """Remember that something wrote which is not the owner of the target: an incremental sync can't know of it."""
        self.tainted.update(dict.fromkeys(ids, self.time))

    def left(self, process: Process) -> None:
        """Learn of a sync that ended, however: what it leaves open, nobody closes who reads only what changed."""
        if process.sync.report.held or process.sync.report.unsettled:
            self.taint(*self.table.ids)

    def skipped(self, process: Process) -> None:
        """Check that there was nothing to do for a sync that did nothing."""
        if process.stamped is None:
            raise Broken(f"{process.run} was skipped without a look at the index")
        self._compare(process.stamped, process.reading.asked, f"{process.run} was skipped, and")

    def trusted(self, process: Process, stamp_json: bytes, ledger: Ledger) -> None:
        """Check that a copy of a ledger is true, where its stamp says that it should be."""
        now, stamp = process.stamped, msgspec.json.decode(stamp_json, type=Stamp)
        if now is None or (stamp.uuid, stamp.shards["0"].max_seq_no) != (now.uuid, now.max_seq_no):
            return
        self.told["trusted copies"] += 1
        ours = now.ours(self.connector)
        held = 0
        for doc_id in self.index.ids:
            visit = ledger.peek(keys_of(key_of(doc_id)))
            held += int(visit.held[0])
            known = int(visit.fingerprints[0])
            if bool(visit.held[0]) != (doc_id in ours):
                raise Broken(f"a copy that {process.run} trusts says {bool(visit.held[0])} of {doc_id}: {ours}")
            if doc_id in ours and known and self.fingerprints.get((doc_id, ours[doc_id].value)) != known:
                raise Broken(f"a copy that {process.run} trusts says {known} of {doc_id}: {ours[doc_id]}")
        if held != ledger.held:
            raise Broken(f"a copy that {process.run} trusts holds {ledger.held}, and {held} of them are known")

    # What a sync does.

    def written(self, process: Process, one: Written, before: Stored | None, *, same_index: bool) -> None:
        """Check one operation that the engine has just applied; `before` is what was there."""
        if one.kind == "delete":
            self._deleted(process, one.id, before, same_index=same_index)
            return
        mark = None if one.body is None else msgspec.convert(one.body["_sync"], dict[str, Any])
        if one.body is None or mark is None or one.version != mark["o"]:
            raise Broken(f"{process.run} wrote {one.id} in version {one.version} with the mark {mark}")
        if before is not None and before.mark is not None and mark["o"] < before.mark.o:
            raise Broken(f"{process.run} wrote an older version of {one.id} over a newer one: {before}, {mark}")
        if mark["f"]:
            self._learn(one.id, Value(one.body["meta"], one.body["text"]), mark["f"])

    def _learn(self, doc_id: str, value: Value, fingerprint: int) -> None:
        known = self.fingerprints.setdefault((doc_id, value), fingerprint)
        same = [key for key, found in self.fingerprints.items() if found == fingerprint]
        if known != fingerprint or same != [(doc_id, value)]:
            raise Broken(f"{doc_id} as {value} has the fingerprint {fingerprint}, had {known}; it is that of {same}")

    def _deleted(self, process: Process, doc_id: str, before: Stored | None, *, same_index: bool) -> None:
        self.told["deletes"] += 1
        if not same_index:
            # A request can't name the UUID of its index, and a revision may be the same by chance.
            self.told["deletes in an index that was replaced while they were on their way"] += 1
            return
        reading = process.reading
        was_read = reading.values.get(doc_id) is not None and doc_id not in reading.deleted
        if was_read or doc_id in reading.failed:
            raise Broken(f"{process.run} deleted {doc_id}, which it had read")
        if before is None:
            return
        if not reading.whole and process.job_type is not JobType.INCREMENTAL:
            raise Broken(f"{process.run} deleted {doc_id}, and had not walked the source from its beginning to its end")
        if before.mark is None or before.mark.c != self.connector:
            raise Broken(f"{process.run} deleted {doc_id}, which is not ours: {before}")
        if epoch_of(before.mark.o) > process.epoch:
            raise Broken(f"{process.run} deleted {doc_id}, which a later owner had written: {before}")

    # The end.

    def equal(self, when: str) -> None:
        """Check that the index holds what the source holds now."""
        self._compare(self.index.snapshot(), self.table.rows, when)

    def _compare(self, snapshot: Snapshot, rows: Mapping[str, Value], when: str) -> None:
        ours = {doc_id: one.value for doc_id, one in snapshot.ours(self.connector).items()}
        if ours != rows:
            raise Broken(f"{when} the index holds {ours}, the source {dict(rows)}")
