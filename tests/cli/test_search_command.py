"""`connectors search` as a person meets it, with the embedded engine."""

import pytest

from tests.cli.desk import Desk


@pytest.fixture
def synced(desk: Desk) -> Desk:
    """Give a desk with three things in an index."""
    desk.put(
        {"_id": "a", "title": "Moby-Dick", "text": "Call me Ishmael: a whale of a book."},
        {"_id": "b", "text": "A whale.", "size": 7},
        {"_id": "c", "title": "Whale"},
    )
    desk.create("shelf", index="books")
    desk.json("sync", "shelf")
    return desk


def test_the_best_documents_are_shown_with_the_words_in_their_place(synced: Desk) -> None:
    done = synced.run("search", "books", "ishmael book whale", "--size", "1")
    assert (done.returncode, done.stderr, done.stdout.splitlines()) == (
        0,
        "",
        [
            "3 documents of books found for 'ishmael book whale'; the best 1:",
            "",
            "  1. Moby-Dick  a",
            "     text: Call me Ishmael: a whale of a book.",
        ],
    )


def test_the_id_of_a_connector_stands_for_its_index(synced: Desk) -> None:
    found = synced.json("search", "shelf", "whale")
    assert (found["index"], found["total"]) == ("books", 3)
    hits = {one["id"]: one for one in found["hits"]}
    assert hits["a"] == {
        "id": "a",
        "index": "books-000001",
        "title": "Moby-Dick",
        "field": "text",
        "excerpt": "Call me Ishmael: a <em>whale</em> of a book.",
    }
    assert (hits["b"]["title"], hits["c"]["excerpt"]) == (None, "<em>Whale</em>")


def test_what_connectors_add_to_documents_is_not_searched(synced: Desk) -> None:
    assert synced.json("search", "books", "shelf") == {"index": "books", "total": 0, "hits": []}
    assert synced.run("search", "books", "shelf").stdout == "Nothing in books is found for 'shelf'.\n"


def test_an_index_that_there_is_not_is_told_with_the_one_that_may_be_meant(synced: Desk) -> None:
    done = synced.run("search", "boks", "whale")
    expected = "There is no index 'boks', and no connector.\nDid you mean books?\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_a_connector_that_was_not_synced_yet_has_nothing_to_search(desk: Desk) -> None:
    desk.create("shelf", index="books")
    done = desk.run("search", "shelf", "whale")
    assert (done.returncode, done.stderr) == (
        2,
        "The connector 'shelf' has no index yet: books is not there.\nThe first sync makes it: connectors sync shelf\n",
    )
