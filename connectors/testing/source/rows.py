"""The rows of a source: what `datasets` says of them, and that `read` never leaves one out."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, Final

import pytest

from connectors.changes import Failed
from connectors.dataset import Dataset, Row
from connectors.predicate import ALWAYS, Predicate, Test, compiled
from connectors.source import BaseDataSource
from connectors.source_class import has
from connectors.testing.source.case import SourceCase
from connectors.testing.source.conditions import comparisons_of, predicates_of
from connectors.testing.source.promise import applies, fail, promise
from connectors.testing.source.serializable import canonical
from connectors.testing.source.subject import Settings, Subject
from connectors.testing.source.walked import difference, difference_of, documents_of

MOST_KEYS: Final = 12
LIMITS: Final = (1, 2, 5)


class Rows(SourceCase):
    """`datasets` and `read`, for a source that has rows."""

    @pytest.fixture
    def rows_needed(self) -> None:
        """Skip what is about rows for a source that has none."""
        applies(has(self.source, "read") and has(self.source, "datasets"), "it has no datasets() and read()")

    @pytest.mark.usefixtures("rows_needed")
    async def test_datasets_have_names_and_keys_of_their_own(self, subject: Subject, settings: Settings) -> None:
        """And the order of datasets stays."""
        async with subject.opened(settings) as source:
            datasets: Sequence[Dataset] = await source.datasets()
            names = [one.name for one in datasets]
            promise(names and all(names), f"datasets() returned the names {names}: at least one, and none empty.")
            twice = sorted({name for name in names if names.count(name) > 1})
            promise(not twice, f"datasets() returned several that are called {twice}: documents would share their ids.")
            for one in datasets:
                promise(one.primary_key, f"The dataset {one.name!r} has no primary key: its rows need ids.")
                used = [*one.primary_key, *([one.cursor_field] if one.cursor_field else [])]
                unknown = [name for name in used if one.columns and name not in one.columns]
                promise(not unknown, f"The schema of the dataset {one.name!r} lacks {unknown}, of its key or cursor.")
            again = [one.name for one in await source.datasets()]
            promise(again == names, f"datasets() returned {names} and then {again}: keep the order.")

    @pytest.mark.usefixtures("rows_needed")
    async def test_the_walk_yields_the_rows_as_documents(self, subject: Subject, settings: Settings) -> None:
        """What is read again by its key becomes the same document."""
        async with subject.opened(settings) as source:
            made = getattr(source, "document_of", partial(BaseDataSource.document_of, source))
            documents = {}
            for dataset in await source.datasets():
                for row in await _read(source, dataset):
                    document = made(dataset, row)
                    documents[document["_id"]] = document
            found = difference(await documents_of(source), documents)
        promise(not found, f"get_docs() (first) yields something else than read() (second): {found}.")

    @pytest.mark.usefixtures("rows_needed")
    async def test_only_the_columns_that_are_wanted_are_read(self, subject: Subject, settings: Settings) -> None:
        """The key always is."""
        async with subject.opened(settings) as source:
            for dataset in await source.datasets():
                rows = await _read(source, dataset)
                columns = list(dict.fromkeys(name for row in rows for name in row))
                for wanted in [(), *((name,) for name in columns), tuple(columns[:3])]:
                    left = {*wanted, *dataset.primary_key}
                    expected = [{name: value for name, value in row.items() if name in left} for row in rows]
                    found = _differing(expected, await _read(source, dataset, columns=wanted))
                    promise(not found, f"{_call(dataset, columns=wanted)}, against all columns: {found}.")

    @pytest.mark.usefixtures("rows_needed")
    async def test_reading_on_behind_a_key_yields_the_rest(self, subject: Subject, settings: Settings) -> None:
        """A walk that was interrupted goes on behind the last key, and has its rows in the same order."""
        async with subject.opened(settings) as source:
            for dataset in await source.datasets():
                rows = await _read(source, dataset)
                keys = [dataset.key_of(row) for row in rows]
                twice = next((key for key in keys if [canonical(one) for one in keys].count(canonical(key)) > 1), None)
                promise(twice is None, f"The dataset {dataset.name!r} has several rows with the key {twice}.")
                for place in _places(len(rows)):
                    found = _differing(rows[place + 1 :], await _read(source, dataset, after=keys[place]))
                    promise(not found, f"{_call(dataset, after=keys[place])} is not the rest: {found}.")

    @pytest.mark.usefixtures("rows_needed")
    async def test_what_matches_is_never_left_out(self, subject: Subject, settings: Settings) -> None:
        """A condition may be used to fetch less; the framework checks it again, and can't check what is not there."""
        async with _with_conditions(subject, settings, self.most_predicates) as (source, cases):
            for dataset, rows, predicates in cases:
                known = {canonical(dataset.key_of(row)): row for row in rows}
                for where, test in predicates:
                    got = await _pushed(source, dataset, where=where)
                    for row in got:
                        whole = known.get(canonical(dataset.key_of(row)))
                        same = whole is not None and not difference_of(whole, row)
                        promise(
                            same, f"{_call(dataset, where=where)} yields {row}, which is not there without `where`."
                        )
                    keys = {canonical(dataset.key_of(row)) for row in got}
                    lost = next((row for key, row in known.items() if key not in keys and test(row)), None)
                    promise(lost is None, f"{_call(dataset, where=where)} leaves out {lost}, which matches.")

    @pytest.mark.usefixtures("rows_needed")
    async def test_a_limit_counts_rows_that_match(self, subject: Subject, settings: Settings) -> None:
        """Behind a key, too: the first rows that match are there, up to the limit."""
        async with _with_conditions(subject, settings, self.most_predicates) as (source, cases):
            for dataset, rows, predicates in cases:
                always = (ALWAYS, compiled(ALWAYS))
                for number, (where, test) in enumerate([always, *predicates[:: max(1, len(predicates) // 40)]]):
                    limit, place = LIMITS[number % len(LIMITS)], number % (len(rows) + 1) - 1
                    after = dataset.key_of(rows[place]) if place >= 0 else None
                    wanted = [row for row in rows[place + 1 :] if test(row)][:limit]
                    got = await _pushed(source, dataset, where=where, after=after, limit=limit)
                    found = _differing(wanted, [row for row in got if test(row)][: len(wanted)])
                    text = _call(dataset, where=where, after=after, limit=limit)
                    promise(not found, f"{text} does not yield the first {limit} rows that match: {found}.")


@asynccontextmanager
async def _with_conditions(
    subject: Subject, settings: Settings, most: int
) -> AsyncIterator[tuple[Any, list[tuple[Dataset, list[Row], list[tuple[Predicate, Test]]]]]]:
    """Provide a source, and each of its datasets that has rows with these and with conditions made of them."""
    async with subject.opened(settings) as source:
        datasets = await source.datasets()
        cases = []
        for dataset in datasets:
            if rows := await _read(source, dataset):
                found = predicates_of(comparisons_of(rows, max(1, most // len(datasets) // 3)))
                cases.append((dataset, rows, [(one, compiled(one)) for one in found]))
        yield source, cases


async def _read(source: Any, dataset: Dataset, **given: Any) -> list[Row]:  # noqa: ANN401 - any source
    found: list[Row] = []
    async with aclosing(source.read(dataset, **given)) as rows:
        async for row in rows:
            promise(not isinstance(row, Failed), f"read() yielded {row}: all of `settings` has to be readable.")
            promise(isinstance(row, dict), f"read() yielded {row!r}: yield dicts, or a Failed.")
            lacking = [name for name in dataset.primary_key if name not in row]
            promise(not lacking, f"{_call(dataset, **given)} yields the row {row} without its key {lacking}.")
            found.append(row)
    return found


async def _pushed(source: Any, dataset: Dataset, **given: Any) -> list[Row]:  # noqa: ANN401 - any source
    """Return the rows that are read with a condition, which no source may fail at."""
    try:
        return await _read(source, dataset, **given)
    except Exception as error:  # noqa: BLE001 - whatever is raised is wrong
        fail(f"{_call(dataset, **given)} raised {error!r}: leave out of the query what it can't say.")


def _differing(wanted: Sequence[Row], got: Sequence[Row]) -> str:
    for place, (one, other) in enumerate(zip(wanted, got, strict=False)):
        if found := difference_of(one, other):
            return f"in row {place} {found}"
    return "" if len(wanted) == len(got) else f"it has {len(got)} rows, and should have {len(wanted)}"


def _call(dataset: Dataset, **given: object) -> str:
    parts = (f"{name}={value}" for name, value in given.items() if value is not None)
    return f"read({', '.join([repr(dataset.name), *parts])})"


def _places(rows: int) -> list[int]:
    """Return the first, the last, and some places between them."""
    return sorted({*range(0, rows, max(1, rows // MOST_KEYS)), rows - 1}) if rows else []
