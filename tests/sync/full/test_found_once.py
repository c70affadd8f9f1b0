"""What a walk is made of is found once for it: a source may have to go over all of its data for that."""

import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.changes import Failed
from connectors.dataset import Dataset, Key, Row, document_id
from connectors.grants import Grants
from connectors.predicate import ALWAYS, Predicate
from connectors.source import BaseDataSource
from connectors.sources.tabular_files import TabularFilesDataSource
from connectors.sync.foreground import run_foreground
from tests.sources.tables import source_of, table_of
from tests.sync.staged import connector_of, workplace

_counting: list[Counter[str]] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _counting and event == "open":
        _counting[-1][str(arguments[0])] += 1


sys.addaudithook(_note)  # for ever, as none can be taken away


@contextmanager
def opened(*names: str) -> Iterator[dict[str, int]]:
    """Provide how often each of these files is opened in the block, when that has ended."""
    found = dict.fromkeys(names, 0)
    _counting.append(Counter())
    try:
        yield found
    finally:
        counted = _counting.pop()
        found.update({name: counted[name] for name in names})


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
async def test_a_sync_opens_each_file_no_more_often_than_its_documents_alone_would(tmp_path: Path, ending: str) -> None:
    (folder := tmp_path / "files").mkdir()
    names = [f"{name}.{ending}" for name in ("one", "other")]
    for name in names:
        table_of(folder / name, [{"id": str(number), "text": "x"} for number in range(5)])
    with opened(*names) as by_itself:
        assert len([one async for one in source_of(folder).get_docs()]) == 10
    async with workplace(tmp_path, TabularFilesDataSource) as place:
        granted = replace(place, grants=Grants(None))
        connector = await connector_of(place, configuration={"path": {"value": str(folder)}})
        with opened(*names) as by_a_sync:
            [report] = await run_foreground(granted, connector)
    assert (report.created, report.expected, by_a_sync) == (10, 10, by_itself)
    assert min(by_itself.values()) > 0


async def test_each_walk_finds_its_datasets_once_and_anew(tmp_path: Path) -> None:
    there, asked = ["a"], list[str]()

    class Shelves(BaseDataSource):
        """The shelves that there are, each with two rows."""

        async def ping(self) -> None:
            """Be there."""

        async def datasets(self) -> Sequence[Dataset]:
            asked.append("".join(there))
            return [Dataset(name, primary_key=("id",), rows=2) for name in there]

        async def read(
            self,
            dataset: Dataset,
            columns: Sequence[str] | None = None,
            where: Predicate = ALWAYS,
            after: Key | None = None,
            limit: int | None = None,
        ) -> AsyncIterator[Row | Failed]:
            for number in range(2):
                yield {"id": number}
            if there == ["a", "b"]:  # too late for this walk
                there.append("c")
                await place.engine.data.delete("docs-000001", document_id("a", (0,)))

    async with workplace(tmp_path, Shelves) as place:
        connector = await connector_of(place)
        [first] = await run_foreground(place, connector)
        there.append("b")
        [second] = await run_foreground(place, connector)
        await place.engine.data.refresh("docs-000001")
        assert await place.engine.data.count("docs-000001") == 6
    assert [(one.passes, one.expected, one.walked) for one in (first, second)] == [(1, 2, 2), (2, 10, 10)]
    assert asked == ["a", "ab", "abc"]
