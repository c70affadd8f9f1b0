"""The oracle sees whatever an index has too little, too much or otherwise, and nothing else."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.engine import Engine, open_engine
from connectors.engine.bulk import index_line
from connectors.settings import EngineSettings
from tests.engine.real import node
from tests.torture.oracle import Difference, actual, content_of, difference, expected

SOURCE: list[dict[str, Any]] = [
    {"_id": "a", "_timestamp": "2026-01-01T00:00:00Z", "title": "Ä", "n": 2**63 - 1},
    {"_id": "b/ü", "list": [1, 2, None], "float": 1.0, "object": {"y": 1, "x": [True]}},
    {"_id": "c"},
]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(data=tmp_path)) as opened:
        yield opened


async def store(engine: Engine, documents: list[dict[str, Any]], connector: str | None = "one") -> None:
    mark = {} if connector is None else {"_sync": {"c": connector, "f": 1, "v": 2}}
    lines = [
        index_line(one["_id"]) + msgspec.json.encode({**mark, **{k: v for k, v in one.items() if k != "_id"}}) + b"\n"
        for one in documents
    ]
    answer = await engine.data.bulk("docs", b"".join(lines), operations=len(lines))
    assert answer.errors is False


async def test_what_is_as_it_should_be_does_not_differ(engine: Engine) -> None:
    await store(engine, SOURCE)
    found = difference(expected(SOURCE), await actual(engine, "docs", "one"))
    assert (bool(found), repr(found)) == (False, "no difference")


async def test_what_is_missing_extra_or_different_is_named(engine: Engine) -> None:
    await store(engine, [SOURCE[0], {"_id": "c", "more": 1}, {"_id": "z"}])
    wanted = [{**SOURCE[0], "n": 1, "title": "A"}, *SOURCE[1:]]
    found = difference(expected(wanted), await actual(engine, "docs", "one"))
    assert found == Difference(missing=["b/ü"], extra=["z"], different={"a": ["n", "title"], "c": ["more"]})
    assert bool(found)
    assert repr(found).splitlines() == [
        "1 missing: 'b/ü'",
        "1 extra: 'z'",
        "2 different: 'a' in n, title; 'c' in more",
    ]


async def test_only_what_a_connector_marked_is_its_own(engine: Engine) -> None:
    await store(engine, [{"_id": "mine", "n": 1}], "one")
    await store(engine, [{"_id": "theirs", "n": 1}], "two")
    await store(engine, [{"_id": "nobody's", "n": 1}], None)
    assert set(await actual(engine, "docs", "one")) == {"mine"}
    assert set(await actual(engine, "docs", "three")) == set()
    everybody = await actual(engine, "docs")
    assert everybody == dict.fromkeys(["mine", "theirs", "nobody's"], content_of({"n": 1}))


async def test_what_was_just_written_is_seen_and_every_page_is_read(engine: Engine) -> None:
    many = [{"_id": str(number), "n": number} for number in range(2_500)]
    await store(engine, many)
    assert not difference(expected(many), await actual(engine, "docs", "one"))


def test_a_long_report_shows_the_first_of_each() -> None:
    wanted = expected({"_id": f"{number:04}"} for number in range(1_234))
    assert repr(difference(wanted, {})) == "1,234 missing: '0000'; '0001'; '0002'; '0003'; '0004'; and 1,229 more"


def test_a_document_can_be_expected_once() -> None:
    with pytest.raises(ValueError, match="'a' is expected twice"):
        expected([{"_id": "a"}, {"_id": "a"}])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.text(), VALUES, max_size=4)


@given(DOCUMENTS, DOCUMENTS)
def test_two_documents_are_the_same_if_their_json_is(one: dict[str, Any], other: dict[str, Any]) -> None:
    texts = [json.dumps(each, sort_keys=True) for each in (one, other)]
    assert (content_of(one) == content_of(other)) == (texts[0] == texts[1])
    assert content_of({"in": dict(reversed(one.items()))}) == content_of({"in": one})
    assert content_of(dict(reversed(one.items()))) == content_of(json.loads(json.dumps(one)))


@pytest.mark.real_engine
@pytest.mark.timeout(300)
async def test_a_real_engine_is_read_alike(request: pytest.FixtureRequest) -> None:
    with node(request.config.getoption("--engine")) as running:
        async with open_engine(EngineSettings(host=running.url)) as engine:
            await store(engine, SOURCE)
            assert not difference(expected(SOURCE), await actual(engine, "docs", "one"))
            assert difference(expected(SOURCE[:2]), await actual(engine, "docs", "one")) == Difference(extra=["c"])
