"""The walk of rows: the documents of a source that has datasets, in their order, from any place on."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from connectors.byoc import Filter
from connectors.changes import Checkpoint, Cursor, Failed, Yielded
from connectors.dataset import Dataset, Key
from connectors.predicate import ALWAYS, Predicate, fields_in, without
from connectors.source_class import has

T = TypeVar("T")
ROWS_OF_A_CHECKPOINT: Final = 1_000


async def documents_behind(
    source: Any,  # noqa: ANN401 - any class with the methods
    datasets: Sequence[Dataset],
    cursor: Cursor | None,
    filtering: Filter | None = None,
) -> AsyncGenerator[Yielded | Checkpoint, None]:
    """Yield the rows of these datasets as `get_docs_from` does, which finds them first.

    That may mean to go over all of a source, so whoever has just found them begins here. They are not kept.
    """
    if filtering is not None and filtering.has_advanced_rules() and has(source, "get_docs_by_rules"):
        async with closing_walk(source.get_docs_by_rules(filtering.get_advanced_rules())) as found:
            async for document in found:
                yield document
        return
    where = pushed(source, filtering)
    datasets = list(datasets)
    begins, after = _begin_of(source, cursor, datasets)
    document_of = source.document_of
    for dataset in datasets[begins:]:
        yield dataset
        count = 0
        async with closing_walk(source.read(dataset, where=where, after=after)) as rows:
            async for row in rows:
                if isinstance(row, Failed):
                    yield row
                    continue
                yield document_of(dataset, row), None
                count += 1
                if count % ROWS_OF_A_CHECKPOINT == 0 and (place := source.place_of(dataset.key_of(row))) is not None:
                    yield Checkpoint({"dataset": dataset.name, "key": place})
        after = None


def pushed(source: Any, filtering: Filter | None) -> Predicate:  # noqa: ANN401 - any class with that property
    """Return what basic rules demand of rows: nothing of what only documents have, or call otherwise."""
    if filtering is None:
        return ALWAYS
    where, stems = filtering.where, {name.rstrip("_") for name in (*source.given_fields, "_timestamp")}
    return without(where, {name for name in fields_in(where) if name.partition(".")[0].rstrip("_") in stems})


@asynccontextmanager
async def closing_walk(walk: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Provide what a source yields, and close it behind the block: left to itself it would go on for a while."""
    try:
        yield walk
    finally:
        if isinstance(walk, AsyncGenerator):
            await walk.aclose()


def _begin_of(
    source: Any,  # noqa: ANN401 - see above
    cursor: Cursor | None,
    datasets: Sequence[Dataset],
) -> tuple[int, Key | None]:
    """Return with which dataset to go on, and behind which key; the beginning for a dataset that is gone."""
    if cursor is not None:
        for place, dataset in enumerate(datasets):
            if dataset.name == cursor.get("dataset"):
                return place, source.key_at(cursor["key"])
    return 0, None
