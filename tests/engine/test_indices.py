from connectors.engine.indices import AliasChange, Identity
from tests.engine.conftest import Opened
from tests.engine.stub import answer, refusal

MISSING = refusal(404, "index_not_found_exception")
OK = answer(200, {"acknowledged": True})


async def test_create_sends_what_it_is_given(opened: Opened) -> None:
    async with opened(OK) as (engine, stub):
        await engine.indices.create(
            "docs-1", mappings={"dynamic": False}, settings={"number_of_shards": 3}, aliases=["docs"]
        )
    assert stub.asked == ["PUT /docs-1"]
    assert stub.requests[-1].json == {
        "mappings": {"dynamic": False},
        "settings": {"number_of_shards": 3},
        "aliases": {"docs": {}},
    }


async def test_a_name_is_resolved_to_its_concrete_indices(opened: Opened) -> None:
    found = {f"docs-{n}": {"settings": {"index": {"uuid": f"u{n}"}}} for n in (2, 1)}
    async with opened(answer(200, found), answer(200, found), MISSING, MISSING) as (engine, _):
        assert await engine.indices.resolve("docs") == [Identity("docs-1", "u1"), Identity("docs-2", "u2")]
        assert await engine.indices.exists("docs")
        assert await engine.indices.resolve("nope") == []
        assert not await engine.indices.exists("nope")


async def test_an_index_is_described(opened: Opened) -> None:
    settings = {"index": {"uuid": "u1", "blocks": {"read_only": "true", "write": "false"}}}
    stream = {"settings": settings, "aliases": {"b": {"is_write_index": False}, "a": {}}, "data_stream": "docs"}
    closed = {"settings": {"index": {"uuid": "u0", "verified_before_close": "true"}}}
    async with opened(answer(200, {"docs-1": stream, "docs-0": closed}), MISSING) as (engine, stub):
        first, second = await engine.indices.describe("docs")
        assert await engine.indices.describe("nope") == []
    assert (first.identity, first.is_closed, first.blocks) == (Identity("docs-0", "u0"), True, [])
    assert (second.identity, second.is_closed, second.blocks) == (
        Identity("docs-1", "u1"),
        False,
        ["index.blocks.read_only"],
    )
    assert (second.aliases, second.data_stream) == ({"a": None, "b": False}, "docs")
    assert stub.asked == ["GET /docs", "GET /nope"]


async def test_a_pipeline_exists_when_the_answer_names_it(opened: Opened) -> None:
    answers = [answer(200, {"enrich": {}}), answer(200, {"enrich": {}}), answer(404, {})]
    async with opened(*answers) as (engine, stub):
        names = ["enrich", "en*", "other"]
        assert [await engine.indices.pipeline_exists(name) for name in names] == [True, False, False]
    assert stub.asked[0] == "GET /_ingest/pipeline/enrich"


async def test_delete_says_whether_there_was_one(opened: Opened) -> None:
    async with opened(OK, MISSING) as (engine, stub):
        assert await engine.indices.delete("docs-1")
        assert not await engine.indices.delete("docs-1")
    assert stub.asked == ["DELETE /docs-1"] * 2


async def test_the_mapping_is_read_and_added_to(opened: Opened) -> None:
    mapping = {"properties": {"a": {"type": "long"}}}
    async with opened(answer(200, {"docs-1": {"mappings": mapping}}), OK) as (engine, stub):
        assert await engine.indices.mapping("docs-1") == mapping
        await engine.indices.add_to_mapping("docs-1", {"b": {"type": "keyword"}})
    assert stub.asked == ["GET /docs-1/_mapping", "PUT /docs-1/_mapping"]
    assert stub.requests[-1].json == {"properties": {"b": {"type": "keyword"}}}


async def test_aliases_are_read_and_changed_at_once(opened: Opened) -> None:
    found = {"docs-1": {"aliases": {"docs": {}, "all": {}}}, "docs-0": {"aliases": {}}}
    async with opened(answer(200, found), OK) as (engine, stub):
        assert await engine.indices.aliases("docs*") == {"docs-0": [], "docs-1": ["all", "docs"]}
        await engine.indices.change_aliases(
            [AliasChange("docs-1", "docs", remove=True), AliasChange("docs-2", "docs", is_write_index=True)]
        )
    assert stub.requests[-1].json == {
        "actions": [
            {"remove": {"index": "docs-1", "alias": "docs", "must_exist": True}},
            {"add": {"index": "docs-2", "alias": "docs", "is_write_index": True}},
        ]
    }
