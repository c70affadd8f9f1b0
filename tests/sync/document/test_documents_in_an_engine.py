"""What is prepared, written to the embedded engine and read back."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.engine import Engine, open_engine
from connectors.engine.bulk import index_line
from connectors.engine.scan import Walk
from connectors.settings import EngineSettings
from connectors.sync.document.prepared import Prepared, Preparer, fingerprint
from connectors.sync.document.shape import Shape
from connectors.sync.index.mark import Mark, marked, scanned_fingerprint, version
from tests.sync.conversions import CONVERSIONS, nested

INDEX = "notes"
AT = version(1_700_000_000_000, 1)
prepare = Preparer(Shape("notes"))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as opened:
        await opened.indices.create(INDEX, mappings={"dynamic": False, "properties": Mark.MAPPING})
        yield opened


def mark_of(prepared: Prepared) -> Mark:
    return Mark(fingerprint(prepared.metadata, 0), 0, AT, "mine")


async def write(engine: Engine, documents: list[dict[str, Any]]) -> dict[str, str | None]:
    """Write documents in one bulk and return what was wrong with each."""
    found = [prepare(document) for document in documents]
    lines = b"".join(index_line(one.id, version=AT) + marked(one.body, mark_of(one)) + b"\n" for one in found)
    answer = await engine.data.bulk(INDEX, lines, operations=len(found))
    items = [item["index"] for item in answer.items]
    await engine.data.refresh(INDEX)
    return {item.id or "": item.error.reason if item.error else None for item in items}


async def test_every_conversion_is_indexed_and_read_back(engine: Engine) -> None:
    assert set(
        (await write(engine, [{"_id": n, "v": value} for n, (value, _) in enumerate(CONVERSIONS)])).values()
    ) == {None}
    for number, (_, expected) in enumerate(CONVERSIONS):
        found = await engine.data.get(INDEX, str(number))
        assert found is not None
        assert found.source["v"] == json.loads(expected)
        assert found.version == AT


async def test_marks_are_read_back_from_doc_values_and_documents(engine: Engine) -> None:
    documents: list[dict[str, Any]] = [{"_id": str(n), "n": n} for n in range(20)]
    await write(engine, documents)
    prepared = [prepare(document) for document in documents]
    expected = {one.id: mark_of(one) for one in prepared}
    found: dict[str, int] = {}
    async with aclosing(engine.data.scan(Walk(INDEX, fields=Mark.SCANNED))) as pages:
        async for page in pages:
            found |= {hit.id: scanned_fingerprint(hit) for hit in page}
    assert found == {doc_id: mark.f for doc_id, mark in expected.items()}
    for doc_id, mark in expected.items():
        stored = await engine.data.get(INDEX, doc_id)
        assert stored is not None
        assert Mark.of_source(stored.source) == mark
    assert await engine.data.count(INDEX, {"term": {"_sync.c": "mine"}}) == 20
    assert await engine.data.count(INDEX, {"term": {"_sync.c": "yours"}}) == 0


async def test_what_an_engine_refuses_is_refused_alone(engine: Engine) -> None:
    names = ["_index", "_source", "_type", "_routing", "_id.x", "", " ", "..", "a..b"]
    documents = [{"_id": str(n), name: 1} for n, name in enumerate(names)]
    found = await write(engine, [{"_id": "before"}, *documents, {"_id": "after"}])
    assert (found["before"], found["after"]) == (None, None)
    assert [names[int(n)] for n, reason in found.items() if n.isdigit() and reason is None] == ["_type"]


async def test_the_deepest_document_is_indexed(engine: Engine) -> None:
    assert await write(engine, [{"_id": "x", "v": nested(253)}]) == {"x": None}


async def test_the_digits_of_a_number_are_kept(engine: Engine) -> None:
    digits = "0.1000000000000000000000000000000000001"
    found = prepare({"_id": "x", "v": Decimal(digits)})
    assert digits.encode() in marked(found.body, mark_of(found))
