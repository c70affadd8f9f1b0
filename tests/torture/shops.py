"""Shops of other sources: what a shop of SQLite can, by collections of MongoDB and by keys of Redis."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

from redis import Redis

from fixtures.mongodb.server import MongoDB
from fixtures.redis.server import Server
from tests.torture.oracle import Content, expected
from tests.torture.shop import Shop

_NAME: Final = "torture_"
_NUMBERS: Final = count(1)
_COLLECTIONS: Final = ("items", "people")


class AnyShop(Protocol):
    """What a round needs of a source."""

    service_type: str

    @property
    def configuration(self) -> dict[str, object]:
        """The settings of a connector that reads it."""

    def stock(self, count: int) -> None:
        """Insert so many."""

    def change(self, *, inserts: int = 0, updates: int = 0, deletes: int = 0, renames: int = 0) -> None:
        """Change so many; what is renamed has another key, and so another id."""

    def contents(self) -> dict[str, Content]:
        """Return what an index should hold of it now."""


Opened = Callable[[Path, int], AnyShop]


class _Changing:
    """What is the same for all: what is changed, drawn by a seed, with a value each time that was never there."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"shop {seed}")
        self._made = 0

    def stock(self, count: int) -> None:
        """Insert so many."""
        for _ in range(count):
            self._put(self._key())

    def change(self, *, inserts: int = 0, updates: int = 0, deletes: int = 0, renames: int = 0) -> None:
        """Change so many; what is renamed has another key."""
        for work, times in ((self._put, updates), (self._delete, deletes), (self._rename, renames)):
            for _ in range(times):
                if there := self._keys():
                    work(self._random.choice(there))
        self.stock(inserts)

    def _number(self) -> int:
        self._made += 1
        return self._random.randrange(2**40)

    def _key(self) -> Any:
        raise NotImplementedError

    def _keys(self) -> list[Any]:
        raise NotImplementedError

    def _put(self, key: Any) -> None:
        raise NotImplementedError

    def _delete(self, key: Any) -> None:
        raise NotImplementedError

    def _rename(self, key: Any) -> None:
        raise NotImplementedError


class MongoShop(_Changing):
    """A database of two collections, with keys that are numbers and texts."""

    service_type = "mongodb"

    def __init__(self, server: MongoDB, client: Any, seed: int) -> None:
        super().__init__(seed)
        self._server = server
        self._name = f"{_NAME}{next(_NUMBERS)}"
        client.drop_database(self._name)
        self._database = client[self._name]

    @property
    def configuration(self) -> dict[str, object]:
        """The settings of a connector that reads it, in pages as small as the shop is."""
        return {"host": self._server.url, "database": self._name, "fetch_size": 40, "retry_count": 10}

    def contents(self) -> dict[str, Content]:
        """Return what an index should hold of it now."""
        return expected(
            {
                "_id": doc_id,
                "id": doc_id,
                "_id_": key,
                "database": self._name,
                "collection": collection,
                "dataset": f"{self._name}.{collection}",
                "name": one["name"],
                "value": one["value"],
            }
            for collection in _COLLECTIONS
            for one in self._database[collection].find()
            for key in (one["_id"],)
            for doc_id in (f"{self._name}/{collection}/{key}",)
        )

    def _key(self) -> tuple[str, int | str]:
        number = self._number()
        return _COLLECTIONS[number % 5 == 0], f"k{number}" if number % 3 == 0 else number

    def _keys(self) -> list[tuple[str, int | str]]:
        several = [(name, one["_id"]) for name in _COLLECTIONS for one in self._database[name].find({}, {"_id": 1})]
        return sorted(several, key=str)

    def _put(self, key: tuple[str, int | str]) -> None:
        self._made += 1
        one = {"_id": key[1], "name": f"name {self._made} ü", "value": self._random.random()}
        self._database[key[0]].replace_one({"_id": key[1]}, one, upsert=True)

    def _delete(self, key: tuple[str, int | str]) -> None:
        self._database[key[0]].delete_one({"_id": key[1]})

    def _rename(self, key: tuple[str, int | str]) -> None:
        self._delete(key)
        self._put(self._key())


class RedisShop(_Changing):
    """The keys of a server, which are texts and hashes."""

    service_type = "redis"

    def __init__(self, server: Server, client: Any, seed: int) -> None:
        super().__init__(seed)
        self._server = server
        self._client = client
        client.flushall()

    @property
    def configuration(self) -> dict[str, object]:
        """The settings of a connector that reads it, in pages as small as the shop is."""
        return {"host": "127.0.0.1", "port": self._server.port, "batch_size": 40, "retry_count": 10}

    def contents(self) -> dict[str, Content]:
        """Return what an index should hold of it now."""
        return expected(map(self._document, self._keys()))

    def _document(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = {"_id": f'0/"{key}"', "id": f'0/"{key}"', "key": key, "database": 0}
        if key.startswith("text"):
            return {**found, "key_type": "string", "value": self._client.get(key)}
        fields = [{"field": field, "value": value} for field, value in sorted(self._client.hgetall(key).items())]
        return {**found, "key_type": "hash", "fields": fields}

    def _key(self) -> str:
        number = self._number()
        return f"{'text' if number % 3 else 'hash'}:{number}"

    def _keys(self) -> list[str]:
        return sorted(self._client.keys())

    def _put(self, key: str) -> None:
        self._made += 1
        if key.startswith("text"):
            self._client.set(key, f"value {self._made} ü")
        else:
            self._client.hset(key, mapping={"name": f"name {self._made}", f"own {self._made}": "1"})

    def _delete(self, key: str) -> None:
        self._client.delete(key)

    def _rename(self, key: str) -> None:
        self._client.rename(key, f"{key[:4]}:{self._number()}")


def of_sqlite(folder: Path, seed: int) -> AnyShop:
    """Return a shop of SQLite in a folder."""
    return Shop(folder / "shop.db", seed)


@contextmanager
def of_mongodb(server: MongoDB) -> Iterator[Opened]:
    """Provide what makes shops on a server, each in a database of its own."""
    with server.connect() as client:
        yield lambda folder, seed: MongoShop(server, client, seed)
        for name in client.list_database_names():
            if name.startswith(_NAME):
                client.drop_database(name)


@contextmanager
def of_redis(server: Server) -> Iterator[Opened]:
    """Provide what makes shops on a server, one after the other."""
    with ExitStack() as stack:
        client = stack.enter_context(Redis(port=server.port, decode_responses=True))
        yield lambda folder, seed: RedisShop(server, client, seed)
