"""Excerpts: the piece of a document that shows why it was found."""

from typing import Any

import pytest

from connectors.cli.excerpt import excerpt_of, title_of

LONG = "nothing here " * 30


def marked(document: dict[str, Any], text: str, *, but: str = "") -> str | None:
    found = excerpt_of(document, text, but={but})
    return None if found is None else f"{found.field}: {found.marked(lambda word: f'[{word}]')}"


@pytest.mark.parametrize(
    ("document", "text", "expected"),
    [
        ({"a": "The whale swims"}, "whale", "a: The [whale] swims"),
        ({"a": "The WHALES swim, a whale"}, "whale", "a: The [WHALES] swim, a [whale]"),
        ({"a": "lose\n  documents"}, "losing documented", "a: lose [documents]"),
        ({"a": "narwhale"}, "whale", None),
        ({"a": "x"}, "?!", None),
        ({"a": 7, "b": None}, "7", None),
        ({"a": {"b": [{"c": "no"}, {"c": "one word"}]}}, "word", "a.b.c: one [word]"),
        ({"a": ["first", "second word"]}, "word", "a: second [word]"),
        ({"a": "one word", "b": "two words and more"}, "word more", "b: two [words] and [more]"),
        ({"a": "a (b|c) d"}, "(b|c", "a: a ([b]|[c]) d"),
    ],
)
def test_the_piece_with_most_of_the_words_is_taken(document: dict[str, Any], text: str, expected: str | None) -> None:
    assert marked(document, text) == expected


def test_what_a_document_is_called_is_not_said_twice_if_it_can_be_helped() -> None:
    document = {"title": "deep whale", "text": "a whale"}
    assert marked(document, "deep whale", but="title") == "text: a [whale]"
    assert marked(document, "deep", but="title") == "title: [deep] whale"


def test_of_a_long_text_the_piece_is_taken_where_most_words_stand_together() -> None:
    found = excerpt_of({"a": f"a whale {LONG}a deep whale {LONG}deep {LONG}"}, "deep whale")
    assert found is not None
    assert [found.text[start:end] for start, end in found.found] == ["deep", "whale"]


def test_a_long_text_is_cut_between_words() -> None:
    found = excerpt_of({"a": f"{LONG}the whale {LONG}"}, "whale")
    assert found is not None
    assert (found.text[0], found.text[-1], len(found.text) < 220) == ("…", "…", True)
    assert "here the whale nothing" in found.text
    assert [found.text[start:end] for start, end in found.found] == ["whale"]


@pytest.mark.parametrize(
    ("document", "title"),
    [
        ({"name": "b", "title": " a\n b "}, ("a b", "title")),
        ({"title": "", "name": "n"}, ("n", "name")),
        ({"title": ["a"], "size": 7}, (None, None)),
    ],
)
def test_a_document_is_called_by_the_best_of_its_fields(document: dict[str, Any], title: tuple[str, str]) -> None:
    assert title_of(document) == title
