"""What the embedded engine is measured with: documents with texts like those of people, and searches over them."""

import datetime as dt
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final

import msgspec

from connectors.engine.bulk import index_line

SMALL_BYTES: Final = 584
LARGE_BYTES: Final = 10_000
MAPPINGS: Final = {
    "properties": {
        "title": {"type": "text"},
        "body": {"type": "text"},
        "kind": {"type": "keyword"},
        "user": {"type": "keyword"},
        "n": {"type": "long"},
        "price": {"type": "double"},
        "ts": {"type": "date"},
        "flag": {"type": "boolean"},
    }
}
_WORDS: Final = 30_000
_POOL: Final = 400_000
_ONSETS: Final = ("b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "ch")
_VOWELS: Final = ("a", "e", "i", "o", "u", "ea", "ou", "io")
_ACCENTED: Final = 0.01
"""Part of the words that have a letter beyond ASCII: so one in three small texts has one, and every large text."""
_SINCE: Final = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


class Corpus:
    """Makes documents, the same ones each time. The n-th most frequent word turns up in proportion to 1/(n + 3)."""

    def __init__(self) -> None:
        self._chance = random.Random(1)
        self.words = self._vocabulary()
        weights = list(accumulate(1 / (number + 3) for number in range(_WORDS)))
        self._text, self._starts = self._running_text(self._chance.choices(self.words, cum_weights=weights, k=_POOL))

    def _vocabulary(self) -> list[str]:
        chance, made = self._chance, dict[str, None]()
        while len(made) < _WORDS:
            # The more frequent, the shorter, as in any language.
            syllables = 1 + min(len(made) // 150, 1) + (chance.random() < min(len(made) / 3_000, 1) * 0.7)
            word = "".join(chance.choice(_ONSETS) + chance.choice(_VOWELS) for _ in range(syllables))
            word += chance.choice(("", "n", "s", "t", "r"))
            if chance.random() < _ACCENTED:
                word = word.replace("e", "é").replace("u", "ü")
            made.setdefault(word)
        return list(made)

    def _running_text(self, words: Sequence[str]) -> tuple[str, list[int]]:
        """Return sentences, and where in them the words start."""
        starts, parts, place, capital = list[int](), list[str](), 0, True
        for word in words:
            fate = self._chance.random()
            written = (word.capitalize() if capital else word) + (". " if fate < 0.08 else ", " if fate < 0.16 else " ")
            capital = fate < 0.08
            starts.append(place)
            parts.append(written)
            place += len(written)
        return "".join(parts), starts

    def _passage(self, length: int) -> str:
        """Return some words of the running text, about so many characters."""
        at = self._starts[self._chance.randrange(len(self._starts) // 2)]
        end = self._starts[bisect_right(self._starts, at + length) - 1]
        return self._text[at:end].rstrip()

    def documents(self, count: int, size: int) -> Iterator[dict[str, Any]]:
        """Yield documents of about so many bytes as JSON."""
        for number in range(count):
            yield {
                "title": self._passage(40),
                "body": self._passage(size - 146),
                "kind": f"k{number % 7}",
                "user": f"u{self._chance.randrange(10_000)}",
                "n": number,
                "price": round(self._chance.random() * 1000, 2),
                "ts": (_SINCE + dt.timedelta(seconds=number * 61)).isoformat().replace("+00:00", "Z"),
                "flag": number % 2 == 0,
            }

    def bodies(self, count: int, size: int, batch: int) -> list[bytes]:
        """Return the bodies of bulk requests with so many documents each."""
        encode = msgspec.json.Encoder().encode
        lines = [index_line(str(one["n"])) + encode(one) + b"\n" for one in self.documents(count, size)]
        return [b"".join(lines[start : start + batch]) for start in range(0, count, batch)]

    def searches(self, count: int) -> dict[str, dict[str, object]]:
        """Return searches of an index of so many documents, most of them with an exact total."""
        common, middle, rare = self.words[0], self.words[100], self.words[20_000]
        half: dict[str, object] = {"range": {"n": {"gte": count // 10, "lt": count * 6 // 10}}}
        exact: dict[str, object] = {"track_total_hits": True}
        term: dict[str, object] = {"term": {"kind": "k3"}}
        return {
            "match, a rare word": {"query": {"match": {"body": rare}}},
            "match, a middling word": {"query": {"match": {"body": middle}}},
            "match, a word of most documents": {"query": {"match": {"body": common}}},
            "match, three words": {"query": {"match": {"body": f"{rare} {middle} {self.words[500]}"}}},
            "match_phrase, two words": {"query": {"match_phrase": {"body": f"{common} {self.words[1]}"}}},
            "term, a seventh, counted exactly": {"query": term, **exact},
            "range, half, counted exactly": {"query": half, **exact},
            "bool of term, range and word, counted exactly": {
                "query": {"bool": {"filter": [term, half], "must": [{"match": {"body": middle}}]}},
                **exact,
            },
            "bool of term and a word of most documents": {
                "query": {"bool": {"filter": [term], "must": [{"match": {"body": common}}]}}
            },
            "half, sorted by two keys": {"query": {"term": {"flag": True}}, "sort": [{"kind": "asc"}, {"n": "desc"}]},
            "all, sorted by time": {"sort": [{"ts": "desc"}], **exact},
            "a page of 1,000 of a scan": {
                "size": 1_000, "sort": ["_doc"], "_source": False, "docvalue_fields": ["n"], "track_total_hits": False
            },
        }  # fmt: skip
