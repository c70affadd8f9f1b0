"""The indexer: writes what documents hold into the tables that are searched."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final

import apsw

from connectors.engine.embedded.mapping.analysis import tokens
from connectors.engine.embedded.mapping.field import Entries

_FREE_LENGTHS: Final = 24
"""Lengths up to here are kept exactly."""
_GAP: Final = " ".join("|" * 100)
"""What keeps the texts of an array so far apart that no phrase reaches over it."""
_REMOVED_AT_ONCE: Final = 10_000


class TableIndexer:
    """Keeps the tables `fields`, `vals`, `doc_vals`, `texts` and `words` of one index.

    It works within the transaction that its caller opened, and keeps nothing that a rollback would make untrue.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def add(self, rows: Sequence[tuple[int, Entries]]) -> None:
        """Add what these rows hold."""
        run, many = self._connection.execute, self._connection.executemany
        batch = _Batch({str(path): int(number) for path, number in run("SELECT path, number FROM fields")})
        for row, entries in rows:
            batch.add(row, entries)
        many("INSERT INTO fields(path, number) VALUES(?, ?)", batch.new_fields())
        many("INSERT OR IGNORE INTO vals VALUES(?, ?, ?)", batch.sorted_vals())
        many("INSERT INTO doc_vals VALUES(?, ?, ?, ?)", sorted(batch.doc_vals, key=itemgetter(0, 1, 2)))
        many("INSERT INTO texts VALUES(?, ?, ?, ?)", sorted(batch.texts, key=itemgetter(0, 1)))
        many("INSERT INTO words(rowid, tokens) VALUES(?, ?)", batch.words)
        many("UPDATE fields SET multiple = 1 WHERE number = ?", ((number,) for number in batch.multiple))
        many("UPDATE fields SET texts = texts + ?, tokens = tokens + ? WHERE number = ?", batch.sums())

    def remove(self, rows: Sequence[int]) -> None:
        """Take out whatever these rows added."""
        for start in range(0, len(rows), _REMOVED_AT_ONCE):
            self._remove(rows[start : start + _REMOVED_AT_ONCE])

    def _remove(self, rows: Sequence[int]) -> None:
        run = self._connection.execute
        run("CREATE TEMP TABLE IF NOT EXISTS removed(row INTEGER PRIMARY KEY)")
        self._connection.executemany("INSERT OR IGNORE INTO temp.removed VALUES(?)", ((row,) for row in rows))
        # The fields are named so that each row is looked up in the tables, which are sorted by field, not searched for.
        these = "field IN (SELECT number FROM fields) AND row IN (SELECT row FROM temp.removed)"
        held = f"SELECT DISTINCT field, value, row FROM doc_vals WHERE {these}"
        sums = [
            *run(f"SELECT count(*), sum(length), field FROM texts WHERE {these} AND length > 0 GROUP BY field"),
            *run(f"SELECT count(DISTINCT row), count(*), field FROM ({held}) GROUP BY field"),
        ]
        many = self._connection.executemany
        many("UPDATE fields SET texts = texts - ?, tokens = tokens - ? WHERE number = ?", sums)
        run(f"DELETE FROM vals WHERE (field, value, row) IN ({held})")
        for table in ("doc_vals", "texts"):
            run(f"DELETE FROM {table} WHERE {these}")
        run("DELETE FROM words WHERE rowid IN (SELECT row FROM temp.removed)")
        run("DELETE FROM temp.removed")


class _Batch:
    """The table rows of some documents."""

    def __init__(self, numbers: dict[str, int]) -> None:
        self._numbers = numbers
        self._known = len(numbers)
        self._next = max(numbers.values(), default=0) + 1
        self.vals: list[tuple[int, int | float | str, int]] = []
        self.doc_vals: list[tuple[int, int, int, int | float | str]] = []
        self.texts: list[tuple[int, int, int | None, int | None]] = []
        self.words: list[tuple[int, str]] = []
        self.multiple: set[int] = set()

    def _number(self, path: str) -> int:
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = self._next
            self._next += 1
        return number

    def new_fields(self) -> Iterable[tuple[str, int]]:
        """Return the fields that had no number yet."""
        return list(self._numbers.items())[self._known :]

    def sorted_vals(self) -> Iterable[tuple[int, int | float | str, int]]:
        """Return `vals` in the order of their table; numbers and texts of one field would not compare."""
        try:
            return sorted(self.vals)
        except TypeError:
            return sorted(self.vals, key=lambda value: (value[0], isinstance(value[1], str), value[1], value[2]))

    def sums(self) -> Iterable[tuple[int, int, int]]:
        """Return by how much the numbers of texts, or of rows with values, and of tokens or values grow."""
        rows = Counter(field for field, _, place, _ in self.doc_vals if not place)
        # `vals` has a value of a row once.
        values = Counter(map(itemgetter(0), set(self.vals) if self.multiple else self.vals))
        grown = [(count, values[field], field) for field, count in rows.items()]
        texts, lengths = Counter[int](), Counter[int]()
        for field, _, length, _ in self.texts:
            if length:
                texts[field] += 1
                lengths[field] += length
        return grown + [(count, lengths[field], field) for field, count in texts.items()]

    def add(self, row: int, entries: Entries) -> None:
        """Add what one document holds."""
        numbers = self._numbers
        for path, values in entries.values.items():
            field = numbers.get(path) or self._number(path)
            if len(values) == 1:
                self.vals.append((field, values[0], row))
                self.doc_vals.append((field, row, 0, values[0]))
                continue
            self.multiple.add(field)
            for place, value in enumerate(values):
                self.vals.append((field, value, row))
                self.doc_vals.append((field, row, place, value))
        if entries.texts:
            self._add_texts(row, entries.texts)
        for path in entries.present:
            if path not in entries.values and path not in entries.texts:
                self.texts.append((self._number(path), row, None, None))

    def _add_texts(self, row: int, fields: Mapping[str, tuple[str, ...]]) -> None:
        numbers = self._numbers
        written: list[str] = []
        for path, texts in fields.items():
            field = numbers.get(path) or self._number(path)
            prefix, length = f"{field}|", 0
            separator = f" {prefix}"
            for text in texts:
                words = tokens(text)
                if words:
                    if length:
                        written.append(_GAP)
                    written.append(prefix + separator.join(words))
                    length += len(words)
            self.texts.append((field, row, length, coarse(length)))
        if written:
            self.words.append((row, " ".join(written)))


def coarse(length: int) -> int:
    """Return a length as Lucene remembers it: in one byte, of which three bits are the leading ones."""
    if length < _FREE_LENGTHS:
        return length
    beyond = length - _FREE_LENGTHS
    shift = max(beyond.bit_length() - 4, 0)
    return _FREE_LENGTHS + (beyond >> shift << shift)
