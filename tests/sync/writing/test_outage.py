"""An outage is told when it begins, once in a while, and when it is over; and it has an end."""

import asyncio

import pytest

from connectors.errors import EngineUnreachable
from connectors.store.sync_state import JobType
from connectors.sync.report import SyncReport
from connectors.sync.writing.outage import TELL_EVERY_S, WORTH_TELLING_S, Outage
from connectors.testing.virtual_time import START, VirtualClock, virtual_time

GONE = "did not take a batch"
AGAIN = "takes batches again"


def outage(longest_s: float = 600.0) -> tuple[Outage, SyncReport]:
    report = SyncReport(JobType.FULL, "docs", START)
    return Outage(report, VirtualClock(), longest_s), report


def told(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in one.getMessage() for one in caplog.records if one.levelname == "INFO")


async def refused_for(here: Outage, seconds: float, batches: int = 16) -> None:
    for _ in range(round(seconds)):
        for _ in range(batches):
            here.lasts(EngineUnreachable("No connection."), 1, 1.0)
        await asyncio.sleep(1)


@virtual_time
async def test_of_many_batches_that_wait_one_line_tells_for_all(caplog: pytest.LogCaptureFixture) -> None:
    here, report = outage()
    await refused_for(here, 20)
    assert (told(caplog, GONE), report.waiting_for) == (1, "No connection.")


@virtual_time
async def test_a_long_outage_is_told_again_once_in_a_while_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    here, report = outage()
    await refused_for(here, 2 * TELL_EVERY_S + 1)
    here.passes()
    here.over()
    assert (told(caplog, GONE), told(caplog, AGAIN), report.waiting_for) == (3, 1, None)
    here.lasts(EngineUnreachable("No connection."), 1, 1.0)
    assert told(caplog, GONE) == 4


@virtual_time
async def test_what_is_refused_between_what_is_taken_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    here, _ = outage()
    for _ in range(round(TELL_EVERY_S)):
        await refused_for(here, WORTH_TELLING_S / 5)
        here.passes()
    assert (told(caplog, GONE), told(caplog, AGAIN)) == (1, 0)


@virtual_time
async def test_after_so_long_without_anything_it_gives_up_and_says_how_often_it_was_tried() -> None:
    here, _ = outage(10.0)
    with pytest.raises(EngineUnreachable) as caught:
        await refused_for(here, 20)
    assert asyncio.get_running_loop().time() == 10.0
    assert caught.value.__notes__ == ["Gave up after 1 attempts."]


@virtual_time
async def test_whatever_is_taken_begins_the_time_anew() -> None:
    here, _ = outage(10.0)
    for _ in range(3):
        await refused_for(here, 9)
        here.passes()
