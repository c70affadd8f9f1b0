"""Globs: they match what a plain reading of their parts says, and what could never match is refused."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources._files.globs import Glob, InvalidGlob

PARTS = st.text("ab.*?", min_size=1, max_size=4).filter(lambda part: "**" not in part and part.strip("."))
CLASSES = st.sampled_from(["[ab]", "[!a]", "[^b].", "*[a-b]", "[]a]", "[*]", "[!]]b"])
GLOBS = st.lists(st.just("**") | PARTS | CLASSES, min_size=1, max_size=5)
PATHS = st.lists(st.text("ab.]*\n", min_size=1, max_size=3), min_size=1, max_size=5)


def plainly(parts: list[str], names: list[str]) -> bool:
    match parts, names:
        case [], []:
            return True
        case ["**"], _:
            return bool(names)
        case ["**", *rest], _:
            return plainly(rest, names) or (bool(names) and plainly(parts, names[1:]))
        case [part, *rest], [name, *below]:
            return fnmatchcase(name, part.replace("[^", "[!")) and plainly(rest, below)
    return False


@given(GLOBS, PATHS)
def test_a_glob_matches_what_a_plain_reading_of_its_parts_says(parts: list[str], names: list[str]) -> None:
    assert Glob("/".join(parts)).matches("/".join(names)) is plainly(parts, names)


@given(st.characters(exclude_characters="/", exclude_categories=["Cs"]), st.characters(exclude_categories=["Cs"]))
def test_every_character_can_be_meant_as_it_is(one: str, other: str) -> None:
    for glob in (f"_\\{one}", f"_[\\{one}]", f"_[\\{one}-\\{one}]"):
        assert Glob(glob).matches(f"_{other}") is (one == other)
        assert Glob(glob).matches(f"_{one}")
    assert Glob(f"_[!\\{one}]").matches(f"_{other}") is (other not in (one, "/"))


@pytest.mark.parametrize(
    ("glob", "path", "found"),
    [
        ("**/*", ".hidden/.file", True),
        ("*", "a/b", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "ab", False),
        ("a/**", "a", False),
        ("a/**", "a/b/c", True),
        ("*.{md,tx[ts]}", "a.txs", True),
        ("{a,b/{c,d}}/e", "b/d/e", True),
        ("{a,b/{c,d}}/e", "b/e", False),
        ("{**/a,b/**}", "x/y/a", True),
        ("{**/a,b/**}", "b/c", True),
        ("a{,b}", "a", True),
        ("a,b}", "a,b}", True),
        ("[+-9]", "/", False),
        ("[+-9]", ".", True),
        ("[.-/]", ".", True),
        ("[/-0]", "0", True),
        ("[a-]", "-", True),
        (r"[\]]", "]", True),
        (r"[a-\c]", "b", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        ("a.c", "abc", False),
        ("é?", "éé", True),
        ("?.txt", "\udce9.txt", True),
        ("A", "a", False),
    ],
)
def test_a_glob_means_what_it_means_in_a_shell(glob: str, path: str, found: bool) -> None:
    assert Glob(glob).matches(path) is found


@pytest.mark.parametrize(
    ("glob", "reason"),
    [
        ("", "an empty part"),
        ("/a", "an empty part"),
        ("a/", "an empty part"),
        ("a//b", "an empty part"),
        ("./a", "dots only"),
        ("a/../b", "dots only"),
        ("**.md", "has a `**` that is no part of its own"),
        ("a**", "has a `**` that is no part of its own"),
        ("***", "has a `***` that is no part of its own"),
        ("{a,b", "lacks a `}`"),
        ("[a", "lacks a `]`"),
        ("[", "lacks a `]`"),
        ("[]", "lacks a `]`"),
        ("[a-", "lacks a `]`"),
        ("[[:alpha:]]", "named class"),
        ("[b-a]", "b-a, which is the wrong way round"),
        ("[/]", "a `/` for a class"),
        ("a\\", "ends in a backslash"),
        ("?" * 4097, "is longer than 4096 characters"),
        ("\ud800", "can't be used: it holds half a character"),
        ("[\ud800]", "can't be used: it holds half a character"),
    ],
)
def test_what_is_no_glob_or_could_match_nothing_is_refused(glob: str, reason: str) -> None:
    with pytest.raises(InvalidGlob) as error:
        Glob(glob)
    assert reason in str(error.value)


def test_a_hostile_glob_is_matched_in_linear_time() -> None:
    assert Glob("**/" * 40 + "*a" * 40 + "b").matches("a/" * 2000 + "a" * 2000) is False
