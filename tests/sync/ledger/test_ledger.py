from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connectors.errors import ScanIncomplete
from connectors.sync.ledger.ledger import Keys, Layout, Ledger, keys_of
from connectors.sync.ledger.run import Fingerprints

TINY = Layout(runs=3, share=2, ratio=2, smallest=1, block=2)
EDGES = [0, 1, 2, 2**32, 2**63, 2**64 - 2, 2**64 - 1]
HALVES = st.sampled_from(EDGES) | st.integers(0, 2**64 - 1)
Pair = tuple[int, int]
PAIRS = st.tuples(HALVES, HALVES) | st.tuples(st.sampled_from([0, 7, 2**64 - 1]), st.integers(0, 40))
BATCHES = st.lists(PAIRS, max_size=12)
FINGERPRINTS = st.integers(-(2**63), 2**63 - 1) | st.just(0)


def keys(pairs: Sequence[Pair]) -> Keys:
    return np.array(pairs, np.uint64).reshape(-1, 2)


def numbers(values: Sequence[int]) -> Fingerprints:
    return np.array(values, np.int64)


@dataclass
class Entry:
    fingerprint: int = 0
    held: bool = False
    seen: bool = False


class Compared(RuleBasedStateMachine):
    """A ledger of tiny runs beside a dictionary."""

    @initialize(
        expected=st.integers(0, 60),
        layout=st.builds(
            Layout,
            runs=st.integers(1, 4),
            share=st.integers(1, 9),
            ratio=st.just(2),
            smallest=st.just(1),
            block=st.integers(1, 9),
            stride=st.sampled_from([1, 2, 4]),
        ),
    )
    def begin(self, expected: int, layout: Layout) -> None:
        self.ledger = Ledger(expected, layout=layout)
        self.model: dict[Pair, Entry] = {}

    @rule(page=st.dictionaries(PAIRS, FINGERPRINTS, max_size=12))
    def load(self, page: dict[Pair, int]) -> None:
        self.load_page(list(page.items()))

    @rule(page=st.dictionaries(PAIRS, FINGERPRINTS, max_size=12))
    def load_in_order(self, page: dict[Pair, int]) -> None:
        last = max(self.model, default=(-1, -1))
        self.load_page(sorted(item for item in page.items() if item[0] > last))

    @rule(page=BATCHES)
    def load_repeated(self, page: list[Pair]) -> None:
        self.load_page([(pair, 5) for pair in page])

    def load_page(self, page: list[tuple[Pair, int]]) -> None:
        pairs = [pair for pair, _ in page]
        if len(set(pairs)) < len(pairs) or self.model.keys() & set(pairs):
            with pytest.raises(ScanIncomplete):
                self.ledger.load(keys(pairs), numbers([value for _, value in page]))
            return
        self.ledger.load(keys(pairs), numbers([value for _, value in page]))
        self.model |= {pair: Entry(value, held=True) for pair, value in page}

    @rule(pairs=BATCHES)
    def visit(self, pairs: list[Pair]) -> None:
        visit = self.ledger.visit(keys(pairs))
        for number, pair in enumerate(pairs):
            entry = self.model.setdefault(pair, Entry())
            found = Entry(int(visit.fingerprints[number]), bool(visit.held[number]), bool(visit.repeated[number]))
            assert found == entry
            entry.seen = True

    @rule(pairs=BATCHES)
    def peek(self, pairs: list[Pair]) -> None:
        visit = self.ledger.peek(keys(pairs))
        expected, before = [], set()
        for pair in pairs:
            entry = self.model.get(pair, Entry())
            expected.append(Entry(entry.fingerprint, entry.held, entry.seen or pair in before))
            before.add(pair)
        columns = (visit.fingerprints.tolist(), visit.held.tolist(), visit.repeated.tolist())
        assert [Entry(*row) for row in zip(*columns, strict=True)] == expected

    @rule(written=st.lists(st.tuples(PAIRS, FINGERPRINTS), max_size=12))
    def acknowledge(self, written: list[tuple[Pair, int]]) -> None:
        self.ledger.acknowledge(keys([pair for pair, _ in written]), numbers([value for _, value in written]))
        for pair, fingerprint in written:
            entry = self.model.setdefault(pair, Entry())
            entry.fingerprint, entry.held = fingerprint, True

    @rule(pairs=BATCHES)
    def drop(self, pairs: list[Pair]) -> None:
        self.ledger.drop(keys(pairs))
        for pair in pairs:
            if pair in self.model:
                self.model[pair] = Entry(seen=self.model[pair].seen)

    @rule(pairs=BATCHES)
    def are_unseen(self, pairs: list[Pair]) -> None:
        expected = [(entry := self.model.get(pair, Entry())).held and not entry.seen for pair in pairs]
        assert self.ledger.are_unseen(keys(pairs)).tolist() == expected

    @rule()
    def begin_walk(self) -> None:
        self.ledger.begin_walk()
        for entry in self.model.values():
            entry.seen = False

    @rule()
    def entries(self) -> None:
        assert held(self.ledger) == sorted((pair, one.fingerprint) for pair, one in self.model.items() if one.held)

    @invariant()
    def counts_are_right(self) -> None:
        entries = self.model.values()
        assert (self.ledger.held, self.ledger.seen, self.ledger.unseen, len(self.ledger)) == (
            sum(entry.held for entry in entries),
            sum(entry.seen for entry in entries),
            sum(entry.held and not entry.seen for entry in entries),
            sum(entry.held or entry.seen for entry in entries),
        )


def held(ledger: Ledger) -> list[tuple[Pair, int]]:
    found = []
    for chunk, fingerprints in ledger.entries():
        found += [
            ((high, low), value) for (high, low), value in zip(chunk.tolist(), fingerprints.tolist(), strict=True)
        ]
    return found


Compared.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
TestCompared = Compared.TestCase


def test_keys_are_read_from_joined_bytes() -> None:
    joined = b"".join([bytes(16), b"\x01" + bytes(15), b"\xff" * 16])
    assert keys_of(joined).tolist() == [[0, 0], [1, 0], [2**64 - 1, 2**64 - 1]]


def test_nothing_is_known_of_an_empty_ledger() -> None:
    ledger = Ledger()
    visit = ledger.peek(keys([(1, 1)]))
    assert (visit.fingerprints.tolist(), visit.held.tolist(), visit.repeated.tolist()) == ([0], [False], [False])
    assert (len(ledger), ledger.held, ledger.seen, ledger.unseen, held(ledger)) == (0, 0, 0, 0, [])


def test_a_batch_may_be_empty() -> None:
    ledger = Ledger(10)
    none = keys([])
    ledger.load(none, numbers([]))
    ledger.acknowledge(none, numbers([]))
    ledger.drop(none)
    assert ledger.visit(none).held.tolist() == ledger.are_unseen(none).tolist() == []


def test_what_the_walk_repeats_is_said_within_a_batch_and_between_two() -> None:
    ledger = Ledger()
    assert ledger.visit(keys([(5, 5), (1, 1), (5, 5), (5, 6)])).repeated.tolist() == [False, False, True, False]
    assert ledger.visit(keys([(5, 6), (2, 2)])).repeated.tolist() == [True, False]
    ledger.begin_walk()
    assert ledger.visit(keys([(5, 6)])).repeated.tolist() == [False]


def test_what_is_repeated_is_told_from_what_only_begins_alike() -> None:
    random = np.random.default_rng(4711)
    pairs = [(7, int(low)) for low in random.integers(0, 300, 1_000)]
    expected = [pair in pairs[:number] for number, pair in enumerate(pairs)]
    assert Ledger().visit(keys(pairs)).repeated.tolist() == expected


def test_of_two_acknowledgements_in_a_batch_the_last_counts() -> None:
    ledger = Ledger()
    ledger.acknowledge(keys([(1, 1), (2, 2), (1, 1)]), numbers([7, 8, 9]))
    assert held(ledger) == [((1, 1), 9), ((2, 2), 8)]


def test_a_page_with_a_document_twice_adds_nothing() -> None:
    ledger = Ledger(layout=TINY)
    ledger.load(keys([(3, 3)]), numbers([1]))
    for page in ([(9, 9), (3, 3)], [(9, 9), (9, 9)]):
        with pytest.raises(ScanIncomplete, match="twice"):
            ledger.load(keys(page), numbers([1, 1]))
    assert held(ledger) == [((3, 3), 1)]


def test_a_ledger_grows_while_somebody_still_looks_at_its_memory() -> None:
    ledger = Ledger(layout=TINY)
    ledger.load(keys([(1, 1)]), numbers([5]))
    views = [run.arrays for run in ledger._runs]
    ledger.load(keys([(2, number) for number in range(10_000)]), numbers([6] * 10_000))
    assert [views[0][0][:1].tolist(), held(ledger)] == [
        [1],
        [((1, 1), 5), *(((2, number), 6) for number in range(10_000))],
    ]


@pytest.mark.parametrize("batch", [1, 97, 5_000])
@pytest.mark.parametrize("expected", [0, 30_000, 1_000_000])
def test_many_random_documents_are_all_found_again(batch: int, expected: int) -> None:
    count = 30_000 if batch > 1 else 2_500
    ledger, random = Ledger(expected), np.random.default_rng(4711)
    everything = random.integers(0, 2**64, (count, 2), dtype=np.uint64)
    fingerprints = random.integers(-(2**63), 2**63, count)
    for start in range(0, count, batch):
        ledger.load(everything[start : start + batch], fingerprints[start : start + batch])
    shuffled = random.permutation(count)
    found = ledger.visit(everything[shuffled])
    assert np.array_equal(found.fingerprints, fingerprints[shuffled])
    assert (ledger.held, ledger.seen, ledger.unseen, len(ledger)) == (count, count, 0, count)
    in_order = np.lexsort((everything[:, 1], everything[:, 0]))
    pages = list(ledger.entries())
    assert np.array_equal(np.concatenate([page for page, _ in pages]), everything[in_order])
    assert np.array_equal(np.concatenate([values for _, values in pages]), fingerprints[in_order])
