"""Recognising an engine, and how its credentials, proxy and product reach the wire."""

import base64

import pytest

from connectors.engine import open_engine
from connectors.engine.flavor import EngineInfo, Flavor
from connectors.errors import ConfigurationError, EngineDenied, EngineUnreachable
from connectors.secret import Secret
from connectors.settings import EngineSettings
from tests.engine.conftest import Impatient, Opened
from tests.engine.stub import ELASTICSEARCH, OPENSEARCH, Reply, Stub, answer, greeting, refusal

NO_PRODUCT = {"x-elastic-product": ""}
NODES = answer(200, {"cluster_name": "test", "nodes": {"id": {"version": "8.19.21"}}})
COUNT = answer(200, {"count": 0})


def of_version(number: str, **more: str) -> object:
    return {**ELASTICSEARCH, "version": {"number": number, **more}}


async def recognised(clock: Impatient, *script: Reply, **settings: object) -> EngineInfo:
    async with Stub(*script) as stub:
        known = EngineSettings(host=stub.url, attempts=1, **settings)  # type: ignore[arg-type]
        async with open_engine(known, clock) as engine:
            return engine.info


@pytest.mark.parametrize(
    ("script", "stated", "flavor", "version"),
    [
        ([greeting()], "auto", Flavor.ELASTICSEARCH, "8.19.8"),
        ([greeting(OPENSEARCH, NO_PRODUCT)], "auto", Flavor.OPENSEARCH, "2.19.6"),
        ([refusal(405, "x"), NODES], "auto", Flavor.ELASTICSEARCH, "8.19.21"),
        ([refusal(403, "x"), NODES], "auto", Flavor.ELASTICSEARCH, "8.19.21"),
        ([answer(403, {}, NO_PRODUCT), NODES], "opensearch", Flavor.OPENSEARCH, "8.19.21"),
        ([greeting(ELASTICSEARCH, NO_PRODUCT)], "elasticsearch", Flavor.ELASTICSEARCH, "8.19.8"),
    ],
)
async def test_an_engine_is_recognised(
    clock: Impatient, script: list[Reply], stated: str, flavor: Flavor, version: str
) -> None:
    info = await recognised(clock, *script, flavor=stated)
    assert (info.flavor, info.version, info.cluster) == (flavor, version, "test")


async def test_a_stated_engine_may_keep_its_version_to_itself(clock: Impatient) -> None:
    info = await recognised(clock, refusal(403, "x"), refusal(403, "x"), flavor="elasticsearch")
    assert (info.flavor, info.version) == (Flavor.ELASTICSEARCH, "unknown")
    assert str(info).startswith("Elasticsearch, which may not tell these credentials its version, at http://")


async def test_an_engine_introduces_itself(clock: Impatient) -> None:
    assert str(EngineInfo(Flavor.OPENSEARCH, "2.19.6", "prod", "http://e")) == (
        "OpenSearch 2.19.6, cluster 'prod', at http://e"
    )


@pytest.mark.parametrize(
    ("script", "field", "text"),
    [
        ([greeting(ELASTICSEARCH, NO_PRODUCT)], "engine.host", "no search engine that we know"),
        ([answer(200, b"<html>", NO_PRODUCT)], "engine.host", "no search engine that we know"),
        ([answer(200, {"hello": "world"}, NO_PRODUCT)], "engine.host", "no search engine that we know"),
        (
            [greeting({**ELASTICSEARCH, "version": {"number": "8.1.0", "distribution": "solr"}})],
            "engine.host",
            "no search",
        ),
        (
            [greeting({**ELASTICSEARCH, "version": {"number": "7.17.0"}})],
            "engine.host",
            "elasticsearch 7.17.0, which is too",
        ),
        (
            [greeting({**ELASTICSEARCH, "version": {"number": "unknown"}})],
            "engine.host",
            "The oldest that works is 8.0",
        ),
        ([answer(403, {}, NO_PRODUCT)], "engine.flavor", "does not let these credentials ask"),
    ],
)
async def test_what_can_not_be_recognised_is_refused_with_the_setting_to_look_at(
    clock: Impatient, script: list[Reply], field: str, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text) as caught:
        await recognised(clock, *script)
    assert caught.value.field == field


@pytest.mark.parametrize("body", [b'{"version": {', b'{"nodes": {}, "cluster_name": "x"}', b"{"])
async def test_half_an_introduction_is_a_fault(clock: Impatient, body: bytes) -> None:
    for script in ([answer(200, b'{"version": {')], [refusal(405, "x"), answer(200, body)]):
        with pytest.raises(EngineUnreachable, match="not complete JSON"):
            await recognised(clock, *script)


async def test_credentials_without_the_monitor_privilege_are_told_so(clock: Impatient) -> None:
    with pytest.raises(EngineDenied, match="ask the engine who it is"):
        await recognised(clock, refusal(403, "x"), refusal(403, "security_exception"))


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        ({}, None),
        ({"api_key": Secret("id:key")}, "ApiKey " + base64.b64encode(b"id:key").decode()),
        ({"api_key": Secret("ZW5jb2RlZA==")}, "ApiKey ZW5jb2RlZA=="),
        ({"username": "u", "password": Secret("p")}, "Basic " + base64.b64encode(b"u:p").decode()),
    ],
)
async def test_credentials_are_sent_with_every_request(
    opened: Opened, credentials: dict[str, object], header: str | None
) -> None:
    async with opened(COUNT, **credentials) as (engine, stub):
        await engine.data.count("docs")
    assert [request.headers.get("authorization") for request in stub.requests] == [header, header]
    assert all(request.headers["user-agent"].startswith("connectors/") for request in stub.requests)


async def test_elasticsearch_is_spoken_to_in_its_compatible_media_type(opened: Opened) -> None:
    async with opened(answer(201, b"{}")) as (engine, stub):
        await engine.data.refresh("docs")
    assert stub.requests[-1].headers["accept"] == "application/vnd.elasticsearch+json; compatible-with=8"


async def test_opensearch_is_spoken_to_in_plain_json(opened: Opened) -> None:
    bulk = answer(200, {"took": 1, "errors": False, "items": []}, NO_PRODUCT)
    async with opened(bulk, greets=greeting(OPENSEARCH, NO_PRODUCT)) as (engine, stub):
        await engine.data.bulk("docs", b"\n", operations=0)
    assert stub.requests[-1].headers["accept"] == "application/json"
    assert stub.requests[-1].headers["content-type"] == "application/x-ndjson"


async def test_a_proxy_is_gone_through(clock: Impatient) -> None:
    async with Stub(greeting()) as proxy:
        settings = EngineSettings(host="http://engine.invalid:9200", proxy=proxy.url, attempts=1)
        async with open_engine(settings, clock) as engine:
            assert engine.info.version == "8.19.8"
    assert [request.target for request in proxy.requests] == ["http://engine.invalid:9200/"]


async def test_a_proxy_may_want_a_user_of_its_own(clock: Impatient) -> None:
    async with Stub(greeting()) as proxy:
        settings = EngineSettings(
            host="http://engine.invalid:9200",
            proxy=proxy.url,
            proxy_username="u",
            proxy_password=Secret("p"),
            attempts=1,
        )
        async with open_engine(settings, clock):
            pass
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


async def test_a_proxy_that_is_down_is_named(clock: Impatient) -> None:
    async with Stub() as stub:
        url = stub.url
    with pytest.raises(EngineUnreachable, match=f"The proxy {url} gives no way") as caught:
        async with open_engine(EngineSettings(host="http://engine.invalid:9200", proxy=url, attempts=1), clock):
            pass
    assert caught.value.unsent


async def test_warnings_of_the_engine_do_not_become_ours(opened: Opened) -> None:
    async with opened(answer(200, {"count": 0}, {"warning": '299 Elasticsearch "deprecated"'})) as (engine, _):
        assert await engine.data.count("docs") == 0
