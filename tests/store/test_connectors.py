"""The store of connectors on the embedded engine, and over a connection that breaks."""

import json

import pytest

from connectors.engine import Engine, open_engine
from connectors.errors import Conflict
from connectors.settings import EngineSettings
from connectors.store.connectors import INDEX, NAME, ConnectorStore
from tests.engine.conftest import Impatient
from tests.engine.stub import Reply, Stub, answer, greeting, half, refusal
from tests.store.connectors_contract import ConnectorsContract

CONFLICT = refusal(409, "version_conflict_engine_exception")
STORED = {"_index": INDEX.name, "_id": "c", "_version": 1, "_seq_no": 3, "_primary_term": 1}


def holding(document: object) -> Reply:
    return answer(200, {**STORED, "found": True, "_source": document})


class TestEmbedded(ConnectorsContract):
    pass


async def test_an_index_that_others_made_is_given_the_alias_and_left_as_it_is(engine: Engine) -> None:
    mappings = {"dynamic": "false", "properties": {"service_type": {"type": "text"}}}
    await engine.indices.create(INDEX.name, mappings=mappings)
    store = await ConnectorStore.open(engine)
    await store.create("c", {"name": "a"})
    assert await engine.indices.aliases(NAME) == {INDEX.name: [NAME]}
    assert (await engine.indices.mapping(INDEX.name))["properties"] == mappings["properties"]


async def test_an_alias_that_others_moved_is_followed(engine: Engine) -> None:
    await engine.indices.create("connectors-v2", aliases=[NAME])
    store = await ConnectorStore.open(engine)
    await store.create("c", {"name": "a"})
    assert await engine.control.get("connectors-v2", "c") is not None
    assert not await engine.indices.exists(INDEX.name)


async def test_a_create_whose_answer_was_lost_is_recognised_as_ones_own() -> None:
    document = {"name": "a", "n": 1}
    async with Stub(greeting(), half(), CONFLICT, holding(document)) as stub:
        async with open_engine(EngineSettings(host=stub.url), Impatient()) as engine:
            created = await ConnectorStore(engine.control).create("c", document)
    assert (created.document, created.revision.seq_no) == (document, 3)


@pytest.mark.parametrize("found", [holding({"name": "b"}), answer(404, {"_index": "i", "_id": "c", "found": False})])
async def test_a_create_that_met_somebody_elses_is_refused(found: Reply) -> None:
    async with Stub(greeting(), half(), CONFLICT, found) as stub:
        async with open_engine(EngineSettings(host=stub.url), Impatient()) as engine:
            with pytest.raises(Conflict, match="There is a connector 'c' already"):
                await ConnectorStore(engine.control).create("c", {"name": "a"})


async def test_an_update_whose_answer_was_lost_is_made_of_what_there_is_then() -> None:
    after = {"name": "a", "error": None}
    async with Stub(greeting(), holding({"name": "a"}), half(), CONFLICT, holding(after)) as stub:
        async with open_engine(EngineSettings(host=stub.url), Impatient()) as engine:
            updated = await ConnectorStore(engine.control).update("c", lambda connector: {"error": None})
    assert updated.document == after
    assert [one.method for one in stub.requests] == ["GET", "GET", "PUT", "PUT", "GET"]


async def test_an_update_that_others_always_overtake_ends() -> None:
    class Overtaken(Stub):
        def reply_to(self, request: object) -> Reply:
            if not self.requests[1:]:
                return greeting()
            return CONFLICT if self.requests[-1].method == "PUT" else holding({"name": "a"})

    async with Overtaken() as stub:
        async with open_engine(EngineSettings(host=stub.url), Impatient()) as engine:
            with pytest.raises(Conflict, match="'c' is changed by others all the time"):
                await ConnectorStore(engine.control).update("c", lambda connector: {"error": None})
    assert json.loads(stub.requests[-1].body) == {"name": "a", "error": None}
