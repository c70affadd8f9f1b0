"""Searches: the hits of one request over one or several indices."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

from collections.abc import Iterator, Sequence
from functools import cmp_to_key
from typing import Any

from connectors.engine.embedded.mapping.field_types import Value
from connectors.engine.embedded.query.clause import Clause, Query, scored
from connectors.engine.embedded.query.hits import hits_of
from connectors.engine.embedded.query.plan import Found, Plan, View, compiled, failed, planned
from connectors.engine.embedded.query.search_request import SearchRequest
from connectors.engine.embedded.query.sort import (
    SortKey,
    after_condition,
    after_values,
)
from connectors.engine.embedded.query.value_order import first_by_value
from connectors.engine.embedded.refusal import Refusal, illegal_argument


def search(views: Sequence[View], request: SearchRequest) -> dict[str, Any]:
    """Return what an answer says under `hits`."""
    window = request.start + request.size
    for view in views:
        if window > view.window:
            raise failed(view, _too_far(view.window, window))
    plans = [planned(view, request, place) for place, view in enumerate(views)]
    after = _after(plans, request)
    found = _merged([row for place, plan in enumerate(plans) for row in _page(plan, request, place, after)], plans)
    page = found[request.start : window]
    hits: dict[str, Any] = {}
    if request.track is None or request.track >= 0:
        hits["total"] = _total(plans, request)
    hits["max_score"] = _max_score(plans, request, found)
    hits["hits"] = hits_of(plans, request, page)
    return hits


def _too_far(allowed: int, asked: int) -> Refusal:
    return illegal_argument(
        f"Result window is too large, from + size must be less than or equal to: [{allowed}] but was [{asked}]. "
        "See the scroll api for a more efficient way to request large data sets. This limit can be set by changing "
        "the [index.max_result_window] index level setting."
    )


def count(views: Sequence[View], query: Query) -> int:
    """Return how many documents match."""
    return sum(_count(compiled(view, query), None) for view in views)


def matching(view: View, query: Query) -> Iterator[tuple[str, int, int]]:
    """Yield id, sequence number and primary term of what matches, in the order of the rows."""
    plan = compiled(view, query)
    yield from plan.run(
        "SELECT id, seq, term FROM docs WHERE row IN "
        f"(SELECT m.row FROM ({plan.clause.rows}) AS m WHERE {plan.visible}) ORDER BY row"
    )


def _after(plans: Sequence[Plan], request: SearchRequest) -> list[Value | None]:
    if request.after is None or not plans:
        return []
    try:
        return after_values(request.sort, plans[0].orderings, request.after)
    except Refusal as refusal:
        raise failed(plans[0].view, refusal) from refusal


# --- one page --------------------------------------------------------------------------------------------------------


def _page(plan: Plan, request: SearchRequest, place: int, after: Sequence[Value | None]) -> list[Found]:
    """Return the first rows of one index, as many as the page could take of it."""
    wanted = request.start + request.size
    if not request.size:
        return []
    scope, clause = plan.scope, plan.clause
    constant = clause.scores is None
    if request.needs_scores:
        source, score = (
            (clause.rows, scope.bind(float(clause.constant))) if constant else (scored(clause, scope), "score")
        )
    else:
        source, score = clause.rows, "NULL"
    if request.min_score is not None and constant and clause.constant < request.min_score:
        return []
    key = request.keys[0]
    if (
        not place
        and not request.needs_scores
        and all(one.is_place and one.descending == key.descending for one in request.keys)
    ):
        sql = _in_place(plan, key, len(request.keys), after)
    elif len(request.keys) == 1 and key.path == "_score" and not after and _scores_alike(clause, request):
        sql = f"SELECT m.row, {score} AS score, {score} AS k0 FROM ({source}) AS m WHERE {plan.visible} ORDER BY m.row"
    else:
        if constant or not request.needs_scores:
            source = first_by_value(scope, clause, key, wanted, after, visible=plan.visible)
        sql = _sorted(plan, f"SELECT row, {score} AS score FROM ({source})", after, request.min_score)
    rows = plan.run(f"{sql} LIMIT {scope.bind(wanted)}")
    return [Found(place, row, value, tuple(keys)) for row, value, *keys in rows]


def _scores_alike(clause: Clause, request: SearchRequest) -> bool:
    return clause.scores is None or (clause.uniform and request.min_score is None)


def _in_place(plan: Plan, key: SortKey, keys: int, after: Sequence[Value | None]) -> str:
    """Return the select of rows as they lie: it starts where the page before ended."""
    beyond = f" AND m.row {'<' if key.descending else '>'} {plan.scope.bind(after[0])}" if after else ""
    direction = "DESC" if key.descending else "ASC"
    source = "docs AS m" if plan.clause.everything else f"({plan.clause.rows}) AS m"
    shown = "".join(f", m.row AS k{place}" for place in range(keys))
    return f"SELECT m.row, NULL{shown} FROM {source} WHERE {plan.visible}{beyond} ORDER BY m.row {direction}"


def _sorted(plan: Plan, source: str, after: Sequence[Value | None], min_score: float | None) -> str:
    scope, orderings = plan.scope, plan.orderings
    columns = "".join(f", {one.sql} AS k{place}" for place, one in enumerate(orderings))
    keys = "".join(f", k{place}" for place in range(len(orderings)))
    order = ", ".join([*(one.terms(f"k{place}") for place, one in enumerate(orderings)), "row"])
    enough = f" AND m.score >= {scope.bind(min_score)}" if min_score is not None else ""
    inner = f"SELECT m.row AS row, m.score AS score{columns} FROM ({source}) AS m WHERE {plan.visible}{enough}"
    beyond = f" WHERE {after_condition(scope, orderings, after)}" if after else ""
    return f"SELECT row, score{keys} FROM ({inner}){beyond} ORDER BY {order}"


def _merged(found: list[Found], plans: Sequence[Plan]) -> list[Found]:
    """Put the rows of several indices into one order."""
    if len(plans) < 2:
        return found
    orderings = plans[0].orderings

    def compare(one: Found, other: Found) -> int:
        for order, left, right in zip(orderings, one.keys, other.keys, strict=True):
            if left == right:
                continue
            if left is None or right is None:
                return -1 if (left is None) == order.nulls_first else 1
            smaller = _smaller(left, right)
            return -1 if smaller != order.descending else 1
        return (one.view, one.row) > (other.view, other.row) or -1

    return sorted(found, key=cmp_to_key(compare))


def _smaller(one: Value, other: Value) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return str(one) < str(other)
    return one < other


# --- totals ----------------------------------------------------------------------------------------------------------


def _total(plans: Sequence[Plan], request: SearchRequest) -> dict[str, Any]:
    total = 0
    for plan in plans:
        total += _count(plan, None if request.track is None else request.track + 1, request.min_score)
    if request.track is not None and total > request.track:
        return {"value": request.track, "relation": "gte"}
    return {"value": total, "relation": "eq"}


def _count(plan: Plan, limit: int | None, min_score: float | None = None) -> int:
    """Return how many rows match, or the limit where it is reached."""
    clause, scope = plan.clause, plan.scope
    enough = ""
    source = f"({clause.rows})"
    if min_score is not None:
        if clause.scores is None and clause.constant < min_score:
            return 0
        if clause.scores is not None:
            source, enough = f"({clause.scores()})", f" AND m.score >= {scope.bind(min_score)}"
    if clause.everything and not enough:
        source = "docs AS m INDEXED BY docs_seq"
        if limit is None and plan.view.shards is None:
            return _count_all(plan)
    else:
        source = f"{source} AS m"
    if limit is None:
        rows = plan.run(f"SELECT count(*) FROM {source} WHERE {plan.visible}{enough}")
    else:
        rows = plan.run(
            f"SELECT count(*) FROM (SELECT 1 FROM {source} WHERE {plan.visible}{enough} LIMIT {scope.bind(limit)})"
        )
    return int(next(rows)[0])


def _count_all(plan: Plan) -> int:
    """Return how many rows are seen: all that there are less those that are gone."""
    gone = "(until IS NOT NULL OR deleted = 1) AND row <= :upto AND (deleted = 1 OR until <= :upto)"
    rows = plan.run(
        "SELECT CASE WHEN (SELECT max(row) FROM docs) <= :upto THEN (SELECT count(*) FROM docs) "
        "ELSE (SELECT count(*) FROM docs INDEXED BY docs_seq WHERE row <= :upto) END - "
        f"(SELECT count(*) FROM docs INDEXED BY docs_gone WHERE {gone})"
    )
    return int(next(rows)[0])


def _max_score(plans: Sequence[Plan], request: SearchRequest, found: Sequence[Found]) -> float | None:
    if not request.sort:
        return found[0].score if found else None
    if not request.track_scores or not request.size:
        return None
    # Of all that match, those before this page included.
    found_scores = []
    for plan in plans:
        sql = f"SELECT max(m.score) FROM ({scored(plan.clause, plan.scope)}) AS m WHERE {plan.visible}"
        value = next(plan.run(sql))[0]
        if value is not None and (request.min_score is None or value >= request.min_score):
            found_scores.append(float(value))
    return max(found_scores, default=None)
