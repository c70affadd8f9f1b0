"""Ticks: the instants of schedules that a job was made for, and since when each schedule is as it is."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import ClassVar

import msgspec

from connectors.errors import Conflict
from connectors.store.record import Record, Versioned
from connectors.store.state import StateStore


class TickRecord(Record, frozen=True, kw_only=True):
    """That a tick of a schedule has its job, or that somebody is about to make it.

    Whoever finds it without `done` makes the job as well: it is one job, as its id follows from the tick. Afterwards
    nobody does, whatever becomes of the job.
    """

    KIND: ClassVar[str] = "tick"

    connector: str
    schedule: str
    """Which of the connector's schedules: a type of sync, or `custom:` and the key of a custom one."""
    instant: datetime
    job: str
    done: bool = False

    @property
    def key(self) -> str:
        """Where it is."""
        return self.key_for(self.connector, self.schedule, self.instant.isoformat())


class SeenSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that is enabled: what it says, and since when."""

    form: str
    since: datetime


class SchedulesRecord(Record, frozen=True, kw_only=True):
    """Since when the schedules of a connector are as they are: ticks before do not count."""

    KIND: ClassVar[str] = "schedules"

    connector: str
    seen: Mapping[str, SeenSchedule] = {}

    @classmethod
    def key_of(cls, connector: str) -> str:
        """Return the key of a connector's record."""
        return cls.key_for(connector)


class Ticks:
    """Keeps what schedules have made of time, shared by all daemons."""

    def __init__(self, state: StateStore) -> None:
        self._state = state

    async def since(self, connector: str, forms: Mapping[str, str], now: datetime) -> Mapping[str, datetime]:
        """Return since when each schedule of a connector that is enabled has its present form.

        A form that is new counts from now on; what is not enabled is forgotten. Nothing is written while nothing
        changes.
        """

        def seen(found: SchedulesRecord | None) -> SchedulesRecord:
            before = found.seen if found is not None else {}
            kept = {
                name: one if (one := before.get(name)) is not None and one.form == form else _new(form, now)
                for name, form in forms.items()
            }
            return SchedulesRecord(connector=connector, seen=kept)

        if not forms and await self._state.read(SchedulesRecord.key_of(connector), SchedulesRecord) is None:
            return {}
        found = await self._state.change(SchedulesRecord.key_of(connector), SchedulesRecord, seen)
        return {name: one.since for name, one in found.value.seen.items()}

    async def seen(self) -> Mapping[str, Mapping[str, SeenSchedule]]:
        """Return what `since` has noted of all connectors: their schedules that are enabled, by what these are of."""
        return {one.value.connector: one.value.seen async for one in self._state.find(SchedulesRecord)}

    async def begin_anew(self, connector: str, schedule: str, now: datetime) -> None:
        """Let a schedule count from now on: since when it did lay in the future, by a clock that was wrong."""

        def anew(found: SchedulesRecord | None) -> SchedulesRecord:
            seen = dict(found.seen) if found is not None else {}
            if schedule in seen:
                seen[schedule] = _new(seen[schedule].form, now)
            return SchedulesRecord(connector=connector, seen=seen)

        await self._state.change(SchedulesRecord.key_of(connector), SchedulesRecord, anew)

    async def claim(self, tick: TickRecord) -> Versioned[TickRecord] | None:
        """Return the tick for who has to make its job; None if that has been done, by whomever."""
        try:
            return await self._state.create(tick.key, tick)
        except Conflict:
            found = await self._state.read(tick.key, TickRecord)
            return None if found is None or found.value.done else found

    async def done(self, tick: Versioned[TickRecord]) -> None:
        """Say that the job of a tick is made. Several may say so."""
        await self._state.change(tick.value.key, TickRecord, lambda _: msgspec.structs.replace(tick.value, done=True))

    async def of(self, connector: str) -> AsyncGenerator[Versioned[TickRecord], None]:
        """Yield the ticks of a connector, in no order. Close the generator (`aclosing`) to leave early."""
        async with aclosing(self._state.find(TickRecord, connector=connector)) as found:
            async for one in found:
                yield one

    async def forget_before(self, connector: str, instant: datetime, *, most: int | None = None) -> int:
        """Remove ticks of a connector before a moment, so many at most, and return how many there were.

        The newest tick of a schedule stays, however old: with no word of the connector about it, it is made no second
        time.
        """
        newest: dict[str, TickRecord] = {}
        forgotten = 0
        async with aclosing(self.of(connector)) as ticks:
            async for found in ticks:
                other = newest.get(found.value.schedule, found.value)
                older, newer = sorted((found.value, other), key=lambda one: one.instant)
                newest[newer.schedule] = newer
                if older is not newer and older.done and older.instant < instant:
                    await self._state.delete(older.key)
                    forgotten += 1
                    if forgotten == most:
                        break
        return forgotten


def _new(form: str, now: datetime) -> SeenSchedule:
    return SeenSchedule(form=form, since=now)
