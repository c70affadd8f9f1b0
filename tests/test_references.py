from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.references import names_file, names_in, refers, resolved, resolved_with_files

KNOWN = {"A": "one", "B_2": "two", "EMPTY": "", "TRICKY": "${A} $${A}"}
TEXTS = st.lists(st.sampled_from(["$", "${", "}", ":-", "A", "B_2", "NONE", "1", " ", "${A}", "$${A}"])).map("".join)


def look_up(name: str) -> str | None:
    return KNOWN.get(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("no reference", "no reference"),
        ("${A}", "one"),
        ("<${A}${B_2}>", "<onetwo>"),
        ("${NONE:-else}", "else"),
        ("${NONE:-}", ""),
        ("${NONE:-{1}", "{1"),
        ("${NONE:-$5 or $$}", "$5 or $$"),
        ("${A:-else}", "one"),
        ("${EMPTY}", ""),
        ("${EMPTY:-else}", "else"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$${A} ${A}", "${A} one"),
        ("$A $ ${} ${1A} ${A", "$A $ ${} ${1A} ${A"),
        ("${A-else} ${ A } ${A:else}", "${A-else} ${ A } ${A:else}"),
    ],
)
def test_a_reference_is_replaced(text: str, expected: str) -> None:
    assert resolved(text, look_up) == expected


def test_what_is_put_in_is_not_looked_through() -> None:
    assert resolved("${TRICKY}", look_up) == "${A} $${A}"


def test_a_default_holds_no_reference() -> None:
    assert resolved("${NONE:-${A}}", look_up) == "${NONE:-one}"


def test_a_name_without_a_value_or_default_is_named() -> None:
    with pytest.raises(LookupError) as caught:
        resolved("${A} ${NONE}", look_up)
    assert caught.value.args == ("NONE",)


def test_what_the_look_up_raises_is_not_caught() -> None:
    def refuse(name: str) -> str | None:
        raise PermissionError(name)

    with pytest.raises(PermissionError):
        resolved("${A:-else}", refuse)


@pytest.mark.parametrize(
    ("text", "names"),
    [("", []), ("${A} $${B} ${C:-d} ${A}", ["A", "C", "A"]), ("$A ${1} ${", []), ("${A:-${B}}", ["B"])],
)
def test_the_names_are_those_that_are_looked_up(text: str, names: list[str]) -> None:
    assert names_in(text) == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no reference", "no reference"),
        ("${file:/a b.txt}", "</a b.txt>"),
        ("${A}-${file:x}-${NONE:-else}", "one-<x>-else"),
        ("${file:${A}}", "<${A>}"),
        ("${file:}", "<>"),
        ("$${file:/a}", "${file:/a}"),
        ("$${A}${file:/a}", "${A}</a>"),
        ("${file:-else}", "else"),
    ],
)
def test_a_file_is_read_where_files_may_be(text: str, expected: str) -> None:
    assert resolved_with_files(text, look_up, lambda path: f"<{path}>") == expected


def test_what_a_file_holds_is_not_looked_through() -> None:
    assert resolved_with_files("${file:/a}}", look_up, lambda path: "${A") == "${A}"


def test_a_file_is_no_reference_where_files_may_not_be() -> None:
    assert resolved("${file:/a}", look_up) == "${file:/a}"
    assert names_in("${file:/a}") == []


@pytest.mark.parametrize(
    ("text", "does", "names"),
    [("x", False, False), ("$${A}", False, False), ("${A}", True, False), ("a ${file:/b}", True, True)],
)
def test_whether_a_text_refers_to_something_is_told(text: str, does: bool, names: bool) -> None:
    assert (refers(text), names_file(text)) == (does, names)


@given(TEXTS)
def test_a_text_without_names_keeps_everything_but_the_escapes(text: str) -> None:
    asked: list[str] = []
    found = resolved(text, recording(asked))
    assert asked == names_in(text)
    if not asked:
        assert found == text.replace("$${", "${")


@pytest.mark.parametrize("piece", ["${A:-", "${A", "$", "${A:-$", "$${", "{", "${A:-x}"])
def test_a_long_text_takes_no_longer_than_its_length(piece: str) -> None:
    """Finding the end of each reference by looking to the end of the text would take hours here."""
    resolved(piece * 200_000, look_up)


def recording(asked: list[str]) -> Callable[[str], str | None]:
    def look(name: str) -> str | None:
        asked.append(name)
        return "found"

    return look
