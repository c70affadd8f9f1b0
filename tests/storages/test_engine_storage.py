"""The storage of sources in the embedded engine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.aio.retry import Retry, RetryPolicy
from connectors.engine import Engine, open_engine
from connectors.errors import Conflict, StorageError, StorageRefused, StorageUnreachable
from connectors.settings import EngineSettings, StorageSettings
from connectors.storage import Backend, Kept, Storage
from connectors.storages.engine import EngineBackend, StoredValue
from connectors.storages.opening import open_backend
from connectors.store.state import INDEX, StateStore
from tests.contracts.storage_contract import StorageContract
from tests.engine.conftest import Impatient
from tests.engine.stub import Reply, Stub, greeting, refusal
from tests.torture.faulty_engine import FaultyEngine


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as opened:
        yield opened


@pytest.fixture
async def backend(engine: Engine) -> AsyncIterator[Backend]:
    async with open_backend(StorageSettings(), engine) as opened:
        yield opened


class TestEmbeddedStorage(StorageContract):
    pass


@pytest.mark.parametrize("seed", range(8))
async def test_a_request_that_arrives_after_later_ones_changes_nothing(seed: int) -> None:
    async with FaultyEngine(seed, fault_rate=0.3) as faulty, asyncio.timeout(60):
        settings = EngineSettings(host=faulty.url, attempts=4, control_timeout_s=0.1)
        async with open_engine(settings, Impatient()) as engine:
            storage = Storage(EngineBackend(StateStore(engine.control)), "c", Impatient(), Retry(RetryPolicy(1_000)))
            for number in range(20):
                await storage.set("k", number)
            await faulty.settle()
            assert await storage.get("k") == 19, seed


async def test_a_value_that_a_newer_version_wrote_is_left_alone(engine: Engine, backend: Backend) -> None:
    place = StoredValue.key_for("c", "k")
    await Storage(backend, "c").set("k", "the token")
    stored = await engine.control.get(INDEX.name, place)
    assert stored is not None
    newer = {**stored.source, "format": 2}
    await engine.control.put(INDEX.name, place, newer)
    for call in (Storage(backend, "c").get("k"), Storage(backend, "c").set("k", 1), Storage(backend, "c").delete("k")):
        with pytest.raises(StorageRefused, match="has format 2, and this version knows value up to 1"):
            await call
    found = await engine.control.get(INDEX.name, place)
    assert found is not None
    assert found.source == newer


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (refusal(429, "es_rejected_execution_exception"), StorageUnreachable, "is in the engine. Could not"),
        (refusal(403, "security_exception"), StorageRefused, "Give these credentials the privilege"),
        (refusal(404, "index_not_found_exception"), StorageRefused, "is in the engine. Could not"),
    ],
    ids=["overloaded", "denied", "no index"],
)
async def test_what_is_wrong_with_the_engine_is_told_as_an_error_of_the_storage(
    reply: Reply, error: type[StorageError], words: str
) -> None:
    async with Stub(greeting(), *[reply] * 5) as stub:
        async with open_engine(EngineSettings(host=stub.url, attempts=1), Impatient()) as engine:
            backend = EngineBackend(StateStore(engine.control))
            kept = Kept(b'"the token"')
            for call in (backend.read("c", "k"), backend.write("c", "k", kept), backend.remove("c", "k")):
                with pytest.raises(error, match=words) as caught:
                    await call
                assert "the token" not in str(caught.value)


async def test_a_removal_that_others_overtake_for_ever_ends(engine: Engine) -> None:
    class Overtaken(StateStore):
        async def remove(self, key: str, old: Any) -> None:
            raise Conflict("Somebody was first.")

    backend = EngineBackend(await Overtaken.open(engine))
    await backend.write("c", "k", Kept(b"1"))
    with pytest.raises(StorageUnreachable, match="Others write the value under 'k' all the time"):
        await backend.remove("c", "k")
    kept = await backend.read("c", "k")
    assert kept == Kept(b"1")


def test_a_record_does_not_print_its_value() -> None:
    assert repr(StoredValue(connector="c", key="k", value="the token")) == "StoredValue('c', 'k')"
