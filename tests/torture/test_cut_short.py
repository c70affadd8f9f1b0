"""Sources that are cut short: a walk that did not reach its end deletes nothing, whatever cut it."""

from pathlib import Path

import pytest

from tests.torture.arena import arena
from tests.torture.oracle import expected
from tests.torture.scripted import Step, fail, written

PAGES, PER_PAGE, CUT_AT = 90, 10, 37


def page(number: int) -> list[Step]:
    return [{"_id": f"p{number}d{place}", "page": number} for place in range(PER_PAGE)]


def pages(first: int, last: int) -> list[Step]:
    return [document for number in range(first, last + 1) for document in page(number)]


ALL = pages(1, PAGES)
STORED = expected({**one, "id": one["_id"]} for one in ALL)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("SourceUnreachable", "SourceUnreachable"),
        ("Throttled", "Throttled"),
        ("AccessDenied", "AccessDenied"),
        ("ValueError", "SourceError"),  # a page of broken JSON, in a source that does not expect it
        ("OSError", "SourceError"),  # the stream just ends
    ],
)
async def test_a_source_that_fails_on_a_page_ends_the_sync_and_nothing_is_deleted(
    error: str, told: str, tmp_path: Path
) -> None:
    async with arena(tmp_path) as here:
        script = written(tmp_path / "script", ALL)
        await here.connect("scripted", {"script": str(script)})
        await here.sync_here()
        written(script, [*pages(1, CUT_AT - 1), {"_id": "new"}, fail(error)])
        end = (await here.sync()).only
        assert (end.error, end.report["deleted"], end.report["held"]) == (told, 0, 0)
        assert "The page could not be read." in end.text
        left = await here.differs(STORED)
        assert (left.missing, left.different) == ([], {})
        written(script, ALL)
        again = await here.sync_here()
        assert (again.unchanged, again.deleted) == (PAGES * PER_PAGE, len(left.extra))
        assert not await here.differs(STORED)


@pytest.mark.parametrize("last", [0, CUT_AT, 60])
async def test_a_source_that_ends_early_without_a_word_has_its_deletions_held(last: int, tmp_path: Path) -> None:
    async with arena(tmp_path) as here:
        script = written(tmp_path / "script", ALL)
        await here.connect("scripted", {"script": str(script)})
        await here.sync_here()
        written(script, pages(1, last))
        report = await here.sync_here()
        assert (report.deleted, report.held) == (0, (PAGES - last) * PER_PAGE)
        assert "deletions are held" in (report.error or "")
        assert not await here.differs(STORED)
        written(script, ALL)
        again = await here.sync_here()
        assert (again.unchanged, again.held, again.error) == (PAGES * PER_PAGE, 0, None)
        assert await here.place.held.of("c1") == []
