"""Requests side by side: small ones overtake a bulk, searches see one moment, and an index may go at any time."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.engine.bulk import index_line
from connectors.engine.embedded.engine import EmbeddedEngine

Json = dict[str, Any]
DOCUMENTS = 6_000
LONG: Json = {"bool": {"should": [{"match": {"text": "two"}}] * 60, "minimum_should_match": 59}}
"""A query that takes its time."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    one = EmbeddedEngine(tmp_path)
    yield one
    one.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def ask(engine: EmbeddedEngine, method: str, target: str, body: object = None) -> tuple[int, Json]:
    raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    status, content = engine.handle(method, target, raw)
    return status, msgspec.json.decode(content)


def bulk(first: int = 0, text: str = "one two three") -> bytes:
    document = msgspec.json.encode({"text": text, "round": first})
    return b"".join(index_line(str(number)) + document + b"\n" for number in range(DOCUMENTS))


def while_running(future: "Future[Any]", act: Callable[[], None]) -> int:
    """Act until the future is done; return how often."""
    times = 0
    while not future.done():
        act()
        times += 1
    return times


def test_small_writes_overtake_what_is_left_of_a_bulk(engine: EmbeddedEngine, threads: ThreadPoolExecutor) -> None:
    seqs: list[int] = []

    def write() -> None:
        seqs.append(ask(engine, "PUT", "/docs/_doc/lease", {"text": "mine"})[1]["_seq_no"])

    write()
    running = threads.submit(ask, engine, "POST", "/docs/_bulk", bulk())
    while_running(running, write)
    status, answer = running.result()
    assert (status, answer["errors"]) == (200, False)
    first, last = (answer["items"][place]["index"]["_seq_no"] for place in (0, -1))
    assert [seq for seq in seqs if first < seq < last]


def test_searches_see_all_of_one_moment_while_documents_are_replaced(
    engine: EmbeddedEngine, threads: ThreadPoolExecutor
) -> None:
    ask(engine, "PUT", "/docs", {"settings": {"refresh_interval": "-1"}})
    ask(engine, "POST", "/docs/_bulk?refresh=true", bulk(0))

    def replace() -> None:
        for number in range(1, 4):
            assert ask(engine, "POST", "/docs/_bulk?refresh=true", bulk(number))[1]["errors"] is False

    seen = set()

    def search() -> None:
        request = {"size": 10_000, "track_total_hits": True, "query": {"match": {"text": "two"}}}
        hits = ask(engine, "POST", "/docs/_search", request)[1]["hits"]
        rounds = {hit["_source"]["round"] for hit in hits["hits"]}
        assert (hits["total"]["value"], len(hits["hits"]), len(rounds)) == (DOCUMENTS, DOCUMENTS, 1)
        seen.update(rounds)

    running = threads.submit(replace)
    assert while_running(running, search) > 1
    running.result()
    search()
    assert max(seen) == 3


def test_a_point_in_time_sees_the_same_whatever_is_refreshed_and_forgotten(
    engine: EmbeddedEngine, threads: ThreadPoolExecutor
) -> None:
    ask(engine, "POST", "/docs/_bulk?refresh=true", bulk(0))
    point = ask(engine, "POST", "/docs/_pit?keep_alive=1m")[1]["id"]
    running = threads.submit(
        lambda: [ask(engine, "POST", "/docs/_bulk?refresh=true", bulk(number)) for number in range(1, 3)]
    )

    def walk() -> None:
        body: Json = {"size": 3_000, "pit": {"id": point}, "sort": ["_shard_doc"], "_source": ["round"]}
        found: list[Json] = []
        while page := ask(engine, "POST", "/_search", body)[1]["hits"]["hits"]:
            found += page
            body["search_after"] = page[-1]["sort"]
        assert {hit["_id"] for hit in found} == {str(number) for number in range(DOCUMENTS)}
        assert {hit["_source"]["round"] for hit in found} == {0}

    while_running(running, walk)
    walk()


def test_an_index_that_is_deleted_under_a_bulk_is_missed_by_the_rest_of_it(
    engine: EmbeddedEngine, threads: ThreadPoolExecutor
) -> None:
    running = threads.submit(ask, engine, "POST", "/docs/_bulk?refresh=true", bulk())
    while ask(engine, "DELETE", "/docs")[0] == 404:
        assert not running.done()
    status, answer = running.result()
    statuses = [item["index"]["status"] for item in answer["items"]]
    written = statuses.count(201)
    assert (status, statuses) == (200, [201] * written + [404] * (DOCUMENTS - written))
    assert 0 < written < DOCUMENTS
    assert ask(engine, "GET", "/docs")[0] == 404


def test_what_was_replaced_is_forgotten_in_the_background(engine: EmbeddedEngine) -> None:
    for number in range(2):
        ask(engine, "POST", "/docs/_bulk?refresh=true", bulk(number))
    engine.settle()
    status, stats = ask(engine, "GET", "/docs/_stats")
    assert (status, stats["_all"]["primaries"]["docs"]) == (200, {"count": DOCUMENTS, "deleted": 0})


def test_many_kinds_of_requests_at_once_end_in_order(engine: EmbeddedEngine, threads: ThreadPoolExecutor) -> None:
    failures: list[tuple[str, int, Json]] = []

    def work(index: str) -> None:
        for number in range(60):
            for method, target, body in (
                ("PUT", f"/{index}/_doc/{number % 7}?refresh={'true' if number % 3 else 'false'}", {"n": number}),
                ("GET", f"/{index}/_doc/{number % 7}", None),
                ("POST", "/*/_search", {"query": {"range": {"n": {"gte": 3}}}, "sort": ["n"]}),
                ("POST", f"/{index}/_delete_by_query?conflicts=proceed", {"query": {"term": {"n": number - 3}}}),
                ("GET", "/_stats?level=shards", None),
            ):
                status, answer = ask(engine, method, target, body)
                if status >= 300:
                    failures.append((target, status, answer))

    list(threads.map(work, ["a", "b", "c"]))
    assert failures == []


def test_a_search_ends_when_its_own_time_is_over(engine: EmbeddedEngine) -> None:
    ask(engine, "POST", "/docs/_bulk?refresh=true", bulk())
    search: Json = {"query": LONG, "sort": ["round", "_seq_no"]}
    for target, body in (("/docs/_search", {"timeout": 0}), ("/docs/_search?timeout=0", {})):
        status, answer = ask(engine, "POST", target, search | body)
        assert (status, answer["timed_out"], answer["hits"]["hits"]) == (200, True, [])
        assert answer["hits"]["total"] == {"value": 0, "relation": "gte"}
    for limit in ("-1", "10m"):
        status, answer = ask(engine, "POST", "/docs/_search", search | {"timeout": limit})
        assert (status, answer["timed_out"], len(answer["hits"]["hits"])) == (200, False, 10)
    assert ask(engine, "POST", "/docs/_search", search | {"timeout": "soon"})[0] == 400


def test_no_search_goes_on_for_ever(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, longest_search_s=0.0)
    ask(engine, "POST", "/docs/_bulk?refresh=true", bulk())
    search: Json = {"query": LONG}
    point = ask(engine, "POST", "/docs/_pit?keep_alive=1m")[1]["id"]
    requests: list[tuple[str, Json]] = [
        ("/docs/_search", search),
        ("/docs/_search?scroll=1m", search),
        ("/_search", search | {"pit": {"id": point}}),
        ("/docs/_count", {"query": {"bool": {"must_not": search["query"]}}}),
        ("/docs/_delete_by_query", search),
    ]
    for target, body in requests:
        status, answer = ask(engine, "POST", target, body)
        assert (status, answer["error"]["type"]) == (503, "timeout_exception")
    engine.close()
