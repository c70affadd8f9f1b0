"""MongoDB as what live syncs read: how soon a search finds a change of it, and what streams take that tell nothing."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.daemon import changes, live
from benchmarks.daemon.changes import Found
from benchmarks.daemon.live import STREAMS, Quiet
from fixtures.mongodb.server import MongoDB

if TYPE_CHECKING:
    from pymongo import MongoClient

DATABASE = "live"
COLLECTION = "docs"
DOCUMENTS = 100


class Patient(MongoDB):
    """A server whose streams wait as long as they may. Each keeps a thread, and so what else is on that waits, too."""

    properties: ClassVar[Mapping[str, object]] = {
        "io.netty.eventLoopThreads": 10 * STREAMS,
        "longestWaitMs": 30_000,
    }


class MongoDBOrigin:
    """A collection; a document is there when the server has acknowledged it."""

    service_type = "mongodb"

    def __init__(self, server: MongoDB, client: "MongoClient[dict[str, Any]]") -> None:
        self._server = server
        self._collection = client[DATABASE][COLLECTION]

    @property
    def configuration(self) -> dict[str, Any]:
        """The settings of its connector."""
        settings = {"host": self._server.url, "database": DATABASE, "collection": COLLECTION}
        return {name: {"value": value, "sensitive": False} for name, value in settings.items()}

    def change(self, doc_id: str, number: int) -> None:
        """Write a document."""
        self._collection.replace_one({"_id": doc_id}, {"number": number}, upsert=True)

    def id_of(self, doc_id: str) -> str:
        """Return the id that a document has in the index."""
        return f"{DATABASE}/{COLLECTION}/{doc_id}"


async def run_changes() -> list[Found]:
    """Measure how soon a search finds what is written to a collection."""
    async with MongoDB() as server:
        with server.connect() as client:
            client.drop_database(DATABASE)
            return await changes.run(lambda _: MongoDBOrigin(server, client))


async def run_live() -> list[Quiet]:
    """Measure connectors that all read one collection, to which nobody writes, without and with live syncs."""
    async with Patient() as server:
        with server.connect() as client:
            client.drop_database(DATABASE)
            origin = MongoDBOrigin(server, client)
            for number in range(DOCUMENTS):
                origin.change(f"d{number}", number)
            return [
                await live.measured_with(streams, origin.service_type, configuration=origin.configuration)
                for streams in (0, STREAMS)
            ]
