"""The state store on the embedded engine, and over connections that break."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from connectors.engine import Engine, open_engine
from connectors.engine.records import Revision
from connectors.errors import Conflict, EngineError, EngineOverloaded, EngineRefused
from connectors.settings import EngineSettings
from connectors.store.record import Versioned
from connectors.store.state import INDEX, StateStore
from tests.engine.conftest import Impatient
from tests.engine.stub import Received, Reply, Stub, answer, greeting, half, refusal
from tests.store.state_contract import Count, StateContract
from tests.torture.faulty_engine import FaultyEngine

KEY = Count.key_for("c")
CONFLICT = refusal(409, "version_conflict_engine_exception")


class TestEmbedded(StateContract):
    pass


async def test_who_opens_it_at_once_shares_one_index(engine: Engine) -> None:
    async def used(number: int) -> None:
        store = await StateStore.open(engine)
        await store.create(Count.key_for(str(number)), Count(connector="c"))

    async with asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(used(number), name=f"user {number}")
    assert len([found async for found in StateStore(engine.control).find(Count)]) == 6


async def test_an_index_that_somebody_made_in_between_will_do() -> None:
    missing = refusal(404, "index_not_found_exception")
    async with Stub(greeting(), missing, refusal(400, "resource_already_exists_exception")) as stub:
        async with open_engine(EngineSettings(host=stub.url), Impatient()) as engine:
            await StateStore.open(engine)
    assert ([one.method for one in stub.requests], stub.script) == (["GET", "GET", "PUT"], [])


async def test_an_index_of_an_older_version_is_given_the_fields_that_it_lacks(engine: Engine) -> None:
    await engine.indices.create(INDEX.name, mappings={"dynamic": False, "properties": {"kind": {"type": "keyword"}}})
    await StateStore.open(engine)
    found = await engine.indices.mapping(INDEX.name)
    assert found["properties"] == INDEX.properties


async def test_an_index_that_was_made_by_a_stray_write_is_refused(engine: Engine) -> None:
    await engine.control.put(INDEX.name, "stray", {"kind": "count"})
    with pytest.raises(EngineRefused, match="has kind as text, where keyword is needed"):
        await StateStore.open(engine)


class Forgetful(Stub):
    """Loses the answer to the first write, refuses its repetition as it should, and holds what it was sent first."""

    def __init__(self, *, replaced: bool = False) -> None:
        super().__init__(greeting())
        self._replaced = replaced
        self._writes = 0

    def reply_to(self, request: Received) -> Reply:
        if request.target == "/":
            return greeting()
        if request.method != "GET":
            self._writes += 1
            return half() if self._writes == 1 else CONFLICT
        source = next(one for one in self.requests if one.method in {"PUT", "POST"}).json
        if self._replaced:
            source = {**source, "written_by": "somebody else"}
        common = {"_index": INDEX.name, "_id": KEY, "_version": 2, "_seq_no": 6, "_primary_term": 1}
        return answer(200, {**common, "found": True, "_source": source})


@asynccontextmanager
async def forgetful(*, replaced: bool = False) -> AsyncIterator[tuple[StateStore, Stub]]:
    async with Forgetful(replaced=replaced) as stub:
        async with open_engine(EngineSettings(host=stub.url, attempts=3), Impatient()) as engine:
            yield StateStore(engine.control), stub


OLD = Versioned(Count(connector="c"), Revision(4, 1), {"record": {"connector": "c", "added": 1}})


async def test_a_create_whose_answer_was_lost_is_recognised_as_ones_own() -> None:
    async with forgetful() as (store, stub):
        written = await store.create(KEY, Count(connector="c", of=("a",)))
        assert (written.value.of, written.revision) == (("a",), Revision(6, 1))
        assert [one.method for one in stub.requests] == ["GET", "PUT", "PUT", "GET"]


async def test_a_replacement_whose_answer_was_lost_is_recognised_as_ones_own() -> None:
    async with forgetful() as (store, _):
        written = await store.replace(KEY, OLD, Count(connector="c", of=("a",)))
        assert (written.value.of, written.revision) == (("a",), Revision(6, 1))
        assert written.stored["record"] == {"added": 1, "connector": "c", "of": ["a"]}


async def test_a_write_that_somebody_wrote_over_is_a_conflict_that_says_so() -> None:
    async with forgetful(replaced=True) as (store, _):
        with pytest.raises(Conflict) as caught:
            await store.create(KEY, Count(connector="c"))
        assert caught.value.maybe_applied
        with pytest.raises(Conflict) as caught:
            await store.replace(KEY, OLD, Count(connector="c"))


async def test_a_conflict_at_the_first_attempt_is_not_looked_at_again() -> None:
    async with Stub(greeting(), CONFLICT) as stub:
        async with open_engine(EngineSettings(host=stub.url), Impatient()) as engine:
            with pytest.raises(Conflict) as caught:
                await StateStore(engine.control).create(KEY, Count(connector="c"))
    assert (caught.value.maybe_applied, len(stub.requests)) == (False, 2)


async def test_a_removal_whose_answer_was_lost_has_succeeded_when_the_record_is_gone() -> None:
    gone = answer(404, {"_index": INDEX.name, "_id": KEY, "found": False})
    async with Stub(greeting(), half(), CONFLICT, gone) as stub:
        async with open_engine(EngineSettings(host=stub.url), Impatient()) as engine:
            await StateStore(engine.control).remove(KEY, OLD)
    assert [one.method for one in stub.requests] == ["GET", "DELETE", "DELETE", "GET"]


REJECTED = refusal(429, "es_rejected_execution_exception")


def holding(nonce: str) -> Reply:
    source = {"kind": "count", "format": 1, "written_by": nonce, "record": {"connector": "c"}}
    common = {"_index": INDEX.name, "_id": KEY, "_version": 2, "_seq_no": 6, "_primary_term": 1}
    return answer(200, {**common, "found": True, "_source": source})


@pytest.mark.parametrize(
    "script",
    [
        [holding("a"), half(), CONFLICT, REJECTED, REJECTED],
        [holding("a"), half(), CONFLICT, holding("b"), REJECTED, REJECTED],
        [holding("a"), half(), CONFLICT, holding("b"), holding("b"), REJECTED, REJECTED],
    ],
    ids=["at the look", "at the next read", "at the next write"],
)
async def test_a_change_that_fails_after_a_lost_answer_says_that_it_may_be_applied(script: list[Reply]) -> None:
    async with Stub(greeting(), *script) as stub:
        async with open_engine(EngineSettings(host=stub.url, attempts=2), Impatient()) as engine:
            with pytest.raises(EngineOverloaded) as caught:
                await StateStore(engine.control).change(KEY, Count, lambda before: Count(connector="c", of=("a",)))
    assert (caught.value.maybe_applied, stub.script) == (True, [])


@dataclass
class Told:
    """What the changers were told of each of their changes, by its name."""

    applied: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    not_applied: set[str] = field(default_factory=set)


async def changing(engine: Engine, worker: str, told: Told) -> None:
    store = StateStore(engine.control)
    for number in range(6):
        name = f"{worker}-{number}"

        def added(before: Count | None, name: str = name) -> Count:
            known = before.of if before is not None else ()
            return Count(connector="c", of=known if name in known else (*known, name))

        try:
            await store.change(KEY, Count, added)
        except EngineError as error:
            (told.unknown if error.maybe_applied else told.not_applied).add(name)
        else:
            told.applied.add(name)


@pytest.mark.parametrize("seed", range(4))
async def test_a_change_that_was_told_to_be_applied_is_so_over_any_connection(seed: int) -> None:
    told = Told()
    async with FaultyEngine(seed, fault_rate=0.1 + 0.15 * seed) as faulty, asyncio.timeout(60):
        settings = EngineSettings(host=faulty.url, attempts=4, control_timeout_s=0.1)
        async with open_engine(settings, Impatient()) as engine, asyncio.TaskGroup() as tasks:
            for worker in range(4):
                tasks.create_task(changing(engine, f"w{worker}", told), name=f"changer {worker}")
        await faulty.settle()
        log = next(iter(faulty.documents.values()))[1]["record"]["of"] if faulty.documents else []
    assert len(log) == len(set(log)), seed
    assert told.applied - set(log) == set(), seed
    assert told.not_applied & set(log) == set(), seed
    assert set(log) - told.applied - told.unknown == set(), seed
