"""The progress: what a terminal and a file show of a sync, to the letter."""

import asyncio
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TextIO

import pytest

from connectors.aio.throttle import AdaptiveLimiter
from connectors.cli.progress import ERASED, Moment, Progress, Screen
from connectors.cli.wording import counted, in_bytes, in_time
from connectors.store.sync_state import JobType
from connectors.sync.report import SyncReport
from connectors.testing.virtual_time import VirtualClock, virtual_time


def report_of(**more: Any) -> SyncReport:
    return SyncReport(JobType.FULL, "docs-000001", datetime(2026, 1, 1, tzinfo=UTC), **{"phase": "reading", **more})


def no_log(_stream: TextIO | None) -> None:
    pytest.fail("the log is led elsewhere, and nothing is a terminal")


READING = Moment(report_of(walked=4_200, sent_bytes=8_500_000), 65.0, 1_234.4, 3, 8)
KNOWN = replace(READING, report=report_of(walked=4_200, sent_bytes=8_500_000, expected=10_000))


def test_on_a_terminal_it_is_one_line() -> None:
    assert READING.line(100) == "reading  4,200 documents  1,234/s  8.1 MB sent  1:05  bulks 3/8"


def test_where_the_source_can_tell_there_is_a_bar_and_how_long_it_takes() -> None:
    assert KNOWN.line(120) == (
        "reading [########------------] 42%  4,200 of 10,000 documents  1,234/s  8.1 MB sent  4.7 s left  bulks 3/8"
    )


def test_a_line_is_no_wider_than_the_terminal() -> None:
    assert KNOWN.line(30) == "reading [########------------…"
    assert {len(KNOWN.line(width)) for width in range(1, 100)} == set(range(1, 100))


def test_an_estimate_that_was_too_low_is_not_shown_as_more_than_all() -> None:
    over = replace(KNOWN, report=report_of(walked=12_000, expected=10_000))
    assert (over.share, over.left_s) == (1.0, 0.0)
    assert "12,000 of 12,000 documents" in over.line(120)


@pytest.mark.parametrize("phase", ["starting", "reading the index", "checking", "deleting"])
def test_outside_of_reading_there_is_no_share(phase: str) -> None:
    moment = replace(KNOWN, report=report_of(walked=4_200, expected=10_000, phase=phase))
    assert (moment.share, moment.left_s) == (None, None)
    assert moment.plain() == f"{phase}: 4,200 documents, 1,234/s, 0 bytes sent, 1:05"


def test_an_engine_that_takes_nothing_is_named_first() -> None:
    moment = replace(READING, report=report_of(waiting_for="The disk\nis full."))
    assert moment.line(120).startswith("reading  the engine takes nothing: The disk is full.  0 documents")
    assert moment.plain().endswith("; the engine takes nothing: The disk is full.")


def test_contents_that_were_fetched_are_counted() -> None:
    assert replace(READING, report=report_of(downloaded=1, downloaded_bytes=2_048)).plain() == (
        "reading: 0 documents, 1,234/s, 0 bytes sent, 2.0 kB fetched, 1:05"
    )


@virtual_time
async def test_elsewhere_a_line_is_printed_every_ten_seconds() -> None:
    out, clock, report = io.StringIO(), VirtualClock(), report_of(expected=300)
    progress = Progress(out, AdaptiveLimiter(most=8, clock=clock), clock)
    progress.begin(report)
    async with progress.running(no_log):
        for _ in range(25):
            report.walked += 10
            await asyncio.sleep(1)
    assert out.getvalue().splitlines() == [
        "reading: 100 of 300 documents, 10/s, 0 bytes sent, 10.0 s, 20.0 s left",
        "reading: 200 of 300 documents, 10/s, 0 bytes sent, 20.0 s, 10.0 s left",
    ]


@virtual_time
async def test_the_pace_is_that_of_the_last_seconds() -> None:
    out, clock, report = io.StringIO(), VirtualClock(), report_of()
    progress = Progress(out, AdaptiveLimiter(most=8, clock=clock), clock)
    progress.begin(report)
    async with progress.running(no_log):
        report.walked = 1_000_000
        await asyncio.sleep(45)
    paces = [line.split(", ")[1] for line in out.getvalue().splitlines()]
    assert paces == ["100,000/s", "50,000/s", "0/s", "0/s"]


@virtual_time
async def test_a_sync_that_follows_begins_anew() -> None:
    out, clock = io.StringIO(), VirtualClock()
    progress = Progress(out, AdaptiveLimiter(most=8, clock=clock), clock)
    async with progress.running(no_log):
        await asyncio.sleep(15)  # nothing to tell yet
        progress.begin(report := report_of())
        report.walked = 50
        await asyncio.sleep(6)
        progress.begin(report_of(phase="checking"))
        await asyncio.sleep(10)
    assert out.getvalue().splitlines() == [
        "reading: 50 documents, 10/s, 0 bytes sent, 5.0 s",
        "checking: 0 documents, 0/s, 0 bytes sent, 9.0 s",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_logged_stands_above_the_line_that_changes() -> None:
    out = Terminal()
    screen = Screen(out)
    screen.show("one")
    screen.write("logged\n")
    screen.show("")
    assert out.getvalue() == f"{ERASED}one{ERASED}logged\none{ERASED}"
    assert screen.isatty()


@virtual_time
async def test_on_a_terminal_the_log_is_led_there_and_back_and_the_line_is_gone_in_the_end() -> None:
    out, clock, led = Terminal(), VirtualClock(), list[Any]()
    progress = Progress(out, AdaptiveLimiter(most=8, clock=clock), clock)
    progress.begin(report_of(walked=8))
    async with progress.running(led.append):
        await asyncio.sleep(0.3)
        progress.waiting("process 12 on here", 60.0)
    line = "reading  8 documents  0/s  0 bytes sent  0.2 s  bulks 1/8"
    waits = "Waiting for process 12 on here, which has written to this index, to show whether it is alive (up to 1:00)."
    assert out.getvalue() == f"{ERASED}{line}{ERASED}{waits}\n{line}{ERASED}"
    assert [type(one) for one in led] == [Screen, type(None)]


def test_numbers_are_worded() -> None:
    assert [counted(1, "document"), counted(2_000, "document")] == ["1 document", "2,000 documents"]
    assert [in_bytes(size) for size in (0, 1_023, 1_024, 5 * 2**20, 2**50)] == [
        *("0 bytes", "1023 bytes", "1.0 kB", "5.0 MB", "1,024.0 TB"),
    ]
    assert [in_time(seconds) for seconds in (0.04, 59.9, 60, 3_599, 7_205)] == [
        *("0.0 s", "59.9 s", "1:00", "59:59", "2:00:05"),
    ]
