"""Wording: how long something takes, and how the syncs of a connector ended, as a person reads it."""

from datetime import timedelta

import pytest

from connectors.cli.overview import ended
from connectors.cli.wording import in_short


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (89 * 60, "89 min"),
        (90 * 60, "2 h"),
        (47 * 3_600, "47 h"),
        (48 * 3_600, "2 days"),
        (400 * 86_400, "400 days"),
    ],
)
def test_a_span_is_told_in_one_unit(seconds: float, text: str) -> None:
    assert in_short(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("status", "access", "text"),
    [
        (None, None, "never"),
        ("completed", None, "completed THEN"),
        ("completed", "completed", "completed THEN"),
        (None, "completed", "access control completed THEN"),
        ("completed", "error", "completed, access control error THEN"),
        ("in_progress", None, "in_progress, the one before THEN"),
        ("completed", "in_progress", "completed, access control in_progress, the one before THEN"),
    ],
)
def test_a_sync_that_runs_has_not_ended_when_the_one_before_did(
    status: str | None, access: str | None, text: str
) -> None:
    assert ended(status, access, "THEN") == text
    assert ended("in_progress", None, None) == "in_progress"
