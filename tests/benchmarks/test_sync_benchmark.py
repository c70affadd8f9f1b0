"""What is measured of a sync is a sync: what it sends, and what it does not."""

from benchmarks.null_engine import null_engine
from benchmarks.sync import measured
from benchmarks.sync_process import Run

SENT = ("created", "updated", "unchanged", "sent", "requests", "scans")


def test_only_what_changed_is_sent_and_with_a_copy_nothing_of_the_index_is_read() -> None:
    with null_engine() as url:
        found = measured(Run(url, 2_500, 100, changed=(1.0, 0.0, 0.01)))
    assert [[one.counters[name] for name in SENT] for one in found.syncs] == [
        [2_500, 0, 0, 2_500, 3, 1],
        [0, 0, 2_500, 0, 0, 0],
        [0, 25, 2_475, 25, 1, 0],
    ]
