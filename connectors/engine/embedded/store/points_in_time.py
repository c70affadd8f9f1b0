"""Points in time: what searches may come back to, each for as long as it is asked for."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.engine.embedded.refusal import Refusal, illegal_argument
from connectors.engine.embedded.time_value import time_ms

MOST: Final = 500
"""So many may be open at once."""
LONGEST_MS: Final = 24 * 3_600_000
_PREFIX: Final = "embedded-"


@dataclass(frozen=True)
class Seen:
    """What is seen of one index: the rows up to this one. Another index of the same name has another UUID."""

    name: str
    uuid: str
    upto: int


@dataclass(frozen=True)
class PointInTime:
    """Some indices as they were; for a scroll also the search that goes on, and after which sort values."""

    seen: tuple[Seen, ...]
    shards: frozenset[int] | None
    until_ms: float
    body: Mapping[str, Any] | None = None
    after: tuple[Any, ...] | None = None


class PointsInTime:
    """Holds what was opened until it is closed or its time is over. For any number of threads."""

    def __init__(self, now_ms: Callable[[], float] = lambda: time.monotonic() * 1000) -> None:
        self._now_ms = now_ms
        self._guard = threading.RLock()
        self._open: dict[str, PointInTime] = {}

    def open(
        self,
        seen: tuple[Seen, ...],
        shards: frozenset[int] | None,
        keep_alive: str,
        body: Mapping[str, Any] | None = None,
    ) -> str:
        """Hold a point in time and return the name that it is asked for by."""
        name, until_ms = _PREFIX + secrets.token_hex(16), self._until(keep_alive)
        with self._guard:
            self._drop_what_is_over()
            if len(self._open) >= MOST:
                told = f"Trying to open more than {MOST} points in time; close some, or let them expire."
                raise Refusal(429, "rejected_execution_exception", told)
            self._open[name] = PointInTime(seen, shards, until_ms, body)
        return name

    def get(self, name: str, keep_alive: str | None = None) -> PointInTime:
        """Return what a name stands for, kept longer when that is asked for. Raises a `Refusal`."""
        check_name(name)
        until_ms = 0.0 if keep_alive is None else self._until(keep_alive)
        with self._guard:
            self._drop_what_is_over()
            found = self._open.get(name)
            if found is None:
                told = f"No search context found for id [{name}]"
                raise Refusal(404, "search_phase_execution_exception", told, root="search_context_missing_exception")
            if until_ms > found.until_ms:
                found = self._open[name] = replace(found, until_ms=until_ms)
        return found

    def move(self, name: str, after: tuple[Any, ...]) -> None:
        """Let the next page of a scroll begin after these sort values, unless it was closed meanwhile."""
        with self._guard:
            if name in self._open:
                self._open[name] = replace(self._open[name], after=after)

    def close(self, name: str) -> bool:
        """Let go of a point in time; False when there was none of that name."""
        check_name(name)
        with self._guard:
            return self._open.pop(name, None) is not None

    def oldest(self, uuid: str, refreshed: int) -> int:
        """Return the row up to which the oldest open view of an index sees."""
        with self._guard:
            self._drop_what_is_over()
            views = [one.upto for held in self._open.values() for one in held.seen if one.uuid == uuid]
        return min([*views, refreshed])

    def close_oldest(self, uuid: str) -> bool:
        """Let go of the view of an index that sees least of it; False when there is none."""
        with self._guard:
            views = [(one.upto, name) for name, held in self._open.items() for one in held.seen if one.uuid == uuid]
            return bool(views) and self.close(min(views)[1])

    def _drop_what_is_over(self) -> None:
        now_ms = self._now_ms()
        self._open = {name: held for name, held in self._open.items() if held.until_ms > now_ms}

    def _until(self, keep_alive: str) -> float:
        try:
            wanted_ms = time_ms(keep_alive)
        except ValueError:
            raise illegal_argument(f"failed to parse setting [keep_alive] with value [{keep_alive}]") from None
        if not 0 < wanted_ms <= LONGEST_MS:
            raise illegal_argument(
                f"Keep alive for request ({keep_alive}) has to be more than nothing and at most a day."
            )
        return self._now_ms() + wanted_ms


def check_name(name: str) -> None:
    """Raise a `Refusal` for what is the name of no point in time that ever was."""
    rest = name.removeprefix(_PREFIX)
    if rest == name or len(rest) != 32 or not set(rest) <= set("0123456789abcdef"):
        raise illegal_argument(f"invalid id: [{name}]")
