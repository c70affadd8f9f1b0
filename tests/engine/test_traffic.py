"""What is counted of requests to the engine: each attempt, by what came of it and how long it took."""

import pytest

from connectors.engine.bulk import index_line
from connectors.engine.traffic import BOUNDS_S, Traffic
from connectors.errors import (
    Conflict,
    EngineBlocked,
    EngineError,
    EngineFailed,
    EngineOverloaded,
    EngineRefused,
    EngineUnreachable,
)
from tests.engine.conftest import Opened
from tests.engine.stub import answer, refusal, reset


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "answered"),
        (Conflict("?"), "answered"),
        (EngineRefused("?", status=400, kind="?"), "answered"),
        (EngineOverloaded("?"), "rejected"),
        (EngineUnreachable("?"), "unreachable"),
        (EngineFailed("?", status=500), "failed"),
        (EngineBlocked("?"), "failed"),
    ],
)
def test_a_request_counts_by_what_came_of_it(error: EngineError | None, outcome: str) -> None:
    traffic = Traffic()
    traffic.count(0.5, error)
    names = ("answered", "rejected", "failed", "unreachable")
    assert {name for name in names if getattr(traffic, name)} == {outcome}
    assert (traffic.requests, traffic.seconds) == (1, 0.5)


def test_durations_count_by_the_first_bound_that_is_not_below_them() -> None:
    traffic = Traffic()
    for seconds in (0.0, BOUNDS_S[0], BOUNDS_S[0] * 1.01, BOUNDS_S[-1], BOUNDS_S[-1] + 1):
        traffic.count(seconds)
    assert traffic.took == [2, 1, *[0] * (len(BOUNDS_S) - 3), 1, 1]


def test_what_was_taken_is_added_elsewhere_and_counts_no_more() -> None:
    one, other = Traffic(), Traffic()
    for _ in range(3):
        one.count(0.5)
    one.rejected_operations = 7
    other.count(1.0, EngineOverloaded("?"))
    taken = one.taken()
    other.add(taken)
    assert one == Traffic()
    assert (other.requests, other.answered, other.rejected, other.rejected_operations) == (4, 3, 1, 7)
    assert (other.seconds, sum(other.took)) == (2.5, 4)
    one.count(0.5)
    assert taken.took == Traffic(answered=3, took=taken.took).took
    assert sum(taken.took) == 3


async def test_each_attempt_of_an_engine_counts_in_its_lane(opened: Opened) -> None:
    items = [{"index": {"status": status, "_index": "docs", "_id": "1"}} for status in (429, 200, 429)]
    replies = [
        refusal(429, "es_rejected_execution_exception"),
        refusal(500, "?"),
        reset(),
        answer(200, {"count": 1}),
        answer(200, {"took": 1, "errors": True, "items": items}),
    ]
    async with opened(*replies, attempts=5) as (engine, _):
        assert await engine.control.count("docs") == 1
        body = (index_line("1") + b"{}\n") * 3
        await engine.data.bulk("docs", body, operations=3)
        control, data = engine.traffic["control"], engine.traffic["data"]
    assert (control.answered, control.rejected, control.failed, control.unreachable) == (1, 1, 1, 1)
    assert (data.answered, data.rejected, data.rejected_operations) == (1, 0, 2)
    assert sum(control.took) == control.requests == 4
