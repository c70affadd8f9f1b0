"""Views: the indices of a request as searches see them, through connections of their own."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import apsw

from connectors.engine.embedded.api.indices import chosen
from connectors.engine.embedded.query.plan import View
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented
from connectors.engine.embedded.request import Call
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.store.names import index_not_found
from connectors.engine.embedded.store.points_in_time import PointInTime, PointsInTime, Seen
from connectors.engine.embedded.store.refreshing import Refreshing
from connectors.engine.embedded.store.searched import searchable
from connectors.engine.embedded.turn import Turn

_SHARDS: Final = "_shards:"


class OutOfTime(Exception):
    """A search took longer than it was given; where it was given no limit, it is refused instead."""


class Views:
    """Opens views for requests that do not hold the turn, and waits for it only where something has to be refreshed.

    A view sees what was searchable when its snapshot was taken, which the snapshot itself says.
    """

    def __init__(self, catalog: Catalog, turn: Turn, refreshing: Refreshing, points: PointsInTime) -> None:
        self._catalog = catalog
        self._turn = turn
        self._refresh = refreshing
        self._points = points

    @contextmanager
    def current(
        self, call: Call, shards: frozenset[int] | None = None, limit_s: float | None = None
    ) -> Iterator[list[View]]:
        """Show the indices of a request as they are after the refreshes that were due."""
        indices = self.refreshed(call)
        with ExitStack() as stack, self._in_time(limit_s):
            yield [self._view(index, None, shards, stack, limit_s) for index in indices]

    @contextmanager
    def of(self, index: Index) -> Iterator[View]:
        """Show one index, all shards of it."""
        with ExitStack() as stack, self._in_time(None):
            yield self._view(index, None, None, stack, None)

    @contextmanager
    def held(
        self, name: str, keep_alive: str | None, limit_s: float | None = None
    ) -> Iterator[tuple[PointInTime, list[View]]]:
        """Show indices as a point in time sees them."""
        point = self._points.get(name, keep_alive)
        with ExitStack() as stack, self._in_time(limit_s):
            seen = [(self._held_index(one), one.upto) for one in point.seen]
            views = [self._view(index, upto, point.shards, stack, limit_s) for index, upto in seen]
            self._points.get(name)  # while it is there, nothing of what it sees is removed
            yield point, views

    def refreshed(self, call: Call) -> list[Index]:
        """Return the indices of a request after the refreshes that were due."""
        indices = chosen(self._catalog, call)
        for index in indices:
            self._refresh.if_due(index)
        return indices

    def hold(
        self, call: Call, shards: frozenset[int] | None, keep_alive: str, body: Mapping[str, Any] | None = None
    ) -> tuple[str, list[Index]]:
        """Hold the indices of a request, and a scroll's body with them; return the name to ask for them by."""
        indices = self.refreshed(call)
        with self._turn.taken():
            seen = tuple(Seen(one.name, one.uuid, one.searched.refreshed) for one in indices if not one.closed)
            return self._points.open(seen, shards, keep_alive, body), indices

    def _held_index(self, seen: Seen) -> Index:
        index = self._catalog.indices.get(seen.name)
        if index is None or index.uuid != seen.uuid:
            told = f"No search context found: the index [{seen.name}] is gone"
            raise Refusal(404, "search_phase_execution_exception", told, root="search_context_missing_exception")
        return index

    def _view(
        self, index: Index, upto: int | None, shards: frozenset[int] | None, stack: ExitStack, limit_s: float | None
    ) -> View:
        """Show an index, up to a row or what is searchable; the connection is given back when the stack closes."""
        known = frozenset(index.file.max_seq)
        try:
            connection = stack.enter_context(self._catalog.readers.snapshot(index.file.path, limit_s))
        except apsw.CantOpenError:  # it was deleted just now
            raise index_not_found(index.name) from None
        return View(
            connection=connection,
            mapping=index.mapping,
            index=index.name,
            upto=searchable(connection) if upto is None else upto,
            shards=None if shards is None else shards & known,
            fields=lambda path: connection.execute("SELECT number FROM fields WHERE path = ?", (path,)).get,
            window=int(index.setting("index.max_result_window")),
        )

    @contextmanager
    def _in_time(self, limit_s: float | None) -> Iterator[None]:
        longest_s = self._catalog.readers.longest_s
        try:
            yield
        except apsw.InterruptError:
            if limit_s is not None and limit_s < longest_s:
                raise OutOfTime from None
            told = f"This takes longer than the {longest_s:g} s that the embedded engine gives a search."
            raise Refusal(503, "timeout_exception", told) from None


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
