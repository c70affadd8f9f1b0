"""The change stream as a question: has anything changed since a moment? Nothing of it stays open."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from bson import json_util
from bson.errors import BSONError
from bson.timestamp import Timestamp
from pymongo.errors import PyMongoError

from connectors import logger
from connectors.sources._mongodb.catalog import Collection, uuids_of
from connectors.sources._mongodb.connection import Client, Connection

log = logger.get(__name__)
ANSWERED_WITHIN_S: Final = 30.0
"""A server without writes notes the time each ten seconds, and a stream comes that far only then."""
AWAITED_MS: Final = 40
"""How long a server waits for events before it says how far it has come."""
_TIMED: Final = "82"
"""What tokens begin with, in front of a time, whatever else is in them."""
_VOLATILE: Final = frozenset(
    {"$sample", "$rand", "$sampleRate", "$currentOp", "$collStats", "$indexStats", "$planCacheStats", "$listSessions"}
)
_OF_THE_MOMENT: Final = ("$$NOW", "$$CLUSTER_TIME", "$$USER_ROLES")
Token = Mapping[str, Any]


@dataclass(frozen=True)
class Scope:
    """Whose changes count: those of these collections, or of whatever is in their databases."""

    collections: tuple[Collection, ...]
    whole_databases: bool

    @property
    def databases(self) -> list[str]:
        """The names of the databases."""
        return sorted({one.database for one in self.collections})

    @property
    def digest(self) -> str:
        """What is another one when a collection came, went, or was made anew, or a view is another."""
        parts = [(one.namespace, one.kind, one.uuid, dict(one.options)) for one in self.collections]
        return blake2b(json_util.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()

    def token(self, after: Mapping[str, Any]) -> dict[str, Any]:
        """Return the token of a place, of which a cursor can be made too."""
        return {"after": after, "catalog": self.digest, "collections": uuids_of(self.collections)}

    def pipeline(self) -> list[dict[str, Any]]:
        """Return what lets events through that count, and of each of them only that it was there."""
        whole = {"ns.db": {"$in": self.databases}}
        where: dict[str, Any] = {"$or": [whole, {"to.db": {"$in": self.databases}}]}
        if not self.whole_databases:
            single = [
                {
                    f"{side}.db": name,
                    f"{side}.coll": {"$in": [one.name for one in self.collections if one.database == name]},
                }
                for name in self.databases
                for side in ("ns", "to")
            ]
            where = {"$or": [*single, {"operationType": {"$in": ["dropDatabase", "invalidate"]}, **whole}]}
        return [{"$match": where}, {"$project": {"_id": 1, "operationType": 1}}]

    async def opened(self, client: Client, **more: Any) -> Any:  # noqa: ANN401 - a change stream
        """Return a stream of what is as small as the rights to it may be: a collection, a database, or all."""
        given = {"pipeline": self.pipeline(), "max_await_time_ms": AWAITED_MS, **more}
        if len(self.collections) == 1 and not self.whole_databases:
            [one] = self.collections
            return await client[one.database][one.name].watch(**given)
        if len(self.databases) == 1:
            return await client[self.databases[0]].watch(**given)
        return await client.watch(**given)


async def asked(connection: Connection, scope: Scope, token: Token | None) -> tuple[bool, Token | None]:
    """Return whether anything has changed since a token, and the token of this moment; none without change streams.

    What can't be known counts as changed.
    """
    if not scope.collections or any(one.kind == "timeseries" for one in scope.collections):
        return True, None
    if token is not None and token == scope.token(token.get("after") or {}):
        unchanged = await _unchanged_since(connection, scope, token.get("after"))
        if unchanged is not None:
            return False, scope.token(unchanged)
    now = await moment(connection, scope)
    return True, None if now is None else scope.token(now)


async def moment(connection: Connection, scope: Scope) -> dict[str, Any] | None:
    """Return the place where a stream begins now; None where there can be none."""

    async def begun(client: Client) -> dict[str, Any] | None:
        async with await scope.opened(client) as stream:
            found = stream.resume_token
            return None if found is None else plain(found)

    try:
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            return await begun(await connection.once(_itself))
    except (PyMongoError, TimeoutError) as error:
        log.info("There is no change stream, so each sync reads everything.", why=str(error)[:200])
        return None


async def _unchanged_since(connection: Connection, scope: Scope, after: Any) -> dict[str, Any] | None:  # noqa: ANN401
    """Return how far a stream was read without an event that counts; None where there was one, or it broke.

    It is read at least to the time at which the server answered a ping that was sent first.
    """
    client = await connection.once(_itself)
    try:
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            until = time_in(await client.admin.command("ping"))
            if until is None or not isinstance(after, Mapping):
                return None
            async with await scope.opened(client, resume_after=token_of(after)) as stream:
                reached = time_of(stream.resume_token)  # it may be there when it begins
                while reached is None or reached < until:
                    if await stream.try_next() is not None:
                        return None
                    reached = time_of(stream.resume_token)
                    if reached is None:
                        return None
                return plain(stream.resume_token)
    except (PyMongoError, TimeoutError, ValueError) as error:
        log.info("The change stream broke, which counts as a change.", why=str(error)[:200])
    return None


def is_volatile(rules: object) -> bool:
    """Return whether rules find other documents without any change: by chance, or by what time it is."""
    match rules:
        case Mapping():
            return any(name in _VOLATILE or is_volatile(inner) for name, inner in rules.items())
        case str():
            return rules.startswith(_OF_THE_MOMENT)
        case Sequence():
            return any(map(is_volatile, rules))
    return False


async def _itself(client: Client) -> Client:
    return client


def time_in(answer: Mapping[str, Any]) -> Timestamp | None:
    """Return the latest time that an answer tells of: of the server, or of its cluster."""
    times = [answer.get("operationTime"), (answer.get("$clusterTime") or {}).get("clusterTime")]
    return max((one for one in times if isinstance(one, Timestamp)), default=None)


def time_of(token: Mapping[str, Any] | None) -> Timestamp | None:
    """Return the time of a token; None for one that has none in the way that all are known to have."""
    data = (token or {}).get("_data")
    if not isinstance(data, str) or not data.startswith(_TIMED):
        return None
    try:
        return Timestamp(int(data[2:10], 16), int(data[10:18], 16))
    except ValueError:
        return None


def plain(token: Mapping[str, Any]) -> dict[str, Any]:
    """Return a token as JSON: behind events of some types of keys it has bytes, which are Extended JSON then."""
    found: dict[str, Any] = json.loads(json_util.dumps(dict(token)))
    return found


def token_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the token of what `plain` made of one. Raises a `ValueError` for what is none."""
    try:
        found: dict[str, Any] = json_util.loads(json.dumps(dict(stored)))
    except (BSONError, TypeError, KeyError) as error:
        raise ValueError(f"It is no token: {error}.") from None
    return found
