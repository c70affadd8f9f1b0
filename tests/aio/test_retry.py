import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.aio.retry import NEVER, Retry, RetryPolicy
from connectors.errors import ConnectorsError, EngineDenied, EngineUnreachable, Throttled
from connectors.testing.virtual_time import VirtualClock, virtual_time


class Flaky:
    """Fails with the given errors in turn, then returns."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.attempts: list[int] = []

    async def __call__(self, attempt: int) -> str:
        self.attempts.append(attempt)
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def unreachable(times: int) -> list[ConnectorsError]:
    return [EngineUnreachable(f"fault {number}") for number in range(1, times + 1)]


def always(share: float) -> Retry:
    return Retry(RetryPolicy(attempts=4, first_pause_s=1, longest_pause_s=3, limit_s=60), VirtualClock(), lambda: share)


@virtual_time
async def test_a_call_that_succeeds_is_made_once() -> None:
    call = Flaky()
    assert await always(1)(call) == "done"
    assert call.attempts == [1]


@virtual_time
async def test_pauses_double_up_to_the_longest() -> None:
    retry, call = always(1), Flaky(*unreachable(3))
    assert await retry(call) == "done"
    assert call.attempts == [1, 2, 3, 4]
    assert retry.clock.monotonic() == 1 + 2 + 3


@virtual_time
async def test_a_share_of_nothing_does_not_wait() -> None:
    retry = always(0)
    await retry(Flaky(*unreachable(3)))
    assert retry.clock.monotonic() == 0


@virtual_time
async def test_the_last_error_is_raised_and_says_how_often_it_was_tried() -> None:
    with pytest.raises(EngineUnreachable, match="fault 4") as caught:
        await always(1)(Flaky(*unreachable(9)))
    assert caught.value.__notes__ == ["Gave up after 4 attempts."]


@virtual_time
async def test_a_permanent_error_is_raised_at_once() -> None:
    call = Flaky(EngineDenied("no"), EngineDenied("no"))
    with pytest.raises(EngineDenied) as caught:
        await always(1)(call)
    assert call.attempts == [1]
    assert not hasattr(caught.value, "__notes__")


@virtual_time
async def test_an_error_that_is_not_ours_is_raised_at_once() -> None:
    call = Flaky(ValueError("bug"))
    with pytest.raises(ValueError, match="bug"):
        await always(1)(call)
    assert call.attempts == [1]


@virtual_time
async def test_what_the_server_asks_for_is_the_least_we_wait() -> None:
    retry = always(0.5)
    await retry(Flaky(Throttled("slow down", retry_after_s=7)))
    assert retry.clock.monotonic() == 7.5


@virtual_time
async def test_a_pause_beyond_the_limit_is_not_begun() -> None:
    retry = always(1)
    with pytest.raises(Throttled):
        await retry(Flaky(Throttled("slow down", retry_after_s=61)))
    assert retry.clock.monotonic() == 0


@virtual_time
async def test_never_means_one_attempt() -> None:
    call = Flaky(*unreachable(1))
    with pytest.raises(EngineUnreachable):
        await Retry(NEVER, VirtualClock())(call)
    assert call.attempts == [1]


@virtual_time
async def test_each_pause_is_observed() -> None:
    seen: list[tuple[str, int, float]] = []
    retry = Retry(
        RetryPolicy(first_pause_s=1),
        VirtualClock(),
        lambda: 1,
        lambda error, attempt, pause_s: seen.append((str(error), attempt, pause_s)),
    )
    await retry(Flaky(*unreachable(2)))
    assert seen == [("fault 1", 1, 1), ("fault 2", 2, 2)]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_no_pause_is_longer_than_the_longest(attempt: int, chance: float) -> None:
    policy = RetryPolicy()
    assert 0 <= policy.pause_s(attempt, chance) <= policy.longest_pause_s
