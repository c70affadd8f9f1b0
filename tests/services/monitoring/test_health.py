"""Whether a daemon lives and is ready, by a clock that a test sets."""

import asyncio
from dataclasses import dataclass, field

from connectors.errors import EngineUnreachable
from connectors.services.monitoring.health import DEAD_AFTER_S, Finding, Health
from connectors.services.monitoring.pulse import LATE_AFTER_S, Pulses
from tests.services.shop import Watch


@dataclass
class Desk:
    """A daemon of two parts, whose engine answers as a test wants."""

    watch: Watch = field(default_factory=Watch)
    asked: int = 0
    error: Exception | None = None
    hangs: bool = False

    def __post_init__(self) -> None:
        self.pulses = Pulses(self.watch)
        self.scheduler = self.pulses.of("scheduler")
        self.janitor = self.pulses.of("janitor", late_after_s=300.0)
        self.health = Health(self.pulses, self.watch, self.ask, asked_within_s=0.05)

    async def ask(self) -> None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


def reasons(finding: Finding) -> list[str]:
    assert finding.well is not bool(finding.told["reasons"])
    found: list[str] = finding.told["reasons"]
    return found


async def test_a_daemon_is_ready_when_each_part_has_looked() -> None:
    desk = Desk()
    desk.scheduler.looked()
    assert reasons(await desk.health.ready()) == ["The janitor has not looked yet."]
    desk.janitor.looked()
    assert reasons(await desk.health.ready()) == []


async def test_a_part_that_looked_long_ago_makes_it_unready_until_it_looks_again() -> None:
    desk = Desk()
    desk.scheduler.looked()
    desk.janitor.looked()
    desk.watch.seconds += LATE_AFTER_S
    assert reasons(await desk.health.ready()) == []
    desk.watch.seconds += 1.0
    assert reasons(await desk.health.ready()) == ["The scheduler last looked 61 s ago."]
    desk.scheduler.began()
    assert reasons(await desk.health.ready()) != []
    desk.scheduler.looked()
    assert reasons(await desk.health.ready()) == []


async def test_an_engine_that_does_not_answer_makes_it_unready_and_does_not_kill_it() -> None:
    desk = Desk(error=EngineUnreachable("No connection to http://me:pw@engine:9200."))
    desk.scheduler.looked()
    desk.janitor.looked()
    assert reasons(await desk.health.ready()) == [
        "The engine does not answer: No connection to http://***@engine:9200."
    ]
    assert reasons(desk.health.alive()) == []
    desk.error = None
    desk.watch.seconds += 1.1
    assert reasons(await desk.health.ready()) == []


async def test_an_engine_that_hangs_is_waited_for_a_moment() -> None:
    desk = Desk(hangs=True)
    assert reasons(await desk.health.ready()) == ["The engine has not answered within 0.05 s."]


async def test_of_many_who_ask_at_once_one_asks_the_engine() -> None:
    desk = Desk()
    await asyncio.gather(*(desk.health.ready() for _ in range(20)))
    assert desk.asked == 1
    desk.watch.seconds += 1.1
    await desk.health.ready()
    assert desk.asked == 2


def test_a_part_that_hangs_is_dead_and_one_that_fails_is_not() -> None:
    desk = Desk()
    desk.watch.seconds += DEAD_AFTER_S + 1
    desk.scheduler.began()
    assert reasons(desk.health.alive()) == ["The janitor has not stirred for 901 s."]
    desk.janitor.began()
    assert reasons(desk.health.alive()) == []


def test_a_part_that_begins_anew_has_not_looked_yet() -> None:
    desk = Desk()
    desk.scheduler.looked()
    desk.watch.seconds += 5
    assert desk.pulses.ages() == {("scheduler",): 5.0}
    desk.pulses.of("scheduler")
    assert desk.pulses.ages() == {}
    assert desk.pulses.silent() == {"scheduler": 0.0, "janitor": 5.0}
