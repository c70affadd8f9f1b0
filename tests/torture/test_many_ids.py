"""Many ids: the memory of a sync grows with the number of documents by what the ledger says, and by nothing else."""

from pathlib import Path

import pytest

from benchmarks.null_engine import null_engine
from tests.torture.arena import arena
from tests.torture.conftest import Report
from tests.torture.scripted import many, written

MIB = 2**20
PER_DOCUMENT = 26
WHOLE = 100_000_000
"""What a process takes that syncs few documents: the interpreter, what it has imported, and what is on its way."""
PROMISE = "A process syncs so many documents, and takes at most 100 MB and 26 bytes for each, all in all."


async def taken(folder: Path, documents: int) -> tuple[int, int]:
    """Sync so many documents; return the most memory that the process took, and what one does that syncs none."""
    with null_engine() as url:
        async with arena(folder, url, notes=False) as here:
            await here.connect("scripted", {"script": str(folder / "script")})
            peaks = []
            for count in (0, documents):
                written(folder / "script", [many(count, 100)])
                end = await here.sync(batch_documents=1_000, most_bulks=8)
                assert end.report["created"] == count
                peaks.append(end.only.footprint.peak)
    idle, peak = peaks
    return peak, idle


async def test_memory_grows_by_the_ledger_alone(tmp_path: Path) -> None:
    documents = 200_000
    peak, idle = await taken(tmp_path, documents)
    assert peak < WHOLE + PER_DOCUMENT * documents, (peak, idle)


@pytest.mark.long_round
@pytest.mark.parametrize("documents", [1_000_000, 5_000_000])
async def test_memory_grows_by_the_ledger_alone_with_millions(documents: int, report: Report, tmp_path: Path) -> None:
    peak, idle = await taken(tmp_path, documents)
    assert peak < WHOLE + PER_DOCUMENT * documents, (peak, idle)
    facts = {"documents": documents, "MiB at the most": peak // MIB, "MiB of an idle process": idle // MIB}
    report.add(f"{documents:,} ids", PROMISE, range(1), facts)
