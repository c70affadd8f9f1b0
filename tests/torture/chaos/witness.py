"""The witness: sees each request at the engine, and checks what it does."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from connectors.store.state import INDEX as STATE
from connectors.store.sync_state import SyncState
from connectors.store.targets import TargetRecord
from tests.torture.bulk_body import actions_of
from tests.torture.chaos.index import NAME, WRITES, TargetIndex
from tests.torture.chaos.network import Parcel
from tests.torture.chaos.process import Process
from tests.torture.chaos.promises import Broken, Promises, Written

BULKS: Final = (f"/{NAME}/_bulk", f"/{WRITES}/_bulk")


class Witness:
    """Knows who owns the target, and who has lost it; shows each operation of a bulk to the promises."""

    def __init__(self, index: TargetIndex, promises: Promises, tell: Callable[[str], None]) -> None:
        self._index = index
        self._promises = promises
        self._tell = tell
        self._before: dict[str, Any] = {}
        self.everyone: dict[str, Process] = {}
        self._epochs: dict[str, int] = {}
        """The epochs that records carry, by their kind and target."""
        self.owner: str | None = None
        """The run that the target's record names."""
        self.replacements = 0

    def arrives(self, parcel: Parcel) -> None:
        """See the engine as it is just before a parcel."""
        if parcel.path not in BULKS:
            return
        ids = [str(one.id) for one in actions_of(parcel.request.body or b"")]
        if len(set(ids)) != len(ids):
            raise Broken(f"{parcel.line.name} sends an id twice in a bulk: {ids}")
        self._before = {"uuid": self._index.uuid, "content": self._index.now(ids)}

    def arrived(self, parcel: Parcel, status: int, answer: bytes) -> None:
        """See it just behind one."""
        one = self.everyone.get(parcel.line.name)
        if one is None:
            return
        if not parcel.is_read:
            self._tell(f"{parcel.what}: {status}{_details(parcel, answer)}")
        if parcel.path in BULKS and status == 200:
            self._written(one, parcel, answer)
        elif parcel.path.startswith(f"/{NAME}/_stats"):
            one.stamped, one.stamped_at = self._index.snapshot(), self._promises.time
            self._tell(f"{one.run} is told {one.stamped.max_seq_no}")
        elif parcel.path.startswith(f"/{STATE.name}/") and not parcel.is_read and status < 300:
            self._recorded(one, parcel.request.body)

    def replaced(self) -> None:
        """Learn that the index is another one, or gone."""
        self.replacements += 1
        self._promises.taint(*self._index.ids)

    def record_lost(self) -> None:
        """Learn that nobody owns the target any more."""
        self.owner = None
        self._epochs = {name: epoch for name, epoch in self._epochs.items() if not name.startswith(TargetRecord.KIND)}
        for one in self.everyone.values():
            one.overtaken = True

    def _written(self, one: Process, parcel: Parcel, answer: bytes) -> None:
        body = parcel.request.body or b""
        items = msgspec.json.decode(answer)["items"]
        uuid, content = self._before["uuid"], self._before["content"]
        same_index = one.stamped is None or one.stamped.uuid == uuid
        for action, answered in zip(actions_of(body), items, strict=True):
            (item,) = answered.values()
            if "_seq_no" in item and item["status"] < 300:
                line = body[action.start : action.end].split(b"\n")[1]
                document = msgspec.json.decode(line) if line else None
                written = Written(str(action.id), action.kind, action.version, document)
                self._promises.written(one, written, content.get(action.id), same_index=same_index)
                if self.owner != one.run or one.ended:
                    self._promises.taint(written.id)

    def _recorded(self, one: Process, body: bytes | None) -> None:
        """Learn from a record that was written who owns the target, and who has lost what."""
        record = msgspec.json.decode(body) if body else {}
        for other in self.everyone.values():
            other.overtaken |= other is not one
        kind = record.get("kind")
        if kind not in {TargetRecord.KIND, SyncState.KIND}:
            return
        epoch: int = record["record"]["epoch"]
        name = f"{kind} {record['record'].get('target')}"
        if epoch < self._epochs.get(name, 0):
            raise Broken(f"{one.run} writes the epoch {epoch} to the {kind} after {self._epochs[name]}")
        self._epochs[name] = epoch
        if kind == TargetRecord.KIND:
            self.owner = record["record"]["run"]
            if self.owner == one.run:
                one.epoch = max(one.epoch, epoch)
                self._tell(f"{one.run} has epoch {epoch}")


def _details(parcel: Parcel, answer: bytes) -> str:
    if not parcel.is_bulk:
        return ""
    items = [one for action in msgspec.json.decode(answer).get("items", []) for one in action.items()]
    return " " + ", ".join(f"{kind} {one['_id']} {one['status']} {one.get('_version', '')}" for kind, one in items)
