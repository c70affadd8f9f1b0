"""Tokens of a directory: no change escapes them, and nothing else changes them."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.source import Token
from tests.sources.folders import has_changed, let_time_pass, planted, rules, token_of

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return planted(tmp_path)


def swap(one: Path, other: Path) -> None:
    aside = one.parent.parent / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def rewrite(one: Path) -> None:
    """Write something else of the same size, and set the time back."""
    status = one.stat()
    one.write_bytes(bytes(byte ^ 1 for byte in one.read_bytes()))
    os.utime(one, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(one: Path) -> None:
    """Put another file of the same content and time in its place."""
    status = one.stat()
    (one.parent / "twin").write_bytes(one.read_bytes())
    os.utime(one.parent / "twin", ns=(status.st_atime_ns, status.st_mtime_ns))
    (one.parent / "twin").rename(one)


CHANGES: list[Callable[[Path, Path], object]] = [
    swap,
    lambda one, other: rewrite(one),
    lambda one, other: replace(one),
    lambda one, other: one.unlink(),
    lambda one, other: one.rename(one.parent / "renamed"),
    lambda one, other: one.write_bytes(one.read_bytes() + b"more"),
    lambda one, other: one.touch(),
    lambda one, other: one.chmod(0o600 if one.stat().st_mode & 0o777 != 0o600 else 0o644),
    lambda one, other: (one.parent / "new").touch(),
    lambda one, other: (one.parent / "hard").hardlink_to(one),
    lambda one, other: other.rename(one),
]
FOLDERS = st.dictionaries(
    st.tuples(st.sampled_from(["", "x", "x/y"]), st.sampled_from(["a", "b", "\udce9"])),
    st.binary(min_size=1, max_size=3),
    min_size=2,
)


@given(FOLDERS, st.sampled_from(CHANGES), st.data())
@settings(max_examples=60)
def test_any_change_of_the_tree_changes_the_token_and_nothing_else_does(
    files: dict[tuple[str, str], bytes], change: Callable[[Path, Path], object], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "root"
        for (place, name), content in files.items():
            (root / place).mkdir(parents=True, exist_ok=True)
            (root / place / name).write_bytes(content)
        one, other = data.draw(st.permutations(sorted(files)))[:2]
        token = asyncio.run(token_of(root))
        for path in root.rglob("*"):
            if path.is_file():
                path.read_bytes()
        assert asyncio.run(has_changed(root, token)) is False
        let_time_pass(root)
        change(root / "/".join(one).lstrip("/"), root / "/".join(other).lstrip("/"))
        assert asyncio.run(has_changed(root, token)) is True


async def test_files_that_only_their_folders_tell_apart_change_the_token(root: Path) -> None:
    (root / "docs" / "twins").mkdir()
    token = await token_of(root)
    await asyncio.to_thread((root / "docs" / "deep").rename, root / "docs" / "high")
    assert await has_changed(root, token)
    token = await token_of(root)
    for path, name in (("high", "aside"), ("twins", "high"), ("aside", "twins")):
        await asyncio.to_thread((root / "docs" / path).rename, root / "docs" / name)
    assert await has_changed(root, token)


ANSWER = """
import asyncio, json, sys
from datetime import timedelta
from pathlib import Path
from tests.sources.folders import has_changed
print(json.dumps(asyncio.run(has_changed(Path(sys.argv[1]), json.loads(sys.argv[2])))))
"""


def answer_of_another_process(root: Path, token: Token) -> Any:
    arguments = [sys.executable, "-c", ANSWER, str(root), json.dumps(token)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    answered = subprocess.run(arguments, env=environment, check=True, capture_output=True, text=True)
    return json.loads(answered.stdout)


def test_another_process_answers_the_same(root: Path) -> None:
    token = asyncio.run(token_of(root))
    assert answer_of_another_process(root, token) is False
    let_time_pass(root)
    (root / "readme.md").touch()
    assert answer_of_another_process(root, token) is True


async def test_a_token_of_a_moment_in_which_files_changed_answers_yes(root: Path) -> None:
    fresh = await token_of(root, ahead=timedelta(0))
    assert await has_changed(root, fresh, ahead=timedelta(0))
    assert await has_changed(root, fresh)
    settled = await token_of(root)
    assert not await has_changed(root, settled)


async def test_what_is_not_selected_changes_no_token(root: Path) -> None:
    token = await token_of(root, pattern="*", exclude="new*")
    (root / "docs" / "Photo.JPG").unlink()
    (root / "new").touch()
    assert not await has_changed(root, token, pattern="*", exclude="new*")
    small = rules({"max_size": 5})
    token = await token_of(root, small)
    let_time_pass(root)
    (root / "readme.md").write_bytes(b"longer")
    assert not await has_changed(root, token, small)
    (root / "readme.md").write_bytes(b"short")
    assert await has_changed(root, token, small)


async def test_a_file_that_ages_in_or_out_of_a_rule_changes_the_token(root: Path) -> None:
    for rule in ({"newer_than": "2h"}, {"older_than": "2h"}):
        token = await token_of(root, rules(rule))
        assert not await has_changed(root, token, rules(rule), ahead=timedelta(minutes=110))
        assert await has_changed(root, token, rules(rule), ahead=timedelta(minutes=130))


async def test_other_settings_have_other_tokens(root: Path) -> None:
    token = await token_of(root)
    assert await has_changed(root, token, pattern="**")
    assert await has_changed(root, token, exclude="nothing")
    assert await has_changed(root, token, follow_links=True)
    twin = root.parent / "twin"
    await asyncio.to_thread(root.rename, twin)
    assert await has_changed(twin, token)


@pytest.mark.parametrize("token", [{}, {"files": 4}, {"settled": True, "digest": 5}])
async def test_a_token_that_is_none_answers_yes(root: Path, token: Token) -> None:
    assert await has_changed(root, token)
