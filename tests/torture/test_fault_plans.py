"""The ready-made plans: seeded, as frequent as they say, and of every kind that they promise."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.engine.bulk import create_line, delete_line, index_line
from tests.torture.bulk_body import actions_of, body_of, merged, results_of
from tests.torture.exchange import Seen
from tests.torture.fault_plans import At, Calm, Plan, limited, lossy, slow, storm
from tests.torture.faults import Overloaded, Pass, RejectItems, ResetAfter, ResetBefore
from tests.torture.messages import Request

COUNT = 2_000


def bulk(number: int) -> Seen:
    return Seen(Request("POST /docs/_bulk?filter_path=took HTTP/1.1", [], index_line("a") + b"{}\n"), number)


def control(number: int) -> Seen:
    return Seen(Request("PUT /.state/_doc/a HTTP/1.1", [], b"{}"), number)


def names(plan: Plan, seen: Callable[[int], Seen]) -> Counter[str]:
    return Counter(plan.fault_for(seen(number)).name for number in range(1, COUNT + 1))


def test_a_plan_decides_alike_in_whatever_order_it_is_asked() -> None:
    plan, again = lossy(0.5, 7, control_rate=0.5), lossy(0.5, 7, control_rate=0.5)
    forwards = [repr(plan.fault_for(seen(n))) for n in range(200) for seen in (bulk, control)]
    backwards = [repr(again.fault_for(seen(n))) for n in reversed(range(200)) for seen in (control, bulk)]
    assert forwards == backwards[::-1]
    assert forwards != [repr(lossy(0.5, 8).fault_for(seen(n))) for n in range(200) for seen in (bulk, control)]


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_a_lossy_way_faults_the_share_it_says_of_either_kind(rate: float) -> None:
    plan = lossy(rate, 1, control_rate=1 - rate)
    assert abs(names(plan, bulk)["passed"] - (1 - rate) * COUNT) <= COUNT * 0.05
    assert abs(names(plan, control)["passed"] - rate * COUNT) <= COUNT * 0.05


def test_a_lossy_way_has_every_fault() -> None:
    plan = lossy(1.0, 1, control_rate=1.0)
    everywhere = {"reset before", "reset after", "reset in the middle of the request", "half an answer", "429"}
    everywhere |= {"bad gateway", "delayed", "delivered late", "refused connection"}
    assert set(names(plan, control)) == everywhere
    assert set(names(plan, bulk)) == everywhere | {"delivered twice", "cut off"}


def test_a_storm_rejects_items_of_every_bulk_and_some_as_a_whole() -> None:
    plan = storm(0.9, 1, whole=0.25, retry_after_s=3.0)
    assert set(names(plan, control)) == {"passed"}
    assert abs(names(plan, bulk)["429"] - COUNT / 4) <= COUNT * 0.05
    faults = [plan.fault_for(bulk(number)) for number in range(1, 100)]
    assert {one.retry_after_s for one in faults if isinstance(one, Overloaded)} == {3.0}
    rejections = [one for one in faults if isinstance(one, RejectItems)]
    assert {one.share for one in rejections} == {0.9}
    assert len({one.seed for one in rejections}) == len(rejections)  # a retry meets another draw


def test_what_slows_and_what_limits_is_shared_by_all_bulks() -> None:
    crawl, gated = slow(bytes_per_s=5.0), limited(2)
    assert crawl.fault_for(bulk(1)) == crawl.fault_for(bulk(2))
    assert names(crawl, control) == {"passed": COUNT}
    assert names(slow(latency_s=1.0, control=True), control) == {"slowed": COUNT}
    assert names(gated, bulk) == {"limited": COUNT}
    assert names(gated, control) == {"passed": COUNT}


def test_named_faults_come_before_those_of_another_plan() -> None:
    plan = At({2: ResetAfter()}, {1: Overloaded()}, then=At({3: ResetBefore()}))
    assert [plan.fault_for(bulk(number)) for number in range(1, 5)] == [Pass(), ResetAfter(), ResetBefore(), Pass()]
    assert [plan.fault_for(control(number)) for number in range(1, 3)] == [Overloaded(), Pass()]
    assert Calm().fault_for(bulk(1)) == Pass()


IDS = st.text(min_size=1, max_size=20)
LINES = st.lists(
    st.one_of(
        st.builds(lambda one: ("index", one, index_line(one, version=3) + b'{"delete":"\\n"}\n'), IDS),
        st.builds(lambda one: ("create", one, create_line(one) + b"{}\n"), IDS),
        st.builds(lambda one: ("delete", one, delete_line(one)), IDS),
    ),
    min_size=1,
)


@given(LINES, st.sets(st.integers(0, 20)))
def test_a_bulk_is_taken_apart_and_its_answer_put_together(lines: list[tuple[str, str, bytes]], out: set[int]) -> None:
    body = b"".join(line for _, _, line in lines)
    actions = actions_of(body)
    assert [(one.kind, one.id, body[one.start : one.end]) for one in actions] == lines
    assert body_of(actions, body) == body
    refused = out & set(range(len(lines)))
    kept = [position for position in range(len(lines)) if position not in refused]
    items = ",".join(f'{{"{actions[n].kind}":{{"_index":"c","status":201,"_seq_no":{n}}}}}' for n in kept)
    found = results_of(merged(f'{{"took":3,"items":[{items}]}}'.encode(), actions, refused, "docs"))
    assert [(one.status, one.seq_no) for one in found] == [
        (429, None) if position in refused else (201, position) for position in range(len(lines))
    ]


def test_an_answer_whose_items_were_left_out_tells_of_none() -> None:
    assert results_of(b'{"took":1,"errors":false}') == ()
    assert results_of(b"<html>") == ()
