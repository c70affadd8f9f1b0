import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigurationError
from connectors.grants import Grants, is_below
from connectors.secret import LARGEST


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder that is allowed, with a file, a folder, a sibling of nearly its name and links into and out of it."""
    folder = tmp_path.resolve() / "docs"
    (folder / "inner").mkdir(parents=True)
    (folder / "letter.txt").write_text("dear")
    (tmp_path / "docs-private").mkdir()
    (tmp_path / "doc").mkdir()
    (folder / "out").symlink_to(tmp_path / "docs-private")
    (folder / "within").symlink_to(folder / "inner")
    (folder / "loop").symlink_to(folder / "loop")
    (tmp_path / "in").symlink_to(folder)
    return folder


def allowing(*folders: Path) -> Grants:
    return Grants(allowed_paths=folders)


def refusal(grants: Grants, text: str, *, masked: bool = False) -> str:
    with pytest.raises(ConfigurationError) as caught:
        grants.path(text, "folder", masked=masked)
    assert caught.value.field == "folder"
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "real"),
    [
        ("docs", "docs"),
        ("docs/", "docs"),
        ("docs/letter.txt", "docs/letter.txt"),
        ("docs/not/there/yet", "docs/not/there/yet"),
        ("docs/inner/../letter.txt", "docs/letter.txt"),
        ("docs-private/../docs/inner", "docs/inner"),
        ("docs/within/x", "docs/inner/x"),
        ("in/letter.txt", "docs/letter.txt"),
    ],
)
def test_a_path_below_an_allowed_folder_is_granted_with_its_links_followed(docs: Path, text: str, real: str) -> None:
    assert allowing(docs).path(str(docs.parent / text), "folder") == docs.parent / real


@pytest.mark.parametrize(
    "text", ["", "doc", "docs-private", "docs/..", "docs/../docs-private", "docs/out", "docs/out/x", "docs/inner/../.."]
)
def test_a_path_that_leads_out_is_refused(docs: Path, text: str) -> None:
    path = str(docs.parent / text)
    expected = (
        f"{path!r} is not below an allowed path. Name a folder above it in allowed_paths of config.yml (now: {docs})."
    )
    assert refusal(allowing(docs), path) == expected


@pytest.mark.parametrize(
    "text", ["\0", "docs\0", "~nobody-of-that-name/x", "\ud800", "/" + "x" * 5000, "/etc", "~root"]
)
def test_a_refusal_says_nothing_about_the_machine(docs: Path, text: str) -> None:
    assert refusal(allowing(docs), text).startswith(f"{text!r} is not below an allowed path. ")


def test_a_loop_of_links_is_refused(docs: Path) -> None:
    assert "is not below an allowed path" in refusal(allowing(docs), str(docs / "loop"))
    assert refusal(Grants(None), str(docs / "loop")) == f"{str(docs / 'loop')!r} is no path, or its links lead nowhere."


def test_a_masked_path_is_not_shown(docs: Path) -> None:
    assert refusal(allowing(docs), "/root/secret", masked=True).startswith("*** is not below an allowed path.")
    assert refusal(Grants(None), "\0secret", masked=True) == "*** is no path, or its links lead nowhere."


def test_nothing_is_granted_without_a_folder(docs: Path) -> None:
    assert refusal(Grants(), str(docs)).endswith("(now: none).")
    assert refusal(Grants(), "/").endswith("(now: none).")


def test_everything_is_granted_without_limits(docs: Path) -> None:
    assert Grants(None).path(str(docs / "out"), "folder") == docs.parent / "docs-private"


def test_an_allowed_folder_may_be_a_link_or_have_dots(docs: Path) -> None:
    for folder in (docs.parent / "in", docs / "inner" / ".."):
        assert allowing(folder).path(str(docs / "letter.txt"), "folder") == docs / "letter.txt"


def test_relative_paths_are_those_of_the_working_folder(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(docs.parent)
    assert allowing(Path("docs")).path("docs/letter.txt", "folder") == docs / "letter.txt"
    assert "is not below" in refusal(allowing(Path("docs")), "docs-private")


def test_a_tilde_is_the_home_on_both_sides(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(docs.parent))
    assert allowing(Path("~/docs")).path("~/docs/letter.txt", "folder") == docs / "letter.txt"
    assert "is not below" in refusal(allowing(Path("~/docs")), "~/doc")


def test_a_path_is_below_by_where_it_leads_and_not_by_how_it_reads(docs: Path) -> None:
    assert is_below(docs / "letter.txt", [docs])
    assert is_below(docs, [docs])
    assert not is_below(docs / ".." / "doc", [docs])
    assert not is_below(docs / "out", [docs])
    assert not is_below(docs, [])


@given(st.lists(st.sampled_from(["..", ".", "inner", "out", "within", "letter.txt", "docs", "x", ""]), max_size=8))
def test_no_path_that_is_granted_leads_out(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    folder = tmp_path_factory.getbasetemp().resolve() / "granted" / "docs"
    if not folder.exists():
        (folder / "inner").mkdir(parents=True)
        (folder / "out").symlink_to(folder.parent)
        (folder / "within").symlink_to(folder / "inner")
    text = "/".join([str(folder), *parts])
    real = os.path.realpath(text)
    inside = real == str(folder) or real.startswith(f"{folder}/")
    try:
        granted = allowing(folder).path(text, "folder")
    except ConfigurationError:
        assert not inside
    else:
        assert inside
        assert str(granted) == real


def exposing(*names: str, **environ: str) -> Grants:
    return Grants(exposed_secrets=names, environ=environ)


def failure(grants: Grants, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        grants.revealed(text, "password")
    assert caught.value.field == "password"
    return str(caught.value)


def test_an_exposed_variable_is_revealed() -> None:
    assert exposing("USER", "HOST", USER="me", HOST="h").revealed("${USER}@${HOST}", "password") == "me@h"


def test_the_environment_is_the_one_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPOSED_FOR_THIS_TEST", "here")
    assert Grants(exposed_secrets=("EXPOSED_FOR_THIS_TEST",)).revealed("${EXPOSED_FOR_THIS_TEST}", "x") == "here"


@pytest.mark.parametrize("text", ["${HOME}", "${HOME:-else}", "${ho}", "x${USER}${HOME}"])
def test_a_variable_that_is_not_exposed_is_refused_whether_or_not_it_is_set(text: str) -> None:
    name = text[text.rindex("{") + 1 :].partition(":")[0].rstrip("}")
    expected = (
        f"${{{name}}} is not exposed to connectors. Add it to exposed_secrets of config.yml, or write $${{ for ${{."
    )
    assert failure(exposing("USER", USER="u", HOME="/home"), text) == expected
    assert failure(exposing("USER", USER="u"), text) == expected


def test_a_masked_name_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        exposing("USER", USER="u").revealed("pass${hunter2}", "password", masked=True)
    expected = "What it refers to is not exposed to connectors. "
    assert str(caught.value) == f"{expected}Add it to exposed_secrets of config.yml, or write $${{ for ${{."


def test_an_exposed_variable_that_is_not_set_has_its_default_or_is_an_error() -> None:
    assert exposing("A").revealed("${A:-else}", "password") == "else"
    assert exposing("A").revealed("<${A:-}>", "password") == "<>"
    assert failure(exposing("A"), "${A}") == "The environment variable A is not set."


def test_an_escaped_reference_is_text() -> None:
    assert exposing().revealed("$${HOME}", "password") == "${HOME}"


def test_a_secret_is_not_looked_through() -> None:
    assert exposing("A", "B", A="${B}", B="b").revealed("${A}", "password") == "${B}"


def test_a_variable_that_is_not_text_is_refused() -> None:
    assert failure(exposing("A", A="\udcffsecret"), "${A}") == "The environment variable A is not text in UTF-8."


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n\n", "hunter2"),
        (b" two\r\nlines \n", " two\r\nlines "),
        (b"", ""),
        ("schlüssel".encode(), "schlüssel"),
        (b"x" * LARGEST, "x" * LARGEST),
    ],
)
def test_a_file_holds_a_secret(tmp_path: Path, raw: bytes, secret: str) -> None:
    place = tmp_path / "secret"
    place.write_bytes(raw)
    assert exposing(f"KEY={place}", KEY="not this").revealed("${KEY}", "password") == secret


def test_a_file_is_read_at_each_look(tmp_path: Path) -> None:
    place = tmp_path / "secret"
    grants = exposing(f"KEY = {place} ")
    for secret in ("old", "new"):
        place.write_text(secret)
        assert grants.revealed("${KEY}", "password") == secret


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (None, "No such file or directory"),
        (b"sec\xffret", "it is not text in UTF-8"),
        (b"x" * (LARGEST + 1), "it is larger than 65536 bytes"),
        (b"\xff" * (LARGEST + 1), "it is larger than 65536 bytes"),
    ],
)
def test_a_file_that_can_t_be_used_is_an_error_even_with_a_default(tmp_path: Path, raw: bytes | None, why: str) -> None:
    place = tmp_path / "secret"
    if raw is not None:
        place.write_bytes(raw)
    for text in ("${KEY}", "${KEY:-else}"):
        assert failure(exposing(f"KEY={place}"), text) == f"The file of KEY, {place}, can't be used: {why}."


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        assert failure(exposing(f"KEY={place}"), "${KEY}") == f"The file of KEY, {place}, can't be used: it is no file."
    assert failure(exposing("KEY=/a\0b"), "${KEY}").endswith("can't be used: that is no path.")


def test_an_error_has_nothing_of_the_secret_with_it(tmp_path: Path) -> None:
    place = tmp_path / "secret"
    place.write_bytes(b"hunter2\xff")
    with pytest.raises(ConfigurationError) as caught:
        exposing(f"KEY={place}").revealed("${KEY}", "password")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_grants_do_not_print_the_environment() -> None:
    assert "hunter2" not in repr(exposing("KEY", KEY="hunter2"))
