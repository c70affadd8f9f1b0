"""Text analysis: the words of texts, as Elasticsearch's `_analyze` gives them."""

# ruff: noqa: RUF001 - letters of many alphabets are what this is about

import random
import re
import tracemalloc

import pytest

from connectors.engine.embedded.mapping import analysis
from connectors.engine.embedded.mapping.analysis import tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("The QUICK, brown fox.", ["the", "quick", "brown", "fox"]),
        ("Don't foo_bar v1.5 e-mail", ["don't", "foo_bar", "v1.5", "e", "mail"]),
        ("a:b c.d 1,2 1.2a 1.a a.1", ["a:b", "c.d", "1,2", "1.2a", "1", "a", "a", "1"]),
        ("___ _a_ __1", ["_a_", "__1"]),
        ("'quoted' it''s", ["quoted", "it", "s"]),
        ("über İI ΣΑΣ ＡＢ１", ["über", "ii", "σασ", "ａｂ１"]),
        ("中文カタ ひら", ["中", "文", "カタ", "ひ", "ら"]),
        ("한국어abc 々々", ["한국어abc", "々々"]),
        ("กขิ ခ်", ["กขิ", "ခ်"]),
        ("a\u200db e\u0301", ["a\u200db", "e\u0301"]),
        ("👍🏽 👨‍👩‍👧 🇩🇪🇫🇷 🇩", ["👍🏽", "👨‍👩‍👧", "🇩🇪", "🇫🇷"]),
        ("1\ufe0f\u20e3 #\u20e3 # © ☺\ufe0f", ["1\ufe0f\u20e3", "#\u20e3", "©", "☺\ufe0f"]),
        ("א'ב א\"ב א' a\"b", ["א'ב", 'א"ב', "א'", "a", "b"]),
    ],
)
def test_text_is_cut_into_these_words(text: str, words: list[str]) -> None:
    assert tokens(text) == words


@pytest.mark.parametrize("letter", ["x", "ü", "𝐀"])
def test_long_words_are_cut_after_255_units(letter: str) -> None:
    most = 255 if len(letter.encode("utf-16-le")) == 2 else 127
    assert [len(word) for word in tokens(f"a {letter * 300}")] == [1, *([most] * (300 // most)), 300 % most]


def test_plain_and_accented_texts_are_cut_alike() -> None:
    text = "The v1.5: don't stop, foo_bar (a.b,c 1,2;3) x--y 'z' "
    assert tokens(f"{text} é")[:-1] == tokens(text)
    assert tokens(f"{text}é")[:-1] == tokens(text)


def test_quick_ways_find_what_the_slow_one_finds() -> None:
    chance = random.Random(1)
    pools = [
        "abXY01 .,:;'_\"#*-\n\t ",
        "aéüßİΣσжЯ’.\u0301 \n",
        "אב\"'a ",
        "カひ漢字 1",
        "👍🏽\u200d🇩🇪1\ufe0f\u20e3 ",
        "\u202f\xa0\xada ",
    ]
    for _ in range(2_000):
        text = "".join(chance.choices("".join(chance.sample(pools, 2)), k=chance.choice((3, 9, 40))))
        text += chance.choice("aé漢") * chance.choice((0, 0, 0, 254, 256, 600))
        assert tokens(text) == analysis._classified_tokens(text), text


def test_letters_of_the_quick_way_are_what_they_are_taken_for() -> None:
    letters = re.findall(f"[{analysis._ALPHABETS}]", "".join(map(chr, range(0x10000))))
    text = "".join(letters)
    assert set(text.translate(analysis._CLASSES)) == {"A"}
    assert text.lower() == text.translate(analysis._LOWER)


@pytest.mark.timeout(60)
def test_a_word_of_millions_of_characters_is_cut_in_a_time_that_grows_with_its_length_alone() -> None:
    whole = "x1" * 1_500_000
    found = tokens(f"a {whole} é b")
    assert found == ["a", *(whole[start : start + 255] for start in range(0, len(whole), 255)), "é", "b"]


@pytest.mark.parametrize("part", ["x1", "a'", "é.", "_é"])
def test_a_word_of_many_characters_takes_no_memory_for_each(part: str) -> None:
    text = part * 200_000
    tokens(part)
    tracemalloc.start()
    try:
        tokens(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * len(text)


def test_what_lies_at_the_end_of_a_window_is_cut_like_all_else() -> None:
    for before in range(analysis._WINDOW - 300, analysis._WINDOW + 10):
        lead = "." * before
        assert tokens(f"{lead}{'ab' * 40}'c é{'é' * 300}") == tokens(f"{'ab' * 40}'c é{'é' * 300}")
