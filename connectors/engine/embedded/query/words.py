"""Queries for the words of texts, and how well they match: BM25 as Lucene computes it."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.engine.embedded.mapping.analysis import cached_tokens
from connectors.engine.embedded.mapping.field import Field
from connectors.engine.embedded.mapping.field_types import Text
from connectors.engine.embedded.query.clause import Clause, Scope, joined, nothing
from connectors.engine.embedded.refusal import not_implemented

K1: Final = 1.2
B: Final = 0.75


def is_token(text: str) -> bool:
    """Return whether a term of a query can be a token: what the index folds or splits is none."""
    folded = any("A" <= character <= "Z" or character <= " " or character == "\x7f" for character in text)
    return bool(text) and not folded


def _token(number: int, word: str) -> str:
    return f"{number}|{word}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _matching(scope: Scope, expression: str) -> str:
    return f"SELECT rowid AS row FROM words WHERE words MATCH {scope.bind(expression)}"


def has_token(scope: Scope, field: Field, word: str) -> Clause:
    """Return what has a word in a text field."""
    number = scope.number(field.path)
    if number is None or not is_token(word):
        return nothing()
    rows = _matching(scope, _quoted(_token(number, word)))
    scored = _Scored.of(field, number)
    return Clause(
        rows,
        1.0,
        lambda: _word_scores(scope, scored, word),
        scores_among=lambda among: _word_scores(scope, scored, word, among),
    )


def token_with_prefix(scope: Scope, number: int, start: str) -> Clause:
    """Return what has a word that starts so in a text field."""
    if start and not is_token(start):
        return nothing()
    return Clause(_matching(scope, f"{_quoted(_token(number, start))} *"))


@dataclass(frozen=True)
class Statistics:
    """What the index knows of a field."""

    texts: int
    tokens: int

    @classmethod
    def of(cls, scope: Scope, number: int) -> "Statistics":
        """Read them."""
        for texts, count in scope.connection.execute("SELECT texts, tokens FROM fields WHERE number = ?", (number,)):
            return cls(int(texts), int(count))
        return cls(0, 0)

    def rarity(self, having: int) -> float:
        """Return how much a word counts that so many texts have."""
        return math.log(1 + (self.texts - having + 0.5) / (having + 0.5))

    def score(self, scope: Scope, weight: float) -> str:
        """Return the score of a text of `coarse_length` that has a word `often`."""
        average = self.tokens / self.texts if self.texts and self.tokens else 1.0
        least, per_token = scope.bind(K1 * (1 - B)), scope.bind(K1 * B / average)
        return f"{scope.bind(weight * (1 + K1))} * often / (often + {least} + {per_token} * coarse_length)"


def _having(scope: Scope, token: str) -> int:
    found = scope.connection.execute("SELECT doc FROM words_in WHERE term = ?", (token,)).get
    return int(found or 0)


@dataclass(frozen=True)
class _Scored:
    """A text field whose matches are scored, by the lengths of its texts unless it has no norms."""

    number: int
    norms: bool

    @classmethod
    def of(cls, field: Field, number: int) -> "_Scored":
        return cls(number, not isinstance(field.type, Text) or field.type.norms)


def _word_scores(scope: Scope, field: _Scored, word: str, rows: str | None = None) -> str:
    token, statistics = _token(field.number, word), Statistics.of(scope, field.number)
    # What is read of a word is sorted by row: other rows are better left out before.
    among = "" if rows is None else f" AND doc IN ({rows})"
    places = f"FROM words_at WHERE term = {scope.bind(token)}{among}"
    often = f"SELECT doc AS row, count(*) AS often {places} GROUP BY doc"
    return _scores(scope, field, often, statistics.score(scope, statistics.rarity(_having(scope, token))))


def _scores(scope: Scope, field: _Scored, often: str, score: str) -> str:
    if not field.norms:
        # As if each text were one word long; the average length is what it is.
        return f"SELECT row, {score} AS score FROM (SELECT row, often, 1 AS coarse_length FROM ({often}))"
    return (
        f"SELECT found.row AS row, {score} AS score FROM ({often}) AS found CROSS JOIN texts "
        f"ON texts.field = {scope.bind(field.number)} AND texts.row = found.row"
    )


@dataclass(frozen=True)
class Words:
    """How the words of a query are put together."""

    all_of_them: bool = False
    minimum: Callable[[int], int] | None = None


def words_clause(scope: Scope, field: Field, text: str, how: Words) -> Clause:
    """Return what has the words of a text in a text field: any of them, all, or at least so many."""
    number, words = scope.number(field.path), cached_tokens(text)
    if number is None or not words:
        return nothing()
    if how.all_of_them and how.minimum is not None and len(words) > 1 and how.minimum(0) > 0:
        # None of the words is optional, and so many of those have to match.
        return nothing()
    needed = len(words) if how.all_of_them else 1
    if how.minimum is not None and not how.all_of_them and len(words) > 1:
        needed = max(how.minimum(len(words)), 1)
    if needed > len(words):
        return nothing()
    quoted = [_quoted(_token(number, word)) for word in words]
    if needed == 1:
        rows = _matching(scope, " OR ".join(quoted))
    elif needed == len(words):
        rows = _matching(scope, " AND ".join(quoted))
    else:
        each = joined([_matching(scope, one) for one in quoted], "UNION ALL")
        rows = f"SELECT row FROM ({each}) GROUP BY row HAVING count(*) >= {scope.bind(needed)}"
    scored, matching = _Scored.of(field, number), None if needed == 1 else rows

    def scores_among(others: str) -> str:
        both = others if matching is None else f"SELECT row FROM ({matching}) WHERE row IN ({others})"
        return _sum_of_scores(scope, scored, words, both)

    return Clause(rows, 1.0, lambda: _sum_of_scores(scope, scored, words, matching), scores_among=scores_among)


def _sum_of_scores(scope: Scope, field: _Scored, words: Sequence[str], rows: str | None) -> str:
    """Return the sums of what the words score, in all rows or among some."""
    selects = []
    for word, times in Counter(words).items():
        scores = _word_scores(scope, field, word, rows)
        selects.append(scores if times == 1 else f"SELECT row, {times} * score AS score FROM ({scores})")
    if len(selects) == 1:
        return selects[0]
    return f"SELECT row, sum(score) AS score FROM ({joined(selects, 'UNION ALL')}) GROUP BY row"


def phrase_clause(scope: Scope, field: Field, text: str, slop: int = 0) -> Clause:
    """Return what has the words of a text one after the other, or apart by at most `slop` places."""
    number, words = scope.number(field.path), cached_tokens(text)
    if number is None or not words:
        return nothing()
    if len(words) == 1:
        return has_token(scope, field, words[0])
    scored = _Scored.of(field, number)
    if slop:
        return _sloppy(scope, scored, words, slop)
    phrase = " + ".join(_quoted(_token(number, word)) for word in words)
    return Clause(
        _matching(scope, phrase), 1.0, lambda: _phrase_scores(scope, scored, words, _exact(scope, number, words))
    )


def _exact(scope: Scope, number: int, words: Sequence[str]) -> str:
    """Return a select of how often rows have an exact phrase."""
    tokens = [_token(number, word) for word in words]
    # Comparing places is slow, finding the rows is not.
    rows = _matching(scope, " + ".join(map(_quoted, tokens)))
    places = [
        f"SELECT doc, offset - {place} AS start FROM words_at WHERE term = {scope.bind(token)} AND doc IN ({rows})"
        for place, token in enumerate(tokens)
    ]
    return f"SELECT doc AS row, count(*) AS often FROM ({joined(places, 'INTERSECT')}) GROUP BY doc"


def _phrase_scores(scope: Scope, field: _Scored, words: Sequence[str], often: str) -> str:
    statistics = Statistics.of(scope, field.number)
    weight = sum(statistics.rarity(_having(scope, _token(field.number, word))) for word in words)
    return _scores(scope, field, often, statistics.score(scope, weight))


def _sloppy(scope: Scope, field: _Scored, words: Sequence[str], slop: int) -> Clause:
    """Find a sloppy phrase at once: its places are compared here, row by row."""
    if len(set(words)) < len(words):
        raise not_implemented("a phrase with slop in which a word is repeated")
    candidates = _matching(scope, " AND ".join(_quoted(_token(field.number, word)) for word in set(words)))
    places: list[dict[int, list[int]]] = []
    for place, word in enumerate(words):
        by_row: dict[int, list[int]] = {}
        terms = {**scope.parameters, "term": _token(field.number, word)}
        found = scope.connection.execute(
            f"SELECT doc, offset FROM words_at WHERE term = :term AND doc IN ({candidates})", terms
        )
        for row, offset in found:
            by_row.setdefault(int(row), []).append(int(offset) - place)
        places.append(by_row)
    often: list[tuple[int, float]] = []
    for row in places[0]:
        count = sloppy_frequency([by_row.get(row, []) for by_row in places], slop)
        if count:
            often.append((row, count))
    found_rows = scope.bind(json.dumps(often))
    rows = f"SELECT value ->> 0 AS row FROM json_each({found_rows})"
    counted = f"SELECT value ->> 0 AS row, value ->> 1 AS often FROM json_each({found_rows})"
    return Clause(rows, 1.0, lambda: _phrase_scores(scope, field, words, counted))


def sloppy_frequency(places: Sequence[Sequence[int]], slop: int) -> float:
    """Return how often a phrase occurs whose words stand apart, as Lucene counts it: the closer, the more.

    `places` holds for each word where it stands, less its place in the phrase.
    """
    if not all(places):
        return 0.0
    at = [0] * len(places)
    frequency = 0.0
    end = max(places[word][0] for word in range(len(places)))
    while True:
        order = sorted(range(len(places)), key=lambda word: (places[word][at[word]], word))
        first, following = order[0], places[order[1]][at[order[1]]]
        width = end - places[first][at[first]]
        exhausted = False
        while True:
            at[first] += 1
            if at[first] == len(places[first]):
                exhausted = True
                break
            place = places[first][at[first]]
            end = max(end, place)
            if place > following:
                break
            width = min(width, end - place)
        if width <= slop:
            frequency += 1.0 / (1.0 + width)
        if exhausted:
            return frequency
