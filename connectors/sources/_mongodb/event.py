"""Events: which documents those of a change stream touch, and which of them only a full sync can follow."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp

from connectors.errors import CursorExpired
from connectors.sources._mongodb.key import element_of
from connectors.sources._mongodb.position import HINT
from connectors.sources._mongodb.wanted import Wanted

Elements = dict[bytes, None]
"""Keys by their bytes, each once, in the order in which they were first touched."""
_OF_DOCUMENTS: Final = frozenset({"insert", "update", "replace", "delete"})


class Events:
    """Sorts the events of batches: by the collections whose documents they touch.

    `is_read` tells of a namespace whether its documents are, or were, of those that are read.
    """

    def __init__(self, wanted: Wanted, is_read: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._is_read = is_read
        self._known: dict[bytes, tuple[str, str] | None] = {}

    def touched(self, events: Iterable[RawBSONDocument]) -> dict[tuple[str, str], Elements]:
        """Return the keys that events touch, by database and collection.

        Raises `CursorExpired` for an event that says of no document what became of it.
        """
        found: dict[tuple[str, str], Elements] = {}
        for event in events:
            kind = event["operationType"]
            if kind not in _OF_DOCUMENTS:
                self._check(kind, event)
                continue
            place = self._place(event["ns"])
            if place is not None:
                elements = found.get(place)
                if elements is None:
                    elements = found[place] = {}
                elements[element_of(event["documentKey"].raw)] = None
        return found

    def _place(self, namespace: RawBSONDocument) -> tuple[str, str] | None:
        """Return the database and the collection of an event, if they are wanted by their names."""
        raw = bytes(namespace.raw)
        if raw not in self._known:
            database, collection = namespace["db"], namespace["coll"]
            self._known[raw] = (database, collection) if self._wanted.has(database, collection) else None
        return self._known[raw]

    def _check(self, kind: str, event: RawBSONDocument) -> None:
        """Raise for what happened to a collection or a database as a whole, if it is one that is read."""
        if kind == "invalidate":
            raise CursorExpired("The change stream ended, as its collection is gone.", hint=HINT)
        database, name, namespace = _names(event.get("ns"))
        if kind == "dropDatabase":
            if self._wanted.has_database(database):
                raise CursorExpired(f"The database {database!r} was dropped.", hint=HINT)
            return
        to_database, to_name, to = _names(event.get("to"))
        if to and self._wanted.has(to_database, to_name):
            raise CursorExpired(f"The collection {namespace!r} was renamed to {to!r}, which is read.", hint=HINT)
        if self._is_read(namespace) or (kind not in {"drop", "rename"} and self._wanted.has(database, name)):
            what = {"drop": "was dropped", "rename": f"was renamed to {to!r}"}.get(kind, f"has an event {kind!r}")
            raise CursorExpired(f"The collection {namespace!r} {what}.", hint=HINT)


def latest(events: Iterable[RawBSONDocument]) -> Timestamp | None:
    """Return when the last of some events was, by the clock of the cluster."""
    times = (event.get("clusterTime") for event in events)
    return max((one for one in times if isinstance(one, Timestamp)), default=None)


def _names(namespace: Any) -> tuple[str, str, str]:  # noqa: ANN401 - a RawBSONDocument, or nothing
    """Return the database, the collection, and both, of what may have neither."""
    database, name = ("", "") if namespace is None else (namespace.get("db", ""), namespace.get("coll", ""))
    return database, name, f"{database}.{name}" if name else database
