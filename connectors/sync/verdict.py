"""The verdict: whether a full sync is skipped, since when nothing has changed, and else why everything is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from connectors.engine.stamp import Stamp
from connectors.errors import ConfigurationError
from connectors.store.job import FORCE
from connectors.store.sync_state import Completed, JobType


class Reason(StrEnum):
    """Why a full sync is skipped, which is the first one alone, or is not."""

    UNCHANGED = "unchanged"
    FORCED = "forced"
    FIRST = "first"
    OTHER_RECIPE = "other_recipe"
    OTHER_INDEX = "other_index"
    CANNOT_TELL = "source_cannot_tell"
    CHANGED = "source_changed"
    LETTERS = "dead_letters"
    HELD = "held_deletions"
    UNSETTLED = "unsettled"
    OTHER_SETTINGS = "other_settings"
    EXPIRED = "cursor_expired"
    OPEN = "left_open"
    NO_STAMP = "no_stamp"
    WRITTEN = "index_written"


_TEXTS: Final[Mapping[Reason, str]] = {
    Reason.UNCHANGED: "Nothing has changed since {sync}.",
    Reason.FORCED: "Everything is read, as it was asked for.",
    Reason.FIRST: "No sync has been completed before.",
    Reason.OTHER_RECIPE: "Sync rules, settings, the pipeline or the version are others than those of {sync}.",
    Reason.OTHER_INDEX: "The index is another one than that of {sync}.",
    Reason.CANNOT_TELL: "The source can't tell whether it has changed since {sync}.",
    Reason.CHANGED: "The source says that it has changed since {sync}.",
    Reason.LETTERS: "Documents could not be indexed that may be well now, at or after {sync}.",
    Reason.HELD: "Deletions are held, or were when they were looked for last, at or after {sync}.",
    Reason.UNSETTLED: "Others kept writing to the index at or after {sync}, so it may differ.",
    Reason.OTHER_SETTINGS: "A custom schedule has synced with other settings since {sync}.",
    Reason.EXPIRED: "The source could not tell what has changed since a cursor, at or after {sync}.",
    Reason.OPEN: "Something was left open that only a full sync finds well, at or after {sync}.",
    Reason.NO_STAMP: "The engine does not say whether the index was written to since {sync}.",
    Reason.WRITTEN: "The index was written to since {sync}, by others or by a sync of what changed.",
}
_NEVER_SKIPPED: Final = {
    JobType.INCREMENTAL: "An incremental sync",
    JobType.ACCESS_CONTROL: "An access-control sync",
}
INSTEAD: Final = "A full sync with force reads everything though nothing has changed."
_OPEN: Final = frozenset(
    {Reason.LETTERS, Reason.HELD, Reason.UNSETTLED, Reason.OTHER_SETTINGS, Reason.EXPIRED, Reason.NO_STAMP}
)
"""For what a completed sync may leave no stamp."""


@dataclass(frozen=True)
class Verdict:
    """Why a full sync is skipped, or is not, and the completed sync that it was compared with, if there is one."""

    reason: Reason
    sync: str | None = None
    """The run of that sync: the id of its job, where it had one."""
    began_at: datetime | None = None
    ended_at: datetime | None = None

    @classmethod
    def of(cls, reason: Reason, done: Completed | None) -> Self:
        """Return the verdict of a sync that comes after another one."""
        if done is None:
            return cls(reason)
        return cls(reason, done.run, done.began_at, done.at)

    @property
    def is_skip(self) -> bool:
        """Whether nothing is read."""
        return self.reason is Reason.UNCHANGED

    @property
    def text(self) -> str:
        """The reason as a sentence."""
        return _TEXTS[self.reason].format(sync=self._sync)

    @property
    def _sync(self) -> str:
        if self.ended_at is None:
            return "the last sync"
        ended = f"ended {self.ended_at:%Y-%m-%d %H:%M:%S} UTC"
        if self.began_at is None:
            return f"the sync that {ended}"
        return f"the sync of {self.began_at:%Y-%m-%d %H:%M:%S} UTC that {ended}"

    def wire(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "skipped": self.is_skip,
            "reason": self.reason.value,
            "text": self.text,
            "since_sync": self.sync,
            "since_began_at": _wire(self.began_at),
            "since_ended_at": _wire(self.ended_at),
        }


@dataclass(frozen=True)
class Present:
    """What is known at the beginning of a full sync, to be held against what the last completed one knew."""

    recipe: str
    target: str
    stamp: Stamp | None
    token: Mapping[str, Any] | None
    changed: bool
    """What the source says, which counts only where there were two tokens to compare."""
    forced: bool


def verdict_of(done: Completed | None, now: Present) -> Verdict:
    """Return whether a full sync may be skipped: only if nothing at all speaks against it."""
    return Verdict.of(_against(done, now) or Reason.UNCHANGED, done)


def left_open(*, letters: int, held: int, unsettled: bool) -> Reason | None:
    """Return why the full sync that comes after a sync is not to be skipped by it; None if nothing is open."""
    if unsettled:
        return Reason.UNSETTLED
    if held:
        return Reason.HELD
    return Reason.LETTERS if letters else None


def check_force(job_type: JobType, *, deletes_only: bool = False) -> None:
    """Raise a `ConfigurationError` for a sync that can't be forced, as it is never skipped."""
    if job_type is JobType.FULL and not deletes_only:
        return
    kind = "A sync that only deletes" if deletes_only else _NEVER_SKIPPED[job_type]
    raise ConfigurationError(f"{kind} is never skipped, so there is nothing to force.", field=FORCE, hint=INSTEAD)


def _against(done: Completed | None, now: Present) -> Reason | None:
    """Return what speaks against a skip: what a person has done first, then the source, and the index in the end."""
    if now.forced:
        return Reason.FORCED
    if done is None:
        return Reason.FIRST
    if done.target != now.target:
        return Reason.OTHER_INDEX
    if done.recipe != now.recipe:
        return Reason.OTHER_RECIPE
    if now.token is None or done.token is None:
        return Reason.CANNOT_TELL
    if now.changed:
        return Reason.CHANGED
    if done.stamp is None:
        return Reason(done.open) if done.open in _OPEN else Reason.OPEN
    if now.stamp is None:
        return Reason.NO_STAMP
    return None if done.stamp == now.stamp else Reason.WRITTEN


def _wire(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
