"""Plans: a search compiled for one index, and the index as the search sees it."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import apsw

from connectors.engine.embedded.mapping.field_types import Value
from connectors.engine.embedded.mapping.mapping import Mapping
from connectors.engine.embedded.query.clause import Clause, Query, Scope
from connectors.engine.embedded.query.search_request import WINDOW, SearchRequest
from connectors.engine.embedded.query.sort import Ordering, ordering
from connectors.engine.embedded.refusal import Refusal

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
class Plan:
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


def compiled(view: View, query: Query) -> Plan:
    """Return a query for one index. Raises a `Refusal` for what its mapping tells to be wrong."""
    scope = view.scope()
    try:
        return Plan(view, scope, query(scope))
    except Refusal as refusal:
        if refusal.kind not in {_NO_QUERY, "parse_exception"}:
            wrapped = Refusal(400, _NO_QUERY, f"failed to create query: {refusal.reason}", more={"index": view.index})
            raise failed(view, wrapped) from refusal
        raise failed(view, refusal) from refusal


def failed(view: View, refusal: Refusal) -> Refusal:
    """Return the refusal of a search that only the mapping tells to be wrong."""
    shard = {"shard": 0, "index": view.index, "reason": refusal.error()}
    more = {"phase": "query", "grouped": True, "failed_shards": [shard], "caused_by": refusal.error()}
    return Refusal(400, "search_phase_execution_exception", "all shards failed", more=more, root=refusal.kind)


def planned(view: View, request: SearchRequest, place: int) -> Plan:
    """Return a search for one index, which stands at that place among several."""
    plan = compiled(view, request.query)
    try:
        plan.orderings = [ordering(plan.scope, key, place) for key in request.keys]
    except Refusal as refusal:
        raise failed(view, refusal) from refusal
    return plan
