"""The storage of sources in memory: for tests, and for sources that no connector has made."""

from dataclasses import dataclass
from typing import Any

import pytest

from connectors.errors import StorageError, StorageRefused, StorageUnreachable
from connectors.fields import Configuration, Fields
from connectors.grants import Grants
from connectors.source import BaseDataSource
from connectors.source_class import made
from connectors.storage import Backend, Kept, MemoryBackend, Storage
from tests.contracts.storage_contract import StorageContract, Watch


@pytest.fixture
def backend() -> Backend:
    return MemoryBackend()


class TestMemoryStorage(StorageContract):
    pass


class Plain(BaseDataSource):
    pass


class Handing(BaseDataSource):
    def __init__(self, configuration: Any) -> None:
        self.client = ("a client that keeps its token in", self.storage)  # without the base class's own constructor


class Duck:
    def __init__(self, configuration: Any) -> None:
        self.found = self.storage

    storage: Storage


class Slots:
    __slots__ = ("configuration",)

    def __init__(self, configuration: Any) -> None:
        self.configuration = configuration


class Own:
    storage = "a bucket"

    def __init__(self, configuration: Any) -> None:
        pass


class OwnOnly(BaseDataSource):
    storage = "a bucket"  # type: ignore[assignment]


class Later:
    def __init__(self, configuration: Any) -> None:
        self.storage = "a bucket"


NOTHING = Configuration(Fields(), {}, Grants())


@pytest.mark.parametrize("source", [Plain, Handing, Duck])
def test_a_source_has_its_storage_when_its_constructor_runs(source: type[Any]) -> None:
    given = Storage.in_memory()
    one = made(source, NOTHING, given)
    assert one.storage is given
    assert one.found is given if source is Duck else True
    assert one.client[1] is given if source is Handing else True


@pytest.mark.parametrize("source", [Own, OwnOnly, Later])
def test_a_source_with_a_storage_of_its_own_keeps_that(source: type[Any]) -> None:
    assert made(source, NOTHING, Storage.in_memory()).storage == "a bucket"


def test_a_source_without_room_for_one_has_none() -> None:
    assert not hasattr(made(Slots, NOTHING, Storage.in_memory()), "storage")


async def test_a_source_that_somebody_makes_has_one_in_memory_of_its_own() -> None:
    one, other = Plain(NOTHING), Plain(NOTHING)
    await one.storage.set("k", 1)
    assert (await one.storage.get("k"), await other.storage.get("k")) == (1, None)


@dataclass
class Failing(MemoryBackend):
    """Fails so often before it works."""

    left: int
    error: type[StorageError] = StorageUnreachable

    def __post_init__(self) -> None:
        super().__init__()

    async def write(self, connector: str, key: str, kept: Kept) -> None:
        self.left -= 1
        if self.left >= 0:
            raise self.error("It is away.")
        await super().write(connector, key, kept)


async def test_a_call_is_made_again_while_what_keeps_values_is_away(caplog: pytest.LogCaptureFixture) -> None:
    backend, watch = Failing(3), Watch()
    await Storage(backend, "c", watch).set("k", "the token")
    assert await Storage(backend, "c", watch).get("k") == "the token"
    assert caplog.text.count("What a source remembers can't be reached; trying again.") == 1
    assert "the token" not in caplog.text


async def test_in_the_end_the_error_is_raised() -> None:
    with pytest.raises(StorageUnreachable, match="It is away"):
        await Storage(Failing(1_000), "c", Watch()).set("k", 1)


async def test_what_is_refused_is_refused_at_once() -> None:
    backend = Failing(2, StorageRefused)
    with pytest.raises(StorageRefused):
        await Storage(backend, "c", Watch()).set("k", 1)
    assert backend.left == 1


async def test_a_damaged_value_is_told_without_what_it_holds() -> None:
    backend = MemoryBackend()
    await backend.write("c", "k", Kept(b'{"token": "hunter2'))
    with pytest.raises(StorageRefused, match="What is kept under 'k' is damaged") as caught:
        await Storage(backend, "c").get("k")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
