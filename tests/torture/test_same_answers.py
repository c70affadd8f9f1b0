"""Same answers: whatever is searched for, the embedded engine finds what Elasticsearch finds, in the same order."""

from collections import Counter
from pathlib import Path

import pytest

from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.engine.flavor import Flavor
from tests.engine.embedded.differential.rounds import Engines, Round
from tests.engine.embedded.test_conformance import DirectWire
from tests.engine.real import node, wire_to
from tests.torture.conftest import Report

PROMISE = (
    "A round is one random mapping with documents of all kinds, some of them changed and deleted, and 250 random "
    "searches of them. The embedded engine and Elasticsearch 8.19 answer with the same ids, totals, order, scores, "
    "sort values and fields, page by page, and refuse the same searches."
)


@pytest.mark.long_round
async def test_many_random_searches_are_answered_alike(seeds: range, report: Report, tmp_path: Path) -> None:
    facts: Counter[str] = Counter()
    embedded = EmbeddedEngine(tmp_path)
    try:
        with node("elasticsearch") as running:
            async with wire_to(running.url, Flavor.ELASTICSEARCH) as theirs:
                for seed in seeds:
                    done = Round(Engines(DirectWire(embedded), theirs), seed)
                    await done.run()
                    assert not done.problems, "\n".join(done.problems[:5])
                    facts["searches and counts"] += done.asked
                    facts["that both refused"] += done.refused
                    facts["hits compared"] += done.found
    finally:
        embedded.close()
    report.add("Same answers", PROMISE, seeds, dict(facts))
