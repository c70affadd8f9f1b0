"""A disk that is full, or an engine too busy: what was written is not denied, and what was not is not claimed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.engine.embedded.api.bulk import BulkApi
from connectors.engine.embedded.api.delete_by_query import DeleteByQueryApi
from connectors.engine.embedded.api.documents import DocumentsApi
from connectors.engine.embedded.api.router import Router
from connectors.engine.embedded.api.views import Views
from connectors.engine.embedded.query.plan import View
from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.housekeeping import Housekeeping
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.store.indexer import TableIndexer
from connectors.engine.embedded.store.points_in_time import PointsInTime
from connectors.engine.embedded.store.refreshing import Refreshing
from connectors.engine.embedded.turn import Turn

Json = dict[str, Any]
DOCUMENTS = 2_000
BULK = b"".join(
    b'{"index":{"_id":"%d"}}\n{"text":"%s"}\n' % (number, b"some words " * 20) for number in range(DOCUMENTS)
)


class PoorViews(Views):
    """Views that one index is refused to."""

    blind_to = ""

    @contextmanager
    def of(self, index: Index) -> Iterator[View]:
        if index.name == self.blind_to:
            raise Refusal(429, "es_rejected_execution_exception", "too late")
        with super().of(index) as view:
            yield view


class Small:
    """An engine whose slices are a few documents, and whose disk has room for so many pages."""

    def __init__(self, folder: Path) -> None:
        self.turn = Turn(slice_s=0.002, longest_wait_s=0.05)
        points = PointsInTime()
        self.keeping = Housekeeping(self.turn, points)
        self.catalog = Catalog(folder, lambda file: TableIndexer(file.connection), 0.002)
        refreshing = Refreshing(self.turn, self.keeping)
        self.views = PoorViews(self.catalog, self.turn, refreshing, points)
        apis = (
            BulkApi(self.catalog, self.turn, refreshing),
            DocumentsApi(self.catalog, self.turn, refreshing, self.views),
            DeleteByQueryApi(self.turn, refreshing, self.views),
        )
        self.router = Router([route for api in apis for route in api.routes()], self.turn)
        self.index = self.catalog.create("docs", {"settings": {"refresh_interval": "-1"}})

    def ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, Json]:
        status, content = self.router.handle(method, target, body)
        return status, msgspec.json.decode(content)

    def leave_room(self, pages: int) -> None:
        run = self.index.file.connection.execute
        run(f"PRAGMA max_page_count = {run('PRAGMA page_count').get + pages}")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    one = Small(tmp_path)
    yield one
    one.keeping.close()
    one.catalog.close()


def test_a_bulk_says_of_each_document_whether_there_was_room_for_it(small: Small) -> None:
    small.leave_room(60)
    status, answer = small.ask("POST", "/docs/_bulk", BULK)
    statuses = [item["index"]["status"] for item in answer["items"]]
    written = statuses.count(201)
    assert (status, statuses) == (200, [201] * written + [429] * (DOCUMENTS - written))
    assert 0 < written < DOCUMENTS
    assert answer["items"][-1]["index"]["error"]["type"] == "cluster_block_exception"
    assert small.index.file.live_documents() == written
    small.leave_room(100_000)
    assert small.ask("POST", "/docs/_bulk?refresh=true", BULK)[1]["errors"] is False
    assert (small.index.file.live_documents(), small.index.searched.lag_bytes) == (DOCUMENTS, 0)


def test_what_may_have_been_written_beside_an_index_without_room_is_not_denied(small: Small) -> None:
    small.catalog.create("other", {})
    small.leave_room(1)
    large = b'{"text": "%s"}' % (b"x" * 100_000)
    body = b'{"index":{"_index":"docs","_id":"1"}}\n%s\n{"index":{"_index":"other","_id":"1"}}\n{}\n' % large
    assert small.ask("POST", "/_bulk", body)[0] in {429, 500}
    assert small.ask("GET", "/docs/_doc/1")[0] == 404
    swapped = b'{"index":{"_index":"other","_id":"1"}}\n{}\n{"index":{"_index":"docs","_id":"1"}}\n%s\n' % large
    assert small.ask("POST", "/_bulk", swapped)[0] == 500


def test_a_write_without_room_is_refused_and_the_next_one_with_room_is_not(small: Small) -> None:
    small.leave_room(0)
    large = b'{"text": "%s"}' % (b"x" * 100_000)
    status, answer = small.ask("PUT", "/docs/_doc/1", large)
    assert (status, answer["error"]["type"]) == (429, "cluster_block_exception")
    assert small.ask("GET", "/docs/_doc/1")[0] == 404
    small.leave_room(100)
    assert small.ask("PUT", "/docs/_doc/1", large)[0] == 201


def test_a_write_that_can_not_be_refreshed_is_not_denied(small: Small) -> None:
    assert small.ask("POST", "/docs/_bulk", BULK)[1]["errors"] is False
    small.leave_room(8)
    for target in ("/docs/_doc/new?refresh=true", "/docs/_doc/newer?refresh=wait_for"):
        status, answer = small.ask("PUT", target, b"{}")
        assert (status, answer["error"]["type"]) == (500, "exception")
        assert answer["error"]["reason"].startswith("It was written, but can't be searched yet: The disk")
    assert small.ask("GET", "/docs/_doc/new")[0] == 200


def test_a_delete_by_query_that_breaks_off_says_how_far_it_came(small: Small) -> None:
    assert small.ask("POST", "/docs/_bulk?refresh=true", BULK)[1]["errors"] is False
    small.keeping.settle()
    small.leave_room(10)
    status, answer = small.ask("POST", "/docs/_delete_by_query", b'{"query":{"match_all":{}}}')
    left = small.index.file.live_documents()
    assert (status, 0 < left < DOCUMENTS) == (500, True)
    assert answer["error"]["reason"].startswith(f"{DOCUMENTS - left} documents were deleted before this: The disk")


def test_a_delete_by_query_that_breaks_off_at_another_index_does_not_deny_the_first(small: Small) -> None:
    small.catalog.create("zoo", {})
    for name in ("docs", "zoo"):
        assert small.ask("PUT", f"/{name}/_doc/1?refresh=true", b"{}")[0] == 201
    small.views.blind_to = "zoo"
    status, answer = small.ask("POST", "/docs,zoo/_delete_by_query", b'{"query":{"match_all":{}}}')
    assert (status, answer["error"]["reason"]) == (500, "1 documents were deleted before this: too late")
    assert small.ask("GET", "/docs/_doc/1")[0] == 404
    status, answer = small.ask("POST", "/docs,zoo/_delete_by_query", b'{"query":{"match_all":{}}}')
    assert (status, answer["error"]["reason"]) == (429, "too late")


def test_without_a_turn_nothing_is_written_and_that_is_said(small: Small) -> None:
    with small.turn.taken():
        for method, target, body in (
            ("POST", "/docs/_bulk", BULK),
            ("PUT", "/docs/_doc/1", b"{}"),
            ("DELETE", "/docs/_doc/1", b""),
        ):
            status, answer = small.ask(method, target, body)
            assert (status, answer["error"]["type"]) == (429, "es_rejected_execution_exception")
    assert small.index.file.live_documents() == 0
