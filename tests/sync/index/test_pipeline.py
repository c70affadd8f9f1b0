from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connectors.engine import Engine, open_engine
from connectors.engine.bulk import index_line
from connectors.engine.flavor import Flavor
from connectors.errors import ConfigurationError
from connectors.settings import EngineSettings
from connectors.sync.index.pipeline import DEFAULT, Pipeline, pipeline_of
from connectors.sync.index.target import open_target
from tests.engine.real import Node, node, wire_to
from tests.engine.stub import Stub, answer, greeting, refusal

FLAGS = {"extract_binary_content": True, "reduce_whitespace": True, "run_ml_inference": True}


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Start the engine that `--engine` names, once for all tests here."""
    with node(request.config.getoption("--engine")) as one:
        yield one


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(data=tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize("stored", [None, {}, {"name": None}, {"name": ""}, {"name": " "}, {"name": DEFAULT, **FLAGS}])
async def test_a_connector_without_a_pipeline_of_its_own_has_none(
    embedded: Engine, stored: dict[str, object] | None
) -> None:
    with capture_logs() as logs:
        assert await pipeline_of(embedded, stored) is None
    assert logs == []


async def test_a_pipeline_that_is_missing_is_a_setting_that_is_wrong(embedded: Engine) -> None:
    with pytest.raises(ConfigurationError, match="names the pipeline 'enrich', and The embedded engine") as caught:
        await pipeline_of(embedded, {"name": "enrich", **FLAGS})
    assert caught.value.field == "pipeline.name"


async def test_a_pipeline_that_is_there_is_told_what_the_connector_wants() -> None:
    async with Stub(greeting(), *[answer(200, {"enrich": {"processors": []}})] * 2) as stub:
        async with open_engine(EngineSettings(host=stub.url)) as engine:
            chosen = await pipeline_of(engine, {"name": "enrich", "reduce_whitespace": False})
            vague = await pipeline_of(engine, {"name": "enrich", **dict.fromkeys(FLAGS, "no")})
    assert chosen == Pipeline("enrich", reduce_whitespace=False)
    assert chosen.fields == {
        "_extract_binary_content": True,
        "_reduce_whitespace": False,
        "_run_ml_inference": True,
    }
    assert vague == Pipeline("enrich")
    assert stub.asked == ["GET /_ingest/pipeline/enrich"] * 2


async def test_a_connector_is_believed_where_we_may_not_ask() -> None:
    async with Stub(greeting(), *[refusal(403, "security_exception")] * 2) as stub:
        async with open_engine(EngineSettings(host=stub.url)) as engine:
            with capture_logs() as logs:
                chosen = [await pipeline_of(engine, {"name": name}) for name in (DEFAULT, "enrich")]
    assert chosen == [Pipeline(DEFAULT), Pipeline("enrich")]
    assert [(line["log_level"], line["pipeline"]) for line in logs] == [("warning", DEFAULT), ("warning", "enrich")]


@pytest.mark.real_engine
@pytest.mark.timeout(300)
async def test_documents_go_through_the_pipeline_that_the_engine_has(running: Node) -> None:
    async with (
        wire_to(running.url, Flavor(running.name)) as wire,
        open_engine(EngineSettings(host=running.url)) as engine,
    ):
        assert await pipeline_of(engine, {"name": DEFAULT}) is None
        for missing in ("enrich", "en*", "enrich,other"):
            with pytest.raises(ConfigurationError, match="has none of that name"):
                await pipeline_of(engine, {"name": missing})
        for name in ("enrich", "other"):
            await wire("PUT", f"/_ingest/pipeline/{name}", {"processors": [{"set": {"field": "by", "value": name}}]})
        for missing in ("en*", "enrich,other"):
            with pytest.raises(ConfigurationError, match="has none of that name"):
                await pipeline_of(engine, {"name": missing})
        pipeline = await pipeline_of(engine, {"name": "enrich"})
        assert pipeline is not None
        target = await open_target(engine, "piped")
        await engine.data.bulk(target.index, index_line("a") + b'{"n":1}\n', operations=1, pipeline=pipeline.name)
        stored = await engine.control.get(target.index, "a")
        await engine.indices.delete(target.index)
    assert stored is not None
    assert stored.source == {"n": 1, "by": "enrich"}
