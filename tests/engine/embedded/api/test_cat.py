"""Tables of `_cat`: the expectations are what Elasticsearch prints."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.engine.embedded.api.cat import size_text
from connectors.engine.embedded.api.router import is_table
from connectors.engine.embedded.engine import EmbeddedEngine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    one = EmbeddedEngine(Path(tmp_path_factory.mktemp("cat")))
    one.handle("PUT", "/aa", b'{"settings":{"number_of_replicas":0}}')
    one.handle("PUT", "/a-longer-name", b'{"settings":{"number_of_replicas":0,"number_of_shards":3}}')
    for number in range(12):
        one.handle("PUT", f"/aa/_doc/{number}", b"{}")
    yield one
    one.close()


def listed(engine: EmbeddedEngine, query: str) -> Any:
    status, content = engine.handle("GET", f"/_cat/indices/a*?{query}")
    assert status == 200, content
    return content.decode() if is_table(content) else json.loads(content)


@pytest.mark.parametrize(
    ("query", "table"),
    [
        ("h=index,health&s=index:desc", "aa            green\na-longer-name green\n"),
        ("h=i,h,dc&s=dc", "a-longer-name green  0\naa            green 12\n"),
        ("h=pri,index&v&s=pri", "pri index\n  1 aa\n  3 a-longer-name\n"),
        ("h=i,index&v&s=rep,pri", "i             index\naa            aa\na-longer-name a-longer-name\n"),
        ("h=h*&v=true", "health\ngreen\ngreen\n"),
        ("h=index,pri,health,index&s=i:desc", "aa            1 green\na-longer-name 3 green\n"),
    ],
)
def test_chosen_columns_are_printed_side_by_side(engine: EmbeddedEngine, query: str, table: str) -> None:
    assert listed(engine, query) == table


def test_table_has_the_columns_of_elasticsearch(engine: EmbeddedEngine) -> None:
    head, *rows = listed(engine, "v").splitlines()
    names = "health status index uuid pri rep docs.count docs.deleted store.size pri.store.size dataset.size"
    assert " ".join(head.split()) == names
    assert {len(line) for line in (head, *rows)} == {len(head)}
    assert listed(engine, "").splitlines()[0].split()[:2] == ["green", "open"]


def test_json_has_the_names_that_were_asked_for(engine: EmbeddedEngine) -> None:
    rows = [{"i": "a-longer-name", "dc": "0"}, {"i": "aa", "dc": "12"}]
    assert listed(engine, "format=json&h=i,dc&s=i") == rows


@pytest.mark.parametrize("query", ["s=nope", "h=nope", "v=x", "format=yaml", "help"])
def test_what_is_not_known_is_refused(engine: EmbeddedEngine, query: str) -> None:
    status, content = engine.handle("GET", f"/_cat/indices?{query}")
    assert (status, json.loads(content)["error"]["type"]) == (400, "illegal_argument_exception")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0b"), (227, "227b"), (1023, "1023b"), (1024, "1kb"), (42_803, "41.7kb"), (3 * 2**30, "3gb")],
)
def test_size_is_cut_off_after_one_digit(count: int, text: str) -> None:
    assert size_text(count) == text
