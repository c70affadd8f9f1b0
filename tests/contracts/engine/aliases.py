"""Aliases: other names of indices, moved atomically."""

import pytest

from tests.contracts.engine.case import (
    ILLEGAL_ARGUMENT,
    INDEX_NOT_FOUND,
    Failure,
    Item,
    Json,
    body_of,
    create,
    doc,
    failure,
    items,
    ndjson,
)
from tests.contracts.wire import Wire


async def _actions(wire: Wire, *actions: Json) -> None:
    # Elasticsearch adds "errors": false, which says nothing that the status does not.
    assert body_of(await wire("POST", "/_aliases", {"actions": list(actions)}))["acknowledged"] is True


def _add(index: str, alias: str, **more: object) -> Json:
    return {"add": {"index": index, "alias": alias, **more}}


async def _aliased(wire: Wire, index: str) -> None:
    """Create two indices, and the index' name as an alias of the first."""
    await create(wire, f"{index}-1")
    await create(wire, f"{index}-2")
    await _actions(wire, _add(f"{index}-1", index))


class Aliases:
    """`_aliases`, `_alias`, and documents through an alias."""

    async def test_alias_is_read_by_its_name_and_by_its_index(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        expected: Json = {f"{index}-1": {"aliases": {index: {}}}}
        for target in (f"/_alias/{index}", f"/{index}-1/_alias", f"/{index}/_alias", f"/{index}-1/_alias/{index}"):
            assert body_of(await wire("GET", target)) == expected, target
        assert body_of(await wire("GET", f"/{index}-2/_alias")) == {f"{index}-2": {"aliases": {}}}

    async def test_head_tells_whether_an_alias_exists(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        statuses = [(await wire("HEAD", f"/_alias/{name}")).status for name in (index, f"{index}-none", f"{index}-1")]
        assert statuses == [200, 404, 404]
        # As an index it exists as well.
        assert (await wire("HEAD", f"/{index}")).status == 200

    @pytest.mark.parametrize("target", ["/_alias/{0}-none", "/{0}-1/_alias/{0}-none"])
    async def test_missing_alias_is_an_error_in_words(self, wire: Wire, index: str, target: str) -> None:
        # The one error of these APIs that is text and not an object.
        await _aliased(wire, index)
        answer = await wire("GET", target.format(index))
        assert body_of(answer, 404) == {"error": f"alias [{index}-none] missing", "status": 404}

    async def test_alias_is_swapped_in_one_step(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        await _actions(wire, {"remove": {"index": f"{index}-1", "alias": index}}, _add(f"{index}-2", index))
        assert body_of(await wire("GET", f"/_alias/{index}")) == {f"{index}-2": {"aliases": {index: {}}}}

    async def test_actions_are_all_or_nothing(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        actions = [_add(f"{index}-2", f"{index}-new"), _add(f"{index}-missing", f"{index}-new")]
        answer = await wire("POST", "/_aliases", {"actions": actions})
        assert failure(answer) == Failure(404, INDEX_NOT_FOUND)
        assert (await wire("HEAD", f"/_alias/{index}-new")).status == 404

    async def test_index_is_replaced_by_an_alias_in_one_step(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await create(wire, f"{index}-1")
        await _actions(wire, {"remove_index": {"index": index}}, _add(f"{index}-1", index))
        assert body_of(await wire("GET", f"/_alias/{index}")) == {f"{index}-1": {"aliases": {index: {}}}}

    async def test_documents_through_an_alias_name_the_concrete_index(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        written = body_of(await wire("PUT", doc(index, "1", "refresh=true"), {"n": 1}), 201)
        read = body_of(await wire("GET", doc(index, "1")))
        [hit] = body_of(await wire("POST", f"/{index}/_search"))["hits"]["hits"]
        deleted = body_of(await wire("DELETE", doc(index, "1")))
        assert [body["_index"] for body in (written, read, hit, deleted)] == [f"{index}-1"] * 4

    async def test_settings_and_mapping_through_an_alias_name_the_concrete_index(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        for target in (f"/{index}", f"/{index}/_settings", f"/{index}/_mapping"):
            assert list(body_of(await wire("GET", target))) == [f"{index}-1"], target

    async def test_required_alias_refuses_an_index_and_a_missing_name(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        statuses = {}
        for name in (index, f"{index}-1", f"{index}-none"):
            answer = await wire("PUT", doc(name, "1", "require_alias=true"), {"n": 1})
            statuses[name] = answer.status
        assert statuses == {index: 201, f"{index}-1": 404, f"{index}-none": 404}
        assert (await wire("HEAD", f"/{index}-none")).status == 404

    async def test_alias_cannot_have_the_name_of_an_index(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        answer = await wire("POST", "/_aliases", {"actions": [_add(f"{index}-1", f"{index}-2")]})
        assert failure(answer) == Failure(400, "invalid_alias_name_exception")

    async def test_index_cannot_have_the_name_of_an_alias(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        assert failure(await wire("PUT", f"/{index}")) == Failure(400, "invalid_index_name_exception")

    async def test_index_is_not_deleted_through_an_alias(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        assert failure(await wire("DELETE", f"/{index}")) == Failure(400, ILLEGAL_ARGUMENT)
        assert (await wire("HEAD", f"/{index}-1")).status == 200

    async def test_alias_of_two_indices_is_searched_and_not_written(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        await wire("PUT", doc(f"{index}-1", "1", "refresh=true"), {"n": 1})
        await wire("PUT", doc(f"{index}-2", "1", "refresh=true"), {"n": 1})
        await _actions(wire, _add(f"{index}-2", index))
        assert body_of(await wire("GET", f"/{index}/_count"))["count"] == 2
        for method, body in [("PUT", {"n": 2}), ("DELETE", None), ("GET", None)]:
            assert failure(await wire(method, doc(index, "1"), body)) == Failure(400, ILLEGAL_ARGUMENT), method
        answered = items(await wire("POST", f"/{index}/_bulk", ndjson({"index": {"_id": "1"}}, {"n": 2})))
        assert answered == [Item("index", "1", 400, ILLEGAL_ARGUMENT)]

    async def test_write_index_of_an_alias_takes_the_writes(self, wire: Wire, index: str) -> None:
        await _aliased(wire, index)
        await _actions(wire, _add(f"{index}-2", index, is_write_index=True))
        assert body_of(await wire("PUT", doc(index, "1"), {"n": 1}), 201)["_index"] == f"{index}-2"
        assert body_of(await wire("GET", f"/_alias/{index}")) == {
            f"{index}-1": {"aliases": {index: {}}},
            f"{index}-2": {"aliases": {index: {"is_write_index": True}}},
        }

    async def test_removing_an_alias_that_is_missing_is_refused(self, wire: Wire, index: str) -> None:
        # With must_exist: false, Elasticsearch still refuses and OpenSearch does not: we never send it.
        await _aliased(wire, index)
        actions = [{"remove": {"index": f"{index}-1", "alias": f"{index}-none"}}]
        answer = await wire("POST", "/_aliases", {"actions": actions})
        assert failure(answer) == Failure(404, "aliases_not_found_exception")

    @pytest.mark.parametrize(
        ("actions", "error_type"), [([], ILLEGAL_ARGUMENT), ([{"rename": {}}], "x_content_parse_exception")]
    )
    async def test_actions_that_are_none_are_refused(self, wire: Wire, actions: list[Json], error_type: str) -> None:
        assert failure(await wire("POST", "/_aliases", {"actions": actions})) == Failure(400, error_type)
