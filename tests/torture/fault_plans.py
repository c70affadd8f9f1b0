"""Plans: which fault befalls which request, decided by a seed and the request's number, whatever order they come in."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.torture.exchange import Link, Seen
from tests.torture.faults import (
    BadGateway,
    BrokenUpload,
    Cut,
    Delay,
    Fault,
    Gate,
    HalfAnswer,
    Late,
    Limited,
    Overloaded,
    Pass,
    Refuse,
    RejectItems,
    ResetAfter,
    ResetBefore,
    Slow,
    Twice,
)

Draw = Callable[[random.Random], Fault]


class Plan(Protocol):
    """Decides about each request once, when it has arrived."""

    def fault_for(self, seen: Seen) -> Fault:
        """Return what is to happen to it."""
        ...


@dataclass(frozen=True)
class Calm:
    """Everything passes."""

    def fault_for(self, seen: Seen) -> Fault:
        return Pass()


@dataclass(frozen=True)
class At:
    """These bulks, and these other requests, meet a fault; what is not named goes as another plan says."""

    bulks: Mapping[int, Fault] = field(default_factory=dict)
    others: Mapping[int, Fault] = field(default_factory=dict)
    then: Plan = field(default_factory=Calm)

    def fault_for(self, seen: Seen) -> Fault:
        named = (self.bulks if seen.is_bulk else self.others).get(seen.number)
        return named or self.then.fault_for(seen)


@dataclass(frozen=True)
class Drawn:
    """A share of the bulks, and a share of all other requests, meets a fault that is drawn from some."""

    seed: int
    bulk_rate: float
    bulk_faults: Sequence[Draw]
    control_rate: float = 0.0
    control_faults: Sequence[Draw] = ()

    def fault_for(self, seen: Seen) -> Fault:
        chance = random.Random(f"{self.seed} {seen.is_bulk} {seen.number}")
        rate = self.bulk_rate if seen.is_bulk else self.control_rate
        faults = self.bulk_faults if seen.is_bulk else self.control_faults
        return chance.choice(faults)(chance) if chance.random() < rate else Pass()


def storm(
    share: float, seed: int, *, whole: float = 0.0, retry_after_s: float | None = 1.0, control_rate: float = 0.0
) -> Plan:
    """Refuse a share of the actions of every bulk, and as a whole a part of the bulks and of the other requests."""
    refusal = Overloaded(retry_after_s)

    class Storm:
        def fault_for(self, seen: Seen) -> Fault:
            chance = random.Random(f"{seed} {seen.is_bulk} {seen.number}")
            if chance.random() < (whole if seen.is_bulk else control_rate):
                return refusal
            return RejectItems(share, (seed, seen.number)) if seen.is_bulk else Pass()

    return Storm()


def lossy(rate: float, seed: int, *, control_rate: float = 0.0, late_s: float = 0.2, away_s: float = 0.05) -> Plan:
    """Let a part of the bulks, and another of all other requests, break before, during or after their delivery.

    A request that is delivered late is so within `late_s` after its connection was reset; when connections are refused
    it is for `away_s`. A bulk may also be delivered by half, which no other request can.
    """
    any_request: list[Draw] = [
        lambda chance: ResetBefore(),
        lambda chance: ResetAfter(),
        lambda chance: BrokenUpload(),
        lambda chance: HalfAnswer(),
        lambda chance: Refuse(away_s),
        lambda chance: BadGateway(chance.choice([502, 503]), applied=chance.random() < 0.5),
        lambda chance: Overloaded(),
        lambda chance: Delay(chance.random() * late_s, chance.random() * late_s),
        lambda chance: Late(chance.random() * late_s, patience_s=late_s),
    ]
    bulks: list[Draw] = [*any_request, lambda chance: Twice(chance.random() * late_s), lambda chance: Cut()]
    return Drawn(seed, rate, bulks, control_rate, any_request)


@dataclass(frozen=True)
class Slowed:
    """Every request goes over one slow line; others than bulks only where it is said."""

    fault: Slow
    control: bool = False

    def fault_for(self, seen: Seen) -> Fault:
        return self.fault if seen.is_bulk or self.control else Pass()


def slow(*, bytes_per_s: float | None = None, latency_s: float = 0.0, control: bool = False) -> Plan:
    """Slow down all bulks, and all other requests too where `control` says so."""
    return Slowed(Slow(None if bytes_per_s is None else Link(bytes_per_s), latency_s), control=control)


@dataclass(frozen=True)
class LimitedTo:
    """Every bulk goes through one gate."""

    gate: Gate
    work_s: float = 0.0

    def fault_for(self, seen: Seen) -> Fault:
        return Limited(self.gate, self.work_s) if seen.is_bulk else Pass()


def limited(
    at_once: int, *, waiting: int | None = None, work_s: float = 0.0, retry_after_s: float | None = None
) -> LimitedTo:
    """Let the engine work on so many bulks at once, each for at least `work_s`.

    So many others wait (any number, when `waiting` is None) and the rest is refused with a 429.
    """
    return LimitedTo(Gate(at_once, waiting, retry_after_s), work_s)
