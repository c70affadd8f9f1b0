"""Redis: the keys of a server, with their values, read page by page and never written."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Final

from connectors import logger
from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.errors import ConfigurationError, SourceError
from connectors.fields import Configuration, Field, Fields
from connectors.source import BaseDataSource, Document, Token
from connectors.sources._redis.command import Address
from connectors.sources._redis.encryption import ENCRYPTION, trusted
from connectors.sources._redis.keys import Place, is_hashed
from connectors.sources._redis.rules import RedisRulesValidator, choices_of
from connectors.sources._redis.selection import Selection, chosen, numbers_of
from connectors.sources._redis.standing import Standing
from connectors.sources._redis.walk import Limits, Walk
from connectors.sources._remote import PASSWORD, RETRIES, port_of

if TYPE_CHECKING:
    from connectors.sources._redis.server import Server  # the driver may be missing


log = logger.get(__name__)
_EXPIRY: Final = "first-expiry"
_NOTHING: Final = Selection(choices=())
_SPARE_MS: Final = 1_000
"""How long before its time a key is taken to have expired."""


class RedisDataSource(BaseDataSource):
    """The keys of one Redis server, each a document with its value, whatever its type.

    It is only read, in three round trips for each page of keys. docs/redis.md tells what to allow, what becomes of
    types, and what is promised of keys that change meanwhile.
    """

    name = "Redis"
    service_type = "redis"
    drivers: ClassVar[Mapping[str, str]] = {"redis": "redis"}
    advanced_rules_enabled = True
    fields = Fields(
        Field("host", "Host", example="redis.example.org", shapes=False),
        port_of(6379),
        Field(
            "username",
            "User",
            required=False,
            example="connectors",
            tooltip="Without one, the password is that of the user default.",
            shapes=False,
        ),
        PASSWORD,
        Field(
            "database",
            "Databases",
            type=list,
            list_type="str",
            default=["*"],
            example=["0", "3"],
            tooltip="Their numbers, separated by commas. * stands for all that have keys.",
        ),
        Field(
            "key_patterns",
            "Keys",
            type=list,
            list_type="str",
            default=["*"],
            example=["user:*", "order:[0-9]*"],
            tooltip="Globs as Redis has them, separated by commas, of which a key has to match one.",
        ),
        *ENCRYPTION,
        Field(
            "largest_value_bytes",
            "Largest value in bytes",
            type=int,
            default=10 * 1024 * 1024,
            greater_than=0,
            less_than=1024**3,
            tooltip="Of the server's memory. The document of a key whose value takes more is without it.",
            advanced=True,
        ),
        Field(
            "batch_size",
            "Keys per page",
            type=int,
            default=1_000,
            greater_than=0,
            less_than=100_001,
            advanced=True,
            shapes=False,
        ),
        RETRIES,
        Field(
            "answer_timeout_s",
            "Seconds for an answer",
            type=int,
            default=60,
            greater_than=0,
            less_than=86_401,
            tooltip="How long the server may take for a page.",
            advanced=True,
            shapes=False,
        ),
    )

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._told: Token | None = None
        """What this object said of the moment before its walk."""
        self._connected: Server | None = None
        self._opening = asyncio.Lock()
        self._is_closed = False

    async def close(self) -> None:
        """Close the connection, in the middle of what it does too."""
        self._is_closed = True
        if self._connected is not None:
            await self._connected.close()

    async def validate_config(self) -> None:
        """Check the databases and the certificates."""
        numbers_of(self.configuration.database)
        await asyncio.to_thread(trusted, self.configuration)

    async def ping(self) -> None:
        """Log in, and look whether the databases are there that are named."""
        server = await self._server()
        await server.standing()
        for number in numbers_of(self.configuration.database) or ():
            await server.ask(number, [])

    async def health(self) -> Mapping[str, Any]:
        """Return the version of the server, what it is, and how many keys it has."""
        found = await (await self._server()).standing()
        keys = {str(number): counts.get("keys", 0) for number, counts in found.databases.items()}
        return {
            "version": found.info.get("redis_version"),
            "role": found.info.get("role"),
            "memory": found.info.get("used_memory_human"),
            "keys": keys,
            "tells_changes": found.token is not None,
        }

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Return whether the server has been written to, or a key may have expired since.

        The answer is yes where the server can't tell: replicas, managed servers, a save a moment ago.
        """
        standing = await (await self._server()).standing()
        self._told = standing.token
        if self._told is None or token != self._told:
            return True, self._told
        return await self._may_have_expired(standing, filtering), self._told

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Document | Failed]:
        """Yield every key that is selected, database by database."""
        server = await self._server()
        standing = await server.standing()
        walk = self._walk(server, standing)
        for number, selection in self._selected(standing, filtering).items():
            async with aclosing(walk.documents(number, selection)) as documents:
                async for document in documents:
                    yield document
        if walk.too_large:
            log.warning("Values are too large to be indexed, so their documents are without.", values=walk.too_large)
        if self._told is not None and walk.tells_expiry:
            await self.storage.set(_EXPIRY, {"as_of": self._as_of(filtering), "ms": walk.first_expiry_ms})

    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document | Failed]:
        """Yield every key that is selected: without its value, unless rules look at that."""
        server = await self._server()
        standing = await server.standing()
        walk, fields = self._walk(server, standing), frozenset() if filtering is None else filtering.fields
        for number, selection in self._selected(standing, filtering).items():
            async with aclosing(walk.listed(number, selection, fields)) as documents:
                async for document in documents:
                    yield document

    async def get_doc(self, document_id: str) -> Document | Failed | None:
        """Return a key by its id; one that was too long for it is searched for."""
        server = await self._server()
        standing = await server.standing()
        walk, selected = self._walk(server, standing), self._selected(standing, None)
        if is_hashed(document_id):
            number = int(document_id.partition("/")[0])
            async with aclosing(walk.documents(number, selected.get(number, _NOTHING))) as documents:
                async for one in documents:
                    if (one.id if isinstance(one, Failed) else one["_id"]) == document_id:
                        return one
            return None
        place = Place.meant_by(document_id)
        if place is None or place.database not in selected:
            return None
        async with aclosing(walk.read(place.database, [place.key], selected[place.database])) as found:
            return await anext((document async for _, document in found), None)

    def advanced_rules_validators(self) -> Sequence[Any]:
        """Return the validator of rules by pattern and type."""
        return [RedisRulesValidator(self._check)]

    async def _check(self, number: int) -> None:
        """Raise an error for a database that is not there or may not be read."""
        self._allow(number)
        await (await self._server()).ask(number, [])

    def _allow(self, number: int) -> None:
        numbers = numbers_of(self.configuration.database)
        if numbers is not None and number not in numbers:
            allowed = ", ".join(map(str, numbers))
            message = f"This connector reads the databases {allowed}, and not {number}."
            raise ConfigurationError(message, field="filtering", hint="Add it to the setting database.")

    def _selected(self, standing: Standing, filtering: Filter | None) -> dict[int, Selection]:
        """Return which keys are wanted, by their databases. Rules choose among those that the settings allow."""
        allowed = chosen(self.configuration.key_patterns)
        if filtering is not None and filtering.has_advanced_rules():
            choices = choices_of(filtering.get_advanced_rules())
            for number in choices:
                self._allow(number)
            return {number: Selection(allowed, several) for number, several in sorted(choices.items())}
        numbers = numbers_of(self.configuration.database)
        return {one: Selection(allowed) for one in (sorted(standing.databases) if numbers is None else numbers)}

    def _walk(self, server: "Server", standing: Standing) -> Walk:
        given = self.configuration
        return Walk(server, standing.version, Limits(given.batch_size, given.largest_value_bytes))

    async def _may_have_expired(self, standing: Standing, filtering: Filter | None) -> bool:
        """Return whether a key may be gone by now of which no counter tells yet: that may take Redis some time."""
        if not any(counts.get("expires") for counts in standing.databases.values()):
            return False
        known = await self.storage.get(_EXPIRY)
        if not isinstance(known, Mapping) or known.get("as_of") != self._as_of(filtering) or standing.now_ms is None:
            return True
        first_ms = known.get("ms")
        return first_ms is not None and standing.now_ms + _SPARE_MS >= first_ms

    def _as_of(self, filtering: Filter | None) -> str:
        """Return a digest of the moment before this walk, and of what it selects."""
        rules = filtering.get_advanced_rules() if filtering is not None else {}
        settings = [self.configuration.database, self.configuration.key_patterns]
        text = json.dumps([self._told, settings, rules], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    async def _server(self) -> "Server":
        """Return the server, to which nothing is connected before it is asked something."""
        from connectors.sources._redis.connection import Login  # noqa: PLC0415 - the driver may be missing
        from connectors.sources._redis.server import Server  # noqa: PLC0415 - the driver may be missing

        async with self._opening:
            given = self.configuration
            context = await asyncio.to_thread(trusted, given) if self._connected is None else None
            if self._is_closed:
                raise SourceError("The source was closed.")
            if self._connected is None:
                login = Login(Address(given.host, given.port, given.username or None), given.password, context)
                self._connected = Server(login, given.answer_timeout_s, given.retry_count)
            return self._connected
