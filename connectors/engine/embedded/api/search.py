"""The routes of searches: search, count, points in time, scrolls, and deletes by query."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final

from connectors.engine.embedded.api.documents import invalid_request, refresh_of
from connectors.engine.embedded.api.indices import CHOICE, chosen
from connectors.engine.embedded.api.router import Answer, Route, route
from connectors.engine.embedded.query import search as searching
from connectors.engine.embedded.query.query import Query, parse_query
from connectors.engine.embedded.query.search import SearchRequest, View
from connectors.engine.embedded.query.search_request import PARAMETERS
from connectors.engine.embedded.query.sort import SortKey
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented, unparsable
from connectors.engine.embedded.request import Call, decode
from connectors.engine.embedded.store.catalog import Catalog, index_not_found
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.store.points_in_time import PointInTime, PointsInTime, Seen
from connectors.engine.embedded.store.refreshing import Refreshing
from connectors.engine.embedded.store.versioning import CONFLICT, Condition
from connectors.engine.embedded.turn import Turn

_SHARDS: Final = "_shards:"
_SEARCH: Final = f"{' '.join(sorted(PARAMETERS))} {CHOICE} preference scroll allow_partial_search_results routing"
_HARMLESS: Final = "request_cache search_type batched_reduce_size max_concurrent_shard_requests typed_keys"
_BY_QUERY: Final = f"{CHOICE} refresh conflicts"


class SearchApi:
    """Answers searches."""

    def __init__(self, catalog: Catalog, turn: Turn, refreshing: Refreshing, points: PointsInTime) -> None:
        self._catalog = catalog
        self._turn = turn
        self._refresh = refreshing
        self._points = points

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
            route("POST", "/{index}/_delete_by_query", self.delete_by_query, _BY_QUERY, takes_turns=True),
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
            with self._current(call, shards) as views:
                return answered(views, searching.search(views, request), started)
        if request.start or request.after is not None:
            raise invalid_request(["using [from] or [search_after] is not allowed in a scroll context"])
        name, _ = self._opened(call, shards, keep_alive, body)
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
        with self._held(given["id"], given.get("keep_alive")) as (_, views):
            return answered(views, searching.search(views, request), started, pit_id=given["id"])

    def count(self, call: Call) -> Answer:
        """Count what matches."""
        refuse_routing(call)
        query = searching.parse_count(decode(call.body) if call.body.strip() else None)
        with self._current(call, preferred_shards(call)) as views:
            return Answer(200, {"count": searching.count(views, query), "_shards": shards_of(views)})

    # --- views -------------------------------------------------------------------------------------------------------

    @contextmanager
    def _current(self, call: Call, shards: frozenset[int] | None) -> Iterator[list[View]]:
        """Show the indices of a request as they are after the refreshes that were due."""
        indices = self._refreshed(call)
        with ExitStack() as stack:
            with self._turn.taken():
                views = [self._view(index, index.searched.refreshed, shards, stack) for index in indices]
            yield views

    def _refreshed(self, call: Call) -> list[Index]:
        """Return the indices of a request after the refreshes that were due."""
        with self._turn.taken():
            indices = chosen(self._catalog, call)
        for index in indices:
            self._refresh.if_due(index)
        return indices

    @contextmanager
    def _held(self, name: str, keep_alive: str | None) -> Iterator[tuple[PointInTime, list[View]]]:
        """Show indices as a point in time sees them."""
        with ExitStack() as stack:
            with self._turn.taken():
                point = self._points.get(name, keep_alive)
                views = [self._view(self._held_index(one), one.upto, point.shards, stack) for one in point.seen]
            yield point, views

    def _held_index(self, seen: Seen) -> Index:
        index = self._catalog.indices.get(seen.name)
        if index is None or index.uuid != seen.uuid:
            told = f"No search context found: the index [{seen.name}] is gone"
            raise Refusal(404, "search_phase_execution_exception", told, root="search_context_missing_exception")
        return index

    def _view(self, index: Index, upto: int, shards: frozenset[int] | None, stack: ExitStack) -> View:
        """Show an index up to a row, through a connection of its own that is given back when the stack closes."""
        if index.closed:  # it was deleted while another index was refreshed
            raise index_not_found(index.name)
        known = frozenset(index.file.max_seq)
        connection = stack.enter_context(self._catalog.readers.snapshot(index.file.path))
        return View(
            connection=connection,
            mapping=index.mapping,
            index=index.name,
            upto=upto,
            shards=None if shards is None else shards & known,
            fields=lambda path: connection.execute("SELECT number FROM fields WHERE path = ?", (path,)).get,
            window=int(index.setting("index.max_result_window")),
        )

    # --- points in time ----------------------------------------------------------------------------------------------

    def open_point(self, call: Call) -> Answer:
        """Hold indices as searches see them now."""
        refuse_routing(call)
        keep_alive = call.parameters.text("keep_alive")
        if keep_alive is None:
            raise invalid_request(["[keep_alive] is not specified"])
        shards = preferred_shards(call)
        name, indices = self._opened(call, shards, keep_alive)
        count = sum(
            len(index.file.max_seq if shards is None else shards & index.file.max_seq.keys()) for index in indices
        )
        return Answer(200, {"id": name, "_shards": told_shards(count)})

    def _opened(
        self, call: Call, shards: frozenset[int] | None, keep_alive: str, body: Mapping[str, Any] | None = None
    ) -> tuple[str, list[Index]]:
        """Hold the indices of a request, and a scroll's body with them; return the name to ask for them by."""
        indices = self._refreshed(call)
        with self._turn.taken():
            seen = tuple(Seen(one.name, one.uuid, one.searched.refreshed) for one in indices if not one.closed)
            return self._points.open(seen, shards, keep_alive, body), indices

    def close_point(self, call: Call) -> Answer:
        """Let go of a point in time."""
        body = call.json() or {}
        if set(body) != {"id"} or not isinstance(body["id"], str):
            raise unparsable("a point in time is closed by its [id]")
        return self._closed([body["id"]])

    def _closed(self, names: list[str]) -> Answer:
        with self._turn.taken():
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
        with self._held(name, keep_alive) as (point, views):
            request = SearchRequest.parse(point.body)
            keys = request.sort or (SortKey("_shard_doc"),)
            if not any(key.is_place for key in keys):
                keys = (*keys, SortKey("_shard_doc"))
            hits = searching.search(views, replace(request, sort=keys, after=point.after, track=None))
            if hits["hits"]:
                with self._turn.taken():
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
        query = parse_query(body["query"])
        deleted, failures, total = 0, list[dict[str, Any]](), 0
        for index in self._refreshed(call):
            wanted = self._matching(index, query)
            total += len(wanted)
            failed = self._delete(index, wanted)
            deleted += len(wanted) - len(failed)
            failures += failed
            if refresh:
                self._refresh(index)
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

    def _matching(self, index: Index, query: Query) -> list[tuple[str, Condition]]:
        """Return the documents that match, each with the condition that it is still the one that was found."""
        with ExitStack() as stack:
            with self._turn.taken():
                index.check_writable()
                view = self._view(index, index.searched.refreshed, None, stack)
            found = searching.matching(view, query)
            return [(doc_id, Condition(if_seq_no=seq, if_primary_term=term)) for doc_id, seq, term in found]

    def _delete(self, index: Index, wanted: list[tuple[str, Condition]]) -> list[dict[str, Any]]:
        """Delete documents that still stand as they were found; return what stood in the way of the others."""
        failures: list[dict[str, Any]] = []
        done = 0
        while done < len(wanted):
            with self._turn.taken(large=True):
                if index.closed:
                    raise index_not_found(index.name)
                until_s = time.monotonic() + self._turn.slice_s
                with index.transaction():
                    while done < len(wanted) and time.monotonic() < until_s:
                        failures += _deleted(index, *wanted[done])
                        done += 1
        return failures


def _deleted(index: Index, doc_id: str, condition: Condition) -> list[dict[str, Any]]:
    """Delete a document; return what stood in the way."""
    try:
        index.delete(doc_id, condition)
    except Refusal as refusal:
        if refusal.kind != CONFLICT:
            raise
        return [{"index": index.name, "id": doc_id, "cause": refusal.error(), "status": 409}]
    return []


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
    return told_shards(count)


def told_shards(count: int) -> dict[str, int]:
    """Return what an answer says of so many shards."""
    return {"total": count, "successful": count, "skipped": 0, "failed": 0}


def answered(views: list[View], hits: dict[str, Any], started: float, **more: str) -> Answer:
    """Return the answer to a search."""
    took = int((time.monotonic() - started) * 1000)
    return Answer(200, {**more, "took": took, "timed_out": False, "_shards": shards_of(views), "hits": hits})
