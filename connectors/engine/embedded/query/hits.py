"""Hits: the documents of the rows that a search found, as its answer shows them."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from connectors.engine.embedded.mapping.field import Field
from connectors.engine.embedded.mapping.field_types import Value
from connectors.engine.embedded.mapping.tree import IGNORED
from connectors.engine.embedded.query.clause import TEXTS
from connectors.engine.embedded.query.plan import Found, Plan, View, failed
from connectors.engine.embedded.query.search_request import DocValueField, SearchRequest
from connectors.engine.embedded.refusal import Refusal, illegal_argument


def hits_of(plans: Sequence[Plan], request: SearchRequest, page: Sequence[Found]) -> list[dict[str, Any]]:
    """Return the hits of one page over all indices, in its order."""
    answered: dict[tuple[int, int], dict[str, Any]] = {}
    for place, plan in enumerate(plans):
        rows = [one.row for one in page if one.view == place]
        if rows:
            try:
                answered |= {(place, row): hit for row, hit in _documents(plan, request, rows).items()}
            except Refusal as refusal:
                raise failed(plan.view, refusal) from refusal
    hits = []
    for one in page:
        hit = answered[one.view, one.row]
        hit["_score"] = one.score if request.shows_scores else None
        if request.sort:
            orderings = plans[one.view].orderings
            hit["sort"] = [order.shown(key) for order, key in zip(orderings, one.keys, strict=True)]
        hits.append(hit)
    return hits


def _documents(plan: Plan, request: SearchRequest, rows: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the hits of rows without what they were sorted by."""
    wanted = json.dumps(rows)
    source = "source" if request.source.wanted else "NULL"
    found = plan.view.connection.execute(
        f"SELECT row, id, version, seq, term, {source} FROM docs WHERE row IN (SELECT value FROM json_each(?))",
        (wanted,),
    )
    ignored = _values_of(plan, IGNORED, wanted)
    hits: dict[int, dict[str, Any]] = {}
    for row, doc_id, version, seq, term, content in found:
        hits[row] = hit = {"_index": plan.view.index, "_id": doc_id}
        if request.version:
            hit["_version"] = version
        if request.seq_no:
            hit["_seq_no"], hit["_primary_term"] = seq, term
        hit["_score"] = None
        if row in ignored:
            hit["_ignored"] = ignored[row]
        if request.source.wanted:
            hit["_source"] = request.source.apply(content)
    for asked in request.doc_values:
        _add_doc_values(plan, asked, wanted, hits)
    return hits


def _add_doc_values(plan: Plan, asked: DocValueField, wanted: str, hits: dict[int, dict[str, Any]]) -> None:
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
        for row, values in _values_of(plan, one.path, wanted).items():
            hits[row].setdefault("fields", {})[one.path] = [one.type.show(value, asked.format) for value in values]


def _values_of(plan: Plan, path: str, wanted: str) -> dict[int, list[Value]]:
    """Return the values that rows have in a field, in the order of doc values."""
    number = plan.view.fields(path)
    shown: dict[int, list[Value]] = {}
    if number is not None:
        found = plan.view.connection.execute(
            "SELECT row, value FROM doc_vals WHERE field = ? AND row IN (SELECT value FROM json_each(?)) "
            "ORDER BY row, place",
            (number, wanted),
        )
        for row, value in found:
            shown.setdefault(row, []).append(value)
    return shown


def _check_doc_values(view: View, one: Field) -> None:
    if one.type.name in TEXTS:
        raise illegal_argument(f"Fielddata is disabled on [{one.path}] in [{view.index}]. Use a keyword field instead.")
    if not one.doc_values:
        raise illegal_argument(f"Can't load fielddata on [{one.path}] because it has no doc values.")
