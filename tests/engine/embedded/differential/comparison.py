"""The comparison of two answers to one search: what differs, in a sentence."""

import math
from collections.abc import Sequence
from typing import Any, Final

from tests.contracts.wire import Answer
from tests.engine.embedded.differential.mappings import Json
from tests.engine.embedded.differential.searches import PLACES, keys_of

TOLERANCE: Final = 1e-5
"""How far two scores may be apart, as a part of them: one engine adds up floats, the other doubles."""
_SHOWN: Final = ("_index", "_version", "_seq_no", "_primary_term", "_source", "_ignored", "fields")


def difference(body: Json, ours: Answer, theirs: Answer) -> str | None:
    """Return what the embedded engine answered otherwise than the other one; None where they agree."""
    if theirs.status == 200 and theirs.body["_shards"]["failed"]:
        # Of several shards some failed at showing a hit, and some had none to show.
        return None if ours.status == 400 else f"status {ours.status}, not shards that failed"
    if ours.status != theirs.status:
        return f"status {ours.status}, not {theirs.status}"
    if ours.status != 200:
        kinds = _kinds(ours), _kinds(theirs)
        return None if kinds[0] == kinds[1] else f"refused as {kinds[0]}, not as {kinds[1]}"
    mine, wanted = ours.body["hits"], theirs.body["hits"]
    if not mine["hits"] and mine.get("max_score") is None and wanted.get("max_score") == 0:
        # Elasticsearch says so where all of several shards tell beforehand that they have nothing.
        wanted = {"total": {"value": 0, "relation": "eq"}, **wanted, "max_score": None}
        mine = {"total": wanted["total"], **mine}
    if not _same_total(body, mine.get("total"), wanted.get("total")):
        return f"total {mine.get('total')}, not {wanted.get('total')}"
    if not close(mine.get("max_score"), wanted.get("max_score")):
        return f"max_score {mine.get('max_score')}, not {wanted.get('max_score')}"
    return _hits(body, mine["hits"], wanted["hits"])


def _same_total(body: Json, mine: Any, wanted: Any) -> bool:
    if body.get("size") == 0 and wanted == {"value": body.get("track_total_hits"), "relation": "gte"}:
        # Without hits to look for, Elasticsearch stops as soon as it has counted far enough.
        return bool(mine["value"] == wanted["value"])
    return bool(mine == wanted)


def close(one: Any, other: Any) -> bool:
    """Return whether two scores are the same as far as a float tells."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-9)


def _kinds(answer: Answer) -> tuple[str, str]:
    error = answer.body["error"]
    return error["type"], error["root_cause"][0]["type"]


def _hits(body: Json, mine: Sequence[Json], wanted: Sequence[Json]) -> str | None:
    ids, wanted_ids = [hit["_id"] for hit in mine], [hit["_id"] for hit in wanted]
    if len(ids) != len(wanted_ids):
        return f"hits {ids}, not {wanted_ids}"
    keys = keys_of(body.get("sort", ["_score"]))
    for place, (hit, other) in enumerate(zip(mine, wanted, strict=True)):
        if not close(hit.get("_score"), other.get("_score")):
            return f"score {hit.get('_score')} of the hit {place} ({hit['_id']}), not {other.get('_score')}"
        told = _sort_values(keys, hit.get("sort"), other.get("sort"))
        if told is not None:
            return f"sort {told} of the hit {place} ({hit['_id']})"
    if ids != wanted_ids and not _only_near_ties(keys, mine, wanted):
        return f"hits {ids}, not {wanted_ids}"
    by_id = {hit["_id"]: hit for hit in wanted}
    for hit in mine:
        for name in _SHOWN:
            other = by_id.get(hit["_id"], hit)
            if hit.get(name) != other.get(name):
                return f"{name} {hit.get(name)} of the hit {hit['_id']}, not {other.get(name)}"
    return None


def _sort_values(keys: Sequence[str], mine: Sequence[Any] | None, wanted: Sequence[Any] | None) -> str | None:
    if mine is None or wanted is None or len(mine) != len(wanted):
        return None if mine == wanted else f"{mine}, not {wanted}"
    for key, one, other in zip(keys, mine, wanted, strict=False):
        if key in PLACES:
            continue
        if not (close(one, other) if key == "_score" else one == other):
            return f"{mine}, not {wanted}"
    return None


def _only_near_ties(keys: Sequence[str], mine: Sequence[Json], wanted: Sequence[Json]) -> bool:
    """Return whether the order differs only where scores are so close that rounding decides.

    Hits whose scores are exactly the same in both engines are no such case: they come in the order of the index.
    """
    if "_score" not in keys:
        return False
    scores = {hit["_id"]: _score(keys, hit) for hit in mine}
    wanted_scores = {hit["_id"]: _score(keys, hit) for hit in wanted}
    for one, other in zip(mine, wanted, strict=True):
        a, b = one["_id"], other["_id"]
        if a == b:
            continue
        # A hit that only one page shows fell off the end of the other for the same reason.
        tied = scores.get(a, 0.0) == scores.get(b, 1.0) and wanted_scores.get(a, 0.0) == wanted_scores.get(b, 1.0)
        if tied:
            return False
    return True


def _score(keys: Sequence[str], hit: Json) -> float:
    found: float = hit["sort"][keys.index("_score")] if "sort" in hit else hit["_score"]
    return found
