"""The indices that are created: what is found in them, on every engine and where engines differ."""

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from connectors.engine import Engine, open_engine
from connectors.engine.flavor import Flavor
from connectors.engine.scan import Walk
from connectors.errors import ConfigurationError, EngineRefused
from connectors.settings import EngineSettings
from connectors.sync.index.analysis import LANGUAGES
from connectors.sync.index.content_index import MOST_FIELDS, access_control_index, content_index, missing_fields
from connectors.sync.index.target import open_target
from tests.engine.real import Node, node

BIG = 2**63 - 1


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Start the engine that `--engine` names, once for all tests here."""
    with node(request.config.getoption("--engine")) as one:
        yield one


async def put(engine: Engine, index: str, *documents: Mapping[str, Any]) -> None:
    """Write documents under the numbers of their places, and make them searchable."""
    for number, document in enumerate(documents):
        await engine.control.put(index, str(number), document)
    await engine.control.refresh(index)


async def found(engine: Engine, index: str, kind: str, field: str, value: object) -> list[str]:
    """Return the ids of what a query of one field finds."""
    page = await engine.data.search(index, {"query": {kind: {field: value}}, "size": 100})
    return sorted(hit.id for hit in page.hits)


async def types_of(engine: Engine, index: str, *names: str) -> list[str]:
    fields = (await engine.indices.mapping(index))["properties"]
    return [fields[name]["type"] for name in names]


@pytest.mark.parametrize(
    ("mappings", "problem"),
    [
        ({"_source": {"enabled": False}}, "does not keep what is written to it"),
        ({"_routing": {"required": True}}, "wants a routing with each document"),
    ],
)
def test_an_index_that_can_not_be_synced_is_a_setting_that_is_wrong(mappings: dict[str, Any], problem: str) -> None:
    for access_control in (False, True):
        with pytest.raises(ConfigurationError, match=f"The index docs {problem}") as caught:
            missing_fields("docs", mappings, access_control=access_control)
        assert caught.value.field == "index_name"


def test_nothing_is_missing_from_an_index_that_we_would_create() -> None:
    for flavor in Flavor:
        content, access_control = content_index("docs", "de", flavor), access_control_index("docs", flavor)
        assert missing_fields("docs", content.mappings, access_control=False) == {}
        assert missing_fields("docs", access_control.mappings, access_control=True) == {}


class ContentIndexContract:
    """Inherited by one test class per engine, whose module provides the fixture `engine`."""

    @pytest.fixture
    async def name(self, engine: Engine) -> AsyncIterator[str]:
        """Give a name that stands for nothing yet; everything whose name starts with it is deleted afterwards."""
        name = f"content-{uuid4().hex[:12]}"
        yield name
        for one in await engine.indices.resolve(f"{name}*"):
            await engine.indices.delete(one.name)

    @pytest.fixture
    async def index(self, engine: Engine, name: str) -> str:
        return (await open_target(engine, name)).index

    async def test_texts_are_found_by_words_and_as_a_whole(self, engine: Engine, index: str) -> None:
        await put(engine, index, {"title": "The Quick Brown Fox"}, {"title": "quick " * 100})
        assert await found(engine, index, "match", "title", "quick") == ["0", "1"]
        assert await found(engine, index, "term", "title.keyword", "The Quick Brown Fox") == ["0"]
        page = await engine.data.search(index, {"query": {"exists": {"field": "title.keyword"}}})
        assert [hit.id for hit in page.hits] == ["0"]

    async def test_days_and_instants_are_dates(self, engine: Engine, index: str) -> None:
        day, instant = "2026-01-31", "2026-01-31T10:00:00.123456+00:00"
        await put(engine, index, {"day": day, "at": instant, "naive": "2026-01-31T10:00:00", "_timestamp": instant})
        assert await types_of(engine, index, "day", "at", "naive", "_timestamp") == ["date"] * 4
        for name in ("day", "at", "naive", "_timestamp"):
            later = {"gte": "2026-01-31", "lt": "2026-02-01"}
            assert await found(engine, index, "range", name, later) == ["0"], name

    async def test_a_timestamp_that_is_no_date_costs_nothing_but_itself(self, engine: Engine, index: str) -> None:
        odd = ["yesterday", "", None, True, 1.5, -1, ["2026-01-01", "x"], "99999999-01-01"]
        await put(engine, index, *({"_timestamp": one, "n": 1} for one in odd))
        assert await found(engine, index, "term", "n", 1) == [str(number) for number in range(len(odd))]

    async def test_a_value_that_does_not_fit_its_field_costs_nothing_but_itself(
        self, engine: Engine, index: str
    ) -> None:
        first = {"n": 1, "f": 1.5, "d": "2026-01-01", "at": "2026-01-01T10:00:00", "b": True}
        odd = {"n": "many", "f": "half", "d": "infinity", "at": "10000-01-01T10:00:00", "b": "maybe", "big": 2**70}
        await put(engine, index, first, odd, {"n": 2, "big": 3, "d": "0044-03-15 BC"})
        assert await found(engine, index, "range", "n", {"gte": 0}) == ["0", "2"]
        assert await found(engine, index, "exists", "field", "d") == ["0"]
        assert await found(engine, index, "terms", "_ignored", ["d"]) == ["1", "2"]
        stored = await engine.control.get(index, "1")
        assert stored is not None
        assert stored.source == odd

    async def test_ids_and_readers_are_exact(self, engine: Engine, index: str) -> None:
        await put(engine, index, {"id": "A b", "_allow_access_control": ["group:A", "user:b"]}, {"id": 7})
        assert await found(engine, index, "term", "id", "A b") == ["0"]
        assert await found(engine, index, "term", "id", "7") == ["1"]
        for name in ("_allow_access_control", "_allow_access_control.enum"):
            assert await found(engine, index, "terms", name, ["user:b", "c"]) == ["0"]

    async def test_marks_are_read_exactly_and_found_by_their_connector(self, engine: Engine, index: str) -> None:
        mark = {"f": -BIG - 1, "d": BIG, "o": 2**62, "c": "one", "x": {"later": "format"}}
        await put(engine, index, {"_sync": mark}, {"_sync": {"c": "other"}})
        assert await found(engine, index, "term", "_sync.c", "one") == ["0"]
        fields = tuple(f"_sync.{name}" for name in "fdoc")
        walk = Walk(index, query={"term": {"_sync.c": "one"}}, fields=fields)
        hits = [hit async for page in engine.data.scan(walk) for hit in page]
        assert [hit.fields for hit in hits] == [{f"_sync.{name}": [mark[name]] for name in "fdoc"}]

    async def test_a_document_of_too_many_fields_is_refused_and_leaves_room_for_others(
        self, engine: Engine, index: str
    ) -> None:
        with pytest.raises(EngineRefused, match=rf"Limit of total fields \[{MOST_FIELDS}\] has been exceeded"):
            await engine.control.put(index, "poison", {f"f{number}": 1 for number in range(10_000)})
        await put(engine, index, {f"g{number}": 1 for number in range(2_000)})
        assert await found(engine, index, "term", "g1999", 1) == ["0"]

    async def test_an_access_control_index_knows_names_exactly_and_keeps_queries(
        self, engine: Engine, name: str
    ) -> None:
        index = (await open_target(engine, f"{name}-acl", access_control=True)).index
        query = {"template": {"params": {"access_control": ["A"]}, "source": {"n": 1}}}
        people: list[dict[str, Any]] = [
            {"identity": {"name": "2026-01-01"}, "query": query},
            {"identity": {"name": "Ann Lee"}, "query": "x"},
        ]
        await put(engine, index, *people)
        field = "identity.name.keyword" if engine.info.flavor is Flavor.EMBEDDED else "identity.name"
        assert await found(engine, index, "term", field, "Ann Lee") == ["1"]
        assert await found(engine, index, "term", field, "2026-01-01") == ["0"]
        stored = await engine.control.get(index, "0")
        assert stored is not None
        assert stored.source == people[0]
        assert set((await engine.indices.mapping(index))["properties"]["query"]) == {"type", "enabled"}


class TestEmbedded(ContentIndexContract):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[Engine]:
        async with open_engine(EngineSettings(data=tmp_path)) as opened:
            yield opened

    @pytest.mark.parametrize("language", LANGUAGES)
    async def test_words_are_found_as_they_are_in_every_language(
        self, engine: Engine, name: str, language: str
    ) -> None:
        index = (await open_target(engine, name, language=language)).index
        await put(engine, index, {"text": "The houses stand"}, {"text": "one house"})
        assert await found(engine, index, "match", "text", "House") == ["1"]

    async def test_the_log_says_that_a_language_does_nothing(self) -> None:
        with capture_logs() as logs:
            for language in (None, "universal", "de"):
                content_index("docs", language, Flavor.EMBEDDED)
        assert [(line["log_level"], line["language"]) for line in logs] == [("info", "de")]


@pytest.mark.real_engine
@pytest.mark.timeout(300)
class TestReal(ContentIndexContract):
    @pytest.fixture
    async def engine(self, running: Node) -> AsyncIterator[Engine]:
        async with open_engine(EngineSettings(host=running.url)) as opened:
            yield opened

    @pytest.mark.parametrize(
        ("language", "text", "asked", "elsewhere"),
        [
            (None, "Ｃａｆé au lait, 検索の話", ["cafe", "検索", "lait"], "話題"),
            ("da", "Hundene løber på gaderne", ["hund", "løbe", "gade"], "kat"),
            ("de", "Die Häuser der schönsten Straßen", ["Haus", "haeuser", "schön", "strasse"], "Maus"),
            ("en", "The dogs' owner was running home", ["dog", "run", "RUNS", "owners"], "ran"),
            ("es", "Las canciones españolas", ["canción", "espanola"], "perro"),
            ("fr", "L'été, les chevaux qu'elle aime", ["ete", "cheval", "Étés"], "chien"),
            ("it", "Le ragazze bevono dell'acqua", ["ragazza", "acqua"], "vino"),
            ("ja", "日本語の検索", ["日本", "検索"], "中国"),
            ("ko", "한국어 검색", ["한국", "검색"], "중국"),
            ("nl", "De boeken van mijn vrienden", ["boek", "vriend"], "boot"),
            ("pt", "As canções dos irmãos", ["canção", "irmão"], "gato"),
            ("pt-br", "As meninas bonitas", ["menina", "bonita"], "gato"),
            ("ru", "Собаки бежали по улицам", ["собака", "улица"], "кошка"),
            ("th", "ภาษาไทยง่าย ๑๒", ["ไทย", "ง่าย", "12"], "อังกฤษ"),
            ("zh", "中文搜索引擎", ["搜索", "引擎"], "天气"),
        ],
    )
    async def test_a_word_is_found_by_its_other_forms(
        self, engine: Engine, name: str, language: str | None, text: str, asked: list[str], elsewhere: str
    ) -> None:
        index = (await open_target(engine, name, language=language)).index
        await put(engine, index, {"text": text})
        answers = {one: await found(engine, index, "match", "text", one) for one in [*asked, elsewhere]}
        assert answers == {one: [] if one == elsewhere else ["0"] for one in answers}

    async def test_no_word_is_left_out(self, engine: Engine, name: str) -> None:
        index = (await open_target(engine, name, language="en")).index
        await put(engine, index, {"text": "To be, or not to be"}, {"text": "not so"})
        assert await found(engine, index, "match_phrase", "text", "to be or not to be") == ["0"]

    async def test_a_date_that_is_none_is_found_as_it_was_written(self, engine: Engine, index: str) -> None:
        await put(engine, index, {"d": "2026-01-01"}, {"d": "infinity"})
        assert await found(engine, index, "term", "d.keyword", "infinity") == ["1"]

    async def test_decimals_are_double(self, engine: Engine, index: str) -> None:
        await put(engine, index, {"price": 16777217.25}, {"price": 16777217.5})
        assert await types_of(engine, index, "price") == ["double"]
        assert await found(engine, index, "range", "price", {"gt": 16777217.25}) == ["1"]

    async def test_years_and_months_alone_are_texts(self, engine: Engine, index: str) -> None:
        await put(engine, index, {"a": "2026", "b": "2026-01", "c": "12:30", "d": "1/2/2026"})
        assert await types_of(engine, index, *"abcd") == ["text"] * 4
