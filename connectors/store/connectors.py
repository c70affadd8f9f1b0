"""The connectors that the engine holds: found, read, and changed without losing what others write beside us."""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, Self

import msgspec

from connectors.engine import Engine
from connectors.engine.bulk import BulkItem, index_line
from connectors.engine.operations import Operations
from connectors.engine.records import Failure, Hit, Revision
from connectors.engine.scan import Walk
from connectors.errors import Conflict, EngineRefused
from connectors.store.connector import Connector
from connectors.store.index import StoreIndex

_KEYWORD: Final = {"type": "keyword"}
_DATE: Final = {"type": "date"}
_LONG: Final = {"type": "long"}
_FLAG: Final = {"type": "boolean"}
_OPAQUE: Final = {"type": "object", "enabled": False}
_SCHEDULE: Final = {"properties": {"enabled": _FLAG, "interval": {"type": "text"}}}
_ENABLED: Final = {"properties": {"enabled": _FLAG}}
INDEX: Final = StoreIndex(
    ".elastic-connectors-v1",
    {
        **dict.fromkeys(("api_key_id", "api_key_secret_id", "error", "index_name", "language", "name"), _KEYWORD),
        **dict.fromkeys(("service_type", "status", "last_sync_status", "last_sync_error"), _KEYWORD),
        **dict.fromkeys(("last_access_control_sync_error", "last_access_control_sync_status"), _KEYWORD),
        **dict.fromkeys(("last_seen", "last_synced", "last_sync_scheduled_at", "created_at", "updated_at"), _DATE),
        **dict.fromkeys(("last_incremental_sync_scheduled_at", "last_access_control_sync_scheduled_at"), _DATE),
        **dict.fromkeys(("last_deleted_document_count", "last_indexed_document_count"), _LONG),
        **dict.fromkeys(("is_native", "deleted"), _FLAG),
        **dict.fromkeys(("configuration", "custom_scheduling", "filtering", "sync_cursor", "sync"), _OPAQUE),
        "description": {"type": "text"},
        "features": {
            "properties": {
                "sync_rules": {"properties": {"basic": _ENABLED, "advanced": _ENABLED}},
                **dict.fromkeys(("document_level_security", "incremental_sync", "native_connector_api_keys"), _ENABLED),
            }
        },
        "pipeline": {
            "properties": {
                "name": _KEYWORD,
                **dict.fromkeys(("extract_binary_content", "reduce_whitespace", "run_ml_inference"), _FLAG),
            }
        },
        "scheduling": {"properties": dict.fromkeys(("full", "incremental", "access_control"), _SCHEDULE)},
    },
    alias=".elastic-connectors",
    meta={
        "version": 1,
        "pipeline": {
            "default_name": "search-default-ingestion",
            "default_extract_binary_content": True,
            "default_reduce_whitespace": True,
            "default_run_ml_inference": True,
        },
    },
    shared=True,
)
NAME: Final = ".elastic-connectors"
MOST_ATTEMPTS: Final = 25
"""How often an update is tried while others update the same connector: each time one of them gets through."""
_PAGE: Final = 100
_MANY: Final = 1_000
_OF_OVERVIEW: Final = (
    *("name", "service_type", "index_name", "is_native", "features", "scheduling", "status", "error"),
    *("last_seen", "last_synced", "last_sync_*", "last_incremental_sync_*", "last_access_control_sync_*"),
    *("filtering.domain", "filtering.draft.validation"),
    *("sync.windows", "custom_scheduling.*.enabled", "custom_scheduling.*.interval", "custom_scheduling.*.name"),
)
"""What tells how a connector is: all but what it may have much of."""
_SHORT_PAGE: Final = 2_000
"""Of what says no more than ids and numbers."""
LATE: Final = 20
"""A write may become visible after one that has a higher sequence number, if both came at the same time."""
MOST_CHANGED: Final = 200
Update = Callable[[Connector], Mapping[str, Any]]
"""Returns the fields that are to be other than they are in a connector, each whole."""


class ConnectorStore:
    """Reads and writes connector documents, whose index has to be there: `open` sees to that."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    @classmethod
    async def open(cls, engine: Engine) -> Self:
        """Return the store of an engine, the index and its alias created when missing. Raises an `EngineError`."""
        await INDEX.prepare(engine)
        return cls(engine.control)

    async def get(self, connector_id: str) -> Connector | None:
        """Return a connector as it is now; None when there is none of that id."""
        found = await self._operations.get(NAME, connector_id)
        return None if found is None else Connector.of_stored(found)

    async def create(self, connector_id: str, document: Mapping[str, Any]) -> Connector:
        """Write a connector of which there is none yet. Raises `Conflict` when there is."""
        body = msgspec.json.encode(document)
        try:
            written = await self._operations.create(NAME, connector_id, body, refresh="now")
        except Conflict as error:
            found = await self.get(connector_id) if error.maybe_applied else None
            if found is None or msgspec.json.encode(found.document) != body:
                raise Conflict(
                    f"There is a connector {connector_id!r} already.", hint="Choose another id, or update that one."
                ) from error
            return found
        return Connector(connector_id, msgspec.json.decode(body), written.revision)

    async def update(self, connector_id: str, update: Update) -> Connector:
        """Write the fields that a function returns for the connector as it is; of the newer one on a conflict.

        Every other field is left as it is, known or not; no field changed is no write. The function may be called
        several times, and again for its own work when an answer was lost. Raises `Conflict` when there is no such
        connector, or when others keep changing it.
        """
        for _ in range(MOST_ATTEMPTS - 1):
            try:
                return await self._updated(connector_id, update)
            except _Overtaken:
                continue
        try:
            return await self._updated(connector_id, update)
        except _Overtaken as error:
            raise Conflict(f"The connector {connector_id!r} is changed by others all the time.") from error

    async def delete(self, connector_id: str) -> None:
        """Delete a connector, which may be gone already."""
        await self._operations.delete(NAME, connector_id, refresh="now")

    async def all(self, *, service_types: Sequence[str] | None = None) -> AsyncGenerator[Connector, None]:
        """Yield every connector that is not deleted, those of these sources where they are given, in no order.

        Close the generator (`aclosing`) to leave early.
        """
        wanted = [] if service_types is None else [{"terms": {"service_type": list(service_types)}}]
        async with aclosing(self._matching(wanted)) as found:
            async for connector in found:
                yield connector

    async def overview(self) -> AsyncGenerator[Connector, None]:
        """Yield the same of all sources with only what tells how each is: without settings, rules and cursors.

        It takes a request for a thousand of them. Close the generator (`aclosing`) to leave early.
        """
        async with aclosing(self._matching([], source=_OF_OVERVIEW, page_size=_MANY)) as found:
            async for connector in found:
                yield connector

    async def of_index(self, names: Collection[str]) -> list[Connector]:
        """Return the connectors that have one of these names for their index, in the order of their ids."""
        async with aclosing(self._matching([{"terms": {"index_name": sorted(names)}}])) as found:
            return sorted([one async for one in found], key=lambda one: one.id)

    async def _matching(
        self, wanted: list[dict[str, Any]], *, source: bool | Sequence[str] = True, page_size: int = _PAGE
    ) -> AsyncGenerator[Connector, None]:
        query: dict[str, Any] = {"filter": wanted, "must_not": [{"term": {"deleted": True}}]}
        await self._operations.refresh(NAME)
        walk = Walk(NAME, {"bool": query}, source=source, page_size=page_size)
        async with aclosing(self._operations.scan(walk)) as pages:
            async for page in pages:
                for hit in page:
                    yield Connector.of_hit(hit)

    async def get_many(self, connector_ids: Collection[str]) -> list[Connector]:
        """Return those of these connectors that there are, deleted ones too, as they are now."""
        wanted, found = list(connector_ids), list[Connector]()
        for start in range(0, len(wanted), _PAGE):
            some = await self._operations.get_many(NAME, wanted[start : start + _PAGE])
            found += [Connector.of_stored(one) for one in some if one is not None]
        return found

    async def revisions(self) -> dict[str, Revision]:
        """Return which write each connector stems from, deleted ones too."""
        await self._operations.refresh(NAME)
        async with aclosing(self._operations.scan(Walk(NAME, page_size=_SHORT_PAGE))) as pages:
            return {hit.id: _revision_of(hit) async for page in pages for hit in page}

    async def revisions_since(self, seq_no: int) -> dict[str, Revision] | None:
        """Return the same of the connectors that were written after that sequence number.

        It looks a little further back, for a write that came late. None when there are too many to be told at once.
        """
        query = {"range": {"_seq_no": {"gt": seq_no - LATE}}}
        await self._operations.refresh(NAME)
        body = {"query": query, "size": MOST_CHANGED, "_source": False, "seq_no_primary_term": True}
        page = await self._operations.search(NAME, body)
        return {hit.id: _revision_of(hit) for hit in page.hits} if page.total <= MOST_CHANGED else None

    async def write(self, connectors: Collection[Connector], changes: Mapping[str, Any]) -> set[str]:
        """Give all of these connectors the same fields, and return the ids of those that nobody changed since.

        The others are left as they are. It is one request, which is not repeated. Raises an `EngineError` when its
        answer is lost, or one of them is refused for another reason: some may be written all the same.
        """
        lines = [
            line
            for one in connectors
            for line in (
                index_line(one.id, expected=one.revision),
                msgspec.json.encode({**one.document, **changes}) + b"\n",
            )
        ]
        body = b"".join(lines)
        answer = await self._operations.bulk(NAME, body, operations=len(connectors), require_alias=True)
        items = [item for action in answer.items for item in action.values()]
        refused = next((item for item in items if not item.ok and item.status != 409), None)
        if refused is not None:
            raise _refused(refused)
        return {one.id for one, item in zip(connectors, items, strict=True) if item.ok}

    async def _updated(self, connector_id: str, update: Update) -> Connector:
        found = await self.get(connector_id)
        if found is None:
            raise Conflict(f"There is no connector {connector_id!r}.", hint="It may have been deleted meanwhile.")
        body = msgspec.json.encode({**found.document, **update(found)})
        if body == msgspec.json.encode(found.document):
            return found
        try:
            written = await self._operations.put(NAME, connector_id, body, expected=found.revision)
        except Conflict as error:
            raise _Overtaken from error
        return Connector(connector_id, msgspec.json.decode(body), written.revision)


def _revision_of(hit: Hit) -> Revision:
    return Revision(hit.seq_no or 0, hit.primary_term or 0)


def _refused(item: BulkItem) -> EngineRefused:
    failure = item.error or Failure()
    text = f"Could not write the connector {item.id!r}: {failure.reason or 'no reason given'} (status {item.status})."
    return EngineRefused(text, status=item.status, kind=failure.type)


class _Overtaken(Exception):
    """Somebody else wrote in between, or we did ourselves and do not know it: both are found out by reading again."""
