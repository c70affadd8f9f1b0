"""The routes of the cluster, which is one node: who answers, how healthy it is, what it holds."""

from dataclasses import dataclass
from typing import Any, Final

import connectors
from connectors.engine.embedded.api.cat import PARAMETERS as TABLE
from connectors.engine.embedded.api.cat import Column, Row, answer_table
from connectors.engine.embedded.api.indices import NODE, shards
from connectors.engine.embedded.api.router import Answer, Route, route
from connectors.engine.embedded.refusal import Refusal, illegal_argument
from connectors.engine.embedded.request import Call
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.store.index_file import PRIMARY_TERM

IMITATED: Final = "8.19.8"
"""The version of Elasticsearch whose answers these are."""
CLUSTER: Final = "connectors"


@dataclass(frozen=True)
class ClusterApi:
    """Answers requests about the whole."""

    catalog: Catalog
    cluster_uuid: str

    def routes(self) -> list[Route]:
        """Return what this answers."""
        health = "wait_for_status wait_for_no_relocating_shards wait_for_no_initializing_shards wait_for_active_shards"
        health += " wait_for_nodes wait_for_events timeout master_timeout level local expand_wildcards"
        state = "local master_timeout flat_settings ignore_unavailable allow_no_indices expand_wildcards"
        return [
            route("GET", "/", self.greet),
            route("GET", "/_cluster/health", self.health, health),
            route("GET", "/_cluster/health/{index}", self.health, health),
            route("GET", "/_cluster/state/{metric}/{index}", self.state, state),
            route("GET", "/_nodes/_local", self.node, "flat_settings timeout"),
            route("GET", "/_cat/indices", self.list_indices, f"expand_wildcards {TABLE}"),
            route("GET", "/_cat/indices/{index}", self.list_indices, f"expand_wildcards {TABLE}"),
        ]

    def greet(self, _call: Call) -> Answer:
        """Say who this is."""
        version = {
            "number": IMITATED,
            "distribution": "embedded",
            "build_flavor": "embedded",
            "build_type": "python",
            "build_hash": connectors.__version__,
            "build_snapshot": False,
            "lucene_version": "none",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        }
        tagline = f"The embedded engine of Connectors {connectors.__version__}"
        names = {"name": NODE, "cluster_name": CLUSTER, "cluster_uuid": self.cluster_uuid}
        return Answer(200, {**names, "version": version, "tagline": tagline})

    def health(self, call: Call) -> Answer:
        """Say that all is well: an index is there or it is not."""
        level = call.parameters.text("level")
        if level not in {None, "cluster"}:
            raise illegal_argument(f"The embedded engine does not implement [level={level}].")
        try:
            indices = self.catalog.names.expand(call.parts.get("index", "_all"))
            status = "green"
        except Refusal:
            indices, status = [], "red"
        count = shards(indices)["total"]
        body: dict[str, Any] = {
            "cluster_name": CLUSTER,
            "status": status,
            "timed_out": status == "red",
            "number_of_nodes": 1,
            "number_of_data_nodes": 1,
            "active_primary_shards": count,
            "active_shards": count,
            "relocating_shards": 0,
            "initializing_shards": 0,
            "unassigned_shards": 0,
            "unassigned_primary_shards": 0,
            "delayed_unassigned_shards": 0,
            "number_of_pending_tasks": 0,
            "number_of_in_flight_fetch": 0,
            "task_max_waiting_in_queue_millis": 0,
            "active_shards_percent_as_number": 100.0,
        }
        return Answer(408 if status == "red" else 200, body)

    def state(self, call: Call) -> Answer:
        """Tell the primary terms of indices, which is all of the state that there is."""
        if call.parts["metric"] != "metadata":
            raise illegal_argument(f"The embedded engine does not implement the metric [{call.parts['metric']}].")
        try:
            indices = self.catalog.names.expand(call.parts["index"])
        except Refusal:
            indices = []
        terms = {
            index.name: {"primary_terms": {str(shard): PRIMARY_TERM for shard in index.file.max_seq}}
            for index in indices
        }
        names = {"cluster_name": CLUSTER, "cluster_uuid": self.cluster_uuid}
        return Answer(200, {**names, "metadata": {"cluster_uuid": self.cluster_uuid, "indices": terms}})

    def node(self, _call: Call) -> Answer:
        """Describe the only node."""
        told = {"name": NODE, "version": IMITATED, "build_flavor": "embedded", "roles": ["data", "master"]}
        nodes = {"total": 1, "successful": 1, "failed": 0}
        return Answer(200, {"_nodes": nodes, "cluster_name": CLUSTER, "nodes": {NODE: told}})

    def list_indices(self, call: Call) -> Answer:
        """List indices in a table."""
        rows = [_row(index) for index in self.catalog.names.expand(call.parts.get("index", "_all"))]
        return answer_table(_COLUMNS, rows, call.parameters)


_COLUMNS: Final = (
    Column("health", ("h",)),
    Column("status", ("s",)),
    Column("index", ("i", "idx")),
    Column("uuid", ("id",)),
    Column("pri", ("p", "shards.primary", "shardsPrimary"), number=True),
    Column("rep", ("r", "shards.replica", "shardsReplica"), number=True),
    Column("docs.count", ("dc", "docsCount"), number=True),
    Column("docs.deleted", ("dd", "docsDeleted"), number=True),
    Column("store.size", ("ss", "storeSize"), size=True),
    Column("pri.store.size", size=True),
    Column("dataset.size", size=True),
)


def _row(index: Index) -> Row:
    path = index.file.path
    sizes = [file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists()]
    return {
        "health": "green",
        "status": "open",
        "index": index.name,
        "uuid": index.uuid,
        "pri": len(index.file.max_seq),
        "rep": int(index.setting("index.number_of_replicas")),
        "docs.count": index.file.live_documents(),
        "docs.deleted": index.file.gone_rows(),
        **dict.fromkeys(("store.size", "pri.store.size", "dataset.size"), sum(sizes)),
    }
