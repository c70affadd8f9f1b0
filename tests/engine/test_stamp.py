from typing import Any

import pytest

from connectors.engine.stamp import ShardStamp, Stamp
from connectors.errors import IndexMissing
from tests.engine.conftest import Opened
from tests.engine.stub import answer


def shard(max_seq_no: int = 5, *, primary: bool = True, history: str | None = "h0") -> dict[str, Any]:
    user_data = {} if history is None else {"history_uuid": history}
    return {"routing": {"primary": primary}, "seq_no": {"max_seq_no": max_seq_no}, "commit": {"user_data": user_data}}


def stats(**shards: list[dict[str, Any]]) -> object:
    numbered = {number.removeprefix("s"): copies for number, copies in shards.items()}
    return {"indices": {"docs": {"uuid": "u1", "shards": numbered}}}


def terms(**numbers: int) -> object:
    return {"metadata": {"indices": {"docs": {"primary_terms": {k.removeprefix("s"): v for k, v in numbers.items()}}}}}


async def test_the_stamp_tells_of_every_primary(opened: Opened) -> None:
    found = stats(s0=[shard(9, primary=False, history="replica"), shard(7)], s1=[shard(-1, history="h1")])
    async with opened(answer(200, terms(s0=2, s1=1)), answer(200, found)) as (engine, stub):
        assert await engine.indices.stamp("docs") == Stamp(
            "u1", {"0": ShardStamp("h0", 2, 7), "1": ShardStamp("h1", 1, -1)}
        )
    assert [asked.split("?")[0] for asked in stub.asked] == [
        "GET /_cluster/state/metadata/docs",
        "GET /docs/_stats/indexing",
    ]


@pytest.mark.parametrize(
    "found",
    [
        {},
        stats(s0=[shard()]),
        stats(s0=[shard()], s1=[shard(primary=False)]),
        stats(s0=[shard()], s1=[]),
        stats(s0=[shard()], s1=[shard(history=None)]),
        stats(s0=[shard()], s1=[{"routing": {"primary": True}}]),
        stats(s0=[shard()], s1=[shard()], s2=[shard()]),
    ],
    ids=["no stats", "no shard", "no primary", "no copies", "no history", "no numbers", "no term"],
)
async def test_where_something_is_missing_there_is_no_stamp(opened: Opened, found: object) -> None:
    async with opened(answer(200, terms(s0=1, s1=1)), answer(200, found)) as (engine, _):
        assert await engine.indices.stamp("docs") is None


async def test_an_index_that_is_missing_is_that(opened: Opened) -> None:
    async with opened(answer(200, {})) as (engine, _):
        with pytest.raises(IndexMissing) as caught:
            await engine.indices.stamp("docs")
    assert caught.value.index == "docs"


def stamp(*shards: ShardStamp, uuid: str = "u1") -> Stamp:
    return Stamp(uuid, {str(number): one for number, one in enumerate(shards)})


BASE = stamp(ShardStamp("h0", 1, 4), ShardStamp("h1", 1, -1))


@pytest.mark.parametrize(
    ("now", "advance"),
    [
        (BASE, 0),
        (stamp(ShardStamp("h0", 1, 6), ShardStamp("h1", 1, 2)), 5),
        (stamp(ShardStamp("h0", 1, 4), ShardStamp("h1", 1, -1), uuid="u2"), None),
        (stamp(ShardStamp("h0", 2, 4), ShardStamp("h1", 1, -1)), None),
        (stamp(ShardStamp("h9", 1, 4), ShardStamp("h1", 1, -1)), None),
        (stamp(ShardStamp("h0", 1, 4)), None),
    ],
)
def test_the_advance_is_counted_only_within_one_history(now: Stamp, advance: int | None) -> None:
    assert now.advance_since(BASE) == advance
