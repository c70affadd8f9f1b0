import pytest

from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.store.points_in_time import MOST, PointsInTime, Seen

SEEN = (Seen("docs", "u1", 5),)


class Now:
    ms = 0.0


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def points(now: Now) -> PointsInTime:
    return PointsInTime(lambda: now.ms)


def test_what_was_opened_is_found_until_its_time_is_over(points: PointsInTime, now: Now) -> None:
    name = points.open(SEEN, None, "1m")
    now.ms = 59_999
    assert points.get(name).seen == SEEN
    now.ms = 60_000
    with pytest.raises(Refusal) as caught:
        points.get(name)
    assert (caught.value.status, caught.value.root) == (404, "search_context_missing_exception")


def test_asking_again_keeps_it_longer_and_never_shorter(points: PointsInTime, now: Now) -> None:
    name = points.open(SEEN, None, "1m")
    now.ms = 50_000
    points.get(name, "1m")
    points.get(name, "1ms")
    now.ms = 100_000
    assert points.get(name).seen == SEEN


def test_what_was_closed_is_gone(points: PointsInTime) -> None:
    name = points.open(SEEN, None, "1m")
    assert [points.close(name), points.close(name)] == [True, False]


@pytest.mark.parametrize("name", ["", "garbage", "embedded-", "embedded-" + "x" * 32])
def test_garbage_is_refused_as_that(points: PointsInTime, name: str) -> None:
    for ask in (points.get, points.close):
        with pytest.raises(Refusal) as caught:
            ask(name)
        assert caught.value.status == 400


@pytest.mark.parametrize("keep_alive", ["forever", "0", "-1", "25h", ""])
def test_a_time_that_is_none_is_refused(points: PointsInTime, keep_alive: str) -> None:
    with pytest.raises(Refusal):
        points.open(SEEN, None, keep_alive)


def test_only_so_many_may_be_open(points: PointsInTime, now: Now) -> None:
    for _ in range(MOST):
        points.open(SEEN, None, "1m")
    with pytest.raises(Refusal) as caught:
        points.open(SEEN, None, "1m")
    assert caught.value.status == 429
    now.ms = 60_001
    assert points.open(SEEN, None, "1m")


def test_the_oldest_view_is_the_least_that_any_sees(points: PointsInTime) -> None:
    points.open((Seen("docs", "u1", 5), Seen("other", "u2", 1)), None, "1m")
    name = points.open((Seen("docs", "u1", 3),), None, "1m")
    assert [points.oldest("u1", 9), points.oldest("u2", 9), points.oldest("u3", 9)] == [3, 1, 9]
    points.close(name)
    assert points.oldest("u1", 9) == 5
