"""The engine contract can fail: one wrong answer, and the case that is about it does not pass."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.contracts.engine.bulk import Bulk
from tests.contracts.engine.compare_and_set import STALE, CompareAndSet
from tests.contracts.engine.scan import Scan
from tests.contracts.engine_contract import EngineContract
from tests.contracts.wire import Answer, Wire

Json = dict[str, Any]


class Tape:
    """A wire that gives prepared answers, one a request."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = iter(answers)

    async def __call__(self, method: str, target: str, body: object = None) -> Answer:
        return next(self._answers)


@dataclass(frozen=True)
class Shelf:
    """A wire to documents that are stored by bulk and read by one point in time, and to what it does to their hits."""

    spoil: Callable[[list[Json]], list[Json]]
    hits: list[Json]

    async def __call__(self, method: str, target: str, body: Any = None) -> Answer:
        if "/_bulk" in target:
            return _said(200, took=1, errors=False, items=[{"index": self._store(line)} for line in _pairs(body)])
        if target != "/_search":
            return _said(200, id="pit", acknowledged=True)
        hits = self.spoil(self.hits)
        after = body.get("search_after", [-1])[0]
        page = [hit for hit in hits if hit["sort"][0] > after][: body["size"]]
        total = {"value": len(self.hits), "relation": "eq"}
        return _said(200, pit_id="pit", _shards={"failed": 0}, hits={"total": total, "hits": page})

    def _store(self, line: tuple[Json, Json]) -> Json:
        action, source = line[0]["index"], line[1]
        place = len(self.hits)
        said = {"_index": "idx", "_id": action["_id"], "_version": action["version"], "_seq_no": place}
        said["_primary_term"] = 1
        self.hits.append({**said, "_score": None, "fields": {"mark.f": [source["mark"]["f"]]}, "sort": [place]})
        return {**said, "result": "created", "status": 201}


def _pairs(body: bytes) -> list[tuple[Json, Json]]:
    lines = [json.loads(line) for line in body.splitlines()]
    return list(zip(lines[::2], lines[1::2], strict=True))


def _said(http_status: int, /, **body: object) -> Answer:
    return Answer(http_status, body, {})


def _written(status: int, result: str, number: int) -> Json:
    return {
        "_id": "1",
        "result": result,
        "_version": number + 1,
        "_seq_no": number,
        "_primary_term": 1,
        "status": status,
    }


def _write(status: int, result: str, number: int) -> Answer:
    return _said(status, **_written(status, result, number))


CREATED = _said(200, acknowledged=True)
CONFLICT = {"type": "version_conflict_engine_exception", "reason": "[1]: version conflict"}
REFUSED = _said(409, error={"root_cause": [CONFLICT], **CONFLICT}, status=409)
STORED = _said(200, _version=2, _seq_no=1, _source={"n": 2})
ITEMS = [
    {"index": _written(201, "created", 0)},
    {"index": _written(200, "updated", 1)},
    {"delete": _written(200, "deleted", 2)},
    {"index": _written(201, "created", 3)},
]


def _bulk_answer(*places: int) -> Answer:
    return _said(200, took=1, errors=False, items=[ITEMS[place] for place in places])


async def _stale(wire: Wire) -> None:
    await CompareAndSet().test_stale_write_conflicts_and_changes_nothing(wire, "idx", STALE[0])


async def _repeated(wire: Wire) -> None:
    await Bulk().test_one_id_several_times_is_applied_in_order(wire, "idx")


STALE_TAPE = [CREATED, _write(201, "created", 0), _write(200, "updated", 1), REFUSED, STORED]
BULK_TAPE = [CREATED, _bulk_answer(0, 1, 2, 3), _said(200, _source={"n": 4})]
MUTATIONS = [
    pytest.param(_stale, STALE_TAPE, 3, _write(200, "updated", 2), id="stale write is applied"),
    pytest.param(
        _stale, STALE_TAPE, 3, replace(REFUSED, status=500), id="status of the body is not that of the answer"
    ),
    pytest.param(_stale, STALE_TAPE, 4, _said(200, _version=3, _seq_no=2, _source={"n": 2}), id="refused write counts"),
    pytest.param(_repeated, BULK_TAPE, 1, _bulk_answer(0, 2, 1, 3), id="items in another order"),
    pytest.param(_repeated, BULK_TAPE, 1, _bulk_answer(0, 1, 2), id="an item too few"),
    pytest.param(_repeated, BULK_TAPE, 2, _said(200, _source={"n": 2}), id="last write is not the last"),
]
SPOILERS = [
    pytest.param(lambda hits: hits[:500] + hits[501:], id="a document is lost"),
    pytest.param(lambda hits: [*hits, {**hits[0], "sort": [len(hits)]}], id="a document comes twice"),
    pytest.param(lambda hits: [{**hit, "_seq_no": hit["_seq_no"] // 2} for hit in hits], id="sequence numbers repeat"),
    pytest.param(
        lambda hits: [{**hit, "fields": {"mark.f": [int(float(hit["fields"]["mark.f"][0]))]}} for hit in hits],
        id="numbers go through a float",
    ),
]


@pytest.mark.parametrize(("case", "tape", "place", "wrong"), MUTATIONS)
async def test_one_wrong_answer_fails_its_case(
    case: Callable[[Wire], Awaitable[None]], tape: list[Answer], place: int, wrong: Answer
) -> None:
    await case(Tape(tape))
    with pytest.raises(AssertionError):
        await case(Tape([*tape[:place], wrong, *tape[place + 1 :]]))


async def test_honest_scan_passes() -> None:
    await Scan().test_scan_yields_every_document_once_with_its_exact_values(Shelf(list, []), "idx")


@pytest.mark.parametrize("spoil", SPOILERS)
async def test_spoilt_scan_fails(spoil: Callable[[list[Json]], list[Json]]) -> None:
    with pytest.raises(AssertionError):
        await Scan().test_scan_yields_every_document_once_with_its_exact_values(Shelf(spoil, []), "idx")


def test_no_part_hides_a_case_of_another() -> None:
    cases = [name for part in EngineContract.__mro__ for name in vars(part) if name.startswith("test_")]
    assert sorted(cases) == sorted(set(cases))
