"""How many documents a sync expects, as far as its source can tell."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.changes import Failed
from connectors.dataset import Dataset, Key, Row
from connectors.predicate import ALWAYS, Predicate
from connectors.source import BaseDataSource
from connectors.store.sync_state import JobType
from connectors.sync.foreground import run_foreground
from tests.sync.staged import connector_of, staged, workplace


def shelves(*rows: int | None) -> type[BaseDataSource]:
    """Return a source that has a dataset with three rows for each of these guesses."""

    class Shelves(BaseDataSource):
        """Rows."""

        service_type = "shelves"

        async def ping(self) -> None:
            """Be there."""

        async def datasets(self) -> Sequence[Dataset]:
            """Return the shelves."""
            return [Dataset(f"shelf{place}", primary_key=("id",), rows=one) for place, one in enumerate(rows)]

        async def read(
            self,
            dataset: Dataset,
            columns: Sequence[str] | None = None,
            where: Predicate = ALWAYS,
            after: Key | None = None,
            limit: int | None = None,
        ) -> AsyncIterator[Row | Failed]:
            """Yield three rows."""
            for number in range(3):
                yield {"id": number}

    return Shelves


async def expected(
    folder: Path, source: type[Any], job_type: JobType = JobType.FULL, **more: object
) -> tuple[int | None, int]:
    async with workplace(folder, source) as place:
        [report] = await run_foreground(place, await connector_of(place, **more), job_type)
        return report.expected, report.walked


@pytest.mark.parametrize(
    ("rows", "number"), [((3, 3), 6), ((100, 0), 100), ((3, None), None), ((None,), None)], ids=str
)
async def test_a_source_of_datasets_tells_what_it_guesses_of_all(
    tmp_path: Path, rows: tuple[int | None, ...], number: int | None
) -> None:
    assert await expected(tmp_path, shelves(*rows)) == (number, 3 * len(rows))


@pytest.mark.parametrize("job_type", [JobType.FULL, JobType.ACCESS_CONTROL])
async def test_a_source_that_has_no_datasets_tells_nothing(tmp_path: Path, job_type: JobType) -> None:
    found, _ = await expected(tmp_path, staged(), job_type)
    assert found is None


async def test_a_source_that_is_asked_by_advanced_rules_tells_nothing(tmp_path: Path) -> None:
    class Asked(shelves(3)):  # type: ignore[misc]
        advanced_rules_enabled = True

        async def get_docs_by_rules(self, rules: Any) -> AsyncIterator[dict[str, str]]:
            yield {"_id": "one"}

    active = {"rules": [], "advanced_snippet": {"value": {"some": "rule"}}}
    filtering = [{"domain": "DEFAULT", "active": active}]
    assert await expected(tmp_path, Asked, filtering=filtering) == (None, 1)
