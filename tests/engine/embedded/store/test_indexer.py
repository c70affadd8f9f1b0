"""The indexer: what documents add to the tables, and that it can be taken out again."""

import pytest

from connectors.engine.embedded.store.indexer import TableIndexer, coarse
from tests.engine.embedded.index import SmallIndex

TABLES = ("vals", "doc_vals", "texts", "words_at")


def test_removed_rows_leave_nothing_behind() -> None:
    small = SmallIndex({"t": {"type": "text"}})
    small.add("a", {"t": "some words", "n": [1, 2], "k": "x"})
    before = [list(small.connection.execute(f"SELECT * FROM {table}")) for table in (*TABLES, "fields")]
    small.add("b", {"t": "other words", "n": [2, 3, 3], "k": "x"})
    TableIndexer(small.connection).remove([2, 7])
    assert [list(small.connection.execute(f"SELECT * FROM {table}")) for table in (*TABLES, "fields")] == before


def test_sums_of_a_field_count_rows_and_what_they_hold() -> None:
    small = SmallIndex({"t": {"type": "text"}})
    small.add("a", {"t": ["some words", "more"], "n": [1, 2, 2], "k": "x"})
    small.add("b", {"t": "words", "n": 2})
    sums = {path: counts for path, *counts in small.connection.execute("SELECT path, texts, tokens FROM fields")}
    assert sums == {"t": [2, 4], "n": [2, 3], "k.keyword": [1, 1], "k": [1, 1]}


def test_field_is_known_to_hold_several_values_once_one_row_does() -> None:
    small = SmallIndex({})
    small.add("a", {"n": 1})
    small.add("b", {"n": [1, 2], "m": 1})
    assert dict(small.connection.execute("SELECT path, multiple FROM fields")) == {"n": 1, "m": 0}


def test_row_with_several_matching_values_is_found_once() -> None:
    small = SmallIndex({})
    small.add("a", {"n": [1, 2, 2]})
    assert small.search(query={"range": {"n": {"gte": 1}}})["total"] == {"value": 1, "relation": "eq"}
    assert small.search(docvalue_fields=["n"])["hits"][0]["fields"] == {"n": [1, 2, 2]}


@pytest.mark.parametrize(
    ("length", "kept"), [(0, 0), (23, 23), (24, 24), (39, 39), (40, 40), (41, 40), (57, 56), (100, 96), (1_000, 984)]
)
def test_length_is_kept_as_coarsely_as_by_lucene(length: int, kept: int) -> None:
    assert coarse(length) == kept
