"""What the storage of sources promises, wherever the values are: inherited by one test class a backend."""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from connectors.errors import Permanent, StorageRefused
from connectors.secret import Secret
from connectors.storage import LARGEST_VALUE_BYTES, LONGEST_KEY_BYTES, Backend, Kept, Storage

VALUES: list[Any] = [
    *("", "text", "é😀\x00\n", 0, -1, 2**53 + 1, 2**64 - 1, 2**70, 0.1, -0.0, 1e300, True, False),
    *([], {}, [None], {"": None}, {"a.b": {"..": [1, 2.5, "x", [True]]}, " ": {"é😀": [{}]}}),
    "x" * (LARGEST_VALUE_BYTES - 2),
]
KEYS = [
    *("a", "A", "a/b", "a:b", " ", 'quo"te', "100 %", "é😀", "\x00", "*", ".", "_all", "null"),
    "k" * LONGEST_KEY_BYTES,
]
NO_VALUES = [
    *(None, math.nan, math.inf, [math.nan], (1, 2), {"a": (1,)}, {1: "a"}, {None: 1}, b"x", {"a": b"x"}),
    *(Decimal(1), datetime(2026, 1, 1, tzinfo=UTC), {1, 2}, range(1), "\ud800", Secret("the secret value"), Kept(b"1")),
]
SECRET = "correct horse battery staple"


class Watch:
    """A clock whose time a test sets."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 20, 15, 30, 123456, UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class StorageContract:
    """Its module provides the fixture `backend`. Every test keeps to connectors of its own."""

    @pytest.fixture
    def own(self) -> str:
        return f"c {uuid4().hex}/:é*"

    @pytest.fixture
    def watch(self) -> Watch:
        return Watch()

    @pytest.fixture
    def storage(self, backend: Backend, own: str, watch: Watch) -> Storage:
        return Storage(backend, own, watch)

    async def test_every_value_is_read_as_it_was_set(self, storage: Storage) -> None:
        for number, value in enumerate(VALUES):
            await storage.set(f"k{number}", value)
        found = [await storage.get(f"k{number}") for number in range(len(VALUES))]
        assert found == VALUES
        assert [type(one) for one in found] == [type(one) for one in VALUES]

    async def test_every_key_is_another_one(self, backend: Backend, storage: Storage, own: str) -> None:
        other = Storage(backend, f"{own}/a")
        for number, key in enumerate(KEYS):
            assert await storage.get(key) is None
            await storage.set(key, number)
            await other.set(key, -number)
        assert [await storage.get(key) for key in KEYS] == list(range(len(KEYS)))
        assert [await other.get(key) for key in KEYS] == [-one for one in range(len(KEYS))]

    async def test_the_last_write_wins_and_what_is_deleted_is_gone(self, backend: Backend, own: str) -> None:
        one, other = Storage(backend, own), Storage(backend, own)
        await one.set("k", 1)
        await other.set("k", 2)
        assert await one.get("k") == 2
        await one.delete("k")
        assert await other.get("k") is None
        await other.delete("k")
        await other.set("k", 3)
        assert await one.get("k") == 3

    async def test_of_many_who_set_a_value_at_once_one_is_last(self, backend: Backend, own: str) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(8):
                tasks.create_task(Storage(backend, own).set("k", [number] * 100), name=str(number))
                tasks.create_task(Storage(backend, own).set(f"k{number}", number), name=str(number))
        found = await Storage(backend, own).get("k")
        assert found in [[number] * 100 for number in range(8)]
        assert [await Storage(backend, own).get(f"k{number}") for number in range(8)] == list(range(8))

    async def test_a_value_expires_at_its_instant_by_the_clock_of_who_reads(
        self, storage: Storage, watch: Watch
    ) -> None:
        await storage.set("k", 1, expires_in_s=60)
        await storage.set("stays", 1)
        watch.moment += timedelta(seconds=60, microseconds=-1)
        assert await storage.get("k") == 1
        watch.moment += timedelta(microseconds=1)
        assert (await storage.get("k"), await storage.get("stays")) == (None, 1)

    async def test_a_value_that_is_set_anew_has_the_expiry_of_the_last_time(
        self, storage: Storage, watch: Watch
    ) -> None:
        await storage.set("longer", 1, expires_in_s=60)
        await storage.set("for ever", 1, expires_in_s=60)
        await storage.set("shorter", 1)
        await storage.set("longer", 1, expires_in_s=120)
        await storage.set("for ever", 1)
        await storage.set("shorter", 1, expires_in_s=60)
        watch.moment += timedelta(seconds=60)
        assert [await storage.get(key) for key in ("longer", "for ever", "shorter")] == [1, 1, None]
        watch.moment += timedelta(days=20_000)
        assert [await storage.get(key) for key in ("longer", "for ever", "shorter")] == [None, 1, None]

    async def test_what_has_expired_is_removed_and_nothing_else(
        self, backend: Backend, storage: Storage, own: str, watch: Watch
    ) -> None:
        await backend.remove_expired(watch.moment + timedelta(days=90_000), most=10_000)  # what other tests have left
        for number in range(5):
            await storage.set(f"expired {number}", 1, expires_in_s=60)
        await storage.set("later", 1, expires_in_s=60.000001)
        await storage.set("never", 1)
        await backend.remove_expired(watch.moment + timedelta(seconds=59), most=1_000)
        assert await self.kept(backend, own, [f"expired {number}" for number in range(5)]) == 5
        now = watch.moment + timedelta(seconds=60)
        removed = [await backend.remove_expired(now, most=3) for _ in range(3)]
        assert removed == [3, 2, 0]
        assert await self.kept(backend, own, [f"expired {number}" for number in range(5)]) == 0
        assert await self.kept(backend, own, ["later", "never"]) == 2

    async def test_all_of_a_connector_is_forgotten_and_of_no_other(
        self, backend: Backend, storage: Storage, own: str
    ) -> None:
        others = [f"{own}2", own[:-1], f"{own}/k"]
        for key in KEYS:
            await storage.set(key, 1)
        for other in others:
            await Storage(backend, other).set("k", 1)
        assert {one for one in await backend.connectors() if own[:-1] in one} == {own, *others}
        assert await backend.forget(own) == len(KEYS)
        assert await self.kept(backend, own, KEYS) == 0
        assert [await Storage(backend, other).get("k") for other in others] == [1] * len(others)
        assert await backend.forget(own) == 0
        assert own not in await backend.connectors()

    @pytest.mark.parametrize("value", NO_VALUES, ids=repr)
    async def test_what_would_be_another_value_when_it_is_read_is_refused(
        self, storage: Storage, value: object
    ) -> None:
        await storage.set("k", "before")
        with pytest.raises(StorageRefused, match=r"'k' would not be the same") as caught:
            await storage.set("k", value)
        assert isinstance(caught.value, Permanent)
        assert "the secret value" not in str(caught.value)
        assert await storage.get("k") == "before"

    @pytest.mark.parametrize(
        ("key", "words"),
        [
            ("", "empty"),
            ("\ud800", "UTF-8"),
            ("é" * 129, "258 bytes is too"),
            (b"k", "bytes"),
            (None, "None"),
        ],
    )
    async def test_what_is_no_key_is_refused_at_every_call(self, storage: Storage, key: Any, words: str) -> None:
        for call in (storage.get(key), storage.set(key, 1), storage.delete(key)):
            with pytest.raises(StorageRefused, match=words):
                await call

    async def test_a_value_that_is_too_large_is_refused_with_its_size(self, storage: Storage) -> None:
        with pytest.raises(StorageRefused, match=r"'k' has 65537 bytes as JSON; 65536 is the most"):
            await storage.set("k", "x" * (LARGEST_VALUE_BYTES - 1))

    @pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 1e12])
    async def test_an_expiry_that_is_none_is_refused(self, storage: Storage, seconds: float) -> None:
        with pytest.raises(StorageRefused, match="'k' can't expire in"):
            await storage.set("k", 1, expires_in_s=seconds)
        assert await storage.get("k") is None

    async def test_no_value_is_printed(self, backend: Backend, storage: Storage, own: str) -> None:
        await storage.set("k", {"token": SECRET})
        kept = await backend.read(own, "k")
        assert kept is not None
        assert SECRET in kept.value.decode()
        assert [one for one in (repr(storage), repr(backend), repr(kept)) if SECRET in one] == []

    async def kept(self, backend: Backend, connector: str, keys: list[str]) -> int:
        """Return how many of these keys there are, expired or not."""
        return sum([await backend.read(connector, key) is not None for key in keys])
