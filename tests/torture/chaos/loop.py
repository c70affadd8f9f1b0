"""The loop of a history: in virtual time, and without threads."""

import asyncio
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from connectors.testing.virtual_time import VirtualTimeLoop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ChaosLoop(VirtualTimeLoop):
    """Runs what belongs into a thread at once, as time would run away while a thread works."""

    def run_in_executor(self, executor: object, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Call a function now, and return a future that is done."""
        del executor
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits it gets it
            done.set_exception(error)
        return done
