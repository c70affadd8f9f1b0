"""The routes of indices: create, describe, change and delete them, refresh them, and tell where they stand."""

from fnmatch import fnmatchcase
from typing import Any

from connectors.engine.embedded.api.router import Answer, Route, route
from connectors.engine.embedded.mapping.mapping import Mapping
from connectors.engine.embedded.refusal import illegal_argument
from connectors.engine.embedded.request import Call
from connectors.engine.embedded.store import index_settings
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.store.index_file import PRIMARY_TERM
from connectors.engine.embedded.store.names import index_not_found
from connectors.engine.embedded.store.refreshing import Refreshing
from connectors.engine.embedded.turn import Turn

CHOICE = "ignore_unavailable allow_no_indices expand_wildcards"
WAIT = "timeout master_timeout wait_for_active_shards"
NODE = "embedded"


class IndicesApi:
    """Answers requests for indices, their settings and their mappings."""

    def __init__(self, catalog: Catalog, turn: Turn, refreshing: Refreshing) -> None:
        self._catalog = catalog
        self._turn = turn
        self._refresh = refreshing

    def routes(self) -> list[Route]:
        """Return what this answers."""
        shown = f"{CHOICE} {WAIT} flat_settings local"
        stats = f"{CHOICE} level forbid_closed_indices include_segment_file_sizes include_unloaded_segments"
        forced = f"{CHOICE} force wait_if_ongoing"
        return [
            route("PUT", "/{index}", self.create, WAIT),
            route("GET", "/{index}", self.get, shown),
            route("DELETE", "/{index}", self.delete, f"{CHOICE} {WAIT}"),
            route("GET", "/{index}/_settings", self.get_settings, shown),
            route("GET", "/{index}/_settings/{name}", self.get_settings, shown),
            route("PUT", "/{index}/_settings", self.put_settings, f"{CHOICE} {WAIT} flat_settings"),
            route("GET", "/{index}/_mapping", self.get_mapping, shown),
            route("GET", "/_mapping", self.get_mapping, shown),
            route("PUT POST", "/{index}/_mapping", self.put_mapping, f"{CHOICE} {WAIT} write_index_only"),
            route("GET POST", "/_refresh", self.refresh, forced, takes_turns=True),
            route("GET POST", "/{index}/_refresh", self.refresh, forced, takes_turns=True),
            route("GET POST", "/_flush", self.flush, forced),
            route("GET POST", "/{index}/_flush", self.flush, forced),
            route("GET", "/_stats", self.stats, stats),
            route("GET", "/{index}/_stats", self.stats, stats),
            route("GET", "/{index}/_stats/{metric}", self.stats, stats),
        ]

    def create(self, call: Call) -> Answer:
        """Create an index."""
        index = self._catalog.create(call.parts["index"], call.json() or {})
        return Answer(200, {"acknowledged": True, "shards_acknowledged": True, "index": index.name})

    def get(self, call: Call) -> Answer:
        """Describe indices."""
        described = {
            index.name: {
                "aliases": self._catalog.names.aliases_of(index.name),
                "mappings": index.mapping.body(),
                "settings": shown_settings(index, flat=call.parameters.flag("flat_settings")),
            }
            for index in chosen(self._catalog, call)
        }
        return Answer(200, described)

    def delete(self, call: Call) -> Answer:
        """Delete concrete indices: not through an alias, and not by a pattern."""
        name = call.parts["index"]
        if "*" in name or name == "_all":
            raise illegal_argument("Wildcard expressions or all indices are not allowed")
        names = [part for part in name.split(",") if part]
        for part in names:
            if part in self._catalog.aliases:
                told = f"The provided expression [{part}] matches an alias"
                raise illegal_argument(f"{told}, specify the corresponding concrete indices instead.")
            if part not in self._catalog.indices and not call.parameters.flag("ignore_unavailable"):
                raise index_not_found(part)
        self._catalog.delete([part for part in names if part in self._catalog.indices])
        return Answer(200, {"acknowledged": True})

    def get_settings(self, call: Call) -> Answer:
        """Show the settings of indices, all or those whose names match."""
        flat = call.parameters.flag("flat_settings")
        shown = {}
        for index in chosen(self._catalog, call):
            settings = shown_settings(index, flat=flat, wanted=call.parts.get("name"))
            if settings:
                shown[index.name] = {"settings": settings}
        return Answer(200, shown)

    def put_settings(self, call: Call) -> Answer:
        """Change settings of indices."""
        body = call.json() or {}
        given = body.get("settings", body)
        changes = index_settings.checked(given, creating=False)
        for index in chosen(self._catalog, call):
            index.change_settings(changes)
        return Answer(200, {"acknowledged": True})

    def get_mapping(self, call: Call) -> Answer:
        """Show the mappings of indices."""
        return Answer(200, {index.name: {"mappings": index.mapping.body()} for index in chosen(self._catalog, call)})

    def put_mapping(self, call: Call) -> Answer:
        """Add to the mappings of indices."""
        added = Mapping.parse(call.json() or {})
        for index, grown in [(index, index.mapping.merge(added)) for index in chosen(self._catalog, call)]:
            index.change_mapping(grown)
        return Answer(200, {"acknowledged": True})

    def refresh(self, call: Call) -> Answer:
        """Make everything searchable that was written."""
        with self._turn.taken():
            indices = chosen(self._catalog, call)
            answer = {"_shards": shards(indices)}
        for index in indices:
            self._refresh(index)
        return Answer(200, answer)

    def flush(self, call: Call) -> Answer:
        """Do nothing: what was acknowledged is on disk."""
        return Answer(200, {"_shards": shards(chosen(self._catalog, call))})

    def stats(self, call: Call) -> Answer:
        """Tell where indices stand; with `level=shards` for each shard."""
        level = call.parameters.text("level") or "indices"
        if level not in {"cluster", "indices", "shards"}:
            known = "[cluster] or [indices] or [shards]"
            raise illegal_argument(f"level parameter must be one of {known} but was [{level}]")
        indices = chosen(self._catalog, call)
        body: dict[str, Any] = {"_shards": shards(indices), "_all": totals(indices), "indices": {}}
        for index in indices:
            body["indices"][index.name] = {"uuid": index.uuid, "health": "green", "status": "open", **totals([index])}
            if level == "shards":
                body["indices"][index.name]["shards"] = shard_stats(index)
        return Answer(200, body)


def chosen(catalog: Catalog, call: Call) -> list[Index]:
    """Return the indices that a request is about."""
    return catalog.names.expand(
        call.parts.get("index", "_all"),
        ignore_unavailable=call.parameters.flag("ignore_unavailable"),
        allow_no_indices=call.parameters.flag("allow_no_indices", default=True),
    )


def shards(indices: list[Index]) -> dict[str, int]:
    """Return how many shards took part, each with a copy that there is."""
    count = sum(len(index.file.max_seq) for index in indices)
    return {"total": count, "successful": count, "failed": 0}


def shown_settings(index: Index, *, flat: bool, wanted: str | None = None) -> dict[str, Any]:
    """Return the settings of an index as they are shown."""
    own = {
        "index.number_of_shards": str(len(index.file.max_seq)),
        "index.number_of_replicas": index.setting("index.number_of_replicas"),
        **index.settings,
        "index.uuid": index.uuid,
        "index.creation_date": str(index.created_ms),
        "index.provided_name": index.name,
        "index.version.created": "8536000",
    }
    if wanted is not None:
        own = {name: value for name, value in own.items() if any(fnmatchcase(name, one) for one in wanted.split(","))}
    return dict(sorted(own.items())) if flat else index_settings.nested(own)


def totals(indices: list[Index]) -> dict[str, Any]:
    """Return the numbers of primaries, and of all copies, which are the same."""
    count = sum(index.file.live_documents() for index in indices)
    numbers = {"docs": {"count": count, "deleted": sum(index.file.gone_rows() for index in indices)}}
    return {"primaries": numbers, "total": numbers}


def shard_stats(index: Index) -> dict[str, Any]:
    """Return where each shard of an index stands."""
    stats = {}
    for shard, last in index.file.max_seq.items():
        history = {"history_uuid": index.file.histories[shard], "max_seq_no": str(last), "local_checkpoint": str(last)}
        stats[str(shard)] = [
            {
                "routing": {"state": "STARTED", "primary": True, "node": NODE, "relocating_node": None},
                "seq_no": {"max_seq_no": last, "local_checkpoint": last, "global_checkpoint": last},
                "commit": {"user_data": history},
                "retention_leases": {"primary_term": PRIMARY_TERM, "version": 1, "leases": []},
            }
        ]
    return stats
