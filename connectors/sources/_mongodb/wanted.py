"""What is wanted: the names and patterns of the settings, as a question about one collection and to a change stream."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from connectors.sources._mongodb.catalog import EVERYTHING, OF_THE_SERVER, SYSTEM, WILDCARDS

_EVENT: Final = {"operationType": 1, "ns": 1, "to": 1, "documentKey._id": 1, "clusterTime": 1}
_OF_DATABASES: Final = {"operationType": {"$in": ["dropDatabase", "invalidate"]}}
"""Events that are about no single collection."""


@dataclass(frozen=True)
class Wanted:
    """Databases and collections, by names and patterns. What a stream lets through may be more than is wanted."""

    databases: tuple[str, ...]
    collections: tuple[str, ...]

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Both, as a cursor has them."""
        return self.databases, self.collections

    def has_database(self, name: str) -> bool:
        """Return whether a database is one of them."""
        return name in self.databases or (name not in OF_THE_SERVER and _fits(name, self.databases))

    def has(self, database: str, collection: str) -> bool:
        """Return whether a collection is one of them, as far as its name tells."""
        if collection.startswith(SYSTEM) or not self.has_database(database):
            return False
        return collection in self.collections or _fits(collection, self.collections)

    @property
    def place(self) -> tuple[str, str | int]:
        """The database and the collection of which a stream is that sees them all; 1 stands for all collections.

        The stream of all databases is one of `admin`.
        """
        if not _are_plain(self.databases):
            return "admin", 1
        return self.databases[0], self.collections[0] if _are_plain(self.collections) else 1

    def pipeline(self, after: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a token
        """Return what begins a stream behind a place, or now, and lets through of each event what it was about.

        It is the same for the same settings, as an event behind which a stream begins has to be one that it sees.
        """
        begin: dict[str, Any] = {} if after is None else {"resumeAfter": after}
        if self.place[0] == "admin" and self.place[1] == 1:
            begin["allChangesForCluster"] = True
        database, collection = _condition(self.databases), _condition(self.collections)
        sides = [
            {**({f"{side}.db": database} if database else {}), **({f"{side}.coll": collection} if collection else {})}
            for side in ("ns", "to")
        ]
        where = [{"$match": {"$or": [*sides, _OF_DATABASES]}}] if all(sides) else []
        return [{"$changeStream": begin}, *where, {"$project": _EVENT}]


def _fits(name: str, wanted: Sequence[str]) -> bool:
    return any(one == EVERYTHING or (WILDCARDS & set(one) and fnmatchcase(name, one)) for one in wanted)


def _are_plain(names: Sequence[str]) -> bool:
    return len(names) == 1 and not WILDCARDS & set(names[0])


def _condition(names: Sequence[str]) -> dict[str, Any] | None:
    """Return a condition that is true of all names that fit; None where it would be true of all that there are."""
    if not any(WILDCARDS & set(one) for one in names):
        return {"$in": list(names)}
    parts = []
    for one in names:
        begin = re.split(r"[*?\[]", one, maxsplit=1)[0]
        if not begin and WILDCARDS & set(one):
            return None
        parts.append(re.escape(begin) if begin != one else f"{re.escape(one)}$")
    return {"$regex": f"^(?:{'|'.join(parts)})"}
