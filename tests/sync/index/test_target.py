"""The target: the same on every engine, and what only a script of answers can show."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.aio.clock import SystemClock
from connectors.aio.retry import Retry
from connectors.engine import Engine, open_engine
from connectors.engine.flavor import Flavor
from connectors.engine.indices import AliasChange
from connectors.errors import ConfigurationError, EngineBlocked, EngineFailed, EngineRefused, IndexReplaced
from connectors.settings import EngineSettings
from connectors.store.connector import ACCESS_CONTROL
from connectors.sync.index.content_index import MARK
from connectors.sync.index.target import Target, TargetWatch, check, open_target
from tests.contracts.wire import Wire
from tests.engine.real import Node, node, wire_to
from tests.engine.stub import Reply, Stub, answer, greeting, half, refusal

NUMBER = {"type": "long", "index": False}
SHOWN_MARK = {"dynamic": "false", "properties": {**dict.fromkeys("fdo", NUMBER), "c": {"type": "keyword"}}}


async def settings_of(engine: Engine, index: str) -> Any:
    [described] = await engine.indices.describe(index)
    return described.settings


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Start the engine that `--engine` names, once for all tests here."""
    with node(request.config.getoption("--engine")) as one:
        yield one


class TargetContract:
    """Inherited by one test class per engine, whose module provides the fixture `engine`."""

    @pytest.fixture
    async def name(self, engine: Engine) -> AsyncIterator[str]:
        """Give a name that stands for nothing yet; everything whose name starts with it is deleted afterwards."""
        name = f"target-{uuid4().hex[:12]}"
        yield name
        for one in await engine.indices.resolve(f"{name}*") + await engine.indices.resolve(f"{ACCESS_CONTROL}{name}"):
            await engine.indices.delete(one.name)

    async def test_a_missing_index_is_created_behind_an_alias(self, engine: Engine, name: str) -> None:
        target = await open_target(engine, name)
        [described] = await engine.indices.describe(name)
        own = f"{name}-000001-writes"
        assert Target(name, f"{name}-000001", described.identity.uuid, own) == target
        assert described.aliases == {name: None, own: None}
        assert described.settings["gc_deletes"] == "1h"
        assert described.mappings["properties"]["_sync"] == SHOWN_MARK
        await check(engine, target)

    async def test_an_index_that_was_created_is_found_again_and_left_alone(self, engine: Engine, name: str) -> None:
        target = await open_target(engine, name, language="fr")
        before = await engine.indices.describe(name)
        assert await open_target(engine, name, language="de") == target
        assert await engine.indices.describe(name) == before

    async def test_all_who_create_an_index_at_once_get_the_same(self, engine: Engine, name: str) -> None:
        targets = await asyncio.gather(*(open_target(engine, name) for _ in range(12)))
        assert set(targets) == {targets[0]}

    async def test_an_access_control_index_has_its_plain_name(self, engine: Engine, name: str) -> None:
        plain = f"{ACCESS_CONTROL}{name}"
        targets = await asyncio.gather(*(open_target(engine, plain, access_control=True) for _ in range(4)))
        [described] = await engine.indices.describe(plain)
        own = f"{plain}-writes"
        assert set(targets) == {Target(plain, plain, described.identity.uuid, own)}
        assert (described.aliases, described.settings["gc_deletes"]) == ({own: None}, "1h")
        assert described.mappings["properties"]["_sync"] == SHOWN_MARK

    async def test_an_index_of_somebody_else_keeps_its_settings_and_gets_our_fields(
        self, engine: Engine, name: str
    ) -> None:
        index = f"{name}-own"
        mappings = {"dynamic": False, "properties": {"title": {"type": "text"}}}
        await engine.indices.create(
            index, settings={"gc_deletes": "5m", "refresh_interval": "7s"}, mappings=mappings, aliases=[name]
        )
        assert (await open_target(engine, name)).index == index
        assert (await open_target(engine, index)).index == index
        settings = await settings_of(engine, index)
        assert (settings["gc_deletes"], settings["refresh_interval"]) == ("5m", "7s")
        mapping = await engine.indices.mapping(index)
        assert mapping["dynamic"] == "false"
        assert sorted(mapping["properties"]) == ["_allow_access_control", "_sync", "title"]
        assert mapping["properties"]["_sync"] == SHOWN_MARK

    async def test_a_strict_mapping_stays_strict_and_takes_what_every_document_has(
        self, engine: Engine, name: str
    ) -> None:
        await engine.indices.create(name, mappings={"dynamic": "strict", "properties": {"n": {"type": "long"}}})
        await open_target(engine, name)
        mark = {"f": 1, "d": 2, "o": 4, "c": "a", "k": ["body"]}
        own = {"_sync": mark, "_timestamp": "2026-01-01T00:00:00Z", "id": "a", "_allow_access_control": ["x"]}
        await engine.control.put(name, "a", {**own, "n": 1})
        with pytest.raises(EngineRefused, match="strict"):
            await engine.control.put(name, "b", {**own, "m": 1})
        assert (await engine.indices.mapping(name))["dynamic"] == "strict"

    async def test_parts_of_the_mark_that_are_missing_are_added(self, engine: Engine, name: str) -> None:
        mark = {"dynamic": False, "properties": {"f": NUMBER, "c": {"type": "keyword"}}}
        await engine.indices.create(name, mappings={"properties": {"_sync": mark}})
        await open_target(engine, name)
        assert (await engine.indices.mapping(name))["properties"]["_sync"] == SHOWN_MARK

    @pytest.mark.parametrize(
        ("mark", "problem"),
        [
            ({"type": "keyword"}, "_sync .* it is no object with fields"),
            ({"type": "object", "enabled": False}, "_sync .* it is no object with fields"),
            ({"properties": {"f": {"type": "keyword"}}}, "_sync.f .* it is not of the type long"),
            ({"properties": {"d": {"properties": {"x": NUMBER}}}}, "_sync.d .* it is not of the type long"),
            ({"properties": {"o": {"type": "long", "doc_values": False}}}, "_sync.o .* it has no doc values"),
            ({"properties": {"c": {"type": "text"}}}, "_sync.c .* it is not of the type keyword"),
            ({"properties": {"c": {"type": "keyword", "index": False}}}, "_sync.c .* it can't be searched for"),
        ],
    )
    async def test_a_field_that_can_not_hold_the_mark_is_an_error_that_names_it(
        self, engine: Engine, name: str, mark: dict[str, Any], problem: str
    ) -> None:
        await engine.indices.create(name, mappings={"properties": {"_sync": mark}})
        before = await engine.indices.mapping(name)
        with pytest.raises(ConfigurationError, match=problem) as caught:
            await open_target(engine, name)
        assert caught.value.field == "index_name"
        assert await engine.indices.mapping(name) == before

    async def test_a_mapping_that_is_full_is_an_error_that_says_so(self, engine: Engine, name: str) -> None:
        limit = {"index.mapping.total_fields.limit": 2}
        await engine.indices.create(name, settings=limit, mappings={"properties": {"n": {"type": "long"}}})
        with pytest.raises(ConfigurationError, match=r"Limit of total fields \[2\] has been exceeded"):
            await open_target(engine, name)

    async def test_an_alias_of_several_means_its_write_index(self, engine: Engine, name: str) -> None:
        for number in (1, 2, 3):
            await engine.indices.create(f"{name}-{number}", aliases=[name])
        with pytest.raises(ConfigurationError, match=f"{name}-1, {name}-2, {name}-3, and does not say which"):
            await open_target(engine, name)
        await engine.indices.change_aliases([AliasChange(f"{name}-2", name, is_write_index=True)])
        target = await open_target(engine, name)
        assert target.index == f"{name}-2"
        await check(engine, target)

    async def test_an_alias_that_is_not_written_through_is_an_error(self, engine: Engine, name: str) -> None:
        await engine.indices.create(f"{name}-1")
        await engine.indices.change_aliases([AliasChange(f"{name}-1", name, is_write_index=False)])
        with pytest.raises(ConfigurationError, match=f"{name}-1, and does not say which"):
            await open_target(engine, name)

    async def test_somebody_elses_first_index_is_not_taken(self, engine: Engine, name: str) -> None:
        await engine.indices.create(f"{name}-000001", mappings={"_meta": {"connectors": {"target": "other"}}})
        with pytest.raises(ConfigurationError, match=f"connectors did not make for {name}"):
            await open_target(engine, name)
        assert await engine.indices.aliases(f"{name}-000001") == {f"{name}-000001": []}

    async def test_our_first_index_that_lost_its_alias_has_it_again(self, engine: Engine, name: str) -> None:
        target = await open_target(engine, name)
        await engine.indices.change_aliases([AliasChange(target.index, name, remove=True)])
        with pytest.raises(IndexReplaced, match=f"{name} stands for nothing any more"):
            await check(engine, target)
        assert await open_target(engine, name) == target
        await check(engine, target)

    @pytest.mark.parametrize("block", ["index.blocks.write", "index.blocks.read_only_allow_delete"])
    async def test_an_index_that_takes_no_writes_is_blocked(self, engine: Engine, name: str, block: str) -> None:
        await engine.indices.create(name, settings={block: True})
        with pytest.raises(EngineBlocked, match=f"{name} takes no writes: {block} is set"):
            await open_target(engine, name)

    @pytest.mark.parametrize("wrong", ["Docs", "_docs", "a*", "a,b", "x" * 256])
    async def test_a_name_that_no_index_can_have_is_refused(self, engine: Engine, wrong: str) -> None:
        for access_control in (False, True):
            with pytest.raises(ConfigurationError) as caught:
                await open_target(engine, wrong, access_control=access_control)
            assert caught.value.field == "index_name"

    async def test_an_index_that_was_deleted_is_replaced(self, engine: Engine, name: str) -> None:
        target = await open_target(engine, name)
        await engine.indices.delete(target.index)
        with pytest.raises(IndexReplaced, match="stands for nothing any more") as caught:
            await check(engine, target)
        assert caught.value.index == target.index

    async def test_an_index_that_was_created_anew_is_replaced(self, engine: Engine, name: str) -> None:
        target = await open_target(engine, name)
        await engine.indices.delete(target.index)
        other = await open_target(engine, name)
        assert (other.index, other.uuid == target.uuid) == (target.index, False)
        with pytest.raises(IndexReplaced, match=f"its UUID was {target.uuid} and is {other.uuid}"):
            await check(engine, target)
        await check(engine, other)

    async def test_an_alias_that_moved_is_replaced(self, engine: Engine, name: str) -> None:
        target = await open_target(engine, name)
        await engine.indices.create(f"{name}-2")
        changes = [AliasChange(target.index, name, remove=True), AliasChange(f"{name}-2", name)]
        await engine.indices.change_aliases(changes)
        with pytest.raises(IndexReplaced, match=f"{name} stands for {name}-2 now"):
            await check(engine, target)

    async def test_an_alias_that_is_written_elsewhere_is_replaced(self, engine: Engine, name: str) -> None:
        target = await open_target(engine, name)
        await engine.indices.create(f"{name}-2", aliases=[name])
        with pytest.raises(IndexReplaced, match=f"writes to {name} go to no index now"):
            await check(engine, target)
        await engine.indices.change_aliases([AliasChange(target.index, name, is_write_index=True)])
        await check(engine, target)
        moved = [
            AliasChange(target.index, name, is_write_index=False),
            AliasChange(f"{name}-2", name, is_write_index=True),
        ]
        await engine.indices.change_aliases(moved)
        with pytest.raises(IndexReplaced, match=f"writes to {name} go to {name}-2 now"):
            await check(engine, target)


class TestEmbedded(TargetContract):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[Engine]:
        async with open_engine(EngineSettings(data=tmp_path)) as opened:
            yield opened


@pytest.mark.real_engine
@pytest.mark.timeout(300)
class TestReal(TargetContract):
    @pytest.fixture
    async def engine(self, running: Node) -> AsyncIterator[Engine]:
        async with open_engine(EngineSettings(host=running.url)) as opened:
            yield opened

    @pytest.fixture
    async def wire(self, running: Node) -> AsyncIterator[Wire]:
        async with wire_to(running.url, Flavor(running.name)) as opened:
            yield opened

    async def test_a_closed_index_is_an_error(self, engine: Engine, wire: Wire, name: str) -> None:
        target = await open_target(engine, name)
        await wire("POST", f"/{target.index}/_close")
        with pytest.raises(ConfigurationError, match=f"The index {target.index} is closed"):
            await open_target(engine, name)

    @pytest.mark.real_engine("opensearch")  # the fixture of Elasticsearch lacks the module
    async def test_a_data_stream_is_an_error(self, engine: Engine, wire: Wire, name: str) -> None:
        await wire("PUT", f"/_index_template/{name}", {"index_patterns": [f"{name}-s*"], "data_stream": {}})
        await wire("PUT", f"/_data_stream/{name}-stream")
        with pytest.raises(ConfigurationError, match=f"stands for the data stream {name}-stream"):
            await open_target(engine, f"{name}-stream")
        with pytest.raises(EngineRefused, match="creates data streams only"):
            await open_target(engine, f"{name}-such")
        await wire("DELETE", f"/_data_stream/{name}-stream")
        await wire("DELETE", f"/_index_template/{name}")


# --- what only a script of answers can show ----------------------------------------------------------------------

MISSING = refusal(404, "index_not_found_exception")
EXISTS = refusal(400, "resource_already_exists_exception")
CREATED = answer(200, {"acknowledged": True})
MADE = {"_meta": {"connectors": {"target": "docs"}}, "properties": {"_sync": MARK, "_allow_access_control": {}}}


class Unhurried(SystemClock):
    """Takes no pauses, and counts them."""

    pauses = 0

    async def sleep(self, seconds: float) -> None:
        self.pauses += 1


def described(index: str = "docs-000001", uuid: str = "u1", **more: Any) -> Reply:
    settings = {"index": {"uuid": uuid}}
    return answer(200, {index: {"aliases": {"docs": {}}, "settings": settings, "mappings": MADE, **more}})


@asynccontextmanager
async def scripted(*script: Reply) -> AsyncIterator[tuple[Engine, Stub]]:
    async with Stub(greeting(), *script) as stub:
        settings = EngineSettings(host=stub.url, control_timeout_s=5.0)
        async with open_engine(settings, Unhurried()) as engine:
            yield engine, stub


async def test_a_creation_whose_answer_was_lost_is_found() -> None:
    async with scripted(MISSING, half(), EXISTS, described()) as (engine, stub):
        assert await open_target(engine, "docs") == Target("docs", "docs-000001", "u1")
    assert stub.asked == ["GET /docs", "PUT /docs-000001", "PUT /docs-000001", "GET /docs"]


async def test_what_somebody_created_is_waited_for_until_it_is_seen() -> None:
    clock = Unhurried()
    async with scripted(MISSING, EXISTS, MISSING, MISSING, MISSING, MISSING, described()) as (engine, stub):
        target = await open_target(engine, "docs", retry=Retry(clock=clock))
    assert target == Target("docs", "docs-000001", "u1")
    assert clock.pauses == 2
    assert stub.asked == ["GET /docs", "PUT /docs-000001", *["GET /docs", "GET /docs-000001"] * 2, "GET /docs"]


async def test_what_is_never_seen_is_a_failure_that_may_be_tried_again() -> None:
    async with scripted(MISSING, EXISTS, *[MISSING] * 10) as (engine, _):
        with pytest.raises(EngineFailed, match="Could not find the index docs-000001"):
            await open_target(engine, "docs", retry=Retry(clock=Unhurried()))


@pytest.mark.parametrize("kind", ["invalid_alias_name_exception", "invalid_index_name_exception"])
async def test_an_index_that_took_the_name_in_between_is_the_target(kind: str) -> None:
    async with scripted(MISSING, refusal(400, kind), described("docs", aliases={})) as (engine, _):
        assert await open_target(engine, "docs") == Target("docs", "docs", "u1")


async def test_a_name_that_the_engine_alone_refuses_is_a_setting_that_is_wrong() -> None:
    async with scripted(MISSING, refusal(400, "invalid_index_name_exception", "too odd"), MISSING) as (engine, _):
        with pytest.raises(ConfigurationError, match="too odd") as caught:
            await open_target(engine, "docs")
    assert caught.value.field == "index_name"


async def test_a_data_stream_is_no_target() -> None:
    async with scripted(described(".ds-docs-1", data_stream="docs")) as (engine, _):
        with pytest.raises(ConfigurationError, match="stands for the data stream docs"):
            await open_target(engine, "docs")


@pytest.mark.parametrize(
    ("uuids", "error"), [({"docs-000001": "u1"}, False), ({"docs-000001": "u2"}, True), ({"docs-2": "u1"}, True)]
)
async def test_a_check_is_one_small_request(uuids: dict[str, str], error: bool) -> None:
    found = {index: {"settings": {"index": {"uuid": uuid}}} for index, uuid in uuids.items()}
    async with scripted(answer(200, found)) as (engine, stub):
        checked = asyncio.gather(check(engine, Target("docs", "docs-000001", "u1")), return_exceptions=True)
        assert [isinstance(one, IndexReplaced) for one in await checked] == [error]
    assert stub.asked == ["GET /docs/_settings/index.uuid"]


async def test_an_alias_for_writes_is_believed_only_of_an_index_that_we_made() -> None:
    aliases: dict[str, Any] = {"docs": {}, "docs-000001-writes": {}}
    async with scripted(described(aliases=aliases)) as (engine, _):
        assert (await open_target(engine, "docs")).alias == "docs-000001-writes"
    theirs = {"properties": MADE["properties"]}
    async with scripted(described(aliases=aliases, mappings=theirs)) as (engine, _):
        assert (await open_target(engine, "docs")).alias is None


async def test_a_target_without_an_alias_is_looked_at_once_a_second() -> None:
    clock = Told()
    async with scripted(*[resolved()] * 3) as (engine, stub):
        watch = TargetWatch(engine, Target("docs", "docs", "u1"), clock)
        for at_s in (0.5, 1.0, 1.1, 2.0, 2.1, 2.2):
            clock.at_s = at_s
            await watch.ensure()
        assert len(stub.asked) == 2
        await watch.confirm()
        assert len(stub.asked) == 3


async def test_a_target_with_an_alias_of_its_own_is_looked_at_only_when_that_is_asked_for() -> None:
    clock = Told()
    async with scripted(resolved("docs-000001")) as (engine, stub):
        watch = TargetWatch(engine, Target("docs", "docs-000001", "u1", "docs-000001-writes"), clock)
        clock.at_s = 100
        await watch.ensure()
        assert stub.asked == []
        await watch.confirm()
        assert len(stub.asked) == 1


class Told(SystemClock):
    """Says what time it is told."""

    at_s = 0.0

    def monotonic(self) -> float:
        return self.at_s


def resolved(index: str = "docs", uuid: str = "u1") -> Reply:
    return answer(200, {index: {"settings": {"index": {"uuid": uuid}}}})
