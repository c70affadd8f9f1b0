"""The pulse of a part of the daemon: it says that a look began, and only of one that came through that it did."""

import pytest

from connectors.errors import EngineUnreachable
from connectors.services.monitoring.pulse import Pulse


async def test_a_look_that_came_through_is_noted() -> None:
    pulse = Pulse()
    began_before = pulse.began_at

    async def look() -> None:
        assert pulse.began_at > began_before

    await pulse.look(look, "It failed.")
    assert pulse.looked_at is not None
    assert pulse.looked_at >= pulse.began_at


async def test_a_look_that_failed_is_left_to_the_next_one() -> None:
    pulse = Pulse()

    async def look() -> None:
        raise EngineUnreachable("The engine is away.")

    await pulse.look(look, "It failed.")
    assert pulse.looked_at is None


async def test_a_fault_of_ours_is_not_taken_for_an_engine_that_is_away() -> None:
    async def look() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Pulse().look(look, "It failed.")
