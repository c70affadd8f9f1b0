"""The contract of the named operations: what `connectors.engine` promises, kept by every engine behind it."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import uuid4

import pytest

from connectors.engine import Engine
from connectors.engine.bulk import create_line, delete_line, index_line
from connectors.engine.indices import AliasChange
from connectors.engine.records import Revision
from connectors.engine.scan import Walk
from connectors.errors import Conflict, EngineRefused, IndexMissing

SETTINGS = {"number_of_shards": 3, "number_of_replicas": 0, "refresh_interval": "-1"}
MARK = {"properties": {"f": {"type": "long", "index": False}, "c": {"type": "keyword"}}}
MAPPINGS = {"dynamic": False, "properties": {"_sync": MARK, "n": {"type": "long"}}}
BIG = 2**63 - 1


class OperationsContract:
    """Inherited by one test class per engine, whose module provides the fixture `engine`."""

    @pytest.fixture
    async def index(self, engine: Engine) -> AsyncIterator[str]:
        """Create an index of three shards that is refreshed only when asked."""
        name = f"operations-{uuid4().hex[:12]}"
        await engine.indices.create(name, settings=SETTINGS, mappings=MAPPINGS)
        yield name
        await engine.indices.delete(name)

    async def fill(self, engine: Engine, index: str, numbers: range) -> None:
        lines = [index_line(f"d{n}", version=1) + b'{"n":%d,"_sync":{"f":%d}}\n' % (n, BIG - n) for n in numbers]
        answer = await engine.data.bulk(index, b"".join(lines), operations=len(lines))
        assert [item["index"].ok for item in answer.items] == [True] * len(lines)
        await engine.data.refresh(index)

    async def test_a_document_that_was_put_is_read_at_once(self, engine: Engine, index: str) -> None:
        written = await engine.control.put(index, "a/b ü", {"n": BIG, "text": "é😀"})
        found = await engine.control.get(index, "a/b ü")
        assert found is not None
        assert (found.source, found.revision, found.version) == ({"n": BIG, "text": "é😀"}, written.revision, 1)

    async def test_many_documents_are_read_in_the_order_of_their_ids(self, engine: Engine, index: str) -> None:
        first = await engine.control.put(index, "a", {"n": 1, "_sync": {"f": BIG}})
        await engine.control.put(index, "b/ü", {"n": 2})

        found = await engine.data.get_many(index, ["b/ü", "none", "a"], source=["_sync"])

        assert [one and one.source for one in found] == [{}, None, {"_sync": {"f": BIG}}]
        assert found[2] is not None
        assert (found[2].revision, found[2].version) == (first.revision, 1)
        assert await engine.data.get_many(index, ["a"], source=False) != [None]
        with pytest.raises(IndexMissing):
            await engine.data.get_many(f"{index}-none", ["a"])

    async def test_of_two_who_compare_and_set_one_wins(self, engine: Engine, index: str) -> None:
        first = await engine.control.create(index, "lease", {"owner": "a"})
        second = await engine.control.put(index, "lease", {"owner": "b"}, expected=first.revision)
        with pytest.raises(Conflict) as lost:
            await engine.control.put(index, "lease", {"owner": "c"}, expected=first.revision)
        with pytest.raises(Conflict):
            await engine.control.create(index, "lease", {"owner": "d"})
        with pytest.raises(Conflict):
            await engine.control.delete(index, "lease", expected=first.revision)
        found = await engine.control.get(index, "lease")
        assert found is not None
        assert (found.source, found.revision, lost.value.maybe_applied) == ({"owner": "b"}, second.revision, False)

    async def test_a_compare_and_set_of_a_missing_document_fails(self, engine: Engine, index: str) -> None:
        with pytest.raises(Conflict):
            await engine.control.put(index, "lease", {}, expected=Revision(0, 1))

    async def test_deleting_twice_finds_nothing_the_second_time(self, engine: Engine, index: str) -> None:
        await engine.control.put(index, "a", {})
        assert (await engine.control.delete(index, "a")).result == "deleted"
        assert (await engine.control.delete(index, "a")).result == "not_found"
        assert await engine.control.get(index, "a") is None

    async def test_a_missing_index_is_named(self, engine: Engine) -> None:
        with pytest.raises(IndexMissing) as caught:
            await engine.control.get("operations-missing", "a")
        assert caught.value.index == "operations-missing"
        assert await engine.indices.resolve("operations-missing") == []
        assert not await engine.indices.delete("operations-missing")

    async def test_a_write_is_searchable_as_it_was_asked_for(self, engine: Engine, index: str) -> None:
        await engine.control.put(index, "a", {"n": 1})
        assert await engine.control.count(index) == 0
        await engine.control.put(index, "b", {"n": 2}, refresh="now")
        page = await engine.control.search(index, {"query": {"range": {"n": {"gte": 2}}}, "version": True})
        assert (page.total, [(hit.id, hit.source, hit.version) for hit in page.hits]) == (1, [("b", {"n": 2}, 1)])

    async def test_a_query_that_the_engine_does_not_know_is_refused(self, engine: Engine, index: str) -> None:
        with pytest.raises(EngineRefused) as caught:
            await engine.control.search(index, {"query": {"surprise": {}}})
        assert (caught.value.status, caught.value.kind) == (400, "parsing_exception")

    async def test_each_operation_of_a_bulk_has_its_own_result(self, engine: Engine, index: str) -> None:
        await engine.control.put(index, "old", {})
        body = (
            index_line("new", version=7) + b"{}\n"
            + create_line("old") + b"{}\n"
            + delete_line("old")
            + delete_line("missing", version=9)
            + index_line("bad") + b'{"n":"no number"}\n'
        )  # fmt: skip
        answer = await engine.data.bulk(index, body, operations=5)
        results = [
            (name, item.id, item.status, item.result, item.ok) for row in answer.items for name, item in row.items()
        ]
        assert results == [
            ("index", "new", 201, "created", True),
            ("create", "old", 409, None, False),
            ("delete", "old", 200, "deleted", True),
            ("delete", "missing", 404, "not_found", True),
            ("index", "bad", 400, None, False),
        ]
        assert answer.items[0]["index"].version == 7

    async def test_a_bulk_that_is_repeated_changes_nothing(self, engine: Engine, index: str) -> None:
        version = 1_780_000_000_000 << 21
        body = index_line("a", version=version) + b'{"n":1}\n' + delete_line("b", version=version)
        for _ in range(3):
            await engine.data.bulk(index, body, operations=2)
        older = index_line("a", version=version - 1) + b'{"n":0}\n' + index_line("b", version=version - 1) + b"{}\n"
        answer = await engine.data.bulk(index, older, operations=2)
        assert [item["index"].status for item in answer.items] == [409, 409]
        found = await engine.control.get(index, "a")
        assert found is not None
        assert (found.source, found.version) == ({"n": 1}, version)

    @pytest.mark.parametrize("documents", [0, 1, 1_000, 1_007])
    async def test_a_scan_yields_every_document_once(self, engine: Engine, index: str, documents: int) -> None:
        if documents:
            await self.fill(engine, index, range(documents))
        found = {}
        async for page in engine.data.scan(Walk(index, fields=["_sync.f"], page_size=100)):
            for hit in page:
                assert hit.id not in found
                assert hit.source is None
                assert (hit.version, hit.primary_term) == (1, 1)
                found[hit.id] = (hit.fields or {})["_sync.f"]
        assert found == {f"d{n}": [BIG - n] for n in range(documents)}

    async def test_a_scan_yields_what_matches_with_the_fields_asked_for(self, engine: Engine, index: str) -> None:
        await self.fill(engine, index, range(500))
        walk = Walk(index, query={"range": {"n": {"lt": 250}}}, source=["n"], page_size=40)
        found = [hit.source async for page in engine.data.scan(walk) for hit in page]
        assert sorted((one or {})["n"] for one in found) == list(range(250))

    async def test_a_scan_does_not_see_what_is_written_meanwhile(self, engine: Engine, index: str) -> None:
        await self.fill(engine, index, range(300))
        seen: list[str] = []
        async with aclosing(engine.data.scan(Walk(index, page_size=300))) as pages:
            async for page in pages:
                seen += [hit.id for hit in page]
                await engine.data.bulk(index, b"".join(delete_line(hit.id) for hit in page), operations=len(page))
                await engine.data.refresh(index)
        assert sorted(seen) == sorted(f"d{n}" for n in range(300))
        assert await engine.data.count(index) == 0

    async def test_a_stamp_advances_by_what_was_written(self, engine: Engine, index: str) -> None:
        before = await engine.indices.stamp(index)
        await self.fill(engine, index, range(100))
        await engine.control.delete(index, "d5")
        await engine.control.delete(index, "missing")
        after = await engine.indices.stamp(index)
        assert before is not None
        assert after is not None
        assert after.advance_since(before) == 102
        assert await engine.indices.stamp(index) == after

    async def test_an_index_that_was_replaced_has_another_stamp(self, engine: Engine, index: str) -> None:
        before = await engine.indices.stamp(index)
        await engine.indices.delete(index)
        await engine.indices.create(index, settings=SETTINGS, mappings=MAPPINGS)
        after = await engine.indices.stamp(index)
        assert before is not None
        assert after is not None
        assert after.advance_since(before) is None
        assert [one.uuid for one in await engine.indices.resolve(index)] == [after.uuid] != [before.uuid]

    async def test_creating_an_index_twice_is_a_conflict(self, engine: Engine, index: str) -> None:
        with pytest.raises(Conflict):
            await engine.indices.create(index)

    async def test_aliases_move_at_once_and_resolve_to_the_concrete_index(self, engine: Engine, index: str) -> None:
        other, alias = f"{index}-2", f"{index}-alias"
        await engine.indices.create(other, settings=SETTINGS, aliases=[alias])
        await engine.indices.change_aliases([AliasChange(other, alias, remove=True), AliasChange(index, alias)])
        assert [one.name for one in await engine.indices.resolve(alias)] == [index]
        assert await engine.indices.aliases(f"{index}*") == {index: [alias], other: []}
        assert (await engine.control.put(alias, "a", {})).index == index
        await engine.indices.delete(other)

    async def test_an_index_is_described_by_each_of_its_names(self, engine: Engine, index: str) -> None:
        other, alias = f"{index}-2", f"{index}-alias"
        await engine.indices.create(other, settings={"index.blocks.write": True}, aliases=[alias])
        await engine.indices.change_aliases([AliasChange(index, alias, is_write_index=True)])
        described = await engine.indices.describe(alias)
        [identity] = await engine.indices.resolve(index)
        assert [one.identity.name for one in described] == [index, other]
        assert [one.aliases for one in described] == [{alias: True}, {alias: None}]
        assert [one.blocks for one in described] == [[], ["index.blocks.write"]]
        assert [(one.is_closed, one.data_stream) for one in described] == [(False, None)] * 2
        assert (described[0].identity, described[0].settings["number_of_shards"]) == (identity, "3")
        assert described[0].mappings["properties"]["_sync"] == MARK
        assert await engine.indices.describe(f"{index}-missing") == []
        await engine.indices.delete(other)

    async def test_a_pipeline_that_is_missing_does_not_exist(self, engine: Engine, index: str) -> None:
        assert not await engine.indices.pipeline_exists(index)

    async def test_fields_are_added_to_a_mapping_and_never_changed(self, engine: Engine, index: str) -> None:
        await engine.indices.add_to_mapping(index, {"title": {"type": "text"}})
        mapping = await engine.indices.mapping(index)
        assert mapping["properties"]["title"] == {"type": "text"}
        assert mapping["properties"]["_sync"] == MARK
        with pytest.raises(EngineRefused):
            await engine.indices.add_to_mapping(index, {"n": {"type": "text"}})
