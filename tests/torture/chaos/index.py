"""The index that syncs write to, as it is, and as others change it: seen and changed without any network between."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.engine.flavor import Flavor
from connectors.store.index_name import write_alias
from connectors.sync.index.content_index import content_index
from connectors.sync.index.mark import Mark
from tests.torture.chaos.table import Value

ALIAS: Final = "docs"
NAME: Final = "docs-000001"
WRITES: Final = str(write_alias(NAME))


class Stored(NamedTuple):
    """A document as the index holds it."""

    version: int
    seq_no: int
    value: Value
    mark: Mark | None
    source: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """What an index held at one moment, and where it stood."""

    uuid: str | None
    max_seq_no: int
    content: dict[str, Stored] = field(default_factory=dict)

    def ours(self, connector: str) -> dict[str, Stored]:
        """Return the documents of a connector."""
        return {doc_id: one for doc_id, one in self.content.items() if one.mark is not None and one.mark.c == connector}


class Refused(Exception):
    """The engine did not do what a history asked it for."""


@dataclass
class TargetIndex:
    """The index behind the alias, with some ids: those of the source, and those that others have of their own."""

    engine: EmbeddedEngine
    ids: list[str]
    gc_deletes: str
    with_alias: bool
    """Whether it has an alias for writes, as those have that a sync makes."""

    def ask(self, method: str, target: str, body: object = None) -> Any:
        """Return the answer to a request. Raises `Refused`."""
        status, answer = self.engine.handle(method, target, b"" if body is None else msgspec.json.encode(body))
        if status >= 300 and status != 404:
            raise Refused(f"{method} {target}: {status} {answer!r}")
        return msgspec.json.decode(answer)

    def create(self) -> None:
        """Create it as a sync would, but for what makes histories other than their seeds."""
        new = content_index(ALIAS, None, Flavor.EMBEDDED)
        aliases = [ALIAS, WRITES] if self.with_alias else [ALIAS]
        body = {
            "settings": {**new.settings, "index.refresh_interval": "-1", "index.gc_deletes": self.gc_deletes},
            "mappings": new.mappings,
            "aliases": {alias: {} for alias in aliases},
        }
        self.ask("PUT", f"/{NAME}", body)

    def remove(self) -> None:
        """Delete it."""
        self.ask("DELETE", f"/{NAME}")

    @property
    def uuid(self) -> str | None:
        """Which index it is now; None for none."""
        found = self.ask("GET", f"/{NAME}/_settings").get(NAME)
        return None if found is None else str(found["settings"]["index"]["uuid"])

    def now(self, ids: Iterable[str] | None = None) -> dict[str, Stored]:
        """Return what it holds, refreshed or not."""
        found = self.ask("POST", f"/{NAME}/_mget", {"ids": list(ids if ids is not None else self.ids)})
        return {one["_id"]: _stored(one) for one in found.get("docs", ()) if one.get("found")}

    def snapshot(self) -> Snapshot:
        """Return what it holds, and where it stands."""
        uuid = self.uuid
        if uuid is None:
            return Snapshot(None, -1)
        shard = self.ask("GET", f"/{NAME}/_stats?level=shards")["indices"][NAME]["shards"]["0"][0]
        return Snapshot(uuid, shard["seq_no"]["max_seq_no"], self.now())

    # What others do.

    def refresh(self) -> None:
        """Let searches see what was written."""
        self.ask("POST", f"/{NAME}/_refresh")

    def update(self, doc_id: str, value: Value) -> None:
        """Change a document as an update by script does: its mark stays as it is, its version rises."""
        if self.now([doc_id]):
            self.ask("POST", f"/{NAME}/_update/{doc_id}", {"doc": {"meta": value.meta, "text": value.text}})

    def overwrite(self, doc_id: str, value: Value, *, version: int | None = None) -> None:
        """Write a document of one's own over whatever is there."""
        self._put(doc_id, {"meta": value.meta, "text": value.text}, version)

    def rewrite(self, doc_id: str) -> None:
        """Write a document as it is, mark and all, as a reindex in place does."""
        for one in self.now([doc_id]).values():
            self._put(doc_id, one.source, None)

    def delete(self, doc_id: str) -> None:
        """Delete a document."""
        if self.uuid is not None:
            self.ask("DELETE", f"/{NAME}/_doc/{doc_id}")

    def restore(self, snapshot: Snapshot) -> None:
        """Put what it once held in the place of what it holds: another index, with the versions of the old one."""
        self.remove()
        self.create()
        for doc_id, one in snapshot.content.items():
            self._put(doc_id, one.source, one.version)

    def _put(self, doc_id: str, source: Mapping[str, Any], version: int | None) -> None:
        if self.uuid is None:
            return
        condition = "" if version is None else f"?version_type=external_gte&version={version}"
        status, _ = self.engine.handle("PUT", f"/{NAME}/_doc/{quote(doc_id)}{condition}", msgspec.json.encode(source))
        if status not in {200, 201, 409}:
            raise Refused(f"{doc_id}: {status}")


def _stored(found: Mapping[str, Any]) -> Stored:
    source = found["_source"]
    value = Value(source["meta"], source.get("text", ""))
    return Stored(found["_version"], found["_seq_no"], value, Mark.of_source(source), source)


def drawn(chance: random.Random) -> Value:
    """Return a value that somebody else might write."""
    return Value(chance.randrange(2), f"text {chance.randrange(2)}")


def is_ours(stored: Stored | None, connector: str) -> bool:
    """Return whether there is a document, and of this connector."""
    return stored is not None and stored.mark is not None and stored.mark.c == connector
