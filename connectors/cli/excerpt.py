"""An excerpt: the piece of a document in which the words of a search stand."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

TITLES: Final = ("title", "name", "subject", "summary", "label", "path", "url")
"""Fields that a document may be called by, the best first."""
AROUND: Final = 70
"""Characters before the first word that is found; as many and again as many come behind it."""
LONGEST_TITLE: Final = 120
MOST_MATCHES: Final = 1_000
"""Words of a text that are looked at for the best piece of it."""
_KEPT: Final = 5
"""Letters of a word that have to be there: what comes behind may be an ending."""


@dataclass(frozen=True)
class Excerpt:
    """A piece of a field's text, on one line, and which of its parts are words of the search."""

    field: str
    text: str
    found: Sequence[tuple[int, int]] = ()

    def marked(self, mark: Callable[[str], str]) -> str:
        """Return the text with the words of the search marked."""
        pieces, at = [], 0
        for start, end in self.found:
            pieces += [self.text[at:start], mark(self.text[start:end])]
            at = end
        return "".join([*pieces, self.text[at:]])


def title_of(document: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return what a document is called, and the field that says so; None for one that says nothing like that."""
    for field in TITLES:
        found = document.get(field)
        if isinstance(found, str) and found.strip():
            return " ".join(found.split())[:LONGEST_TITLE], field
    return None, None


def excerpt_of(document: Mapping[str, Any], text: str, *, but: Collection[str] = ()) -> Excerpt | None:
    """Return the piece of a document with the most of the words of a text; None where it has none of them.

    A word is found in other forms too: what counts is how it begins. Fields of `but` are taken if no other has any.
    """
    words = _words(text)
    if words is None:
        return None
    best: tuple[tuple[bool, int, bool], str, str, int] | None = None
    for field, value in texts_of(document):
        number, at = _densest(list(islice(words.finditer(value), MOST_MATCHES)))
        rank = (field not in but, number, len(value) > AROUND)
        if number and (best is None or rank > best[0]):
            best = rank, field, value, at
    return None if best is None else _cut(*best[1:], words)


def texts_of(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in a document, with the dotted path of its field."""
    for name, value in document.items():
        at = f"{path}.{name}" if path else name
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield at, one
            elif isinstance(one, Mapping):
                yield from texts_of(one, at)


def _words(text: str) -> re.Pattern[str] | None:
    stems = [word[: max(_KEPT, len(word) - 2)] for word in re.findall(r"\w+", text)]
    return re.compile(rf"(?i)(?<!\w)(?:{'|'.join(map(re.escape, stems))})\w*") if stems else None


def _densest(matches: list[re.Match[str]]) -> tuple[int, int]:
    """Return how many different words stand together at most, in a piece that is shown, and where that begins."""
    best, first = (0, 0), 0
    for last, match in enumerate(matches):
        while first < last and match.end() - matches[first].start() > 2 * AROUND:
            first += 1
        number = len({one[0].lower()[:_KEPT] for one in matches[first : last + 1]})
        if number > best[0]:
            best = number, matches[first].start()
    return best


def _cut(field: str, value: str, at: int, words: re.Pattern[str]) -> Excerpt:
    """Return what is around a place, from the beginning of a word to the end of one."""
    start, end = max(at - AROUND, 0), min(at + 2 * AROUND, len(value))
    piece = value[start:end]
    if start:
        piece = f"…{piece.partition(' ')[2] or piece}"
    if end < len(value):
        piece = f"{piece.rpartition(' ')[0] or piece}…"
    line = " ".join(piece.split())
    return Excerpt(field, line, [match.span() for match in words.finditer(line)])
