"""The catalog: which indices and aliases there are, and what the names in a request stand for."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from connectors.engine.embedded.mapping.mapping import Mapping as IndexMapping
from connectors.engine.embedded.refusal import Refusal, illegal_argument
from connectors.engine.embedded.store import index_settings
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.store.index_file import IndexFile, unique_name
from connectors.engine.embedded.store.readers import Readers
from connectors.engine.embedded.store.searched import Indexer
from connectors.engine.embedded.turn import SLICE_S

MOST_NAME_BYTES: Final = 255
_FORBIDDEN: Final = frozenset('\\/*?"<>| ,#:')
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS cluster(uuid TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS indices(name TEXT PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS aliases(
    alias TEXT NOT NULL, name TEXT NOT NULL REFERENCES indices ON DELETE CASCADE, properties TEXT NOT NULL,
    PRIMARY KEY(alias, name)
);
"""
IndexerOf = Callable[[IndexFile], Indexer]
Aliases = dict[str, dict[str, dict[str, Any]]]


class Catalog:
    """Owns the files of a data folder: `catalog.db`, and one file an index under the index' UUID.

    A file that the catalog does not name was left by a process that died between two steps, and is removed.
    """

    def __init__(self, folder: Path, indexer_of: IndexerOf, slice_s: float = SLICE_S) -> None:
        self._folder = folder
        self._slice_s = slice_s
        self._indexer_of = indexer_of
        self.readers = Readers()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._connection = apsw.Connection(str(folder / "catalog.db"))
        self._connection.execute("PRAGMA journal_mode = wal")
        self._connection.execute("PRAGMA foreign_keys = on")
        self._connection.execute(_TABLES)
        self.cluster_uuid = self._named()
        self.indices: dict[str, Index] = {}
        for name, uuid, created_ms in list(self._connection.execute("SELECT name, uuid, created_ms FROM indices")):
            self.indices[name] = self._opened(name, uuid, created_ms)
        self.aliases: Aliases = self._read_aliases()
        self._remove_strays()

    def _named(self) -> str:
        """Return the cluster's UUID, which it gets when it is made."""
        uuid = self._connection.execute("SELECT uuid FROM cluster").get
        if uuid is None:
            uuid = unique_name()
            self._connection.execute("INSERT INTO cluster VALUES(?)", (uuid,))
        return str(uuid)

    def close(self) -> None:
        """Close every file."""
        for index in self.indices.values():
            self._close(index)
        self._connection.close()

    def _close(self, index: Index) -> None:
        self.readers.forget(index.file.path)
        index.close()

    def _opened(self, name: str, uuid: str, created_ms: int, *, shards: int = 1) -> Index:
        file = IndexFile(self._path(uuid), shards=shards)
        mapping = IndexMapping.parse(msgspec.json.decode(file.kept("mapping", "{}")))
        indexer = self._indexer_of(file)
        index = Index(name, uuid, created_ms, file, indexer, mapping, self._slice_s)
        index.change_settings(msgspec.json.decode(file.kept("settings", "{}"), type=dict[str, str | None]))
        return index

    def _path(self, uuid: str) -> Path:
        return self._folder / f"{uuid}.db"

    def _remove_strays(self) -> None:
        known = {f"{index.uuid}.db" for index in self.indices.values()} | {"catalog.db"}
        for path in self._folder.glob("*.db*"):
            if path.name.removesuffix("-wal").removesuffix("-shm") not in known:
                path.unlink()

    def _read_aliases(self) -> Aliases:
        found: Aliases = {}
        for alias, name, properties in self._connection.execute("SELECT alias, name, properties FROM aliases"):
            found.setdefault(alias, {})[name] = msgspec.json.decode(properties)
        return found

    # --- indices -----------------------------------------------------------------------------------------------------

    def create(self, name: str, body: Mapping[str, Any]) -> Index:
        """Create an index. Raises a `Refusal` for a name or a body that can't be."""
        unknown = body.keys() - {"settings", "mappings", "aliases"}
        if unknown:
            raise Refusal(400, "parse_exception", f"unknown key [{min(unknown)}] for create index")
        self.check_name(name)
        if name in self.indices:
            uuid = self.indices[name].uuid
            told = f"index [{name}/{uuid}] already exists"
            raise Refusal(400, "resource_already_exists_exception", told, more={"index_uuid": uuid, "index": name})
        settings = index_settings.checked(body.get("settings") or {}, creating=True)
        mapping = IndexMapping.parse(body.get("mappings") or {})
        aliases = {alias: dict(properties or {}) for alias, properties in (body.get("aliases") or {}).items()}
        for alias in aliases:
            self.check_alias(alias, creating=name)
        uuid, created_ms = unique_name(), time.time_ns() // 1_000_000
        shards = int(settings.get("index.number_of_shards") or 1)
        index = self._opened(name, uuid, created_ms, shards=shards)
        index.change_settings(settings)
        index.change_mapping(mapping)
        with self._connection:
            self._connection.execute("INSERT INTO indices VALUES(?, ?, ?)", (name, uuid, created_ms))
            for alias, properties in aliases.items():
                self._write_alias(alias, name, properties)
        self.indices[name] = index
        self.aliases = self._read_aliases()
        return index

    def delete(self, names: list[str]) -> None:
        """Delete concrete indices, with their aliases."""
        with self._connection:
            self._connection.executemany("DELETE FROM indices WHERE name = ?", [(name,) for name in names])
        self._forget(names)

    def _forget(self, names: list[str]) -> None:
        for name in names:
            index = self.indices.pop(name)
            self._close(index)
            for suffix in ("", "-wal", "-shm"):
                self._path(index.uuid).with_name(f"{index.uuid}.db{suffix}").unlink(missing_ok=True)
        self.aliases = self._read_aliases()

    def check_name(self, name: str) -> None:
        """Raise a `Refusal` for a name that no index can have."""
        problem = name_problem(name)
        if problem is None and name in self.aliases:
            problem = "already exists as alias"
        if problem is not None:
            raise invalid_index_name(name, problem)

    # --- aliases -----------------------------------------------------------------------------------------------------

    def check_alias(self, alias: str, creating: str | None = None) -> None:
        """Raise a `Refusal` for a name that no alias can have."""
        if alias in self.indices or alias == creating:
            told = f"Invalid alias name [{alias}]: an index or data stream exists with the same name as the alias"
            raise Refusal(400, "invalid_alias_name_exception", told, more={"index_uuid": "_na_", "index": alias})
        problem = name_problem(alias)
        if problem is not None:
            told = f"Invalid alias name [{alias}], {problem}"
            raise Refusal(400, "invalid_alias_name_exception", told, more={"index_uuid": "_na_", "index": alias})

    def _write_alias(self, alias: str, name: str, properties: Mapping[str, Any]) -> None:
        unknown = properties.keys() - {"is_write_index", "is_hidden"}
        if unknown:
            raise Refusal(400, "illegal_argument_exception", f"Unknown field [{min(unknown)}] in alias [{alias}]")
        encoded = msgspec.json.encode(properties).decode()
        self._connection.execute("INSERT OR REPLACE INTO aliases VALUES(?, ?, ?)", (alias, name, encoded))

    def change_aliases(
        self, *, add: Sequence[tuple[str, str, Mapping[str, Any]]], remove: list[tuple[str, str]], drop: list[str]
    ) -> None:
        """Add (alias, index, properties), remove (alias, index) and drop indices, all at once."""
        for alias, _, _ in add:
            if alias not in drop:
                self.check_alias(alias)
        with self._connection:
            self._connection.executemany("DELETE FROM aliases WHERE alias = ? AND name = ?", remove)
            self._connection.executemany("DELETE FROM indices WHERE name = ?", [(name,) for name in drop])
            for alias, name, properties in add:
                self._write_alias(alias, name, properties)
        self._forget(drop)

    def aliases_of(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the aliases of a concrete index, with their properties."""
        return {alias: names[name] for alias, names in sorted(self.aliases.items()) if name in names}

    # --- names -------------------------------------------------------------------------------------------------------

    def expand(
        self, expression: str, *, ignore_unavailable: bool = False, allow_no_indices: bool = True, aliases: bool = True
    ) -> list[Index]:
        """Return the indices that a list of names, aliases and patterns stands for, in the order of their names."""
        chosen: dict[str, None] = {}
        patterned = expression in {"_all", "*", ""}
        for part in ["*"] if patterned else expression.split(","):
            if part.startswith("-") and patterned:
                for name in list(self._matching(part[1:], aliases=aliases)):
                    chosen.pop(name, None)
                continue
            found = list(self._matching(part, aliases=aliases))
            patterned |= "*" in part
            if not found and "*" not in part and not ignore_unavailable:
                raise index_not_found(part) if name_problem(part) is None else self._unnamed(part)
            chosen.update(dict.fromkeys(found))
        if not chosen and not allow_no_indices:
            raise index_not_found(expression)
        return [self.indices[name] for name in sorted(chosen)]

    def _unnamed(self, name: str) -> Refusal:
        return invalid_index_name(name, name_problem(name) or "") if name.startswith("_") else index_not_found(name)

    def _matching(self, pattern: str, *, aliases: bool) -> Iterator[str]:
        if pattern in self.indices:
            yield pattern
        elif "*" in pattern:
            yield from (name for name in self.indices if fnmatchcase(name, pattern))
        if aliases:
            for alias, names in self.aliases.items():
                if alias == pattern or ("*" in pattern and fnmatchcase(alias, pattern)):
                    yield from names

    def one(self, name: str) -> Index:
        """Return the only index that a name stands for."""
        found = self.expand(name)
        if len(found) != 1:
            listed = ", ".join(index.name for index in found)
            raise illegal_argument(
                f"alias [{name}] has more than one index associated with it [{listed}], can't execute a single index op"
            )
        return found[0]

    def for_writing(self, name: str, *, require_alias: bool = False) -> Index:
        """Return the index that a write to a name goes to, made when there is none of that name."""
        names = self.aliases.get(name)
        if names is None:
            if require_alias:
                told = f"no such index [{name}] and [require_alias] request flag is [true] and [{name}] is not an alias"
                raise index_not_found(name, told)
            index = self.indices.get(name) or self.create(name, {})
        else:
            index = self.indices[self._write_index(name, names)]
        index.check_writable()
        return index

    def _write_index(self, alias: str, names: Mapping[str, Mapping[str, Any]]) -> str:
        marked = [name for name, properties in names.items() if properties.get("is_write_index")]
        alone = [name for name, own in names.items() if len(names) == 1 and own.get("is_write_index", True)]
        if len(marked or alone) != 1:
            raise illegal_argument(
                f"no write index is defined for alias [{alias}]. The write index may be explicitly disabled using "
                "is_write_index=false or the alias points to multiple indices without one being designated as a "
                "write index"
            )
        return (marked or alone)[0]


def name_problem(name: str) -> str | None:
    """Return why nothing can have this name, in Elasticsearch's words."""
    if name in {".", ".."}:
        return "must not be '.' or '..'"
    if not name:
        return "must not be empty"
    if name[0] in "_-+":
        return "must not start with '_', '-', or '+'"
    if set(name) & _FORBIDDEN:
        return "must not contain the following characters ['\\\\','/','*','?','\"','<','>','|',' ',',','#',':']"
    if name != name.lower():
        return "must be lowercase"
    if len(name.encode("utf-8", "surrogatepass")) > MOST_NAME_BYTES:
        return f"index name is too long, ({len(name.encode())} > {MOST_NAME_BYTES})"
    return None


def invalid_index_name(name: str, why: str) -> Refusal:
    """Return the refusal of a name that no index can have."""
    more = {"index_uuid": "_na_", "index": name}
    return Refusal(400, "invalid_index_name_exception", f"Invalid index name [{name}], {why}", more=more)


def index_not_found(name: str, told: str | None = None) -> Refusal:
    """Return the refusal of a name that no index has."""
    more = {"resource.type": "index_or_alias", "resource.id": name, "index_uuid": "_na_", "index": name}
    return Refusal(404, "index_not_found_exception", told or f"no such index [{name}]", more=more)
