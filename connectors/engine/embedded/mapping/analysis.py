"""Text analysis: the words of a text, as Elasticsearch's `standard` analyzer finds them.

Lucene's standard tokenizer follows Unicode's word boundaries (UAX #29), keeps emoji sequences whole and runs of
South-East Asian letters together. Here a text becomes a string of the classes of its characters, and one regular
expression over these cuts the words.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from connectors.engine.embedded.mapping.character_classes import Classes

MOST_UNITS: Final = 255
"""UTF-16 units of a token: what is longer is cut into pieces."""


def tokens(text: str) -> list[str]:
    """Return the words of `text` in their order, in lower case."""
    return _ascii_tokens(text.lower()) if text.isascii() else _mixed_tokens(text)


def _ascii_tokens(lower: str) -> list[str]:
    """Return the words of a text in ASCII: most are apart by what can only stand between words."""
    # Two spaces for two characters: a replacement of the same length takes half the time.
    found = (lower + " ").replace(". ", "  ").replace(", ", "  ").translate(_SEPARATORS).split()
    if len(lower) > MOST_UNITS and max(map(len, found), default=0) > MOST_UNITS:
        return [word for piece in found for word in _words_in(piece)]
    if not "".join(found).isalnum():
        found = [word for piece in found for word in ((piece,) if piece.isalnum() else _ASCII.findall(piece))]
    return found


def _words_in(piece: str) -> list[str]:
    """Return the words of what may be much too long to be one."""
    return _ASCII.findall(piece) if len(piece) <= MOST_UNITS else _classified_tokens(piece)


def _mixed_tokens(text: str) -> list[str]:
    """Return the words of a text of which usually few go beyond ASCII: only these need to be looked at closely."""
    found: list[str] = []
    plain: list[str] = []
    # No word reaches over a space or a line's end. Of other kinds of space there is one that joins words.
    for piece in text.replace("\n", " ").split(" "):
        if piece.isascii():
            plain.append(piece)
            continue
        if plain:
            found += _ascii_tokens(" ".join(plain).lower())
            plain.clear()
        usual = _ALPHABETIC.fullmatch(piece)
        if usual:
            found.append(usual[1].lower())
        else:
            found += _classified_tokens(piece)
    if plain:
        found += _ascii_tokens(" ".join(plain).lower())
    return found


def _classified_tokens(text: str) -> list[str]:
    """Return the words of any text."""
    lower = text.translate(_LOWER)
    # The classes of the text as it was written: some characters are lowered to one of another class.
    kinds = text.translate(_CLASSES)
    is_long = max(map(len, _APART.split(kinds))) > MOST_UNITS // 2
    spans = _limited(text, kinds) if is_long else (match.span() for match in _TOKEN.finditer(kinds))
    return [lower[start:end] for start, end in spans]


@lru_cache(maxsize=1024)
def cached_tokens(text: str) -> tuple[str, ...]:
    """Return the words of a short text that is analyzed again and again, such as a query's."""
    return tuple(tokens(text))


def lowered(text: str) -> str:
    """Return a text as the words of it are lowered."""
    return text.translate(_LOWER)


class _Lower(dict[int, int | str]):
    """Lowers each character by itself, as Java does: no final sigma, and no dot over the i."""

    def __missing__(self, code: int) -> int | str:
        lower = chr(code).lower()
        self[code] = found = lower if len(lower) == 1 else lower[0]
        return found


def _limited(text: str, kinds: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of words of which some are very long: the tokenizer sees no further than its longest token.

    No more than a window is looked at for a word: an expression takes 250 bytes for each character that it goes over.
    """
    place = 0
    while True:
        # Letters and digits alone: a word that goes on. To look for its end each time would be quadratic.
        while len(ahead := kinds[place : place + 2 * MOST_UNITS]) == 2 * MOST_UNITS and not ahead.strip("AN"):
            end = place + _units(text[place : place + MOST_UNITS])
            yield place, end
            place = end
        if (match := _TOKEN.search(kinds, place, place + _WINDOW)) is None:
            if place + _WINDOW >= len(kinds):
                return
            place += _WINDOW - MOST_UNITS
            continue
        start = match.start()
        if start > place and match.end() > place + _WINDOW - MOST_UNITS:
            place = start  # as it may go on behind the window
            continue
        last = start + _units(text[start : start + MOST_UNITS])
        if match.end() > last:
            match = _TOKEN.match(kinds, start, last)
        place = match.end() if match else start + 1
        if match:
            yield match.span()


def _units(text: str) -> int:
    """Return how many characters of `text` fit into a token."""
    used = 0
    for place, character in enumerate(text):
        used += 2 if ord(character) > 0xFFFF else 1
        if used > MOST_UNITS:
            return place
    return len(text)


_WINDOW: Final = 8 * MOST_UNITS
_APART: Final = re.compile("[-JI]+")
"""What is no part of a word, or one by itself."""
_EXT: Final = "[XZVvGTtsF]*+"
_SANS: Final = "(?:[XGTtsF]|Z(?!Z*[EW]))*+"
_LETTER: Final = f"[AHW]{_EXT}"
_DIGIT: Final = f"N{_EXT}"
_JOIN: Final = f"_{_EXT}"
_HEBREW: Final = f"H{_EXT}(?:Q{_EXT}(?![AHW])|D{_EXT}H{_EXT})"
_LETTERS: Final = f"{_LETTER}(?:[LBQ]{_EXT}{_LETTER}|(?:{_JOIN})*(?!{_HEBREW}){_LETTER})*"
_DIGITS: Final = f"{_DIGIT}(?:(?:(?:{_JOIN})*|[MBQ]{_EXT}){_DIGIT})*"
_KATAKANA: Final = f"K{_EXT}(?:(?:{_JOIN})*K{_EXT})*"
_PART: Final = f"(?:{_KATAKANA}|(?:{_HEBREW}|{_DIGITS}|{_LETTERS})+)"
_WORD: Final = f"(?:{_JOIN})*{_PART}(?:(?:{_JOIN})+{_PART})*(?:{_JOIN})*"
_ONE_EMOJI: Final = f"(?:Z*[EW]{_SANS}V?|F{_SANS})"
_KEYCAP: Final = "C[XZGTtsF]*V?G[XZGTtsF]*"
_EMOJI: Final = f"{_ONE_EMOJI}(?:T+t|(?:Z{_ONE_EMOJI})*)|{_KEYCAP}|R{_EXT}R{_EXT}"
_LETTER_EMOJI: Final = f"W{_SANS}V?(?:Z+W{_SANS}V?)*Z+E{_SANS}V?(?:Z{_ONE_EMOJI})*"
_TOKEN: Final = re.compile(f"{_LETTER_EMOJI}|{_WORD}|(?:[Ss]{_EXT})+|[JI]{_EXT}|{_EMOJI}")
# The same over the characters themselves, for most texts.
_ASCII_LETTERS: Final = "[a-z]+(?:(?:_+|[.:'])[a-z]+)*"
_ASCII_DIGITS: Final = "[0-9]+(?:(?:_+|[.,;'])[0-9]+)*"
_ASCII_PART: Final = f"(?:{_ASCII_DIGITS}|{_ASCII_LETTERS})+"
_ASCII: Final = re.compile(f"_*{_ASCII_PART}(?:_+{_ASCII_PART})*_*")

_ALPHABETS: Final = "A-Za-zÀ-ÖØ-öø-įı-ɏΆΈ-ΊΌΎ-ΡΤ-ώЀ-ҁҊ-ԯ"  # noqa: RUF001
"""Letters that make words with each other, and that are lowered in one way: not the sigma, nor the I with a dot."""
_ALPHABETIC: Final = re.compile(f"([{_ALPHABETS}]{{1,{MOST_UNITS}}})[.,;:!?]?")

_SEPARATORS: Final = {code: " " for code in range(128) if not chr(code).isalnum() and chr(code) not in "_.:,;'"}

_CLASSES: Final = Classes()
_LOWER: Final = _Lower()
