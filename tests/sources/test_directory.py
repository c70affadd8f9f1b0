"""The directory source: its documents are what `find` tells, and no change escapes its token."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.download import Download
from connectors.errors import AccessDenied, ConfigurationError, DocumentSkipped, SourceUnreachable
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.source import Document
from connectors.source_class import opened
from connectors.sources.directory import DirectoryDataSource
from tests.sources.folders import descriptors, documents, let_time_pass, planted, source
from tests.sources.somebody import become_nobody


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return planted(tmp_path)


async def downloads(root: Path, *, ahead: timedelta = timedelta(hours=1)) -> dict[str, Download]:
    return {document["_id"]: found async for document, found in source(root, ahead=ahead).get_docs()}


# Documents.


def told_by_find(root: Path) -> dict[str, Document]:
    """Return the documents that an independent listing makes."""
    form = r"%P\0%f\0%s\0%T@\0%u\0%g\0%m\0"
    told = subprocess.run(["find", ".", "-type", "f", "-printf", form], cwd=root, check=True, capture_output=True)
    parts = told.stdout.replace(b"caf\xe9", b"caf//E9").decode().split("\0")[:-1]
    listed = {}
    for path, name, size, modified, owner, group, mode in zip(*[iter(parts)] * 7, strict=True):
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(Decimal(modified) * 1_000_000))
        listed[path] = {
            "_id": path,
            "_timestamp": at,
            "path": path,
            "name": name,
            "extension": {".md": "md", ".JPG": "jpg", ".txt": "txt"}.get(name[name.rfind(".") :], ""),
            "size": int(size),
            "modified_at": at,
            "owner": owner,
            "group": group,
            "mode": f"{int(mode, 8):04o}",
        }
    return listed


async def test_documents_are_what_find_tells(root: Path) -> None:
    (root / "docs" / "deep" / "log").chmod(0o4750)
    (root / os.fsdecode(b"caf\xe9.txt")).write_text("latin")
    (root / "café.txt").write_text("utf-8")
    os.utime(root / "readme.md", ns=(0, 1_234_567_890_987_654_321))
    if os.getuid() == 0:
        os.chown(root / "docs" / "Photo.JPG", 54321, 65534)
    found = await documents(root)
    assert found == told_by_find(root)
    assert sorted(found) == [
        *("caf//E9.txt", "café.txt", "docs/Photo.JPG", "docs/deep/.hidden", "docs/deep/log", "readme.md")
    ]


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, whose file system takes any time."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder).resolve()


async def test_a_time_outside_of_the_calendar_is_left_out(memory: Path) -> None:
    (memory / "file").touch()
    os.utime(memory / "file", (0, 300_000_000_000))
    assert {"_timestamp", "modified_at"} & (await documents(memory))["file"].keys() == set()


async def test_patterns_select_and_exclude(root: Path) -> None:
    assert sorted(await documents(root, pattern="**/*.{md,JPG}")) == ["docs/Photo.JPG", "readme.md"]
    assert sorted(await documents(root, pattern="*")) == ["readme.md"]
    assert sorted(await documents(root, exclude="**/deep")) == ["docs/Photo.JPG", "readme.md"]
    assert sorted(await documents(root, exclude="docs/*")) == ["readme.md"]


async def test_links_are_documents_of_their_own_only_when_followed(root: Path) -> None:
    (root / "link").symlink_to("docs")
    assert "link/Photo.JPG" not in await documents(root)
    followed = await documents(root, follow_links=True)
    assert followed["link/Photo.JPG"]["size"] == followed["docs/Photo.JPG"]["size"] == 2


@pytest.fixture
def long_names(tmp_path: Path) -> Path:
    """Files whose paths differ only behind what fits into an id, one of them by a byte that is no UTF-8."""
    folder = tmp_path / ("é" * 100) / ("a" * 250)
    folder.mkdir(parents=True)
    for name in (b"one", b"other", b"\xe9"):
        (folder / os.fsdecode(name)).write_bytes(name)
    return tmp_path


async def test_ids_are_unique_and_short_enough_for_an_engine(long_names: Path) -> None:
    found = await documents(long_names)
    assert len(found) == 3
    assert {len(one.encode()) <= 400 for one in found} == {True}
    assert {one.partition("//#")[0] for one in found} == {f"{'é' * 100}/{'a' * 149}"}
    assert {document["path"].rpartition("a/")[2] for document in found.values()} == {"one", "other", "//E9"}


async def test_a_document_read_alone_is_the_one_of_the_walk(root: Path, long_names: Path) -> None:
    (root / os.fsdecode(b"caf\xe9.txt")).touch()
    (root / "link").symlink_to("docs")
    reading = source(root.parent, follow_links=True, pattern="**/*[!2]")
    walked = {document["_id"]: (document, download) async for document, download in reading.get_docs()}
    assert len(walked) == 11
    for one, (document, download) in walked.items():
        found = await reading.get_doc(one)
        assert found is not None
        assert found[0] == document
        for what in ("content_version", "size", "name"):
            assert getattr(found[1], what) == getattr(download, what)
        assert await found[1]() == await download()


@pytest.mark.parametrize(
    "document_id",
    [
        *("", "missing", "docs", "../root/readme.md", "/readme.md", "readme.md/", "docs//deep", "a\0", "\ud800"),
        *("photo.jpg", "//63af", "caf//C3//A9.txt", "café.tx", "x" * 300, "a//#" + "0" * 40),
    ],
)
async def test_what_the_walk_would_not_yield_is_no_document(root: Path, document_id: str) -> None:
    (root / "café.txt").touch()
    assert await source(root).get_doc(document_id) is None


async def test_a_path_that_is_too_long_for_an_id_is_none(long_names: Path) -> None:
    for document in (await documents(long_names)).values():
        assert await source(long_names).get_doc(document["path"]) is None


async def test_a_document_that_is_not_selected_is_not_read_alone(root: Path) -> None:
    assert await source(root, pattern="*").get_doc("docs/Photo.JPG") is None
    assert await source(root, exclude="docs").get_doc("docs/Photo.JPG") is None
    (root / "readme.md").unlink()
    assert await source(root).get_doc("readme.md") is None


# Content.


async def test_content_is_read_when_it_is_asked_for(root: Path) -> None:
    found = await downloads(root)
    assert {one: await download() for one, download in found.items()} == {
        one: (root / one).read_bytes() for one in found
    }
    assert (found["docs/Photo.JPG"].size, found["docs/Photo.JPG"].name) == (2, "Photo.JPG")


async def test_a_version_stays_until_the_content_may_differ(root: Path) -> None:
    readme = root / "readme.md"
    before = (await downloads(root))["readme.md"].content_version
    status = readme.stat()
    assert before == f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"
    assert (await downloads(root))["readme.md"].content_version == before
    let_time_pass(root)
    readme.write_bytes(b"# Dear me")
    os.utime(readme, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (await downloads(root))["readme.md"].content_version != before


async def test_a_version_of_a_file_that_changed_just_now_holds_for_this_walk_alone(root: Path) -> None:
    now = timedelta(0)
    one, other = await downloads(root, ahead=now), await downloads(root, ahead=now)
    assert one["readme.md"].content_version != other["readme.md"].content_version


async def test_a_file_that_is_gone_is_skipped(root: Path) -> None:
    found = await downloads(root)
    (root / "readme.md").unlink()
    with pytest.raises(DocumentSkipped, match=r"'readme\.md' is gone"):
        await found["readme.md"]()


async def test_a_file_that_turned_into_a_link_out_of_the_directory_is_skipped(root: Path) -> None:
    found = await downloads(root)
    (root / "readme.md").unlink()
    (root / "readme.md").symlink_to("/etc/passwd")
    with pytest.raises(DocumentSkipped):
        await found["readme.md"]()


async def test_a_file_that_grows_is_read_as_it_was_listed(root: Path) -> None:
    found = await downloads(root)
    with (root / "docs" / "deep" / "log").open("ab") as log:
        log.write(b"2\n" * 1_000_000)
    assert await found["docs/deep/log"]() == b"1\n"


async def test_a_file_that_was_replaced_by_a_larger_one_is_skipped(root: Path) -> None:
    found = await downloads(root)
    (root / "new").write_bytes(b"# Read me, please")
    (root / "new").rename(root / "readme.md")
    with pytest.raises(DocumentSkipped, match="replaced by a larger one"):
        await found["readme.md"]()


def test_a_file_that_may_not_be_read_is_skipped_and_a_folder_is_an_error(commons: Path) -> None:
    (commons / "closed.txt").write_text("x")
    (commons / "closed.txt").chmod(0)
    (commons / "closed").mkdir(mode=0)
    # A thread begins with the rights of the one that starts it.
    with ThreadPoolExecutor(1, initializer=become_nobody) as nobody:
        nobody.submit(asyncio.run, refused_by(commons)).result()


async def refused_by(commons: Path) -> None:
    [(_, download)] = [found async for found in source(commons, exclude="closed").get_docs()]
    with pytest.raises(DocumentSkipped, match="may not be read: Permission denied"):
        await download()
    with pytest.raises(AccessDenied, match="closed may not be read"):
        [found async for found in source(commons).get_docs()]
    with pytest.raises(AccessDenied, match="closed may not be read"):
        await source(commons).changed(None)
    with pytest.raises(AccessDenied, match="closed may not be read"):
        await source(commons / "closed").ping()
    with pytest.raises(AccessDenied, match="below may not be read"):
        await source(commons / "closed" / "below").ping()


# Configuration.


async def test_a_directory_that_can_be_listed_is_reached(root: Path) -> None:
    async with opened(source(root, exclude="**/.git")) as reading:
        await reading.validate_config()
        await reading.ping()
        assert await reading.health() == {}


async def test_a_directory_that_is_none_is_not_reached(root: Path) -> None:
    with pytest.raises(SourceUnreachable, match="missing: No such file or directory"):
        await source(root / "missing").ping()
    with pytest.raises(ConfigurationError, match=r"readme\.md is a file") as error:
        await source(root / "readme.md").ping()
    assert error.value.field == "directory"
    for reading in (source(root / "missing"), source(root / "readme.md")):
        with pytest.raises(SourceUnreachable):
            [found async for found in reading.get_docs()]
        with pytest.raises(SourceUnreachable):
            await reading.changed(None)


def test_a_directory_that_is_not_granted_is_refused(root: Path) -> None:
    configuration = Configuration(DirectoryDataSource.fields, {"directory": str(root)}, Grants())
    with pytest.raises(ConfigurationError, match="not below an allowed path") as error:
        configuration.check()
    assert error.value.field == "directory"


@pytest.mark.parametrize("field", ["pattern", "exclude"])
async def test_a_pattern_that_is_none_is_refused(root: Path, field: str) -> None:
    broken: dict[str, Any] = {field: "**.md"}
    with pytest.raises(ConfigurationError, match="no part of its own between slashes") as error:
        await source(root, **broken).validate_config()
    assert error.value.field == field


def test_what_it_says_of_itself_is_what_it_does() -> None:
    assert DirectoryDataSource.features()["sync_rules"]["advanced"] == {"enabled": True}
    assert list(DirectoryDataSource.get_default_configuration()) == ["directory", "pattern", "exclude", "follow_links"]
    assert DirectoryDataSource.fields.schema()["required"] == ["directory"]


# The end of a walk.


async def test_a_walk_that_is_closed_in_the_middle_frees_its_descriptors(root: Path) -> None:
    before = descriptors()
    for number in range(1500):
        (root / str(number)).touch()
    async with aclosing(source(root).get_docs()) as walk:
        await anext(walk)
        assert descriptors() == before + 3
    assert descriptors() == before


async def test_a_source_that_is_closed_ends_its_walks_and_they_do_not_look_complete(root: Path) -> None:
    before = descriptors()
    for number in range(1500):
        (root / str(number)).touch()
    async with source(root) as reading:
        walk = reading.get_docs()
        await anext(walk)
        assert descriptors() == before + 3
    assert descriptors() == before
    with pytest.raises(SourceUnreachable, match="stopped before its end"):
        [found async for found in walk]
