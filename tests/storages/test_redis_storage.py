"""The storage of sources in a real Redis server: the contract, and what becomes of calls when it is away."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from connectors.aio.retry import NEVER, Retry, RetryPolicy
from connectors.engine import open_engine
from connectors.errors import ConfigurationError, StorageRefused, StorageUnreachable
from connectors.secret import Secret
from connectors.settings import EngineSettings, StorageSettings
from connectors.storage import Backend, Kept, Storage
from connectors.storages.opening import open_backend
from connectors.storages.redis import REMOVE_THIS, open_redis
from fixtures.redis.server import MISSING, Server, is_installed, server
from tests.contracts.storage_contract import StorageContract

pytestmark = pytest.mark.skipif(not is_installed(), reason=MISSING)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server() as one:
        yield one


@pytest.fixture
async def backend(running: Server) -> AsyncIterator[Backend]:
    async with open_redis(running.url, None, None) as opened:
        for connector in await opened.connectors():
            await opened.forget(connector)
        yield opened


class TestRedisStorage(StorageContract):
    pass


KEPT = Kept(b'"the token"')


async def raw(client: Redis, *words: object) -> object:
    answer: object = await client.execute_command(*words)  # type: ignore[no-untyped-call]
    return answer


def no_repeat(backend: Backend) -> Storage:
    return Storage(backend, "c", retry=Retry(NEVER))


async def test_a_call_waits_for_a_server_that_is_started_again() -> None:
    with server() as one:
        async with open_redis(one.url, None, None) as backend:
            storage = Storage(backend, "c", retry=Retry(RetryPolicy(attempts=1_000, longest_pause_s=0.2)))
            await storage.set("k", 1)
            one.stop()
            setting = asyncio.create_task(storage.set("k", 2))
            with pytest.raises(StorageUnreachable, match=r"Redis at redis://127.0.0.1:\d+/0, can't be used now"):
                await no_repeat(backend).get("k")
            await asyncio.to_thread(one.start)
            await setting
            assert await storage.get("k") == 2


async def test_a_server_that_says_nothing_is_waited_for_within_a_limit(running: Server) -> None:
    async with open_redis(running.url, None, None, timeout_s=0.2) as backend:
        await no_repeat(backend).set("k", 1)
        with running.held_up(), pytest.raises(StorageUnreachable, match="can't be used now: TimeoutError"):
            await no_repeat(backend).get("k")
        assert await Storage(backend, "c").get("k") == 1


async def test_a_call_is_one_attempt_as_the_repetitions_are_ours() -> None:
    connections = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, open_redis(f"redis://127.0.0.1:{port}/0", None, None) as backend:
        with pytest.raises(StorageUnreachable, match="ConnectionError"):
            await backend.read("c", "k")
    assert connections == 1


@pytest.mark.parametrize("password", [None, Secret("wrong password")])
async def test_a_password_that_is_wrong_or_missing_is_refused_at_once_and_not_told(password: Secret | None) -> None:
    with server("--requirepass", "right password") as one:
        async with open_redis(one.url, None, password) as backend:
            with pytest.raises(StorageRefused, match=r"refuses us.*storage\.password") as caught:
                await Storage(backend, "c").get("k")
        assert [one for one in ("wrong password", "right password") if one in str(caught.value)] == []
        async with open_redis(one.url, None, Secret("right password")) as backend:
            assert await no_repeat(backend).get("k") is None
            assert "right password" not in repr(backend)


async def test_a_user_who_may_do_what_is_needed_is_let_in_and_no_more_is_needed() -> None:
    may = "~connectors:storage:* -@all +hget +hset +hdel +hlen +hscan +scan +unlink +multi +exec +eval"
    users = f"--user connectors on >pw {may} --user narrow on >pw ~* -@all +hget"
    with server(*users.split()) as one:
        async with open_redis(one.url, "connectors", Secret("pw")) as backend:
            await backend.write("c", "k", Kept(b"1", datetime(2020, 1, 1, tzinfo=UTC)))
            await backend.write("c", "stays", KEPT)
            assert await backend.remove_expired(datetime.now(UTC), most=10) == 1
            assert await backend.connectors() == {"c"}
            await backend.remove("c", "other")
            assert await backend.read("c", "stays") == KEPT
            assert await backend.forget("c") == 1
        async with open_redis(one.url, "narrow", Secret("pw")) as backend:
            with pytest.raises(StorageRefused, match="refuses us: NoPermissionError") as caught:
                await backend.write("c", "k", KEPT)
            assert "the token" not in str(caught.value)


async def test_a_server_that_is_full_is_one_that_may_pass(running: Server) -> None:
    with server("--maxmemory", "100kb", "--maxmemory-policy", "noeviction") as one:
        async with open_redis(one.url, None, None) as backend:
            with pytest.raises(StorageUnreachable, match="OutOfMemoryError"):
                await backend.write("c", "k", KEPT)


async def test_a_server_whose_replicas_are_away_is_one_that_may_pass() -> None:
    with server("--min-replicas-to-write", "1") as one:
        async with open_redis(one.url, None, None) as backend:
            with pytest.raises(StorageUnreachable, match="can't be used now: NOREPLICAS"):
                await backend.write("c", "k", KEPT)


async def test_what_is_something_else_under_our_name_is_refused_without_a_word_of_the_value(running: Server) -> None:
    async with open_redis(running.url, None, None) as backend, Redis.from_url(running.url) as client:
        await client.set("connectors:storage:c", "a text")
        with pytest.raises(StorageRefused, match="does not do what is needed: ResponseError") as caught:
            await backend.write("c", "k", KEPT)
        assert "the token" not in str(caught.value)
        await client.delete("connectors:storage:c")
        await backend.write("c", "k", KEPT)
        await raw(client, "HSET", "connectors:storage:c", "k", "somebody else's")
        with pytest.raises(StorageRefused, match="holds under 'k' was not written by this program"):
            await backend.read("c", "k")
        await client.delete("connectors:storage:c")


async def test_a_value_that_was_set_anew_meanwhile_does_not_expire(running: Server) -> None:
    async with open_redis(running.url, None, None) as backend, Redis.from_url(running.url) as client:
        await backend.write("c", "k", Kept(b"1", datetime(2020, 1, 1, tzinfo=UTC)))
        old = await raw(client, "HGET", "connectors:storage:c", "k")
        await backend.write("c", "k", KEPT)
        assert await raw(client, "EVAL", REMOVE_THIS, 1, "connectors:storage:c", "k", old) == 0
        assert await backend.read("c", "k") == KEPT
        await backend.forget("c")


async def test_without_the_package_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "connectors.storages.redis")
    settings = StorageSettings(backend="redis", url="redis://127.0.0.1:1/0")
    async with open_engine(EngineSettings(data=tmp_path / "data")) as engine:
        with pytest.raises(ConfigurationError, match=r"the module redis can't be found.*pip install .*redis"):
            async with open_backend(settings, engine):
                pass
