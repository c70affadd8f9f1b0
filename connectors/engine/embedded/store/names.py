"""Names: what the names, aliases and patterns in a request stand for, and which names there can be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from connectors.engine.embedded.refusal import Refusal, illegal_argument
from connectors.engine.embedded.store.index import Index

MOST_NAME_BYTES: Final = 255
_FORBIDDEN: Final = frozenset('\\/*?"<>| ,#:')
Aliases = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Names:
    """The indices and aliases there are. It never changes: what changes is which of them the catalog has."""

    indices: Mapping[str, Index] = field(default_factory=dict)
    aliases: Aliases = field(default_factory=dict)

    def aliases_of(self, name: str) -> dict[str, Mapping[str, Any]]:
        """Return the aliases of a concrete index, with their properties."""
        return {alias: names[name] for alias, names in sorted(self.aliases.items()) if name in names}

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

    def write_index(self, alias: str) -> Index:
        """Return the index that writes to an alias go to. Raises a `Refusal` where that is not clear."""
        names = self.aliases[alias]
        marked = [name for name, properties in names.items() if properties.get("is_write_index")]
        alone = [name for name, own in names.items() if len(names) == 1 and own.get("is_write_index", True)]
        if len(marked or alone) != 1:
            raise illegal_argument(
                f"no write index is defined for alias [{alias}]. The write index may be explicitly disabled using "
                "is_write_index=false or the alias points to multiple indices without one being designated as a "
                "write index"
            )
        return self.indices[(marked or alone)[0]]


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
