"""Redis: what every source promises, with keys of every type, on a real server."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConnectorsError, SourceUnreachable
from connectors.sources.redis import RedisDataSource
from connectors.testing.source_contract import Broken, SourceContract
from fixtures.redis.server import MISSING, free_port, is_installed
from tests.sources.redis_servers import Store, filled_by_hand

pytestmark = pytest.mark.skipif(not is_installed(), reason=MISSING)
Settings = Mapping[str, object]


def fill(client: Any, count: int) -> None:
    pipeline = client.pipeline(transaction=False)
    for number in range(count):
        match number % 7:
            case 0:
                pipeline.set(f"text:{number}", f"größe {number}")
            case 1:
                pipeline.set(b"bytes:\xff\x00%d" % number, b"\xfe" * number)
            case 2:
                pipeline.hset(f"hash:{number}", mapping={"b": str(number), "a": "x", b"\xff": "y"})
            case 3:
                pipeline.rpush(f"list:{number}", *map(str, range(number % 50 + 1)))
            case 4:
                pipeline.sadd(f"set:{number}", *map(str, range(number % 50 + 1)))
            case 5:
                pipeline.zadd(f"zset:{number}", {"a": number / 3, "b": float("-inf"), "c": 2})
            case 6:
                pipeline.xadd(f"stream:{number}", {"f": str(number)}, id=f"{number}-1")
    pipeline.execute()


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with filled_by_hand() as one:
        one.settle()
        yield one


class TestRedis(SourceContract):
    source = RedisDataSource
    pages = Path(__file__).parents[2] / "docs/sources"
    valid_rules = (
        [{"database": 1, "key_pattern": "text:*"}],
        [{"database": 1, "type": ["hash", "list"]}, {"database": 1, "key_pattern": ["*1", "*2"], "type": "set"}],
    )
    invalid_rules = (
        [{"database": 1}],
        [{"key_pattern": "a"}],
        [{"database": -1, "type": "hash"}],
        [{"database": 99, "type": "hash"}],
        [{"database": 2, "type": "hash"}],
        [{"database": 1, "type": "map"}],
        [{"database": 1, "type": []}],
        [{"database": 1, "key_pattern": ""}],
        [{"database": 1, "type": "hash", "colour": "red"}],
        "a*",
    )

    @pytest.fixture
    def settings(self, store: Store) -> Settings:
        client = store.database(1)
        client.flushdb()
        fill(client, 70)
        return {**store.settings, "password": "", "database": ["1"], "batch_size": 9}

    @pytest.fixture
    def many(self, store: Store) -> Settings:
        client = store.database(2)
        client.flushdb()
        fill(client, 10_000)
        return {**store.settings, "database": ["2"]}

    @pytest.fixture
    def unreachable(self) -> tuple[Settings, type[ConnectorsError]]:
        return {"host": "127.0.0.1", "port": free_port()}, SourceUnreachable

    @pytest.fixture
    def broken(self) -> Iterator[Broken]:
        with filled_by_hand() as one:
            fill(one.client, 5_000)
            yield Broken({**one.settings, "retry_count": 1}, after_first=one.server.stop, error=SourceUnreachable)

    @pytest.fixture
    def removal(self, store: Store) -> Callable[[], object]:
        return lambda: store.database(1).delete("text:0")

    @pytest.fixture
    def change(self, store: Store) -> Callable[[], object]:
        return lambda: store.database(1).set("text:0", "changed")
