"""The routes of searches: search, count, points in time and scrolls."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from connectors.engine.embedded.api.documents import invalid_request
from connectors.engine.embedded.api.indices import CHOICE
from connectors.engine.embedded.api.router import Answer, Route, route
from connectors.engine.embedded.api.views import (
    OutOfTime,
    Views,
    preferred_shards,
    refuse_routing,
    shards_of,
    told_shards,
)
from connectors.engine.embedded.query import search as searching
from connectors.engine.embedded.query.plan import View
from connectors.engine.embedded.query.search_request import PARAMETERS, SearchRequest, parse_count
from connectors.engine.embedded.query.sort import SortKey
from connectors.engine.embedded.refusal import unparsable
from connectors.engine.embedded.request import Call, decode
from connectors.engine.embedded.store.points_in_time import PointsInTime

_SEARCH: Final = f"{' '.join(sorted(PARAMETERS))} {CHOICE} preference scroll allow_partial_search_results routing"
_HARMLESS: Final = "request_cache search_type batched_reduce_size max_concurrent_shard_requests typed_keys"


class SearchApi:
    """Answers searches."""

    def __init__(self, points: PointsInTime, views: Views) -> None:
        self._points = points
        self._views = views

    def routes(self) -> list[Route]:
        """Return what this answers."""
        search = f"{_SEARCH} {_HARMLESS} ccs_minimize_roundtrips pre_filter_shard_size"
        count = f"{CHOICE} preference routing"
        point = f"{CHOICE} keep_alive preference routing"
        return [
            route("GET POST", "/_search", self.search, search, takes_turns=True),
            route("GET POST", "/{index}/_search", self.search, search, takes_turns=True),
            route("GET POST", "/_search/scroll", self.scroll, "scroll", takes_turns=True),
            route("DELETE", "/_search/scroll", self.close_scroll, takes_turns=True),
            route("GET POST", "/_count", self.count, count, takes_turns=True),
            route("GET POST", "/{index}/_count", self.count, count, takes_turns=True),
            route("POST", "/{index}/_pit", self.open_point, point, takes_turns=True),
            route("DELETE", "/_pit", self.close_point, takes_turns=True),
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
        shards, keep_alive = preferred_shards(call), call.parameters.text("scroll")
        if keep_alive is None:
            try:
                with self._views.current(call, shards, request.timeout_s) as views:
                    return answered(views, searching.search(views, request), started)
            except OutOfTime:
                return out_of_time(started)
        if request.start or request.after is not None:
            raise invalid_request(["using [from] or [search_after] is not allowed in a scroll context"])
        name, _ = self._views.hold(call, shards, keep_alive, body)
        return self._scrolled(name, None, started)

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
        request = SearchRequest.parse(body, call.parameters)
        try:
            with self._views.held(given["id"], given.get("keep_alive"), request.timeout_s) as (_, views):
                return answered(views, searching.search(views, request), started, pit_id=given["id"])
        except OutOfTime:
            return out_of_time(started, pit_id=given["id"])

    def count(self, call: Call) -> Answer:
        """Count what matches."""
        refuse_routing(call)
        query = parse_count(decode(call.body) if call.body.strip() else None)
        with self._views.current(call, preferred_shards(call)) as views:
            return Answer(200, {"count": searching.count(views, query), "_shards": shards_of(views)})

    # --- points in time ----------------------------------------------------------------------------------------------

    def open_point(self, call: Call) -> Answer:
        """Hold indices as searches see them now."""
        refuse_routing(call)
        keep_alive = call.parameters.text("keep_alive")
        if keep_alive is None:
            raise invalid_request(["[keep_alive] is not specified"])
        shards = preferred_shards(call)
        name, indices = self._views.hold(call, shards, keep_alive)
        count = sum(
            len(index.file.max_seq if shards is None else shards & index.file.max_seq.keys()) for index in indices
        )
        return Answer(200, {"id": name, "_shards": told_shards(count)})

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

    def scroll(self, call: Call) -> Answer:
        """Answer the next page of a scroll."""
        started = time.monotonic()
        body = call.json() or {}
        if not isinstance(body.get("scroll_id"), str) or body.keys() - {"scroll_id", "scroll"}:
            raise invalid_request(["scrollId is missing"])
        keep_alive = body.get("scroll") or call.parameters.text("scroll")
        return self._scrolled(body["scroll_id"], keep_alive, started)

    def _scrolled(self, name: str, keep_alive: str | None, started: float) -> Answer:
        """Answer a page: what a scroll is sorted by ends in the rows' own place, so that each page has a beginning."""
        with self._views.held(name, keep_alive) as (point, views):
            request = SearchRequest.parse(point.body)
            keys = request.sort or (SortKey("_shard_doc"),)
            if not any(key.is_place for key in keys):
                keys = (*keys, SortKey("_shard_doc"))
            hits = searching.search(views, replace(request, sort=keys, after=point.after, track=None))
            if hits["hits"]:
                self._points.move(name, tuple(hits["hits"][-1]["sort"]))
            return answered(views, hits, started, _scroll_id=name)

    def close_scroll(self, call: Call) -> Answer:
        """Let go of scrolls."""
        names = (call.json() or {}).get("scroll_id", [])
        return self._closed([names] if isinstance(names, str) else list(names))


def answered(views: list[View], hits: dict[str, Any], started: float, **more: str) -> Answer:
    """Return the answer to a search."""
    took = int((time.monotonic() - started) * 1000)
    return Answer(200, {**more, "took": took, "timed_out": False, "_shards": shards_of(views), "hits": hits})


def out_of_time(started: float, **more: str) -> Answer:
    """Return the answer to a search that had found nothing yet when the time was over that it had given itself."""
    took = int((time.monotonic() - started) * 1000)
    hits: dict[str, Any] = {"total": {"value": 0, "relation": "gte"}, "max_score": None, "hits": []}
    return Answer(200, {**more, "took": took, "timed_out": True, "_shards": told_shards(0), "hits": hits})
