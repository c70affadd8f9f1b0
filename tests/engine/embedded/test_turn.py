"""The turn: one at a time, the small before the large, and nobody waits for ever."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.turn import HEAD_START_S, Turn


class Watched(Turn):
    """A turn whose clock stands still until it is told, and that says who waits."""

    def __init__(self, longest_wait_s: float = 10.0) -> None:
        self.now_s = 0.0
        self.arrived = threading.Semaphore(0)
        super().__init__(self._now, longest_wait_s)

    def _now(self) -> float:
        self.arrived.release()  # asked only by who has to wait, with the guard held
        return self.now_s


@contextmanager
def queue(turn: Watched) -> Iterator[tuple[list[str], ThreadPoolExecutor]]:
    """Hold the turn while others come for it; they note their names in the order in which they get it."""
    served: list[str] = []
    with ThreadPoolExecutor(8) as threads:
        with turn.taken():
            yield served, threads
        threads.shutdown()


def come(turn: Watched, served: list[str], threads: ThreadPoolExecutor, name: str, *, large: bool = False) -> None:
    def work() -> None:
        with turn.taken(large=large):
            served.append(name)

    threads.submit(work)
    assert turn.arrived.acquire(timeout=10)


def test_the_small_go_before_the_large_and_else_who_came_first() -> None:
    turn = Watched()
    with queue(turn) as (served, threads):
        come(turn, served, threads, "bulk", large=True)
        come(turn, served, threads, "lease")
        come(turn, served, threads, "another bulk", large=True)
        come(turn, served, threads, "job")
    assert served == ["lease", "job", "bulk", "another bulk"]


def test_a_large_one_is_not_put_off_for_ever() -> None:
    turn = Watched()
    with queue(turn) as (served, threads):
        come(turn, served, threads, "bulk", large=True)
        turn.now_s = HEAD_START_S + 0.1
        come(turn, served, threads, "lease")
    assert served == ["bulk", "lease"]


def test_who_waits_too_long_is_refused_and_the_others_are_served() -> None:
    turn = Watched(longest_wait_s=0.05)
    with turn.taken(), pytest.raises(Refusal, match="busy") as refused, turn.taken():
        pass
    assert refused.value.status == 429
    with turn.taken():
        pass


def test_one_at_a_time_whatever_the_number_of_threads() -> None:
    turn, inside, most = Turn(), 0, 0

    def work(number: int) -> None:
        nonlocal inside, most
        for _ in range(200):
            with turn.taken(large=bool(number % 2)):
                inside += 1
                most = max(most, inside)
                inside -= 1

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert most == 1


def test_an_error_gives_the_turn_back() -> None:
    turn = Turn()
    with pytest.raises(ZeroDivisionError), turn.taken():
        raise ZeroDivisionError
    with turn.taken():
        pass
