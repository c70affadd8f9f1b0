"""Patterns: what RE2 understands, matched from the start, whatever the text."""

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from connectors.pattern import InvalidPattern, Pattern

TEXTS = st.text(st.sampled_from("abé1 \n-.") | st.characters(), max_size=12)
PIECES = st.sampled_from(["a", "b", ".", "[a-é]", r"\d", r"\s", "(?:ab)", "^", "$", "|", r"\b"])
PATTERNS = st.lists(st.tuples(PIECES, st.sampled_from(["", "*", "+", "?", "{2}"])), max_size=6).map(
    lambda parts: "".join(piece + (times if piece not in {"^", "$", "|", r"\b"} else "") for piece, times in parts)
)


@given(PATTERNS, TEXTS)
def test_a_set_of_one_matches_as_the_pattern_alone(pattern: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert Pattern(pattern).matches(text) is (re2.match(pattern, text) is not None)
    assert Pattern(pattern, whole=True).matches(text) is (re2.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "text", "start", "whole"),
    [
        ("a", "ab", True, False),
        ("b", "ab", False, False),
        (".*b", "ab", True, True),
        ("a|b", "b", True, True),
        ("", "x", True, False),
        ("(?i)ÄB", "äb", True, True),
        (".", "\n", False, False),
        ("a\x00b", "a\x00b", True, True),
    ],
)
def test_a_pattern_matches_from_the_start_or_as_a_whole(pattern: str, text: str, start: bool, whole: bool) -> None:
    assert Pattern(pattern).matches(text) is start
    assert Pattern(pattern, whole=True).matches(text) is whole


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "missing"),
        ("(?=a)", "perl operator"),
        (r"(a)\1", "escape sequence"),
        ("a{2000}", "repetition"),
        ("\ud800", "half a character"),
    ],
)
def test_what_re2_does_not_understand_is_refused_with_the_reason(
    pattern: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidPattern, match=reason):
        Pattern(pattern)
    assert capfd.readouterr().err == ""


def test_a_pattern_too_large_for_a_set_is_matched_all_the_same() -> None:
    pattern = Pattern(r"[\p{L}\p{N}]{0,400}x")
    assert pattern.matches("é" * 300 + "x")
    assert not pattern.matches("-x")


def test_half_a_character_in_a_text_is_no_error() -> None:
    assert Pattern("a.b").matches("a\ud800b")
    assert not Pattern("b").matches("\udcff")


def test_what_makes_others_backtrack_is_answered_at_all() -> None:
    assert not Pattern(r"(x+x+)+y").matches("x" * 100_000)
