"""The walk: the keys of a database by SCAN, and what they hold, in two more round trips for each page of keys."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from connectors.changes import Failed
from connectors.source import Document
from connectors.sources._redis.command import Command, Refusal, Reply
from connectors.sources._redis.keys import Place, fields_of_key
from connectors.sources._redis.selection import Selection
from connectors.sources._redis.values import KINDS, Kind

if TYPE_CHECKING:
    from connectors.sources._redis.server import Server  # the driver may be missing

BYTES_AT_ONCE: Final = 4 * 1024 * 1024
"""What the values of a round trip take in the server's memory, unless a single one takes more."""
SAMPLES: Final = 1_000
"""How many elements of a value are measured: of a larger one its size is told by these."""
ROUNDS: Final = 5
"""How often a key is read whose value is of another type each time."""
KNOWS_TYPES: Final = (6,)
"""Since when SCAN can be asked for a type."""
KNOWS_EXPIRY: Final = (7,)
"""Since when a server tells the moment of an expiry, and not only how long it takes until then."""
_BESIDE_VALUES: Final = frozenset({"_id", "key", "key_base64", "database", "key_type", "expires_at"})
"""Fields of a document that its value has nothing to do with."""
_NONE: Final = b"none"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Limits:
    """How much is read at once, and at all."""

    keys: int
    largest_bytes: int


@dataclass(frozen=True)
class _Found:
    """A key, what is known of it, and what its value takes."""

    place: Place
    type: bytes | None = None
    expires_ms: int | None = None
    size: int = 0

    @property
    def kind(self) -> Kind | None:
        return KINDS.get(self.type or b"")


@dataclass
class Walk:
    """Reads keys of one server, and remembers of them when the first one expires, and how many were too large."""

    server: "Server"
    version: tuple[int, ...]
    limits: Limits
    first_expiry_ms: int | None = None
    too_large: int = 0

    @property
    def tells_expiry(self) -> bool:
        """Whether the server tells when keys expire."""
        return self.version >= KNOWS_EXPIRY

    async def documents(self, database: int, wanted: Selection) -> AsyncGenerator[Document | Failed, None]:
        """Yield the documents of a database. A key may come twice, if others write meanwhile.

        Whatever is there from the beginning to the end is yielded, as SCAN promises.
        """
        last: set[bytes] = set()
        async for keys in self._pages(database, wanted):
            now: set[bytes] = set()
            new = [one for one in keys if one not in last]
            most = 2 * self.limits.keys  # as SCAN returns some more than it was asked for
            for start in range(0, len(new), most):
                async for key, document in self.read(database, new[start : start + most], wanted):
                    now.add(key)
                    yield document
            last = now  # of what was yielded alone: a key that was away may be back

    async def listed(
        self, database: int, wanted: Selection, fields: Collection[str]
    ) -> AsyncGenerator[Document | Failed, None]:
        """Yield the documents of a database with these fields, and of all others only what is told of keys alone."""
        names = {name.partition(".")[0] for name in fields}
        if names - _BESIDE_VALUES:
            async for document in self.documents(database, wanted):
                yield document
            return
        asks_type = "key_type" in names or wanted.needs_types(knows_types=self._knows_types)
        asks_expiry = "expires_at" in names and self.tells_expiry
        asks = [word for word, is_asked in (("TYPE", asks_type), ("PEXPIRETIME", asks_expiry)) if is_asked]
        async for keys in self._pages(database, wanted):
            commands: list[Command] = [(word, key) for key in keys for word in asks]
            replies = iter(await self._asked(database, commands) if commands else [])
            for key in keys:
                type_ = next(replies) if asks_type else None
                expires_ms = next(replies) if asks_expiry else -1
                if type_ != _NONE and expires_ms != -2 and (type_ is None or wanted.takes(key, type_)):
                    yield _document(_Found(Place(database, key), type_, expires_ms if expires_ms >= 0 else None), {})

    async def read(
        self, database: int, keys: Sequence[bytes], wanted: Selection
    ) -> AsyncGenerator[tuple[bytes, Document | Failed], None]:
        """Yield the documents of those keys that are there and wanted."""
        for _ in range(ROUNDS):
            again: list[bytes] = []
            for group in self._groups(await self._found(database, keys, wanted)):
                for one, parts in zip(group, await self._values(database, group), strict=True):
                    if isinstance(parts, Refusal):
                        again.append(one.place.key)
                    elif parts is not None:
                        yield one.place.key, _document(one, parts)
            if not again:
                return
            keys = again
        for key in keys:
            yield key, Failed(Place(database, key).id, "Its value was of another type each time it was read.")

    async def _pages(self, database: int, wanted: Selection) -> AsyncIterator[list[bytes]]:
        cursor = b"0"
        while True:
            scan = wanted.scan(cursor, self.limits.keys, knows_types=self._knows_types)
            [reply] = await self.server.ask(database, [scan])
            self.server.check(reply)
            cursor, keys = reply
            if found := [one for one in dict.fromkeys(keys) if wanted.matches(one)]:
                yield found
            if cursor == b"0":
                return

    async def _found(self, database: int, keys: Sequence[bytes], wanted: Selection) -> list[_Found]:
        """Return what is known of keys without their values, of those that are there and wanted."""
        replies = iter(await self._asked(database, [one for key in keys for one in self._questions(key)]))
        found = []
        for key in keys:
            type_, size = next(replies), next(replies)
            expires_ms = next(replies) if self.tells_expiry else -1
            if type_ == _NONE or size is None or expires_ms == -2 or not wanted.takes(key, type_):
                continue
            expires_ms = expires_ms if expires_ms >= 0 else None
            found.append(_Found(Place(database, key), type_, expires_ms, size))
            if expires_ms is not None and (self.first_expiry_ms is None or expires_ms < self.first_expiry_ms):
                self.first_expiry_ms = expires_ms
        return found

    def _questions(self, key: bytes) -> tuple[Command, ...]:
        told: tuple[Command, ...] = (("TYPE", key), ("MEMORY USAGE", key, "SAMPLES", SAMPLES))
        return (*told, ("PEXPIRETIME", key)) if self.tells_expiry else told

    def _groups(self, found: Sequence[_Found]) -> Iterator[list[_Found]]:
        """Yield what is read at once."""
        group: list[_Found] = []
        taken = 0
        for one in found:
            size = 0 if self._is_omitted(one) else one.size
            if group and taken + size > BYTES_AT_ONCE:
                yield group
                group, taken = [], 0
            group.append(one)
            taken += size
        if group:
            yield group

    async def _values(self, database: int, group: Sequence[_Found]) -> list[dict[str, Any] | Refusal | None]:
        """Return what documents say of the values, a refusal for one that is of another type by now."""
        commands: list[Command] = []
        for one in group:
            if one.kind is not None and not self._is_omitted(one):
                commands.append(one.kind.words(one.place.key))
                if one.kind.may_be_empty:
                    commands.append(("EXISTS", one.place.key))
        replies = iter(await self.server.ask(database, commands) if commands else [])
        return [self._value(one, replies) for one in group]

    def _value(self, one: _Found, replies: Iterator[Reply]) -> dict[str, Any] | Refusal | None:
        if one.kind is None:
            return {"omitted": "type"}
        if self._is_omitted(one):
            self.too_large += 1
            return {"omitted": "size"}
        reply = next(replies)
        exists = next(replies) if one.kind.may_be_empty else 1
        if isinstance(reply, Refusal) and reply.is_of_type:
            return reply
        self.server.check(reply)
        self.server.check(exists)
        return one.kind.form(reply) if exists else None

    def _is_omitted(self, one: _Found) -> bool:
        return one.size > self.limits.largest_bytes

    @property
    def _knows_types(self) -> bool:
        return self.version >= KNOWS_TYPES

    async def _asked(self, database: int, commands: Sequence[Command]) -> list[Reply]:
        replies = await self.server.ask(database, commands)
        for one in replies:
            self.server.check(one)
        return replies


def _document(found: _Found, parts: dict[str, Any]) -> Document:
    place, kind, type_ = found.place, found.kind, found.type
    document = {"_id": place.id, **fields_of_key(place.key), "database": place.database, **parts}
    if type_ is not None:
        document["key_type"] = kind.name if kind is not None else type_.decode("utf-8", "replace")
    if (moment := _instant(found.expires_ms)) is not None:
        document["expires_at"] = moment
    return document


def _instant(ms: int | None) -> datetime | None:
    """Return an instant; None also for one beyond the calendar."""
    try:
        return None if ms is None else _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return None
