"""What is searchable: the tables follow the record in slices, and nothing is missing where a search looks."""

import contextlib
import random
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest

from connectors.engine.embedded.mapping.mapping import Entries
from connectors.engine.embedded.store.index_file import IndexFile
from connectors.engine.embedded.store.searched import Searched
from connectors.engine.embedded.store.versioning import Condition

NOTHING = Entries(values={}, texts={}, present=frozenset())


class Rows:
    """An indexer that only notes what it is told; told to fail, it does so once."""

    def __init__(self) -> None:
        self.held: list[int] = []
        self.fails = False

    def add(self, rows: Sequence[tuple[int, Entries]]) -> None:
        if self.fails:
            self.fails = False
            raise ZeroDivisionError
        self.held += [row for row, _ in rows]

    def remove(self, rows: Sequence[int]) -> None:
        self.held = [row for row in self.held if row not in set(rows)]


class Store:
    """A file and what is searched of it; each slice holds two rows, because the clock jumps a second at every look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_ms = 1_000_000
        self.rows = Rows()
        self.read: list[bytes] = []
        self.open()

    def open(self) -> None:
        self.file = IndexFile(self.path, shards=1, now_ms=lambda: self.now_ms)
        seconds = count()
        self.searched = Searched(
            self.file, self.rows, self.entries_of, now_s=lambda: float(next(seconds)), rows_at_once=2
        )

    def entries_of(self, raw: bytes) -> Entries:
        self.read.append(raw)
        return NOTHING

    def restart(self) -> None:
        self.file.close()
        self.open()

    def put(self, doc_id: str) -> None:
        with self.file.transaction():
            self.file.index(doc_id, b"{}", Condition())
        self.searched.keep(self.file.last_row, NOTHING, 2)

    def delete(self, doc_id: str) -> None:
        with self.file.transaction():
            self.file.delete(doc_id, Condition())

    def refresh(self) -> None:
        wanted = self.file.last_row
        while not self.searched.refresh_step(wanted):
            pass

    def purge(self, oldest_view: int) -> None:
        while not self.searched.purge_step(oldest_view):
            pass

    def visible(self, upto: int) -> set[int]:
        """Return the rows that a search has to find."""
        found = self.file.connection.execute(
            "SELECT row FROM docs WHERE deleted = 0 AND row <= ?1 AND (until IS NULL OR until > ?1)", (upto,)
        )
        return {row for (row,) in found}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    one = Store(tmp_path / "index.db")
    yield one
    one.file.close()


def test_what_was_replaced_before_a_refresh_is_never_indexed(store: Store) -> None:
    store.put("a")
    store.put("a")
    store.put("b")
    store.delete("b")
    store.refresh()
    assert store.rows.held == [2]


def test_what_is_replaced_during_a_refresh_is_seen_by_it(store: Store) -> None:
    for number in range(6):
        store.put(str(number))
    assert not store.searched.refresh_step(6)
    for number in range(6):
        store.put(str(number))
    while not store.searched.refresh_step(6):
        pass
    assert (store.searched.refreshed, sorted(store.rows.held)) == (6, [1, 2, 3, 4, 5, 6])


def test_catching_up_makes_nothing_searchable_but_the_refresh_short(store: Store) -> None:
    for number in range(6):
        store.put(str(number))
    assert store.searched.lag_bytes == 12
    for _ in range(3):
        store.searched.catch_up_step()
    assert (store.searched.refreshed, store.searched.lag_bytes, store.rows.held) == (0, 0, [1, 2, 3, 4, 5, 6])
    assert store.searched.refresh_step(6)
    assert (store.searched.refreshed, store.rows.held) == (6, [1, 2, 3, 4, 5, 6])


def test_purging_keeps_what_an_older_view_sees(store: Store) -> None:
    store.put("a")
    store.refresh()
    view = store.searched.refreshed
    store.put("a")
    store.delete("b")
    store.refresh()
    store.now_ms += store.file.gc_deletes_ms + 1
    store.purge(view)
    assert store.rows.held == [1, 2]
    store.purge(store.searched.refreshed)
    assert (store.rows.held, store.file.gone_rows()) == ([2], 0)


def test_what_was_not_indexed_before_a_crash_is_read_from_the_record(store: Store) -> None:
    store.put("a")
    store.restart()
    store.refresh()
    assert (store.rows.held, store.read) == ([1], [b"{}"])


def test_what_is_kept_in_memory_is_not_read_again(store: Store) -> None:
    store.put("a")
    store.restart()
    store.put("b")
    store.refresh()
    assert (store.rows.held, len(store.read)) == ([1, 2], 1)


def test_a_slice_that_fails_is_done_again(store: Store) -> None:
    for number in range(5):
        store.put(str(number))
    assert not store.searched.refresh_step(5)
    store.rows.fails = True
    with pytest.raises(ZeroDivisionError):
        store.searched.refresh_step(5)
    assert (store.searched.indexed, store.searched.lag_bytes) == (2, 6)
    store.refresh()
    assert store.rows.held == [1, 2, 3, 4, 5]


class Chance:
    """Does one thing after the other to a store, at random."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.views = {0}
        self.wanted = 0

    def act(self) -> None:
        moves = [self.put] * 9 + [self.delete] * 3 + [self.begin] * 2 + [self.step] * 9
        moves += [self.store.searched.catch_up_step] * 3 + [self.purge] * 2 + [self.store.restart, self.fail]
        self.random.choice(moves)()
        self.views.add(self.store.searched.refreshed)

    def put(self) -> None:
        self.store.put(self.random.choice("abcdefgh"))

    def delete(self) -> None:
        self.store.delete(self.random.choice("abcdefgh"))

    def begin(self) -> None:
        self.wanted = self.store.file.last_row

    def step(self) -> None:
        self.store.searched.refresh_step(self.wanted)

    def purge(self) -> None:
        self.views = set(self.random.sample(sorted(self.views), min(2, len(self.views))))
        self.store.now_ms += self.store.file.gc_deletes_ms + 1
        self.store.purge(min(self.views | {self.store.searched.refreshed}))

    def fail(self) -> None:
        self.store.rows.fails = True
        with contextlib.suppress(ZeroDivisionError):
            self.store.searched.catch_up_step()
        self.store.rows.fails = False


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_in_between_a_search_misses_nothing(store: Store, seed: int) -> None:
    chance = Chance(store, seed)
    for _ in range(150):
        chance.act()
        for upto in chance.views:
            assert store.visible(upto) <= set(store.rows.held)
        assert len(store.rows.held) == len(set(store.rows.held))
        searched, file = store.searched, store.file
        assert searched.lag_bytes == file.bytes_between(searched.indexed, file.last_row)
