"""The tables of one index: a record of every write, and what is searched, in one SQLite file."""

import string
from typing import Final


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# meta       What the index is, as JSON: its mapping and settings, and the last row that searches see.
# shards     The last sequence number of each shard, and the name of its history.
# docs       Every operation that was applied, in order. `row` is its number in the whole index, `seq` its number in
#            its shard. Rows are never changed but for `until`: the row that took its place, NULL while it is current.
#            A delete is a row with `deleted` 1 and no source: a tombstone. `docs_gone` finds what may be hidden.
# fields     A number for each field that was ever indexed, by its full path (`a.b`, `title.keyword`). `multiple` is 1
#            once a row had several values in it. `texts` and `tokens` say how many rows have texts in it and how many
#            tokens these are; of other fields, how many rows have values and how many values those have, each once.
# vals       The inverted index of values: which rows hold a value in a field. Values are INTEGER (whole numbers,
#            dates in ms, booleans as 0 and 1), REAL or TEXT, and so compare as numbers or by their bytes in UTF-8.
# doc_vals   All of it the other way round: what a row holds, for sorting and for doc values. `place` counts an array's
#            values in the order in which they are shown, from the smallest up.
# texts      One row for each text field of a row: how many tokens it has, and the same as coarsely as Lucene keeps it.
#            A field that is there but can't be searched has a row without a length.
# words      The inverted index of tokens (FTS5), its rowid being docs.row. Each token is written as `<field>|<token>`,
#            apart by single spaces, and the texts of an array are apart by many `|`: so no phrase reaches over them.
#            The tokenizer splits at spaces and nothing else.
# words_at   Each token with its rows and places; `words_in` says how many rows a token is in.
# Values and texts of a row are added when it becomes visible to searches: at a refresh.
TABLES: Final = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE shards(shard INTEGER PRIMARY KEY, max_seq INTEGER NOT NULL, history_uuid TEXT NOT NULL);
CREATE TABLE docs(
    row INTEGER PRIMARY KEY, shard INTEGER NOT NULL, seq INTEGER NOT NULL, term INTEGER NOT NULL, id TEXT NOT NULL,
    version INTEGER NOT NULL, deleted INTEGER NOT NULL, source BLOB, at_ms INTEGER NOT NULL, until INTEGER
);
CREATE UNIQUE INDEX docs_current ON docs(id) WHERE until IS NULL;
CREATE UNIQUE INDEX docs_seq ON docs(shard, seq);
CREATE INDEX docs_gone ON docs(row, until, deleted) WHERE until IS NOT NULL OR deleted = 1;
CREATE TABLE fields(
    number INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, multiple INTEGER NOT NULL DEFAULT 0,
    texts INTEGER NOT NULL DEFAULT 0, tokens INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE vals(field INTEGER NOT NULL, value NOT NULL, row INTEGER NOT NULL, PRIMARY KEY(field, value, row))
    WITHOUT ROWID;
CREATE TABLE doc_vals(
    field INTEGER NOT NULL, row INTEGER NOT NULL, place INTEGER NOT NULL, value NOT NULL,
    PRIMARY KEY(field, row, place)
) WITHOUT ROWID;
CREATE TABLE texts(
    field INTEGER NOT NULL, row INTEGER NOT NULL, length INTEGER, coarse_length INTEGER, PRIMARY KEY(field, row)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    tokens, content='', contentless_delete=1, detail=full, tokenize=@tokenize@
);
CREATE VIRTUAL TABLE words_at USING fts5vocab(words, instance);
CREATE VIRTUAL TABLE words_in USING fts5vocab(words, row);
""".replace("@tokenize@", _quoted("ascii tokenchars " + _quoted(string.punctuation)))
