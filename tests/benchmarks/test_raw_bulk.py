"""The yardstick sends what a sync would send, all of it, and says what it measured."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from benchmarks.null_engine import null_engine
from benchmarks.raw_bulk import EPOCH, Bodies, Found, Load, Trial, best_raw_rate, summary, text, trial, usual_load
from connectors.engine.bulk import index_line

DOCUMENTS = [json.dumps({"n": number, "text": 'a "b"\n'}).encode() for number in range(7)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with null_engine() as address:
        yield address


def test_bodies_have_the_lines_that_a_sync_writes() -> None:
    bodies = Bodies(DOCUMENTS, 3)
    for number, first in ((0, 0), (1, 3), (2, 0), (12, 0)):
        documents = [DOCUMENTS[first + place] for place in range(3)]
        lines = [index_line(f"{place}-{number}", version=EPOCH << 21 | number) for place in range(3)]
        assert bodies.body(number) == b"".join(map(b"%b%b\n".__mod__, zip(lines, documents, strict=True)))


def test_a_batch_may_be_larger_than_the_documents_that_there_are() -> None:
    assert Bodies(DOCUMENTS, 10).body(5).count(b"\n") == 20


def test_the_usual_documents_have_a_kilobyte_and_a_mark() -> None:
    load = usual_load()
    assert 950 <= sum(map(len, load.documents)) / len(load.documents) <= 1_050
    assert set(json.loads(load.documents[0])["_sync"]) == {*"fdvoc"}


def test_every_document_is_sent_once(url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    load = Load(DOCUMENTS)
    done = trial(url, load, Bodies(DOCUMENTS, 4), connections=3, batch=4, count=101)
    assert (done.documents, done.connections, done.batch) == (104, 3, 4)
    assert 0 < done.recorded_s <= done.searchable_s
    assert done.rate == 104 / done.recorded_s
    connection.request("GET", "/_settings")  # its index is gone again
    with connection.getresponse() as answer:
        assert json.load(answer) == {}
    connection.close()


def test_the_best_of_all_ways_is_measured_with_all_documents(url: str) -> None:
    best, trials = best_raw_rate(url, Load(DOCUMENTS), count=40, warm_up=8, connections=(1, 2), batches=(4, 8))
    assert [(one.connections, one.batch) for one in trials] == [(1, 4), (1, 8), (2, 4), (2, 8)]
    assert best.documents == 40
    assert (best.connections, best.batch) in {(one.connections, one.batch) for one in trials}


def test_a_bulk_that_is_not_taken_is_no_result() -> None:
    with pytest.raises(ConnectionError):
        trial("http://127.0.0.1:1", Load(DOCUMENTS), Bodies(DOCUMENTS, 4), connections=1, batch=4, count=4)


def test_the_tables_show_every_way() -> None:
    trials = [Trial(1, 250, 1_000, 0.1, 0.2, 0.01), Trial(2, 250, 1_000, 0.05, 0.1, 0.02)]
    found = Found("embedded", trials[1], trials, 3e-6)
    assert "| embedded | 20,000 | 10,000 | 2 | 250 | 3 | 20 |" in summary([found]).splitlines()
    lines = text(found).splitlines()
    assert "| 1 connection | 10,000 |" in lines
    assert "| 2 connections | 20,000 |" in lines
