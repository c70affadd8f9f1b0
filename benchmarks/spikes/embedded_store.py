"""What the embedded engine could search in, SQLite or tantivy: `python -m benchmarks.spikes.embedded_store`."""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import msgspec

COUNT = 100_000
FIELDS = {"kind": 1, "user": 2, "n": 3, "price": 4, "ts": 5, "flag": 6}


def documents(count: int) -> list[dict[str, Any]]:
    """Return documents of some 520 bytes, the same ones each time, with words of very different frequency."""
    chance = random.Random(1)
    words = [f"word{number}" for number in range(5_000)]
    pool = chance.choices(words, [1 / (number + 1) for number in range(5_000)], k=200_000)
    made = []
    for number in range(count):
        at = chance.randrange(199_000)
        made.append(
            {
                "title": " ".join(pool[at : at + 6]),
                "body": " ".join(pool[at + 6 : at + 56]),
                "kind": f"k{number % 7}",
                "user": f"u{chance.randrange(10_000)}",
                "n": number,
                "price": chance.random() * 1000,
                "ts": 1_700_000_000_000 + number * 1000,
                "flag": number % 2 == 0,
            }
        )
    return made


def timed(name: str, work: Callable[[], object], times: int = 5) -> float:
    """Print how long it takes, and return it."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    seconds = (time.perf_counter() - started) / times
    print(f"| {name} | {seconds * 1e3:.2f} |")
    return seconds


def sqlite(folder: Path, made: list[dict[str, Any]]) -> None:
    """Measure a record, an inverted table of values, the same the other way round, and FTS5, in one file."""
    connection = apsw.Connection(str(folder / "spike.db"))
    run, many = connection.execute, connection.executemany
    raw = [msgspec.json.encode(one) for one in made]
    for statement in (
        "PRAGMA journal_mode = wal",
        "PRAGMA synchronous = normal",
        "CREATE TABLE docs(row INTEGER PRIMARY KEY, id TEXT, version INT, source BLOB, until INT)",
        "CREATE UNIQUE INDEX current ON docs(id) WHERE until IS NULL",
        "CREATE TABLE vals(f INT, v, row INT, PRIMARY KEY(f, v, row)) WITHOUT ROWID",
        "CREATE TABLE doc_vals(row INT, f INT, v, PRIMARY KEY(row, f)) WITHOUT ROWID",
        "CREATE VIRTUAL TABLE fts USING fts5(title, body, content='', contentless_delete=1, tokenize='ascii')",
    ):
        run(statement).fetchall()

    def record() -> None:
        for start in range(0, COUNT, 1000):
            run("BEGIN")
            many(
                "INSERT INTO docs VALUES(?, ?, 1, ?, NULL)",
                [(number, f"d{number}", raw[number]) for number in range(start, start + 1000)],
            )
            run("COMMIT")

    def index(low: int, high: int) -> None:
        run("BEGIN")
        values = [(number, made[row][name], row) for row in range(low, high) for name, number in FIELDS.items()]
        ordered = sorted(values, key=lambda one: (one[0], one[1], one[2]))
        many("INSERT INTO vals VALUES(?, ?, ?)", ordered)
        many("INSERT INTO doc_vals VALUES(?, ?, ?)", [(row, number, value) for number, value, row in values])
        texts = [(row, made[row]["title"], made[row]["body"]) for row in range(low, high)]
        many("INSERT INTO fts(rowid, title, body) VALUES(?, ?, ?)", texts)
        run("COMMIT")

    print(f"| SQLite: record | {COUNT / timed('record all', record, 1):,.0f} a second |")
    seconds = timed("index all", lambda: [index(start, start + 5000) for start in range(0, COUNT, 5000)], 1)
    print(f"| SQLite: index | {COUNT / seconds:,.0f} a second |")
    queries = {
        "term, counted": "SELECT count(*) FROM vals WHERE f = 1 AND v = 'k3'",
        "range, counted": "SELECT count(*) FROM vals WHERE f = 3 AND v >= 100 AND v < 50000",
        "rare word": "SELECT rowid FROM fts WHERE fts MATCH 'body:word4000'",
        "word in nearly every document, best 10": "SELECT rowid FROM fts WHERE fts MATCH 'body:word1' ORDER BY rank "
        "LIMIT 10",
        "term and range and word": "SELECT count(*) FROM (SELECT row FROM vals WHERE f = 1 AND v = 'k3' INTERSECT "
        "SELECT row FROM vals WHERE f = 3 AND v BETWEEN 100 AND 50000 INTERSECT "
        "SELECT rowid FROM fts WHERE fts MATCH 'body:word10')",
        "half of all, sorted by two keys, first 10": "SELECT a.row FROM vals a "
        "JOIN doc_vals k ON k.row = a.row AND k.f = 1 JOIN doc_vals n ON n.row = a.row AND n.f = 3 "
        "WHERE a.f = 6 AND a.v = 1 ORDER BY k.v, n.v DESC LIMIT 10",
    }
    for name, query in queries.items():
        timed(f"SQLite: {name}", lambda query=query: run(query).fetchall())  # type: ignore[misc]
    extra = iter(range(COUNT, COUNT + 100))
    made.extend(documents(100))
    timed("SQLite: index one more document", lambda: index(row := next(extra), row + 1), 50)


def tantivy(folder: Path, made: list[dict[str, Any]]) -> None:
    """Measure the same in tantivy, with a schema made for these documents."""
    import tantivy as engine  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415 - measured where installed

    builder = engine.SchemaBuilder()
    for name in ("title", "body"):
        builder.add_text_field(name)
    for name in ("kind", "user"):
        builder.add_text_field(name, tokenizer_name="raw", fast=True, index_option="basic")
    for name in ("n", "ts"):
        builder.add_integer_field(name, indexed=True, fast=True)
    builder.add_float_field("price", indexed=True, fast=True)
    builder.add_boolean_field("flag", indexed=True, fast=True)
    schema = builder.build()
    index = engine.Index(schema, path=str(folder))
    writer = index.writer(50_000_000, 1)

    def add(low: int, high: int) -> None:
        for one in made[low:high]:
            writer.add_document(engine.Document(**{name: [value] for name, value in one.items()}))
        writer.commit()
        index.reload()

    seconds = timed("index all", lambda: [add(start, start + 20_000) for start in range(0, COUNT, 20_000)], 1)
    print(f"| tantivy: index | {COUNT / seconds:,.0f} a second |")
    searcher, query = index.searcher(), engine.Query
    term = lambda name, value: query.term_query(schema, name, value)  # noqa: E731
    numbers = query.range_query(schema, "n", engine.FieldType.Integer, 100, 50_000)
    must = engine.Occur.Must
    several = [(must, term("kind", "k3")), (must, numbers), (must, term("body", "word10"))]
    timed("tantivy: term, counted", lambda: searcher.search(term("kind", "k3"), 1).count)
    timed("tantivy: range, counted", lambda: searcher.search(numbers, 1).count)
    timed("tantivy: rare word", lambda: searcher.search(term("body", "word4000"), 1000).count)
    timed("tantivy: word in nearly every document, best 10", lambda: searcher.search(term("body", "word1"), 10).count)
    timed("tantivy: term and range and word", lambda: searcher.search(query.boolean_query(several), 1).count)

    def sorted_by_two() -> None:
        hits = [address for _, address in searcher.search(term("flag", True), COUNT).hits]  # noqa: FBT003
        values = zip(searcher.fast_field_values("n", hits), hits, strict=True)
        sorted(values, key=lambda one: one[0])[:10]

    timed("tantivy: half of all, sorted in Python, first 10", sorted_by_two)
    extra = iter(range(100))
    timed("tantivy: index one more document", lambda: add(at := next(extra), at + 1), 30)


def main() -> None:
    """Print the table."""
    made = documents(COUNT)
    print("| what | ms |\n| --- | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        sqlite(Path(folder), made)
    with tempfile.TemporaryDirectory() as folder:
        try:
            tantivy(Path(folder), made[:COUNT])
        except ImportError:
            print("tantivy is not installed.")


if __name__ == "__main__":
    main()
