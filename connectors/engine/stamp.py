"""The stamp of an index: equal stamps mean that nothing was written in between."""

from typing import Any

import msgspec

from connectors.engine.lane import Lane
from connectors.errors import IndexMissing


class ShardStamp(msgspec.Struct, frozen=True):
    """Where one primary shard's history stands."""

    history_uuid: str
    primary_term: int
    max_seq_no: int


class Stamp(msgspec.Struct, frozen=True):
    """Where an index stands: its UUID and the history of each primary shard."""

    uuid: str
    shards: dict[str, ShardStamp]

    def advance_since(self, base: "Stamp") -> int | None:
        """Return how many writes the index took since `base`, over all shards.

        None when that can't be told: it is another index, or a shard has another history or primary term.
        """
        if self.uuid != base.uuid or self.shards.keys() != base.shards.keys():
            return None
        advance = 0
        for number, now in self.shards.items():
            then = base.shards[number]
            if (now.history_uuid, now.primary_term) != (then.history_uuid, then.primary_term):
                return None
            advance += now.max_seq_no - then.max_seq_no
        return advance


class _Routing(msgspec.Struct, frozen=True):
    primary: bool


class _SeqNo(msgspec.Struct, frozen=True):
    max_seq_no: int


class _Commit(msgspec.Struct, frozen=True):
    user_data: dict[str, Any] = {}


class _Shard(msgspec.Struct, frozen=True):
    routing: _Routing
    seq_no: _SeqNo | None = None
    commit: _Commit = _Commit()


class _Index(msgspec.Struct, frozen=True):
    uuid: str
    shards: dict[str, list[_Shard]] = {}


class _Stats(msgspec.Struct, frozen=True):
    indices: dict[str, _Index] = {}


class _Terms(msgspec.Struct, frozen=True):
    primary_terms: dict[str, int] = {}


class _Metadata(msgspec.Struct, frozen=True):
    indices: dict[str, _Terms] = {}


class _State(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


async def read_stamp(lane: Lane, index: str) -> Stamp | None:
    """Return the stamp of a concrete index, or None when a shard or a part of it is missing right now.

    The primary terms are read before the sequence numbers: a shard that changes its primary in between then shows a
    term that is never current again, and the stamp equals no later one. The other way round it could.
    """
    terms = await _primary_terms(lane, index)
    stats = await lane.call(
        f"read the stamp of {index}",
        lambda client: client.indices.stats(
            index=index,
            metric="indexing",
            level="shards",
            filter_path="indices.*.uuid,indices.*.shards.*.routing,indices.*.shards.*.seq_no,"
            "indices.*.shards.*.commit.user_data",
        ),
        _Stats,
    )
    found = stats.indices.get(index)
    if found is None or not terms:
        return None
    stamps = {number: _shard_stamp(copies, terms.get(number)) for number, copies in found.shards.items()}
    shards = {number: stamp for number, stamp in stamps.items() if stamp is not None}
    return Stamp(found.uuid, shards) if shards.keys() == terms.keys() == found.shards.keys() else None


async def _primary_terms(lane: Lane, index: str) -> dict[str, int]:
    state = await lane.call(
        f"read the primary terms of {index}",
        lambda client: client.cluster.state(
            metric="metadata", index=index, filter_path="metadata.indices.*.primary_terms"
        ),
        _State,
    )
    found = state.metadata.indices.get(index)
    if found is None:
        raise IndexMissing(
            f"Could not read the stamp of {index}: there is no concrete index of that name.", index=index
        )
    return found.primary_terms


def _shard_stamp(copies: list[_Shard], primary_term: int | None) -> ShardStamp | None:
    for copy in copies:
        history_uuid = copy.commit.user_data.get("history_uuid")
        if copy.routing.primary and copy.seq_no and history_uuid and primary_term is not None:
            return ShardStamp(str(history_uuid), primary_term, copy.seq_no.max_seq_no)
    return None
