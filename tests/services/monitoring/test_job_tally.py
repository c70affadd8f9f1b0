"""What jobs come to, from what their processes say."""

from datetime import timedelta
from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.engine.traffic import Traffic
from connectors.errors import EngineOverloaded
from connectors.services.monitoring.job_tally import JobTally
from connectors.services.monitoring.metrics import Metrics
from connectors.services.working.messages import Alive, Ended, Progress, Requests, heard, line_of
from connectors.store.job import SyncJob
from tests.services.shop import Watch

FULL = ("full", "sqlite")


class Books:
    """A tally, and what it has come to."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.metrics = Metrics()
        self.tally = JobTally(self.metrics, {"sqlite"}, self.watch)

    def job(self, name: str, /, service_type: Any = "sqlite", **fields: Any) -> SyncJob:
        created = self.watch.moment - timedelta(seconds=7)
        usual = {"status": "pending", "job_type": "full", "created_at": created.isoformat()}
        document = {"connector": {"id": "c", "service_type": service_type}, **usual, **fields}
        return SyncJob(name, document, Revision(1, 1))

    def of(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the samples of a metric that are not nought."""
        samples = [one for family in self.metrics.families() for one in family.samples]
        return {tuple(one.labels.values()): one.value for one in samples if one.name == name and one.value}


@pytest.fixture
def books() -> Books:
    return Books()


def test_what_a_job_does_is_counted_as_it_comes_on_and_once(books: Books) -> None:
    books.tally.given(books.job("1"))
    books.tally.heard(Progress(job="1", created=5, unchanged=2, sent_bytes=100))
    books.tally.heard(Progress(job="1", created=7, unchanged=2, letters=1, sent_bytes=150, downloaded_bytes=9))
    assert books.of("connectors_jobs_running") == {FULL: 1}
    books.tally.heard(Ended("1", "completed"))
    books.tally.heard(Progress(job="1", created=9))
    assert books.of("connectors_documents_total") == {
        (*FULL, "created"): 7,
        (*FULL, "unchanged"): 2,
        (*FULL, "dead_letter"): 1,
    }
    assert books.of("connectors_sent_bytes_total") == {FULL: 150}
    assert books.of("connectors_downloaded_bytes_total") == {FULL: 9}
    assert books.of("connectors_jobs_ended_total") == {(*FULL, "completed"): 1}
    assert books.of("connectors_jobs_running") == {}


def test_every_outcome_of_a_report_has_its_number(books: Books) -> None:
    books.tally.given(books.job("1"))
    books.tally.heard(
        Progress(
            job="1",
            created=1,
            updated=2,
            unchanged=3,
            dropped=4,
            superseded=5,
            letters=6,
            deleted=7,
            held=8,
            content_failed=9,
        )
    )
    assert {labels[2]: number for labels, number in books.of("connectors_documents_total").items()} == {
        "created": 1,
        "updated": 2,
        "unchanged": 3,
        "dropped": 4,
        "superseded": 5,
        "dead_letter": 6,
        "deleted": 7,
        "held": 8,
        "without_content": 9,
    }


def test_a_job_that_is_given_again_counts_anew(books: Books) -> None:
    for ended in ("suspended", "completed"):
        books.tally.given(books.job("1"))
        books.tally.heard(Progress(job="1", created=5))
        books.tally.heard(Ended("1", ended))
    assert books.of("connectors_documents_total") == {(*FULL, "created"): 10}
    assert books.of("connectors_jobs_ended_total") == {(*FULL, "suspended"): 1, (*FULL, "completed"): 1}


def test_a_job_that_another_process_had_does_not_count(books: Books) -> None:
    books.tally.given(books.job("1"))
    books.tally.heard(Ended("1"))
    assert (books.of("connectors_jobs_ended_total"), books.of("connectors_jobs_running")) == ({}, {})


def test_a_death_ends_what_ran(books: Books) -> None:
    for name in ("1", "2", "3"):
        books.tally.given(books.job(name))
    books.tally.died(["1", "2", "of nobody"])
    assert books.of("connectors_jobs_ended_total") == {(*FULL, "died"): 2}
    assert books.of("connectors_jobs_running") == {FULL: 1}
    assert books.of("connectors_worker_deaths_total") == {(): 1}


def test_how_long_a_job_waited_counts_when_it_is_begun_first(books: Books) -> None:
    books.tally.given(books.job("1"))
    books.tally.given(books.job("2", status="suspended"))
    books.tally.given(books.job("3", created_at="nonsense"))
    books.tally.given(books.job("4", created_at=(books.watch.moment + timedelta(hours=1)).isoformat()))
    assert books.of("connectors_job_wait_seconds_count") == {("full",): 2}
    assert books.of("connectors_job_wait_seconds_sum") == {("full",): 7}


def test_what_waits_is_as_of_the_last_look(books: Books) -> None:
    running = books.job("3", status="in_progress")
    books.tally.known([books.job("1"), books.job("2", status="suspended"), running])
    assert books.of("connectors_jobs_waiting") == {FULL: 2}
    books.tally.known([books.job("4", job_type="incremental")])
    assert books.of("connectors_jobs_waiting") == {("incremental", "sqlite"): 1}


@pytest.mark.parametrize("service_type", ["made up", "", None, 7, ["sqlite"]])
def test_whatever_a_job_says_labels_are_few(books: Books, service_type: Any) -> None:
    books.tally.known([books.job("1", service_type, job_type="of a newer version")])
    books.tally.known([SyncJob("2", {"connector": None, "status": "pending"}, Revision(1, 1))])
    assert books.of("connectors_jobs_waiting") == {("full", "unknown"): 1}


def test_what_workers_sent_adds_up(books: Books) -> None:
    traffic = Traffic()
    traffic.count(0.5)
    traffic.count(2.0, EngineOverloaded("?"))
    for _ in range(2):
        message = heard(line_of(Requests({"data": traffic})))
        books.tally.heard(message)
    assert books.of("connectors_engine_requests_total") == {("data", "answered"): 2, ("data", "rejected"): 2}
    assert books.of("connectors_engine_request_seconds_sum") == {("data",): 5}
    assert books.of("connectors_engine_request_seconds_count") == {("data",): 4}
    buckets = books.of("connectors_engine_request_seconds_bucket")
    assert (buckets["data", "0.5"], buckets["data", "1.0"], buckets["data", "2.5"]) == (2, 2, 4)


def test_messages_are_small() -> None:
    full = Progress(job="x" * 32, **dict.fromkeys(Progress.__struct_fields__[1:], 10**9))
    assert heard(line_of(full)) == full
    assert len(line_of(full)) < 400
    assert line_of(Progress(job="1", created=2)) == b'{"type":"progress","job":"1","created":2}\n'
    assert heard(line_of(Alive())) == Alive()
