"""The chaos around daemons: ticks, jobs, turns and heartbeats of several daemons keep what was promised of them.

What each check is worth was tried by breaking the code, each time found within 16 histories: a claim without
compare-and-set, turns by age alone, a janitor or a worker that gives back nothing, lanes that are not heeded, a job run
that does not look whether it is canceled, ids of jobs that do not follow from their ticks, a tick that is done before
it has its job, a schedule that counts from each start of a daemon, and outcomes that the connector is not told.

What was not found, and is for the tests of the scheduler: a tick that its daemon died over and nobody takes up (in 8
histories), and catching up the first of several missed ticks instead of the last (in 24).
"""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.torture.conftest import Report
from tests.torture.shifts.history import History, live

PROMISE = (
    "A round is four histories of up to three whole daemons in virtual time, with their parts and job runs as they "
    "are, on one embedded engine. People want, cancel, change, reschedule and delete; daemons and their processes are "
    "killed, cut off for a while, asked to end and started anew; in some, requests are lost, refused or arrive late. "
    "A tick makes one job and none is missed; no lane runs two jobs at once, and none has its turn again and again "
    "while another one waits; the job of a process that died is taken up within the lease, or at once by its daemon; "
    "what is to be canceled ends; and in the end every job has ended, its connector says the same of it, and one more "
    "sync makes the index equal to the source."
)
HISTORIES = 4
SHORT = range(16)
"""Seeds of histories of which as many are lived as it takes until everything has happened that may, four at least."""
IN_MEMORY = Path("/dev/shm")
"""Where there is one, thousands of small writes that are synced cost no time."""


def history_of(seed: int, told: Counter[str] | None = None) -> list[str]:
    with TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        return live(History, seed, Path(folder), told)


def test_daemons_that_come_and_go_keep_their_promises() -> None:
    told = Counter[str]()
    ends = ("jobs: completed", "jobs: canceled", "jobs: suspended", "jobs of ticks", "daemons that were killed")
    wanted = (*ends, "processes that were killed", "connectors that were deleted")
    for seed in SHORT:
        history_of(seed, told)
        if seed >= HISTORIES - 1 and all(told[happened] for happened in wanted):
            return
    assert not [happened for happened in wanted if not told[happened]], "never happened"


def test_the_same_seed_makes_the_same_history_of_daemons() -> None:
    assert history_of(3) == history_of(3)


@pytest.mark.long_round
def test_daemons_keep_their_promises_in_very_many_histories(seeds: range, report: Report) -> None:
    told = Counter[str]()
    for seed in range(seeds.start * HISTORIES, seeds.stop * HISTORIES):
        history_of(seed, told)
    left_out = ("histories", "walks", "jobs: in_progress", "jobs: pending")
    facts = {name.removeprefix("jobs: "): told[name] for name in sorted(told) if name not in left_out}
    report.add("The chaos around daemons", PROMISE, seeds, facts)
