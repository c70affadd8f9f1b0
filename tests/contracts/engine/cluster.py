"""The cluster: who answers, how healthy it is, and what its nodes are called."""

from tests.contracts.engine.case import body_of, create
from tests.contracts.wire import Wire


class Cluster:
    """`/`, health and nodes."""

    async def test_root_names_node_cluster_and_version(self, wire: Wire) -> None:
        body = body_of(await wire("GET", "/"))
        assert {"name", "cluster_name", "cluster_uuid", "version", "tagline"} == set(body)
        assert {"number", "build_hash", "lucene_version"} <= set(body["version"])
        assert all(part.isdigit() for part in body["version"]["number"].split("."))

    async def test_root_answers_head(self, wire: Wire) -> None:
        answer = await wire("HEAD", "/")
        assert (answer.status, answer.body) == (200, None)

    async def test_health_of_an_index_is_green(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        body = body_of(await wire("GET", f"/_cluster/health/{index}?wait_for_status=green&timeout=30s"))
        said = {key: body[key] for key in ("status", "timed_out", "active_primary_shards", "unassigned_shards")}
        assert said == {"status": "green", "timed_out": False, "active_primary_shards": 1, "unassigned_shards": 0}
        assert body["active_shards_percent_as_number"] == 100.0

    async def test_health_of_a_missing_index_times_out(self, wire: Wire, index: str) -> None:
        body = body_of(await wire("GET", f"/_cluster/health/{index}?timeout=0s"), 408)
        assert (body["status"], body["timed_out"]) == ("red", True)

    async def test_local_node_is_the_one_that_answers(self, wire: Wire) -> None:
        root = body_of(await wire("GET", "/"))
        body = body_of(await wire("GET", "/_nodes/_local?filter_path=cluster_name,_nodes,nodes.*.name,nodes.*.version"))
        assert body["_nodes"] == {"total": 1, "successful": 1, "failed": 0}
        assert body["cluster_name"] == root["cluster_name"]
        assert list(body["nodes"].values()) == [{"name": root["name"], "version": root["version"]["number"]}]
