"""The null engine answers what a sync asks, as our own client understands it."""

import http.client
import json
import socket
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest

from benchmarks.null_engine import NullEngine, kinds_of, null_engine
from connectors.engine import Engine, open_engine
from connectors.engine.bulk import create_line, delete_line, index_line
from connectors.engine.indices import AliasChange
from connectors.engine.records import Revision
from connectors.engine.scan import Walk
from connectors.errors import Conflict, IndexMissing
from connectors.settings import EngineSettings

MIXED = (
    index_line("a", version=7) + b'{"delete":{}}\n'
    + create_line("b") + b"{}\n"
    + delete_line("c")
    + index_line("d") + b'{"x":"\\n"}\n'
)  # fmt: skip


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with null_engine() as address:
        yield address


@pytest.fixture
async def engine(url: str) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(host=url, attempts=1)) as opened:
        yield opened


async def test_an_index_is_made_found_and_deleted(engine: Engine) -> None:
    assert await engine.indices.resolve("made") == []
    mappings = {"properties": {"a": {"type": "long"}}}
    await engine.indices.create("made-1", settings={"number_of_shards": 2}, mappings=mappings, aliases=["made"])
    with pytest.raises(Conflict):
        await engine.indices.create("made-1")
    [found] = await engine.indices.resolve("made")
    await engine.indices.add_to_mapping("made-1", {"b": {"type": "long"}})
    assert set((await engine.indices.mapping("made-1"))["properties"]) == {"a", "b"}
    await engine.indices.change_aliases([AliasChange("made-1", "other"), AliasChange("made-1", "made", remove=True)])
    assert await engine.indices.aliases("made-1") == {"made-1": ["other"]}
    stamp = await engine.indices.stamp("made-1")
    assert stamp is not None
    assert (stamp.uuid, {number: one.max_seq_no for number, one in stamp.shards.items()}) == (
        found.uuid,
        {"0": -1, "1": -1},
    )
    assert [await engine.indices.delete("made-1") for _ in range(2)] == [True, False]


async def test_the_stamp_advances_by_the_operations_of_bulks(engine: Engine) -> None:
    await engine.indices.create("counted-1", aliases=["counted"])
    before = await engine.indices.stamp("counted-1")
    answer = await engine.data.bulk("counted", MIXED, operations=4)
    after = await engine.indices.stamp("counted-1")
    told = [(kind, item.ok, item.index) for row in answer.items for kind, item in row.items()]
    assert told == [(kind, True, "counted-1") for kind in ("index", "create", "delete", "index")]
    assert sum(item.seq_no is not None for row in answer.items for item in row.values()) == 4
    assert before is not None
    assert after is not None
    assert after.advance_since(before) == 4


async def test_small_documents_are_kept_with_compare_and_set(engine: Engine) -> None:
    first = await engine.control.create("state", "lease/1", {"owner": "a"})
    second = await engine.control.put("state", "lease/1", {"owner": "b"}, expected=first.revision)
    with pytest.raises(Conflict):
        await engine.control.put("state", "lease/1", {"owner": "c"}, expected=first.revision)
    with pytest.raises(Conflict):
        await engine.control.create("state", "lease/1", {})
    with pytest.raises(Conflict):
        await engine.control.put("state", "missing", {}, expected=Revision(0, 1))
    found = await engine.control.get("state", "lease/1")
    assert found is not None
    assert (found.source, found.version, found.revision) == ({"owner": "b"}, 2, second.revision)
    assert [(await engine.control.delete("state", "lease/1")).result for _ in range(2)] == ["deleted", "not_found"]
    assert await engine.control.get("state", "lease/1") is None
    with pytest.raises(IndexMissing):
        await engine.control.get("nowhere", "a")


async def test_nothing_is_found(engine: Engine) -> None:
    await engine.data.bulk("searched", MIXED, operations=4)
    await engine.data.refresh("searched")
    assert [hit async for page in engine.data.scan(Walk("searched")) for hit in page] == []
    assert await engine.data.count("searched") == 0
    assert (await engine.data.search("searched", {})).hits == []
    with pytest.raises(IndexMissing):
        await engine.data.count("nowhere")


def test_what_it_does_not_know_is_refused() -> None:
    assert NullEngine().answer("POST", "/docs/_update_by_query", b"{}")[0] == 400
    assert NullEngine().answer("GET", "/_ingest/pipeline/x", b"") == (404, b"{}")


def test_many_documents_are_read_by_id_at_once() -> None:
    engine = NullEngine()
    engine.answer("PUT", "/docs/_doc/a", b'{"n":1}')
    _, body = engine.answer("POST", "/docs/_mget", b'{"ids":["a","b"]}')
    assert [(one["_id"], one["found"]) for one in json.loads(body)["docs"]] == [("a", True), ("b", False)]


def test_operations_are_told_apart_by_their_lines() -> None:
    assert kinds_of(MIXED) == ("index", "create", "delete", "index")
    assert kinds_of(b"") == ()


def test_a_request_may_come_in_any_pieces(url: str) -> None:
    head = b"POST /pieces/_bulk?filter_path=errors HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(MIXED)
    count = b"POST /pieces/_count HTTP/1.1\r\nhost: x\r\n\r\n"
    sent = head + MIXED + count
    with socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), 11):
            connection.sendall(sent[start : start + 11])
        answers = b""
        while b'"count"' not in answers:
            answers += connection.recv(2**16)
    assert answers.count(b"HTTP/1.1 200") == 2
    assert b'{"errors":false}' in answers


def test_an_answer_to_head_has_no_body(url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request("PUT", "/headed")
    assert connection.getresponse().read()
    for path, status in (("/headed", 200), ("/other", 404)):
        connection.request("HEAD", path)
        with connection.getresponse() as answer:
            assert (answer.status, answer.read()) == (status, b"")
    connection.close()
