"""Searches: the hits of one request over one or several indices."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, cmp_to_key
from typing import Any, Final

import apsw

from connectors.engine.embedded.mapping.field import Field
from connectors.engine.embedded.mapping.field_types import Value
from connectors.engine.embedded.mapping.mapping import Mapping
from connectors.engine.embedded.query.clause import TEXTS, Clause, Query, Scope, scored
from connectors.engine.embedded.query.search_request import WINDOW, DocValueField, SearchRequest, parse_count
from connectors.engine.embedded.query.sort import (
    Ordering,
    SortKey,
    after_condition,
    after_values,
    ordering,
)
from connectors.engine.embedded.query.value_order import first_by_value
from connectors.engine.embedded.refusal import Refusal, illegal_argument

__all__ = ["Found", "SearchRequest", "View", "count", "matching", "parse_count", "search"]

_NO_QUERY: Final = "query_shard_exception"
_GONE: Final = (
    "SELECT 1 FROM docs AS gone INDEXED BY docs_gone WHERE gone.row = m.row "
    "AND (gone.until IS NOT NULL OR gone.deleted = 1) AND (gone.deleted = 1 OR gone.until <= :upto)"
)
# Looks at no more than a thousand rows: where there are more that may be gone, some probably are.
_ANY_GONE: Final = (
    "SELECT count(*) = 1000 OR coalesce(max(deleted = 1 OR until <= :upto), 0) FROM (SELECT until, deleted FROM docs "
    "INDEXED BY docs_gone WHERE (until IS NOT NULL OR deleted = 1) AND row <= :upto LIMIT 1000)"
)


@dataclass(frozen=True)
class View:
    """One index as a search sees it: up to a row, and only these shards unless that is None."""

    connection: apsw.Connection
    mapping: Mapping
    index: str
    upto: int
    shards: frozenset[int] | None
    fields: Callable[[str], int | None]
    window: int = WINDOW
    """How far its pages may reach: the setting `index.max_result_window`."""

    def scope(self) -> Scope:
        """Return what a query is compiled with."""
        return Scope(self.connection, self.mapping, self.index, self.upto, self.fields)


@dataclass(frozen=True)
class Found:
    """A row with the values that it is sorted by."""

    view: int
    row: int
    score: float | None
    keys: tuple[Value | None, ...]


@dataclass
class _Plan:
    """A request compiled for one index."""

    view: View
    scope: Scope
    clause: Clause
    orderings: list[Ordering] = field(default_factory=list)

    @cached_property
    def _any_gone(self) -> bool:
        """Return whether any row up to the view's last one may not be seen; no row becomes so later."""
        return bool(next(self.view.connection.execute(_ANY_GONE, {"upto": self.view.upto}))[0])

    @property
    def visible(self) -> str:
        """Return the condition that row `m.row` is seen."""
        conditions = ["m.row <= :upto"]
        if self._any_gone:
            # Asked of each row, this costs more than many a query: so only where there is anything to find.
            conditions.append(f"NOT EXISTS ({_GONE})")
        if self.view.shards is not None:
            shards = self.scope.bind_all(sorted(self.view.shards)) if self.view.shards else "NULL"
            conditions.append(f"(SELECT shard FROM docs WHERE docs.row = m.row) IN ({shards})")
        return " AND ".join(conditions)

    def run(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Run a statement with the parameters that were bound so far."""
        return self.view.connection.execute(sql, self.scope.parameters)


def search(views: Sequence[View], request: SearchRequest) -> dict[str, Any]:
    """Return what an answer says under `hits`."""
    window = request.start + request.size
    for view in views:
        if window > view.window:
            raise _failed(view, _too_far(view.window, window))
    plans = [_planned(view, request, place) for place, view in enumerate(views)]
    after = _after(plans, request)
    found = _merged([row for place, plan in enumerate(plans) for row in _page(plan, request, place, after)], plans)
    page = found[request.start : window]
    hits: dict[str, Any] = {}
    if request.track is None or request.track >= 0:
        hits["total"] = _total(plans, request)
    hits["max_score"] = _max_score(plans, request, found)
    hits["hits"] = _hits(plans, request, page)
    return hits


def _too_far(allowed: int, asked: int) -> Refusal:
    return illegal_argument(
        f"Result window is too large, from + size must be less than or equal to: [{allowed}] but was [{asked}]. "
        "See the scroll api for a more efficient way to request large data sets. This limit can be set by changing "
        "the [index.max_result_window] index level setting."
    )


def count(views: Sequence[View], query: Query) -> int:
    """Return how many documents match."""
    return sum(_count(_compiled(view, query), None) for view in views)


def matching(view: View, query: Query) -> Iterator[tuple[str, int, int]]:
    """Yield id, sequence number and primary term of what matches, in the order of the rows."""
    plan = _compiled(view, query)
    yield from plan.run(
        "SELECT id, seq, term FROM docs WHERE row IN "
        f"(SELECT m.row FROM ({plan.clause.rows}) AS m WHERE {plan.visible}) ORDER BY row"
    )


def _compiled(view: View, query: Query) -> _Plan:
    scope = view.scope()
    try:
        return _Plan(view, scope, query(scope))
    except Refusal as refusal:
        if refusal.kind not in {_NO_QUERY, "parse_exception"}:
            wrapped = Refusal(400, _NO_QUERY, f"failed to create query: {refusal.reason}", more={"index": view.index})
            raise _failed(view, wrapped) from refusal
        raise _failed(view, refusal) from refusal


def _failed(view: View, refusal: Refusal) -> Refusal:
    """Return the refusal of a search that only the mapping tells to be wrong."""
    shard = {"shard": 0, "index": view.index, "reason": refusal.error()}
    more = {"phase": "query", "grouped": True, "failed_shards": [shard], "caused_by": refusal.error()}
    return Refusal(400, "search_phase_execution_exception", "all shards failed", more=more, root=refusal.kind)


def _planned(view: View, request: SearchRequest, place: int) -> _Plan:
    plan = _compiled(view, request.query)
    try:
        plan.orderings = [ordering(plan.scope, key, place) for key in request.keys]
    except Refusal as refusal:
        raise _failed(view, refusal) from refusal
    return plan


def _after(plans: Sequence[_Plan], request: SearchRequest) -> list[Value | None]:
    if request.after is None or not plans:
        return []
    try:
        return after_values(request.sort, plans[0].orderings, request.after)
    except Refusal as refusal:
        raise _failed(plans[0].view, refusal) from refusal


# --- one page --------------------------------------------------------------------------------------------------------


def _page(plan: _Plan, request: SearchRequest, place: int, after: Sequence[Value | None]) -> list[Found]:
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


def _in_place(plan: _Plan, key: SortKey, keys: int, after: Sequence[Value | None]) -> str:
    """Return the select of rows as they lie: it starts where the page before ended."""
    beyond = f" AND m.row {'<' if key.descending else '>'} {plan.scope.bind(after[0])}" if after else ""
    direction = "DESC" if key.descending else "ASC"
    source = "docs AS m" if plan.clause.everything else f"({plan.clause.rows}) AS m"
    shown = "".join(f", m.row AS k{place}" for place in range(keys))
    return f"SELECT m.row, NULL{shown} FROM {source} WHERE {plan.visible}{beyond} ORDER BY m.row {direction}"


def _sorted(plan: _Plan, source: str, after: Sequence[Value | None], min_score: float | None) -> str:
    scope, orderings = plan.scope, plan.orderings
    columns = "".join(f", {one.sql} AS k{place}" for place, one in enumerate(orderings))
    keys = "".join(f", k{place}" for place in range(len(orderings)))
    order = ", ".join([*(one.terms(f"k{place}") for place, one in enumerate(orderings)), "row"])
    enough = f" AND m.score >= {scope.bind(min_score)}" if min_score is not None else ""
    inner = f"SELECT m.row AS row, m.score AS score{columns} FROM ({source}) AS m WHERE {plan.visible}{enough}"
    beyond = f" WHERE {after_condition(scope, orderings, after)}" if after else ""
    return f"SELECT row, score{keys} FROM ({inner}){beyond} ORDER BY {order}"


def _merged(found: list[Found], plans: Sequence[_Plan]) -> list[Found]:
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


def _total(plans: Sequence[_Plan], request: SearchRequest) -> dict[str, Any]:
    total = 0
    for plan in plans:
        total += _count(plan, None if request.track is None else request.track + 1, request.min_score)
    if request.track is not None and total > request.track:
        return {"value": request.track, "relation": "gte"}
    return {"value": total, "relation": "eq"}


def _count(plan: _Plan, limit: int | None, min_score: float | None = None) -> int:
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


def _count_all(plan: _Plan) -> int:
    """Return how many rows are seen: all that there are less those that are gone."""
    gone = "(until IS NOT NULL OR deleted = 1) AND row <= :upto AND (deleted = 1 OR until <= :upto)"
    rows = plan.run(
        "SELECT CASE WHEN (SELECT max(row) FROM docs) <= :upto THEN (SELECT count(*) FROM docs) "
        "ELSE (SELECT count(*) FROM docs INDEXED BY docs_seq WHERE row <= :upto) END - "
        f"(SELECT count(*) FROM docs INDEXED BY docs_gone WHERE {gone})"
    )
    return int(next(rows)[0])


def _max_score(plans: Sequence[_Plan], request: SearchRequest, found: Sequence[Found]) -> float | None:
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


# --- hits ------------------------------------------------------------------------------------------------------------


def _hits(plans: Sequence[_Plan], request: SearchRequest, page: Sequence[Found]) -> list[dict[str, Any]]:
    answered: dict[tuple[int, int], dict[str, Any]] = {}
    for place, plan in enumerate(plans):
        rows = [one.row for one in page if one.view == place]
        if rows:
            try:
                answered |= {(place, row): hit for row, hit in _documents(plan, request, rows).items()}
            except Refusal as refusal:
                raise _failed(plan.view, refusal) from refusal
    hits = []
    for one in page:
        hit = answered[one.view, one.row]
        hit["_score"] = one.score if request.shows_scores else None
        if request.sort:
            orderings = plans[one.view].orderings
            hit["sort"] = [order.shown(key) for order, key in zip(orderings, one.keys, strict=True)]
        hits.append(hit)
    return hits


def _documents(plan: _Plan, request: SearchRequest, rows: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the hits of rows without what they were sorted by."""
    wanted = json.dumps(rows)
    source = "source" if request.source.wanted else "NULL"
    found = plan.view.connection.execute(
        f"SELECT row, id, version, seq, term, {source} FROM docs WHERE row IN (SELECT value FROM json_each(?))",
        (wanted,),
    )
    hits: dict[int, dict[str, Any]] = {}
    for row, doc_id, version, seq, term, content in found:
        hits[row] = hit = {"_index": plan.view.index, "_id": doc_id}
        if request.version:
            hit["_version"] = version
        if request.seq_no:
            hit["_seq_no"], hit["_primary_term"] = seq, term
        hit["_score"] = None
        if request.source.wanted:
            hit["_source"] = request.source.apply(content)
    for asked in request.doc_values:
        _add_doc_values(plan, asked, wanted, hits)
    return hits


def _add_doc_values(plan: _Plan, asked: DocValueField, wanted: str, hits: dict[int, dict[str, Any]]) -> None:
    run = plan.view.connection.execute
    if asked.pattern == "_seq_no":
        found: Any = run("SELECT row, seq FROM docs WHERE row IN (SELECT value FROM json_each(?))", (wanted,))
        for row, seq in found:
            hits[row].setdefault("fields", {})["_seq_no"] = [seq]
        return
    if asked.pattern == "_index":
        for hit in hits.values():
            hit.setdefault("fields", {})["_index"] = [plan.view.index]
        return
    if asked.pattern in {"_id", "_version", "_source"} or fnmatchcase("_routing", asked.pattern):
        raise illegal_argument(f"Fielddata access on the {asked.pattern} field is disallowed")
    for one in plan.view.mapping.matching(asked.pattern):
        _check_doc_values(plan.view, one)
        number = plan.view.fields(one.path)
        found = run(
            "SELECT row, value FROM doc_vals WHERE field = ? AND row IN (SELECT value FROM json_each(?)) "
            "ORDER BY row, place",
            (number, wanted),
        )
        shown: dict[int, list[object]] = {}
        for row, value in found:
            shown.setdefault(row, []).append(one.type.show(value, asked.format))
        for row, values in shown.items():
            hits[row].setdefault("fields", {})[one.path] = values


def _check_doc_values(view: View, one: Field) -> None:
    if one.type.name in TEXTS:
        raise illegal_argument(f"Fielddata is disabled on [{one.path}] in [{view.index}]. Use a keyword field instead.")
    if not one.doc_values:
        raise illegal_argument(f"Can't load fielddata on [{one.path}] because it has no doc values.")
