"""The catalog: which collections of which databases are read, and what is known of each before it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from bson.binary import Binary
from pymongo.errors import OperationFailure

from connectors.dataset import Dataset
from connectors.errors import ConfigurationError
from connectors.sources._mongodb.connection import Client, Database
from connectors.sources._mongodb.errors import UNAUTHORIZED, code_of
from connectors.wording import shortened

EVERYTHING: Final = "*"
OF_THE_SERVER: Final = frozenset({"admin", "config", "local"})
"""Databases that are read only where they are named."""
WILDCARDS: Final = frozenset("*?[")
SYSTEM: Final = "system."
_LONGEST: Final = 300


@dataclass(frozen=True)
class Collection:
    """A collection, a view or a time series. `options` are those that it was made with, where they may be seen."""

    database: str
    name: str
    kind: str = "collection"
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    uuid: str | None = None

    @property
    def namespace(self) -> str:
        """What the server calls it, and we the dataset."""
        return f"{self.database}.{self.name}"

    @property
    def has_order(self) -> bool:
        """Whether it has the index of `_id`, by which it is read in pages."""
        return self.kind == "collection"

    @property
    def dataset(self) -> Dataset:
        """It as a dataset, of which no document was looked at yet."""
        return Dataset(self.namespace, self.database, primary_key=("_id",) if self.has_order else ())

    @property
    def compares_plainly(self) -> bool:
        """Whether texts are compared as they are, as far as is known: a collection may have a collation."""
        return self.has_order and "collation" not in self.options and "unknown" not in self.options


async def collections_of(client: Client, databases: Sequence[str], names: Sequence[str]) -> list[Collection]:
    """Return what is wanted, in the order of its names. Raises a `ConfigurationError` for a name that is none."""
    found: list[Collection] = []
    there: set[str] = set()
    for database in await _databases(client, databases):
        known = {one.name: one for one in await _collections(client[database])}
        chosen = {name for wanted in names for name in _matching(wanted, known)}
        found += [known[name] for name in sorted(chosen)]
        there |= known.keys()
    for wanted in names:
        if not WILDCARDS & set(wanted) and wanted not in there:
            message = f"There is no collection {wanted!r} in {', '.join(databases)}, or this user may not read it."
            raise ConfigurationError(message, field="collection", hint=_listed(there))
    return found


def uuids_of(collections: Iterable[Collection]) -> dict[str, str | None]:
    """Return the UUIDs of collections by their names, where the user may see them."""
    return {one.namespace: one.uuid for one in collections}


async def found_again(client: Client, one: Collection) -> bool:
    """Return whether a collection is the one that it was."""
    now = next((other for other in await _collections(client[one.database], one.name) if other.name == one.name), None)
    return now is not None and (now.kind, now.uuid) == (one.kind, one.uuid)


async def _databases(client: Client, wanted: Sequence[str]) -> list[str]:
    """Return the names of databases. Those that are named are taken as they are where the user may see no list."""
    plain = {one for one in wanted if not WILDCARDS & set(one)}
    try:
        there = await client.list_database_names()
    except OperationFailure as error:
        if code_of(error) not in UNAUTHORIZED or len(plain) < len(set(wanted)):
            raise
        return sorted(plain)
    if missing := sorted(plain - set(there)):
        known = sorted(set(there) - OF_THE_SERVER)
        raise ConfigurationError(f"There is no database {missing[0]!r}.", field="database", hint=_listed(known))
    found = {one for one in there for pattern in wanted if pattern not in plain and fnmatchcase(one, pattern)}
    return sorted((found - OF_THE_SERVER) | plain)


async def _collections(database: Database, name: str | None = None) -> list[Collection]:
    """Return what is in a database. A user who may not see how it was made sees at least what they may read."""
    which: dict[str, Any] = {} if name is None else {"filter": {"name": name}}
    try:
        found = [one async for one in await database.list_collections(**which)]
        unknown: dict[str, Any] = {}
    except OperationFailure as error:
        if code_of(error) not in UNAUTHORIZED:
            raise
        found = [
            one async for one in await database.list_collections(nameOnly=True, authorizedCollections=True, **which)
        ]
        unknown = {"unknown": True}
    return [
        Collection(
            database.name,
            one["name"],
            one.get("type", "collection"),
            {**one.get("options", {}), **unknown},
            _uuid(one.get("info", {}).get("uuid")),
        )
        for one in found
        if not one["name"].startswith(SYSTEM)
    ]


def _uuid(found: object) -> str | None:
    return None if found is None else str(found.as_uuid() if isinstance(found, Binary) else found)


def _matching(wanted: str, known: Mapping[str, Collection]) -> Iterable[str]:
    if wanted == EVERYTHING:
        return [name for name, one in known.items() if one.kind != "view"]
    if wanted in known:
        return [wanted]
    return [name for name in known if WILDCARDS & set(wanted) and fnmatchcase(name, wanted)]


def _listed(names: Iterable[str]) -> str:
    several = ", ".join(sorted(names))
    return f"There are {shortened(several, _LONGEST)}." if several else "There is none that this user may read."
