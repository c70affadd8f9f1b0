"""The walk: it finds what `find` finds, never leaves the root, and leaves nothing out without saying so."""

import os
import resource
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import AccessDenied, ConfigurationError, DocumentSkipped, SourceUnreachable
from connectors.sources._files.globs import Glob
from connectors.sources._files.walk import MOST_AT_ONCE, MOST_LINKS, Entry, Walk, meant, shown
from tests.sources.folders import descriptors
from tests.sources.somebody import somebody_else

NAMES = st.sampled_from([b"a", b"b", b".c", b"d e", b"\xe9", "é".encode(), b"%E9", b"x\ny"])
TREES = st.recursive(st.just(b"content"), lambda below: st.dictionaries(NAMES, below, max_size=4), max_leaves=12)
BYTES_OF_PATHS = st.lists(st.binary(min_size=1, max_size=4).map(lambda name: name.replace(b"/", b"_")), min_size=1)


def grown(folder: Path, tree: object) -> None:
    """Make a folder of what is in a tree."""
    if isinstance(tree, dict):
        folder.mkdir(exist_ok=True)
        for name, below in tree.items():
            grown(folder / os.fsdecode(name), below)
    elif not folder.is_dir():
        folder.write_bytes(b"content")


def walked(root: Path, *, follow_links: bool = False, exclude: str | None = None) -> list[str]:
    walk = Walk(root, follow_links=follow_links, exclude=Glob(exclude) if exclude else None)
    return sorted(entry.relative for entry in walk.entries())


def find(root: Path, *options: str) -> list[str]:
    found = subprocess.run(["find", *options, ".", "-type", "f", "-print0"], cwd=root, check=True, capture_output=True)
    return sorted(os.fsdecode(path)[2:] for path in found.stdout.split(b"\0") if path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder beside which there is something that nobody meant."""
    root = tmp_path / "root"
    (root / "docs" / "deep").mkdir(parents=True)
    (root / "docs" / "deep" / "page.md").write_text("page")
    (root / "plain.txt").write_text("plain")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    return root


@given(TREES)
@settings(max_examples=40)
def test_the_walk_finds_what_find_finds(tree: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        grown(Path(folder), tree if isinstance(tree, dict) else {})
        root = Path(folder).resolve()
        assert walked(root) == find(root)
        for entry in Walk(root).entries():
            assert entry.path.stat(follow_symlinks=False) == entry.stat
            assert Walk(root).entry(entry.relative) == entry


def test_folders_of_many_files_are_seen_whole(tmp_path: Path) -> None:
    for number in range(2 * MOST_AT_ONCE + 1):
        (tmp_path / str(number)).touch()
    steps = [len(step) for step in Walk(tmp_path).steps()]
    assert steps == [MOST_AT_ONCE, MOST_AT_ONCE, 1]


def test_sockets_and_pipes_are_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    assert walked(root, follow_links=True) == ["docs/deep/page.md", "plain.txt"]
    assert (Walk(root).entry("pipe"), Walk(root).entry("socket")) == (None, None)


def test_paths_longer_than_the_system_takes_are_walked_and_read(tmp_path: Path) -> None:
    names = ["n" * 200] * 30
    folder = os.open(tmp_path, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=folder)
        below = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(os.open("file", os.O_CREAT, dir_fd=folder))
    os.close(folder)
    for follow_links in (False, True):
        [entry] = Walk(tmp_path, follow_links=follow_links).entries()
        assert entry.relative == "/".join([*names, "file"])
        assert Walk(tmp_path, follow_links=follow_links).read(entry) == b""


# Links.


@pytest.mark.parametrize("follow_links", [False, True])
@pytest.mark.parametrize("target", ["{outside}/secret.txt", "{outside}", "../outside", "/etc", "{root}2/secret.txt"])
def test_a_link_out_of_the_root_leads_nowhere(root: Path, target: str, follow_links: bool) -> None:
    shutil.copytree(root.parent / "outside", f"{root}2")
    (root / "link").symlink_to(target.format(outside=root.parent / "outside", root=root))
    assert walked(root, follow_links=follow_links) == ["docs/deep/page.md", "plain.txt"]
    walk = Walk(root, follow_links=follow_links)
    assert (walk.entry("link"), walk.entry("link/secret.txt")) == (None, None)
    for name in ("link", "link/secret.txt", "../outside/secret.txt", "docs/../../outside/secret.txt"):
        with pytest.raises(DocumentSkipped):
            walk.open(name)


def test_a_link_to_a_folder_of_a_longer_name_leads_nowhere(root: Path) -> None:
    (root.parent / "root2").mkdir()
    (root / "2").mkdir()
    (root / "2" / "file").touch()
    (root / "link").symlink_to("../root2")
    assert walked(root, follow_links=True) == ["2/file", "docs/deep/page.md", "plain.txt"]


def test_a_link_to_a_link_out_of_the_root_leads_nowhere(root: Path) -> None:
    (root / "way").symlink_to(root.parent / "outside")
    (root / "link").symlink_to("way/secret.txt")
    (root / "back").symlink_to("way/../root/plain.txt")
    assert walked(root, follow_links=True) == ["back", "docs/deep/page.md", "plain.txt"]


def test_links_inside_are_followed_only_when_asked_for(root: Path) -> None:
    (root / "file").symlink_to("docs/deep/page.md")
    (root / "folder").symlink_to(root / "docs")
    (root / "docs" / "other").symlink_to("../folder/deep")
    assert walked(root) == find(root) == ["docs/deep/page.md", "plain.txt"]
    followed = walked(root, follow_links=True)
    assert followed == find(root, "-L")
    assert followed == [
        "docs/deep/page.md",
        "docs/other/page.md",
        "file",
        "folder/deep/page.md",
        "folder/other/page.md",
        "plain.txt",
    ]
    walk = Walk(root, follow_links=True)
    for entry in walk.entries():
        assert walk.entry(entry.relative) == entry
        assert walk.read(entry) == entry.path.read_bytes()
    assert (Walk(root).entry("file"), Walk(root).entry("folder/deep/page.md")) == (None, None)


def test_cycles_end(root: Path) -> None:
    (root / "docs" / "up").symlink_to("..")
    (root / "docs" / "self").symlink_to("self")
    (root / "docs" / "here").symlink_to(".")
    (root / "ping").symlink_to("pong")
    (root / "pong").symlink_to("ping")
    (root / "dangling").symlink_to("nowhere")
    for name, other in (("left", "right"), ("right", "left")):
        (root / name).mkdir()
        (root / name / "file").touch()
        (root / name / "over").symlink_to(f"../{other}")
    assert walked(root, follow_links=True) == [
        "docs/deep/page.md",
        "left/file",
        "left/over/file",
        "plain.txt",
        "right/file",
        "right/over/file",
    ]
    walk = Walk(root, follow_links=True)
    assert [walk.entry(path) for path in ("docs/up/plain.txt", "left/over/over/file", "ping")] == [None] * 3


def test_folders_that_all_link_to_each_other_are_an_error(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(MOST_LINKS + 2)]
    for name in names:
        (tmp_path / name).mkdir()
        for other in names:
            (tmp_path / name / other).symlink_to(f"../{other}")
    with pytest.raises(ConfigurationError, match="more than 8 links") as error:
        walked(tmp_path, follow_links=True)
    assert error.value.field == "follow_links"


def test_a_folder_that_turns_into_a_link_under_the_walk_leads_nowhere(root: Path) -> None:
    steps = Walk(root).steps()
    assert [entry.relative for entry in next(steps)] == ["plain.txt"]
    (root / "docs").rename(root.parent / "moved")
    (root / "docs").symlink_to(root.parent / "outside")
    assert list(steps) == []


@pytest.mark.parametrize("follow_links", [False, True])
def test_a_root_that_turns_into_a_link_is_not_walked(root: Path, follow_links: bool) -> None:
    walk = Walk(root, follow_links=follow_links)
    root.rename(root.parent / "moved")
    root.symlink_to(root.parent / "outside")
    with pytest.raises(SourceUnreachable, match="There is no folder"):
        list(walk.entries())


# What can't be read.


def test_a_missing_root_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing", "file"):
        for attempt in (Walk(tmp_path / name).check, lambda name=name: list(Walk(tmp_path / name).entries())):
            with pytest.raises(SourceUnreachable, match="Correct the path") as error:
                attempt()
            assert str(tmp_path / name) in str(error.value)


def test_a_folder_that_may_not_be_listed_is_an_error(commons: Path) -> None:
    (commons / "docs" / "closed").mkdir(parents=True)
    (commons / "docs" / "closed").chmod(0)
    with somebody_else():
        with pytest.raises(AccessDenied, match=r"docs/closed may not be read.*exclude it"):
            list(Walk(commons).entries())
        assert walked(commons, exclude="**/closed") == []
        with pytest.raises(AccessDenied, match="closed"):
            Walk(commons / "docs" / "closed").check()
        with pytest.raises(AccessDenied, match="closed"):
            list(Walk(commons / "docs" / "closed" / "below").entries())
    (commons / "docs" / "closed").chmod(0o755)
    with somebody_else():
        Walk(commons / "docs" / "closed").check()


def test_a_folder_whose_files_may_not_be_looked_at_is_an_error(commons: Path) -> None:
    (commons / "listed").mkdir()
    (commons / "listed" / "file").touch()
    (commons / "listed").chmod(0o744)
    with somebody_else():
        with pytest.raises(AccessDenied, match="listed may not be read"):
            list(Walk(commons).entries())
        with pytest.raises(AccessDenied, match="listed/file may not be read"):
            Walk(commons).entry("listed/file")


def test_folders_on_the_way_to_the_root_need_not_be_listed(commons: Path) -> None:
    (commons / "home" / "docs").mkdir(parents=True)
    (commons / "home" / "docs" / "file").write_text("x")
    (commons / "home").chmod(0o711)
    with somebody_else():
        assert walked(commons / "home" / "docs") == ["file"]


def test_a_link_to_what_may_not_be_looked_at_is_an_error_inside_and_nothing_outside(commons: Path) -> None:
    (commons / "root" / "closed").mkdir(parents=True)
    (commons / "outside").mkdir()
    for folder in (commons / "root" / "closed", commons / "outside"):
        (folder / "file").touch()
        folder.chmod(0o700)
    link = commons / "root" / "link"
    link.symlink_to(commons / "outside" / "file")
    with somebody_else():
        assert walked(commons / "root", follow_links=True, exclude="closed") == []
    link.unlink()
    link.symlink_to("closed/file")
    with somebody_else():
        with pytest.raises(AccessDenied):
            Walk(commons / "root", follow_links=True).entry("link")
        assert walked(commons / "root", follow_links=True, exclude="closed") == []


def test_a_file_that_may_not_be_read_is_skipped_alone(commons: Path) -> None:
    (commons / "closed").write_text("x")
    (commons / "closed").chmod(0o600)
    with somebody_else():
        [entry] = Walk(commons).entries()
        with pytest.raises(DocumentSkipped, match="'closed' may not be read"):
            Walk(commons).read(entry)


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_any_other_failure_of_the_system_is_an_error(root: Path) -> None:
    walk = Walk(root)
    steps = walk.steps()
    next(steps)
    with no_descriptors_left():
        for attempt in (
            walk.check,
            lambda: walk.entry("plain.txt"),
            lambda: walk.open("plain.txt"),
            lambda: next(steps),
        ):
            with pytest.raises(SourceUnreachable, match="can't be read: Too many open files"):
                attempt()


def test_a_file_that_breaks_off_is_an_error(root: Path) -> None:
    status = (root / "plain.txt").stat()
    own = Path(f"/proc/{os.getpid()}")  # its file `mem` can be opened, and reading its start fails
    with pytest.raises(SourceUnreachable, match="mem can't be read: Input/output error"):
        Walk(own).read(Entry("mem", own, status))


# What changes under the walk.


def test_files_that_vanish_before_they_are_looked_at_are_left_out(tmp_path: Path) -> None:
    for number in range(MOST_AT_ONCE + 100):
        (tmp_path / str(number)).touch()
    steps = Walk(tmp_path).steps()
    assert len(next(steps)) == MOST_AT_ONCE
    for path in tmp_path.iterdir():
        path.unlink()
    assert list(steps) == [[]]


def test_folders_that_vanish_before_they_are_listed_are_left_out(root: Path) -> None:
    steps = Walk(root).steps()
    next(steps)
    shutil.rmtree(root / "docs")
    assert list(steps) == []


@pytest.mark.parametrize("replaced", [False, True])
def test_a_root_that_vanishes_under_the_walk_is_an_error(root: Path, replaced: bool) -> None:
    steps = Walk(root).steps()
    next(steps)
    shutil.rmtree(root)
    if replaced:
        root.mkdir()
    with pytest.raises(SourceUnreachable, match="removed or replaced"):
        list(steps)


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def to_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent.parent / "outside" / "secret.txt")


@pytest.mark.parametrize("follow_links", [False, True])
@pytest.mark.parametrize("change", [Path.unlink, to_pipe, to_folder, to_socket, to_link])
def test_a_file_that_is_none_any_more_is_skipped(
    root: Path, change: Callable[[Path], None], follow_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = Walk(root, follow_links=follow_links)
    entry = walk.entry("plain.txt")
    assert entry is not None
    monkeypatch.chdir(root)
    change(Path("plain.txt") if change is to_socket else root / "plain.txt")
    before = descriptors()
    with pytest.raises(DocumentSkipped, match=r"plain\.txt"):
        walk.read(entry)
    assert descriptors() == before


def test_a_file_whose_folder_turned_into_a_link_is_skipped(root: Path) -> None:
    (root.parent / "outside" / "page.md").write_text("secret")
    [entry] = [one for one in Walk(root).entries() if one.relative == "docs/deep/page.md"]
    shutil.rmtree(root / "docs" / "deep")
    (root / "docs" / "deep").symlink_to(root.parent / "outside")
    for follow_links in (False, True):
        with pytest.raises(DocumentSkipped):
            Walk(root, follow_links=follow_links).read(entry)


def test_a_file_is_read_as_far_as_it_was_listed(root: Path) -> None:
    [entry] = [one for one in Walk(root).entries() if one.relative == "plain.txt"]
    with (root / "plain.txt").open("a") as file:
        file.write(" and more")
    assert Walk(root).read(entry) == b"plain"
    (root / "plain.txt").write_text("pl")
    assert Walk(root).read(entry) == b"pl"


# One entry, and what is excluded.


@pytest.mark.parametrize(
    "path",
    [
        *("", ".", "..", "../outside/secret.txt", "docs/../plain.txt", "/plain.txt", "docs", "docs//deep/page.md"),
        *("plain.txt/", "plain.txt/x", "missing", "a\0b", "x" * 300),
    ],
)
def test_what_the_walk_would_not_yield_is_no_entry(root: Path, path: str) -> None:
    assert Walk(root).entry(path) is None


def test_what_is_excluded_is_left_out_whatever_leads_to_it(root: Path) -> None:
    (root / "link").symlink_to("docs/deep/page.md")
    (root / "folder").symlink_to("docs/deep")
    assert walked(root, follow_links=True, exclude="docs/*p") == ["plain.txt"]
    assert walked(root, follow_links=True, exclude="{docs,link}") == ["plain.txt"]
    assert walked(root, follow_links=True, exclude="**/*.txt") == ["docs/deep/page.md", "folder/page.md", "link"]
    walk = Walk(root, follow_links=True, exclude=Glob("docs"))
    assert [walk.entry(path) for path in ("docs/deep/page.md", "link", "folder/page.md")] == [None] * 3


# Names.


@given(BYTES_OF_PATHS, BYTES_OF_PATHS)
def test_shown_paths_are_valid_and_tell_paths_apart(one: list[bytes], other: list[bytes]) -> None:
    first, second = os.fsdecode(b"/".join(one)), os.fsdecode(b"/".join(other))
    assert shown(first).encode("utf-8", "strict")
    assert meant(shown(first)) == first
    assert (shown(first) == shown(second)) is (first == second)


@pytest.mark.parametrize("text", ["//C3//A9", "\ud800"])
def test_a_text_as_which_no_path_is_shown_means_none(text: str) -> None:
    assert meant(text) == ""


def test_a_valid_path_is_shown_as_it_is() -> None:
    assert shown("%E9/é") == "%E9/é"
    assert shown("a/\udce9b") == "a///E9b"
