"""The routes of searches: search, count, points in time, scrolls, and deletes by query."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from connectors.engine.embedded.api.documents import invalid_request, refresh_of
from connectors.engine.embedded.api.indices import CHOICE, chosen
from connectors.engine.embedded.api.router import Answer, Route, route
from connectors.engine.embedded.query import search as searching
from connectors.engine.embedded.query.query import parse_query
from connectors.engine.embedded.query.search import SearchRequest, View
from connectors.engine.embedded.query.search_request import PARAMETERS
from connectors.engine.embedded.query.sort import SortKey
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented, unparsable
from connectors.engine.embedded.request import Call, decode
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.store.points_in_time import PointInTime, PointsInTime, Seen
from connectors.engine.embedded.store.versioning import CONFLICT, Condition

_SHARDS: Final = "_shards:"
_SEARCH: Final = f"{' '.join(sorted(PARAMETERS))} {CHOICE} preference scroll allow_partial_search_results routing"
_HARMLESS: Final = "request_cache search_type batched_reduce_size max_concurrent_shard_requests typed_keys"
_BY_QUERY: Final = f"{CHOICE} refresh conflicts"


class SearchApi:
    """Answers searches."""

    def __init__(self, catalog: Catalog, points: PointsInTime) -> None:
        self._catalog = catalog
        self._points = points

    def routes(self) -> list[Route]:
        """Return what this answers."""
        search = f"{_SEARCH} {_HARMLESS} ccs_minimize_roundtrips pre_filter_shard_size"
        count = f"{CHOICE} preference routing"
        return [
            route("GET POST", "/_search", self.search, search),
            route("GET POST", "/{index}/_search", self.search, search),
            route("GET POST", "/_search/scroll", self.scroll, "scroll"),
            route("DELETE", "/_search/scroll", self.close_scroll),
            route("GET POST", "/_count", self.count, count),
            route("GET POST", "/{index}/_count", self.count, count),
            route("POST", "/{index}/_pit", self.open_point, f"{CHOICE} keep_alive preference routing"),
            route("DELETE", "/_pit", self.close_point),
            route("POST", "/{index}/_delete_by_query", self.delete_by_query, _BY_QUERY),
        ]

    # --- searches ----------------------------------------------------------------------------------------------------

    def search(self, call: Call) -> Answer:
        """Search indices as they are, or as a point in time sees them."""
        started = time.monotonic()
        refuse_routing(call)
        body = decode(call.body) if call.body.strip() else {}
        if isinstance(body, dict) and "pit" in body:
            return self._search_point(call, body, started)
        request = SearchRequest.parse(body, call.parameters)
        views = self._views(chosen(self._catalog, call), preferred_shards(call))
        keep_alive = call.parameters.text("scroll")
        if keep_alive is None:
            return answered(views, searching.search(views, request), started)
        return self._begin_scroll(views, body, request, keep_alive, started)

    def _search_point(self, call: Call, body: Mapping[str, Any], started: float) -> Answer:
        problems = [
            f"[{name}] cannot be used with point in time"
            for name, used in (
                ("indices", "index" in call.parts),
                ("preference", call.parameters.text("preference") is not None),
                ("scroll", call.parameters.text("scroll") is not None),
            )
            if used
        ]
        if problems:
            raise invalid_request(problems)
        given = body["pit"]
        if not isinstance(given, dict) or given.keys() - {"id", "keep_alive"} or not isinstance(given.get("id"), str):
            raise unparsable("[pit] wants an [id] and may have a [keep_alive]")
        point = self._points.get(given["id"], given.get("keep_alive"))
        views = self._views_of(point)
        request = SearchRequest.parse(body, call.parameters)
        return answered(views, searching.search(views, request), started, pit_id=given["id"])

    def count(self, call: Call) -> Answer:
        """Count what matches."""
        refuse_routing(call)
        query = searching.parse_count(decode(call.body) if call.body.strip() else None)
        views = self._views(chosen(self._catalog, call), preferred_shards(call))
        return Answer(200, {"count": searching.count(views, query), "_shards": shards_of(views)})

    def _views(self, indices: list[Index], shards: frozenset[int] | None) -> list[View]:
        for index in indices:
            index.refresh_if_due()
        return [view_of(index, index.file.refreshed, shards) for index in indices]

    def _views_of(self, point: PointInTime) -> list[View]:
        views = []
        for seen in point.seen:
            index = self._catalog.indices.get(seen.name)
            if index is None or index.uuid != seen.uuid:
                told = f"No search context found: the index [{seen.name}] is gone"
                raise Refusal(404, "search_phase_execution_exception", told, root="search_context_missing_exception")
            views.append(view_of(index, seen.upto, point.shards))
        return views

    # --- points in time ----------------------------------------------------------------------------------------------

    def open_point(self, call: Call) -> Answer:
        """Hold indices as searches see them now."""
        refuse_routing(call)
        keep_alive = call.parameters.text("keep_alive")
        if keep_alive is None:
            raise invalid_request(["[keep_alive] is not specified"])
        views = self._views(chosen(self._catalog, call), preferred_shards(call))
        name = self._points.open(self._seen(views), preferred_shards(call), keep_alive)
        return Answer(200, {"id": name, "_shards": shards_of(views)})

    def _seen(self, views: list[View]) -> tuple[Seen, ...]:
        return tuple(Seen(view.index, self._catalog.indices[view.index].uuid, view.upto) for view in views)

    def close_point(self, call: Call) -> Answer:
        """Let go of a point in time."""
        body = call.json() or {}
        if set(body) != {"id"} or not isinstance(body["id"], str):
            raise unparsable("a point in time is closed by its [id]")
        return self._closed([body["id"]])

    def _closed(self, names: list[str]) -> Answer:
        freed = sum(self._points.close(name) for name in names)
        return Answer(200 if freed else 404, {"succeeded": True, "num_freed": freed})

    # --- scrolls -----------------------------------------------------------------------------------------------------

    def _begin_scroll(
        self, views: list[View], body: dict[str, Any], request: SearchRequest, keep_alive: str, started: float
    ) -> Answer:
        if request.start or request.after is not None:
            raise invalid_request(["using [from] or [search_after] is not allowed in a scroll context"])
        name = self._points.open(self._seen(views), views[0].shards if views else None, keep_alive, body)
        return self._scrolled(name, self._points.get(name), started)

    def scroll(self, call: Call) -> Answer:
        """Answer the next page of a scroll."""
        started = time.monotonic()
        body = call.json() or {}
        if not isinstance(body.get("scroll_id"), str) or body.keys() - {"scroll_id", "scroll"}:
            raise invalid_request(["scrollId is missing"])
        keep_alive = body.get("scroll") or call.parameters.text("scroll")
        return self._scrolled(body["scroll_id"], self._points.get(body["scroll_id"], keep_alive), started)

    def _scrolled(self, name: str, point: PointInTime, started: float) -> Answer:
        """Answer a page: what a scroll is sorted by ends in the rows' own place, so that each page has a beginning."""
        request = SearchRequest.parse(point.body)
        keys = request.sort or (SortKey("_shard_doc"),)
        if not any(key.is_place for key in keys):
            keys = (*keys, SortKey("_shard_doc"))
        request = replace(request, sort=keys, after=point.after, track=None)
        views = self._views_of(point)
        hits = searching.search(views, request)
        if hits["hits"]:
            self._points.move(name, tuple(hits["hits"][-1]["sort"]))
        return answered(views, hits, started, _scroll_id=name)

    def close_scroll(self, call: Call) -> Answer:
        """Let go of scrolls."""
        names = (call.json() or {}).get("scroll_id", [])
        return self._closed([names] if isinstance(names, str) else list(names))

    # --- deletes by query --------------------------------------------------------------------------------------------

    def delete_by_query(self, call: Call) -> Answer:
        """Delete what matches, if it has not changed since the last refresh."""
        started = time.monotonic()
        body = call.json()
        if not body or "query" not in body:
            raise invalid_request(["query is missing"])
        if body.keys() - {"query"}:
            raise not_implemented(f"[{min(body.keys() - {'query'})}] of a delete by query")
        proceed = {"proceed": True, "abort": False, None: False}.get(call.parameters.text("conflicts"))
        if proceed is None:
            raise illegal_argument('conflicts may only be "proceed" or "abort"')
        refresh = refresh_of(call.parameters)
        indices = chosen(self._catalog, call)
        deleted, failures, total = 0, list[dict[str, Any]](), 0
        for index in indices:
            index.check_writable()
            wanted = list(searching.matching_rows(self._views([index], None)[0], parse_query(body["query"])))
            total += len(wanted)
            failed = _delete_rows(index, wanted)
            deleted += len(wanted) - len(failed)
            failures += failed
            if refresh:
                index.refresh()
        answer = {
            "took": int((time.monotonic() - started) * 1000),
            "timed_out": False,
            "total": total,
            "deleted": deleted,
            "batches": 1,
            "version_conflicts": len(failures),
            "noops": 0,
            "retries": {"bulk": 0, "search": 0},
            "throttled_millis": 0,
            "requests_per_second": -1.0,
            "throttled_until_millis": 0,
            "failures": [] if proceed else failures,
        }
        return Answer(409 if failures and not proceed else 200, answer)


def _delete_rows(index: Index, rows: list[int]) -> list[dict[str, Any]]:
    """Delete the documents of rows that still stand; return what stood in the way of the others."""
    failures = []
    with index.transaction():
        for row in rows:
            doc_id, seq, term = index.file.identity(row)
            try:
                index.delete(doc_id, Condition(if_seq_no=seq, if_primary_term=term))
            except Refusal as refusal:
                if refusal.kind != CONFLICT:
                    raise
                failures.append({"index": index.name, "id": doc_id, "cause": refusal.error(), "status": 409})
    return failures


def view_of(index: Index, upto: int, shards: frozenset[int] | None) -> View:
    """Return an index as a search up to a row sees it."""
    known = frozenset(index.file.max_seq)
    return View(
        connection=index.file.connection,
        mapping=index.mapping,
        index=index.name,
        upto=upto,
        shards=None if shards is None else shards & known,
        fields=index.file.field_number,
    )


def preferred_shards(call: Call) -> frozenset[int] | None:
    """Return the shards that `preference=_shards:0,2` asks for; None for all."""
    preference = call.parameters.text("preference")
    if preference is None or not preference.startswith(_SHARDS):
        return None
    numbers = preference.removeprefix(_SHARDS).partition("|")[0].split(",")
    if not all(number.isdigit() for number in numbers):
        raise illegal_argument(f"no shards are named by the preference [{preference}]")
    return frozenset(int(number) for number in numbers)


def refuse_routing(call: Call) -> None:
    """Refuse what would change the result if it were ignored."""
    if call.parameters.text("routing") is not None:
        raise not_implemented("[routing]")


def shards_of(views: list[View]) -> dict[str, int]:
    """Return how many shards took part."""
    count = 0
    for view in views:
        known = view.connection.execute("SELECT count(*) FROM shards").get
        count += known if view.shards is None else len(view.shards)
    return {"total": count, "successful": count, "skipped": 0, "failed": 0}


def answered(views: list[View], hits: dict[str, Any], started: float, **more: str) -> Answer:
    """Return the answer to a search."""
    took = int((time.monotonic() - started) * 1000)
    return Answer(200, {**more, "took": took, "timed_out": False, "_shards": shards_of(views), "hits": hits})
