"""The catalog: which indices and aliases there are, and the files they are in."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from connectors.engine.embedded.mapping.mapping import Mapping as IndexMapping
from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.store import index_settings
from connectors.engine.embedded.store.index import Index, mapping_settings_of
from connectors.engine.embedded.store.index_file import IndexFile, unique_name
from connectors.engine.embedded.store.names import Aliases, Names, index_not_found, invalid_index_name, name_problem
from connectors.engine.embedded.store.readers import LONGEST_S, Readers
from connectors.engine.embedded.store.searched import Indexer
from connectors.engine.embedded.turn import SLICE_S
from connectors.errors import ConfigurationError

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS cluster(uuid TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS indices(name TEXT PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS aliases(
    alias TEXT NOT NULL, name TEXT NOT NULL REFERENCES indices ON DELETE CASCADE, properties TEXT NOT NULL,
    PRIMARY KEY(alias, name)
);
"""
IndexerOf = Callable[[IndexFile], Indexer]


class Catalog:
    """Owns the files of a data folder: `catalog.db`, and one file an index under the index' UUID.

    A file that the catalog does not name was left by a process that died between two steps, and is removed. Whoever
    changes something has the turn; `names` may be read by anybody, because it is replaced and never changed.
    """

    def __init__(
        self, folder: Path, indexer_of: IndexerOf, slice_s: float = SLICE_S, longest_search_s: float = LONGEST_S
    ) -> None:
        self._folder = folder
        self._slice_s = slice_s
        self._indexer_of = indexer_of
        self.readers = Readers(longest_search_s)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _sound(folder / "catalog.db") as path:
            self._connection = apsw.Connection(str(path))
            self._connection.execute("PRAGMA journal_mode = wal")
            self._connection.execute("PRAGMA foreign_keys = on")
            self._connection.execute(_TABLES)
            self.cluster_uuid = self._named()
            known = list(self._connection.execute("SELECT name, uuid, created_ms FROM indices"))
            aliases = self._read_aliases()
        opened = {}
        for name, uuid, created_ms in known:
            with _sound(self._path(uuid)):
                opened[name] = self._opened(name, uuid, created_ms)
        self.names = Names(opened, aliases)
        self._remove_strays()

    @property
    def indices(self) -> Mapping[str, Index]:
        """The indices by name."""
        return self.names.indices

    @property
    def aliases(self) -> Aliases:
        """The indices of each alias, with what the alias is to them."""
        return self.names.aliases

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
        settings = msgspec.json.decode(file.kept("settings", "{}"), type=dict[str, str | None])
        mapping = IndexMapping.parse(msgspec.json.decode(file.kept("mapping", "{}")), mapping_settings_of(settings))
        indexer = self._indexer_of(file)
        index = Index(name, uuid, created_ms, file, indexer, mapping, self._slice_s)
        index.change_settings(settings)
        return index

    def _path(self, uuid: str) -> Path:
        return self._folder / f"{uuid}.db"

    def _remove_strays(self) -> None:
        known = {f"{index.uuid}.db" for index in self.indices.values()} | {"catalog.db"}
        for path in self._folder.glob("*.db*"):
            if path.name.removesuffix("-wal").removesuffix("-shm") not in known:
                path.unlink()

    def _read_aliases(self) -> Aliases:
        found: dict[str, dict[str, dict[str, Any]]] = {}
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
        mapping = IndexMapping.parse(body.get("mappings") or {}, mapping_settings_of(settings))
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
        self.names = Names({**self.indices, name: index}, self._read_aliases())
        return index

    def delete(self, names: list[str]) -> None:
        """Delete concrete indices, with their aliases."""
        with self._connection:
            self._connection.executemany("DELETE FROM indices WHERE name = ?", [(name,) for name in names])
        self._forget(names)

    def _forget(self, names: list[str]) -> None:
        gone = [self.indices[name] for name in names]
        rest = {name: index for name, index in self.indices.items() if name not in names}
        self.names = Names(rest, self._read_aliases())
        for index in gone:
            self._close(index)
            for suffix in ("", "-wal", "-shm"):
                self._path(index.uuid).with_name(f"{index.uuid}.db{suffix}").unlink(missing_ok=True)

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

    # --- names -------------------------------------------------------------------------------------------------------

    def for_writing(self, name: str, *, require_alias: bool = False) -> Index:
        """Return the index that a write to a name goes to, made when there is none of that name."""
        if name not in self.aliases:
            if require_alias:
                told = f"no such index [{name}] and [require_alias] request flag is [true] and [{name}] is not an alias"
                raise index_not_found(name, told)
            index = self.indices.get(name) or self.create(name, {})
        else:
            index = self.names.write_index(name)
        index.check_writable()
        return index


@contextmanager
def _sound(path: Path) -> Iterator[Path]:
    """Open a file in the block. Raises a `ConfigurationError` that names it when it is damaged or can't be read."""
    try:
        yield path
    except apsw.Error as error:
        raise ConfigurationError(
            f"The file {path} of the embedded engine can't be used: {error}.",
            field="engine.data",
            hint="Put a copy of it in its place, or move the folder away and begin anew.",
        ) from error
