"""A source that has rows goes on behind any of its checkpoints."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import pytest

from connectors.changes import Checkpoint, Failed
from connectors.dataset import Dataset, Key, Row
from connectors.fields import Configuration, Fields
from connectors.predicate import ALWAYS, Predicate
from connectors.row_walk import ROWS_OF_A_CHECKPOINT
from connectors.source import BaseDataSource
from connectors.source_class import can_resume

LARGE = 2 * ROWS_OF_A_CHECKPOINT + 5


class Tables(BaseDataSource):
    """Two tables and an empty one, with rows that can't be read among them."""

    tables: ClassVar[dict[str, list[Any]]] = {
        "a": [f"{n:05}" for n in range(LARGE)],
        "b": [],
        "c": [float(n) for n in range(LARGE)],
        "d": list(range(LARGE)),
    }

    async def ping(self) -> None:
        """Is there."""

    async def datasets(self) -> Sequence[Dataset]:
        return [Dataset(name, primary_key=("k",)) for name in self.tables]

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        for value in self.tables[dataset.name]:
            if after is None or value > after[0]:
                yield {"k": value}


async def walk(source: BaseDataSource, cursor: Any) -> list[Any]:
    return [one async for one in source.get_docs_from(cursor)]


def ids(found: list[Any]) -> list[str]:
    return [one[0]["_id"] for one in found if isinstance(one, tuple)]


@pytest.fixture
def source() -> Tables:
    return Tables(Configuration(Fields(), {}))


async def test_behind_each_checkpoint_comes_what_was_not_yielded_before_it(source: Tables) -> None:
    whole = await walk(source, None)

    assert ids(whole) == [one[0]["_id"] async for one in source.get_docs()]  # type: ignore[index]
    places = [place for place, one in enumerate(whole) if isinstance(one, Checkpoint)]
    assert len(places) == 4  # none where a key is no whole number or text
    for place in places:
        assert ids(await walk(source, whole[place].cursor)) == ids(whole[place:])


async def test_a_dataset_that_is_gone_has_everything_read_again(source: Tables) -> None:
    assert ids(await walk(source, {"dataset": "gone", "key": [1]})) == ids(await walk(source, None))


def test_only_what_has_rows_or_a_method_of_its_own_can_resume() -> None:
    class Documents(Tables):
        async def get_docs(self, filtering: Any = None) -> Any:
            yield {"_id": "1"}

    class Resuming(Documents):
        async def get_docs_from(self, cursor: Any, filtering: Any = None) -> Any:
            yield {"_id": "1"}

    class Duck:
        async def datasets(self) -> Any: ...

        def read(self) -> Any: ...

    assert [can_resume(one) for one in (Tables, Documents, Resuming, Duck)] == [True, False, True, False]


async def test_a_dataset_without_a_key_has_no_checkpoints() -> None:
    class Keyless(Tables):
        async def datasets(self) -> Sequence[Dataset]:
            return [Dataset("d")]

        def document_of(self, dataset: Dataset, row: Row) -> dict[str, Any]:
            return {"_id": str(row["k"])}

    found = await walk(Keyless(Configuration(Fields(), {})), None)
    assert ids(found) == [str(n) for n in range(LARGE)]
    assert not any(isinstance(one, Checkpoint) for one in found)


async def test_a_dataset_comes_before_what_is_of_it(source: Tables) -> None:
    whole = await walk(source, None)
    places = [place for place, one in enumerate(whole) if isinstance(one, Dataset)]
    assert [whole[place].name for place in places] == ["a", "b", "c", "d"]
    for place, behind in zip(places, [*places[1:], len(whole)], strict=True):
        assert {one.split("/")[0] for one in ids(whole[place:behind])} <= {whole[place].name}
    assert [one.name for one in await walk(source, {"dataset": "d", "key": [0]}) if isinstance(one, Dataset)] == ["d"]
    assert not any([isinstance(one, Dataset) async for one in source.get_docs()])
