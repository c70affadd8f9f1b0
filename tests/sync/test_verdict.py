"""The verdict: a full sync is skipped when nothing at all speaks against it, and says what does."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from connectors.engine.stamp import ShardStamp, Stamp
from connectors.store.sync_state import Completed
from connectors.sync.verdict import Present, Reason, Verdict, left_open, verdict_of

BEGAN = datetime(2026, 11, 30, 14, 3, 1, tzinfo=UTC)
ENDED = datetime(2026, 11, 30, 14, 5, 9, tzinfo=UTC)
STAMP = Stamp(uuid="u", shards={"0": ShardStamp(history_uuid="h", primary_term=1, max_seq_no=7)})
LATER = Stamp(uuid="u", shards={"0": ShardStamp(history_uuid="h", primary_term=1, max_seq_no=8)})
DONE = Completed(run="r", at=ENDED, began_at=BEGAN, recipe="rules", target="u", token={"at": 1}, stamp=STAMP)
NOW = Present("rules", "u", STAMP, {"at": 1}, changed=False, forced=False)


def done(**changes: Any) -> Completed:
    return msgspec.structs.replace(DONE, **changes)


def test_it_is_skipped_when_nothing_speaks_against_it_and_says_since_when() -> None:
    verdict = verdict_of(DONE, NOW)
    assert verdict == Verdict(Reason.UNCHANGED, "r", BEGAN, ENDED)
    assert verdict.is_skip
    assert verdict.text == (
        "Nothing has changed since the sync of 2026-11-30 14:03:01 UTC that ended 2026-11-30 14:05:09 UTC."
    )
    assert verdict.wire() == {
        "skipped": True,
        "reason": "unchanged",
        "text": verdict.text,
        "since_sync": "r",
        "since_began_at": "2026-11-30T14:03:01+00:00",
        "since_ended_at": "2026-11-30T14:05:09+00:00",
    }


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (DONE, replace(NOW, forced=True), Reason.FORCED),
        (None, NOW, Reason.FIRST),
        (None, replace(NOW, forced=True), Reason.FORCED),
        (done(target="other"), NOW, Reason.OTHER_INDEX),
        (done(recipe="other"), NOW, Reason.OTHER_RECIPE),
        (DONE, replace(NOW, token=None), Reason.CANNOT_TELL),
        (done(token=None), NOW, Reason.CANNOT_TELL),
        (DONE, replace(NOW, changed=True), Reason.CHANGED),
        (done(stamp=None, open="dead_letters"), NOW, Reason.LETTERS),
        (done(stamp=None, open="held_deletions"), NOW, Reason.HELD),
        (done(stamp=None, open="unsettled"), NOW, Reason.UNSETTLED),
        (done(stamp=None, open="other_settings"), NOW, Reason.OTHER_SETTINGS),
        (done(stamp=None, open="no_stamp"), NOW, Reason.NO_STAMP),
        (done(stamp=None), NOW, Reason.OPEN),
        (done(stamp=None, open="what a newer version says"), NOW, Reason.OPEN),
        (done(stamp=None, open="unchanged"), NOW, Reason.OPEN),
        (DONE, replace(NOW, stamp=None), Reason.NO_STAMP),
        (done(stamp=None), replace(NOW, stamp=None), Reason.OPEN),
        (DONE, replace(NOW, stamp=LATER), Reason.WRITTEN),
    ],
)
def test_whatever_speaks_against_it_is_the_reason_why_it_is_not(
    before: Completed | None, now: Present, reason: Reason
) -> None:
    verdict = verdict_of(before, now)
    assert (verdict.reason, verdict.is_skip, verdict.wire()["skipped"]) == (reason, False, False)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_with_and_without_a_sync_before(reason: Reason) -> None:
    for before in (None, DONE, done(began_at=None)):
        text = Verdict.of(reason, before).text
        assert text.endswith(".")
        assert not set("{}") & set(text)


@pytest.mark.parametrize(
    ("letters", "held", "unsettled", "reason"),
    [
        (0, 0, False, None),
        (1, 0, False, Reason.LETTERS),
        (1, 1, False, Reason.HELD),
        (1, 1, True, Reason.UNSETTLED),
        (0, 0, True, Reason.UNSETTLED),
    ],
)
def test_what_a_sync_leaves_open_is_named(letters: int, held: int, unsettled: bool, reason: Reason | None) -> None:
    assert left_open(letters=letters, held=held, unsettled=unsettled) is reason


def test_a_state_of_an_older_version_is_read() -> None:
    older = msgspec.json.decode(msgspec.json.encode(DONE))
    del older["began_at"], older["open"]
    verdict = verdict_of(msgspec.convert(older, Completed), NOW)
    assert verdict.text == "Nothing has changed since the sync that ended 2026-11-30 14:05:09 UTC."
