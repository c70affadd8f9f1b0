"""Redis of other kinds than the one that is installed: older ones, ones with modules, and those in trouble."""

import asyncio
from typing import Any

import pytest

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
    Throttled,
)
from connectors.fields import Configuration
from connectors.sources.redis import RedisDataSource
from tests.sources.redis_servers import ruled
from tests.sources.redis_stub import Fault, Simple, info, stub

ONE_KEY: dict[str, Any] = {
    "INFO": info(),
    "SELECT": Simple("OK"),
    "SCAN": [b"0", [b"k"]],
    "TYPE": Simple("string"),
    "MEMORY": 50,
    "PEXPIRETIME": -1,
    "GET": b"v",
}


def source(port: int, **given: object) -> RedisDataSource:
    values = {"host": "127.0.0.1", "port": port, "retry_count": 0, **given}
    return RedisDataSource(Configuration(RedisDataSource.fields, values))


async def documents(port: int, *rules: dict[str, object]) -> list[dict[str, Any]]:
    async with source(port) as one:
        return [found async for found in one.get_docs(ruled(*rules) if rules else None) if isinstance(found, dict)]


async def test_json_of_the_module_is_a_text() -> None:
    text = '{"a":{"b":[1,null,"ü"]}}'
    answers = {**ONE_KEY, "TYPE": Simple("ReJSON-RL"), "JSON.GET": text}
    async with stub(answers) as (port, got):
        found = await documents(port, {"database": 0, "type": "json"})
        assert found == [{"_id": "0/k", "key": "k", "database": 0, "key_type": "json", "json": text}]
        assert [b"SCAN", b"0", b"COUNT", b"1000", b"TYPE", b"ReJSON-RL"] in got
    async with stub({**answers, "JSON.GET": None}) as (port, _):
        assert await documents(port) == []


async def test_a_type_that_only_a_module_knows_is_a_document_without_a_value() -> None:
    async with stub({**ONE_KEY, "TYPE": Simple("TSDB-TYPE")}) as (port, got):
        [found] = await documents(port)
        assert found == {"_id": "0/k", "key": "k", "database": 0, "key_type": "TSDB-TYPE", "omitted": "type"}
        assert len(got) == 6  # and nothing is asked after


@pytest.mark.parametrize(("version", "expiry", "type_"), [("5.0.14", 0, 0), ("6.2.0", 0, 1), ("7.0.0", 1, 1)])
async def test_an_older_server_is_not_asked_what_it_does_not_know(version: str, expiry: int, type_: int) -> None:
    async with stub({**ONE_KEY, "INFO": info(version), "PEXPIRETIME": 4_000_000_000_000}) as (port, got):
        [found] = await documents(port, {"database": 0, "type": "string"})
        assert ("expires_at" in found) == bool(expiry)
        assert sum(one[0] == b"PEXPIRETIME" for one in got) == expiry
        assert sum(one[0] == b"SCAN" and b"TYPE" in one for one in got) == type_


async def test_what_an_older_server_can_t_tell_means_changed() -> None:
    async with stub(ONE_KEY) as (port, _), source(port) as one:
        assert await one.changed(None) == (True, None)
        assert await one.changed({}) == (True, None)


TROUBLE: list[tuple[str, type[ConnectorsError], str]] = [
    ("LOADING Redis is loading the dataset in memory", Throttled, "can't be read now: .*loading"),
    (
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        Throttled,
        "can't be read now",
    ),
    ("BUSY Redis is busy running a script.", Throttled, "can't be read now: .*running a script"),
    ("OOM command not allowed when used memory > 'maxmemory'.", Throttled, "can't be read now: "),
    ("ERR max number of clients reached", Throttled, "can't be read now: max number of clients"),
    ("NOAUTH Authentication required.", AccessDenied, "refuses us"),
    ("WRONGPASS invalid username-password pair or user is disabled.", AccessDenied, "refuses us"),
    ("NOPERM this user has no permissions to run the 'scan' command", AccessDenied, "does not allow this"),
    ("DENIED Redis is running in protected mode because protected mode is enabled", AccessDenied, "refuses us"),
    ("MOVED 3999 127.0.0.1:6381", ConfigurationError, "Redis Cluster"),
    ("CLUSTERDOWN Hash slot not served", ConfigurationError, "Redis Cluster"),
    ("ERR DB index is out of range", ConfigurationError, "has no database"),
    ("ERR something else", SourceError, r"says: .*something else"),
]


@pytest.mark.parametrize(("words", "error", "message"), TROUBLE)
@pytest.mark.parametrize("where", ["INFO", "SCAN", "TYPE", "GET"])
async def test_what_a_server_says_of_its_trouble(
    words: str, error: type[ConnectorsError], message: str, where: str
) -> None:
    async with stub({**ONE_KEY, where: Fault(words)}) as (port, _):
        with pytest.raises(error, match=message) as caught:
            await documents(port)
    assert str(port) in str(caught.value)
    assert type(caught.value) is error


async def test_a_server_without_memory_usage_says_so() -> None:
    async with stub({name: one for name, one in ONE_KEY.items() if name != "MEMORY"}) as (port, _):
        with pytest.raises(SourceError, match="unknown command"):
            await documents(port)


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"$-7\r\n", b"*1\r\n$3\r\nab"])
async def test_what_is_no_redis_can_t_be_reached(words: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(words)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, source(server.sockets[0].getsockname()[1]) as one:
        with pytest.raises(SourceUnreachable, match="can't be reached"):
            await one.ping()


async def test_a_host_that_has_no_address_can_t_be_reached() -> None:
    async with source(6379, host="nowhere.invalid") as one:
        with pytest.raises(SourceUnreachable, match=r"nowhere\.invalid:6379 can't be reached"):
            await one.ping()
