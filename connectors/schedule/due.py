"""Due: which tick of a schedule a job has to be made for now, and when to look again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.schedule.schedule import Schedule
from connectors.schedule.window import Windows
from connectors.schedule.zone import Zone


@dataclass(frozen=True)
class Timetable:
    """A schedule that is enabled, the zone whose clocks it means, and how long after a tick its job is made.

    While none of its windows is open no job is made.
    """

    schedule: Schedule
    zone: Zone = UTC
    delay: timedelta = timedelta()
    windows: Windows = Windows()


@dataclass(frozen=True)
class Due:
    """What is to be done now.

    `tick` is the instant to make a job for, as the schedule has it, without the delay; None if none is due. Earlier
    ticks that were missed, or waited for a window, are not made up for: one job brings the index up to date. `wake_at`
    is when to look again if nothing changes; None if that is never.

    `ignored_last` and `ignored_since` are the stored instants that lie too far in the future to be believed. The caller
    logs them, and stores `now` in place of the latter, from which ticks are then counted.
    """

    tick: datetime | None = None
    wake_at: datetime | None = None
    ignored_last: datetime | None = None
    ignored_since: datetime | None = None


def due(timetable: Timetable | None, *, last: datetime | None, since: datetime, now: datetime) -> Due:
    """Return what is due now; nothing ever is without a timetable, which is how a schedule is disabled.

    `last` is the tick that a job was last made for, if there was one, and `since` the moment this schedule was first
    seen enabled in its present form. Ticks count after the later of the two. A stored instant is ignored when it is
    more than one interval in the future, which is when another tick lies between it and now: a clock was wrong then,
    and to believe it would be to stand still until that day.
    """
    if timetable is None:
        return Due()
    schedule, zone, delay = timetable.schedule, timetable.zone, timetable.delay
    coming = schedule.next_after(now, zone)

    def believed(stored: datetime) -> bool:
        return stored <= now or (coming is not None and stored <= coming)

    known = [stored for stored in (last, since) if stored is not None and believed(stored)]
    counted_from = max(known, default=now)
    tick = schedule.last_between(counted_from, now - delay, zone)
    following = schedule.next_after(max(counted_from, now - delay), zone)
    wake_at = None if following is None else following + delay
    if tick is not None and not timetable.windows.are_open(now, zone):
        tick, wake_at = None, timetable.windows.open_from(now, zone)
    return Due(
        tick,
        wake_at,
        ignored_last=None if last is None or believed(last) else last,
        ignored_since=None if believed(since) else since,
    )
