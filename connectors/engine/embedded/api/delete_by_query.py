"""The route of deletes by query: delete what matches, if it has not changed since it was found."""

import time
from itertools import islice
from typing import Any, Final

import apsw

from connectors.engine.embedded.api.documents import invalid_request, refresh_of
from connectors.engine.embedded.api.indices import CHOICE
from connectors.engine.embedded.api.router import Answer, Route, route
from connectors.engine.embedded.api.views import Views
from connectors.engine.embedded.query import search as searching
from connectors.engine.embedded.query.query import parse_query
from connectors.engine.embedded.refusal import Refusal, disk_full, illegal_argument, not_implemented
from connectors.engine.embedded.request import Call
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.store.names import index_not_found
from connectors.engine.embedded.store.refreshing import Refreshing
from connectors.engine.embedded.store.versioning import CONFLICT, Condition
from connectors.engine.embedded.turn import Turn

_KNOWN: Final = f"{CHOICE} refresh conflicts"


class DeleteByQueryApi:
    """Answers deletes by query."""

    def __init__(self, turn: Turn, refreshing: Refreshing, views: Views) -> None:
        self._turn = turn
        self._refresh = refreshing
        self._views = views

    def routes(self) -> list[Route]:
        """Return what this answers."""
        return [route("POST", "/{index}/_delete_by_query", self.delete_by_query, _KNOWN, takes_turns=True)]

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
        indices = self._views.refreshed(call)
        for index in indices:
            index.check_writable()
        for index in indices:
            try:
                with self._views.of(index) as view:
                    wanted = list(searching.matching(view, query))
                total += len(wanted)
                failed = self._delete(index, wanted)
            except Refusal as refusal:
                raise _broken_off(refusal, deleted) from refusal
            deleted += len(wanted) - len(failed)
            failures += failed
            if refresh:
                self._refresh.after_write(index)
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

    def _delete(self, index: Index, wanted: list[tuple[str, int, int]]) -> list[dict[str, Any]]:
        """Delete documents that still stand as they were found; return what stood in the way of the others."""
        failures: list[dict[str, Any]] = []
        done = 0
        while done < len(wanted):
            try:
                with self._turn.taken(large=True):
                    failed = self._slice(index, wanted, done)
            except apsw.FullError:
                raise _broken_off(disk_full(), done - len(failures)) from None
            except Refusal as refusal:
                raise _broken_off(refusal, done - len(failures)) from refusal
            failures += [one for one in failed if one is not None]
            done += len(failed)
        return failures

    def _slice(self, index: Index, wanted: list[tuple[str, int, int]], first: int) -> list[dict[str, Any] | None]:
        """Delete some documents and commit that; return for each what stood in its way, None for nothing."""
        if index.closed:
            raise index_not_found(index.name)
        until_s = time.monotonic() + self._turn.slice_s
        done: list[dict[str, Any] | None] = []
        with index.transaction():
            for doc_id, seq, term in islice(wanted, first, None):
                done.append(_deleted(index, doc_id, Condition(if_seq_no=seq, if_primary_term=term)))
                if time.monotonic() > until_s:
                    break
        return done


def _broken_off(refusal: Refusal, deleted: int) -> Refusal:
    """Return the refusal of a delete by query that got somewhere, with a status that does not deny that."""
    if not deleted:
        return refusal
    return Refusal(500, "exception", f"{deleted} documents were deleted before this: {refusal.reason}")


def _deleted(index: Index, doc_id: str, condition: Condition) -> dict[str, Any] | None:
    """Delete a document; return what stood in the way, if anything did."""
    try:
        index.delete(doc_id, condition)
    except Refusal as refusal:
        if refusal.kind != CONFLICT:
            raise
        return {"index": index.name, "id": doc_id, "cause": refusal.error(), "status": 409}
    return None
