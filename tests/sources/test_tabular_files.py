"""Tabular files: what is in the files comes out, and what can't be read is never taken for what is not there."""

import asyncio
import gzip
import os
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.errors import AccessDenied, ConfigurationError, SourceError, SourceUnreachable
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.literal import Literal, Operator
from connectors.predicate import And, Comparison, Not, Or
from connectors.sources.tabular_files import TabularFilesDataSource
from tests.sources.somebody import become_nobody
from tests.sources.tables import (
    Rows,
    append,
    dataset_of,
    fault_of,
    rows_of,
    schema_of,
    source_of,
    table_of,
    written,
)


def is_one(field: str, text: str) -> Comparison:
    return Comparison(field, Operator.EQUALS, Literal(text))


# Folders and files.


async def test_every_file_of_a_known_name_is_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "sales" / "new").mkdir(parents=True)
    written(tmp_path / "sales" / "b.csv", "id\n1\n")
    written(tmp_path / "sales" / "new" / "a.jsonl", '{"id": 1}\n')
    written(tmp_path / "z.ndjson.gz", gzip.compress(b'{"id": 1}\n'))
    written(tmp_path / "z.txt", "nothing of ours")
    found = await source_of(tmp_path).datasets()
    assert [(one.name, one.group, one.rows, one.primary_key) for one in found] == [
        ("sales/b.csv", "sales", 1, ("row",)),
        ("sales/new/a.jsonl", "sales/new", 1, ("row",)),
        ("z.ndjson.gz", None, 1, ("row",)),
    ]
    assert [one.name for one in await source_of(tmp_path, pattern="sales/*").datasets()] == ["sales/b.csv"]


async def test_documents_have_ids_of_their_file_and_their_row_or_key(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "id,at,name\nx,2024-01-02,A\ny,,B\n")
    plain = [row async for row in source_of(path).get_docs()]
    assert [document["_id"] for document, _ in plain] == ["a.csv/2", "a.csv/3"]  # type: ignore[misc,index]
    keyed = [row async for row in source_of(path, key=["id"], cursor_field="at").get_docs(Filter())]
    moment = datetime(2024, 1, 2, tzinfo=UTC)
    one = {"id": "x", "at": date(2024, 1, 2), "name": "A", "dataset": "a.csv", "_id": "a.csv/x", "_timestamp": moment}
    other = {"id": "y", "at": None, "name": "B", "dataset": "a.csv", "_id": "a.csv/y"}
    assert keyed == [(one, None), (other, None)]


async def test_a_key_applies_to_files_that_have_all_of_it(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "a,b\n1,2\n")
    written(tmp_path / "b.csv", "a\n1\n")
    found = await source_of(tmp_path, key=["b", "a"]).datasets()
    assert [one.primary_key for one in found] == [("b", "a"), ("row",)]


async def test_key_columns_of_a_csv_file_stay_texts_so_that_no_later_row_renames_them(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "id,n\n1,1\n")
    assert await rows_of(path, key=["id"]) == [{"id": "1", "n": 1}]
    assert (await schema_of(path, key=["id"]))["id"] == {"type": "string"}


async def test_the_number_of_a_row_takes_no_name_from_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"row": "mine"}\n{"row_": 5}\n')
    assert await rows_of(path) == [{"row": "mine", "row__": 1}, {"row_": 5, "row__": 2}]


@pytest.mark.parametrize("name", ["a.txt", "a.parquet.csv.zip"])
async def test_a_name_that_says_no_format_needs_one_chosen(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, "a\n1\n")
    with pytest.raises(ConfigurationError, match="does not say its format") as caught:
        await source_of(path).ping()
    assert caught.value.field == "format"
    assert await rows_of(path, format="csv") == [{"a": 1, "row": 2}]


# Parts of a file.


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
async def test_columns_after_and_limit_are_kept_to(tmp_path: Path, name: str) -> None:
    rows = [{"id": f"k{number}", "n": number, "o": {"x": 1}, "t": "t"} for number in range(3_000)]
    path = tmp_path / name
    table_of(path, rows)
    offset = 2 if name.endswith("csv") else 1
    source = source_of(path)
    dataset = await dataset_of(source)
    found = [row async for row in source.read(dataset, ["n"], after=(2_500 + offset,), limit=2)]
    assert found == [{"row": n + offset, "n": n} for n in (2_501, 2_502)]
    where = Or((Not(is_one("o.x", "1")), And((is_one("n", "5"),))))
    looked_at: Rows = [row async for row in source.read(dataset, ["n"], where, limit=1)]
    assert len(looked_at) == 3_000, "a limit counts rows that match, and what matches is not known here"
    assert sorted(looked_at[0]) == ["n", "o", "row"]
    assert [row async for row in source.read(dataset, [], limit=1)] == [{"row": offset}]
    assert [row async for row in source.read(dataset, limit=0)] == []

    keyed = source_of(path, key=["id"], cursor_field="t")
    dataset = await dataset_of(keyed)
    assert [row async for row in keyed.read(dataset, ["n"], after=("k2998",))] == [{"id": "k2999", "n": 2_999}]
    moment = [row async for row in keyed.read(dataset, [], is_one("_timestamp", "x"), after=("k2998",))]
    assert moment == [{"id": "k2999", "t": "t"}]
    with pytest.raises(SourceError, match="no row with the key"):
        _ = [row async for row in keyed.read(dataset, after=("nobody",))]


async def test_a_limit_counts_rows_and_not_what_failed(tmp_path: Path) -> None:
    source = source_of(written(tmp_path / "a.jsonl", '1\n{"a": 2}\n3\n{"a": 4}\n'))
    found = [row async for row in source.read(await dataset_of(source), limit=1)]
    assert [row if isinstance(row, dict) else row.id for row in found] == ["a.jsonl/1", {"a": 2, "row": 2}]


# Files that change, or end too early.


async def test_what_is_appended_while_a_file_is_read_is_for_the_next_time(tmp_path: Path) -> None:
    for name, head, line in (("a.csv", "a\n", "1\n"), ("a.jsonl", "", '{"a": 1}\n')):
        path = written(tmp_path / name, head + line * 5_000)
        source = source_of(path)
        dataset = await dataset_of(source)
        count = 0
        async for _ in source.read(dataset):
            if count == 0:
                append(path, line * 5_000)
            count += 1
        assert count == 5_000


async def test_a_last_line_that_is_still_being_written_is_left_out_and_a_broken_one_reported(tmp_path: Path) -> None:
    for name, head, line, half in (("a.csv", "a,b\n", "1,2\n", '1,"'), ("a.jsonl", "", '{"a": 1}\n', '{"a": ')):
        path = written(tmp_path / name, head + line * 3_000 + half)
        source = source_of(path)
        dataset = await dataset_of(source)
        broken = [row async for row in source.read(dataset) if isinstance(row, Failed)]
        assert [row.id for row in broken] == [f"{name}/{3_001 + bool(head)}"]
        found: Rows = []
        async for row in source.read(dataset):
            if not found:
                append(path, "…")
            found.append(type(row))
        assert found == [dict] * 3_000


@pytest.mark.parametrize("length", [100, 4_000_000])
async def test_a_file_that_is_changed_or_cut_while_it_is_read_is_an_error(tmp_path: Path, length: int) -> None:
    content = ('{"a": "' + "x" * 990 + '"}\n') * 4_000
    path = written(tmp_path / "a.jsonl", content)
    os.utime(path, ns=(0, 0))
    source = source_of(path)
    dataset = await dataset_of(source)
    rows: Any = source.read(dataset)
    with pytest.raises(SourceUnreachable, match="while it was read"):
        async with aclosing(rows):
            await anext(rows)
            path.write_text(content[:length])
            async for _ in rows:
                pass


async def test_a_file_with_other_columns_than_were_listed_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "id\n1\n")
    source = source_of(path, key=["id"])
    dataset = await dataset_of(source)
    written(path, "name\n1\n")
    with pytest.raises(SourceUnreachable, match="changed its columns"):
        _ = [row async for row in source.read(dataset)]
    path.unlink()
    with pytest.raises(SourceUnreachable, match="no file"):
        _ = [row async for row in source.read(dataset)]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
async def test_a_packed_file_is_read_and_one_that_is_cut_off_is_an_error(tmp_path: Path, name: str) -> None:
    content = b"id\n" + b"1\n" * 9_999 if "csv" in name else b'{"id": 1}\n' * 9_999
    path = written(tmp_path / name, gzip.compress(content))
    assert len(await rows_of(path)) == 9_999
    whole = path.read_bytes()
    assert "cut off" in await fault_of(written(path, whole[:-12]))
    assert "can't be read" in await fault_of(written(path, b"no gzip at all"))
    assert "can't be read" in await fault_of(written(path, whole[:-8] + b"\0" * 8))


async def test_bytes_that_no_codec_goes_on_after_are_an_error(tmp_path: Path) -> None:
    assert "utf-16" in await fault_of(written(tmp_path / "a.csv", b"\xff\xfea\0\n\0\x00\xd8a\0\n\0"))


async def test_only_files_below_the_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    written(tmp_path / "out.csv", "a\n1\n")
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "out.csv")
    source = source_of(tmp_path / "in")
    assert await source.datasets() == []
    for name in ("link.csv", "../out.csv", str(tmp_path / "out.csv")):
        with pytest.raises(SourceUnreachable):
            _ = [row async for row in source.read(Dataset(name, primary_key=("row",)))]


# Settings, and what has changed.


async def test_ping_says_what_is_wrong(tmp_path: Path) -> None:
    await source_of(tmp_path).ping()
    await source_of(written(tmp_path / "a.csv", "")).ping()
    await source_of(written(tmp_path / "a.parquet", "")).ping()
    with pytest.raises(SourceUnreachable):
        await source_of(tmp_path / "nothing").ping()
    with pytest.raises(SourceUnreachable, match="no file or folder"):
        await source_of(tmp_path / "nothing").datasets()


def test_a_file_that_may_not_be_read_is_an_error(commons: Path) -> None:
    written(commons / "a.csv", "a\n").chmod(0)
    # A thread begins with the rights of the one that starts it.
    with ThreadPoolExecutor(1, initializer=become_nobody) as nobody:
        nobody.submit(asyncio.run, refused(commons / "a.csv")).result()


async def refused(path: Path) -> None:
    with pytest.raises(AccessDenied, match=r"'a\.csv' may not be read"):
        await source_of(path).ping()
    with pytest.raises(AccessDenied, match=r"'a\.csv' may not be read"):
        await source_of(path).datasets()


@pytest.mark.parametrize(
    ("setting", "value"), [("pattern", "a**"), ("encoding", "klingon"), ("encoding", "hex"), ("encoding", "a\0b")]
)
async def test_settings_that_can_not_be_used_are_refused(tmp_path: Path, setting: str, value: str) -> None:
    await source_of(tmp_path).validate_config()
    with pytest.raises(ConfigurationError) as caught:
        await source_of(tmp_path, **{setting: value}).validate_config()
    assert caught.value.field == setting


async def test_without_pyarrow_only_parquet_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = written(tmp_path / "a.parquet", "")
    for call in (source_of(path).ping, source_of(tmp_path).datasets):
        with pytest.raises(ConfigurationError, match=r"pip install 'connectors\[tabular_files\]'"):
            await call()
    assert await rows_of(written(tmp_path / "a.csv", "a\n1\n")) == [{"a": 1, "row": 2}]


async def test_files_have_changed_when_any_of_them_has(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "a\n1\n")
    source = source_of(tmp_path)
    first, token = await source.changed(None)
    assert (first, await source.changed(token)) == (True, (False, token))
    written(tmp_path / "a.txt", "of no matter")
    assert await source.changed(token) == (False, token)
    times = path.stat()
    path.unlink()
    os.utime(written(path, "a\n2\n"), ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (await source.changed(token))[0] is True


async def test_a_file_that_was_changed_just_now_gives_no_token(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "a\n1\n")
    configuration = Configuration(TabularFilesDataSource.fields, {"path": str(tmp_path)}, Grants(None))
    assert await TabularFilesDataSource(configuration).changed(None) == (True, None)


async def test_a_source_is_configured_by_what_it_declares() -> None:
    shaping = Configuration(TabularFilesDataSource.fields, {"path": "/data"}, Grants(None)).shaping()
    assert set(shaping) == {"path", "pattern", "key", "cursor_field", "format", "delimiter", "encoding"}


# Being left, and memory.


def is_open(path: Path) -> bool:
    return path in [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it looks at open files as Linux shows them")
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
async def test_a_walk_that_is_left_in_the_middle_closes_its_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    table_of(path, [{"id": number, "text": "x" * 100} for number in range(5_000)])
    source = source_of(path)
    dataset = await dataset_of(source)
    rows: Any = source.read(dataset)
    async with aclosing(rows):
        await anext(rows)
        assert is_open(path)
    assert not is_open(path)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it looks at open files as Linux shows them")
async def test_a_walk_that_is_cancelled_ends_within_a_second_and_closes_its_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", ('{"a": 1, "text": "' + "x" * 200 + '"}\n') * 400_000)
    executor = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(executor)
    listing = asyncio.create_task(source_of(path).datasets())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.shield(listing)
    started = time.monotonic()
    listing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listing
    executor.shutdown()  # waits for the thread
    assert time.monotonic() - started < 1
    assert not is_open(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
async def test_memory_does_not_grow_with_the_file_nor_with_its_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    table_of(path, [{"id": number, "text": "x" * 1_000_000} for number in range(60)])
    source = source_of(path)
    dataset = await dataset_of(source)
    tracemalloc.start()
    try:
        count = 0
        async for _ in source.read(dataset):
            count += 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (count, peak < 20_000_000) == (60, True)


async def test_a_file_that_the_settings_do_not_name_is_not_read(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "a\n1\n")
    written(tmp_path / "secret.csv", "a\n2\n")
    for one in (source_of(tmp_path / "a.csv"), source_of(tmp_path, pattern="a.*")):
        with pytest.raises(SourceUnreachable, match=r"no file 'secret\.csv'"):
            [row async for row in one.read(Dataset("secret.csv", primary_key=("row",)))]


async def test_a_source_that_is_closed_ends_its_walks_and_they_do_not_look_complete(tmp_path: Path) -> None:
    one = source_of(written(tmp_path / "a.csv", "a\n" + "1\n" * 5_000))
    rows = one.get_docs()
    await anext(rows)
    await one.close()
    with pytest.raises(SourceUnreachable, match="stopped before its end"):
        [row async for row in rows]
