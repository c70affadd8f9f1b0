"""Storage: what a source remembers between jobs, as small values under keys; and the contract of what keeps them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, Self

import msgspec

from connectors import logger
from connectors.aio.clock import Clock, SystemClock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.errors import StorageRefused

log = logger.get(__name__)
LONGEST_KEY_BYTES: Final = 256
LARGEST_VALUE_BYTES: Final = 65_536
LONGEST_EXPIRY_S: Final = 100 * 366 * 86_400.0
_ON_ITS_OWN: Final = "a source that no connector has made"


@dataclass(frozen=True)
class Kept:
    """A value as it is kept: JSON, and the instant from which on it is not there any more."""

    value: bytes = field(repr=False)
    expires_at: datetime | None = None

    def has_expired(self, now: datetime) -> bool:
        """Return whether it is not there any more."""
        return self.expires_at is not None and self.expires_at <= now


class Backend(Protocol):
    """Keeps values under a connector and a key, and is shared by all connectors and by all processes.

    A call is one attempt, with a time limit. It raises a `StorageUnreachable` for what may pass, and a `StorageRefused`
    for what a person has to change; no message holds anything of a value. What raised may have been done.
    """

    async def read(self, connector: str, key: str) -> Kept | None:
        """Return what is kept, expired or not."""
        ...

    async def write(self, connector: str, key: str, kept: Kept) -> None:
        """Keep it, in the place of what there is. When this returns, it survives a crash of this machine."""
        ...

    async def remove(self, connector: str, key: str) -> None:
        """Keep it no longer; it need not be there."""
        ...

    async def forget(self, connector: str) -> int:
        """Remove all of a connector, and return how many values these were."""
        ...

    async def remove_expired(self, now: datetime, *, most: int) -> int:
        """Remove what has expired, and nothing that was written meanwhile; so many at most. Return how many."""
        ...

    async def connectors(self) -> set[str]:
        """Return the connectors of which something is kept."""
        ...


class Storage:
    """The values of one connector: what its source remembers from one job to the next, wherever that runs.

    A value is JSON, of at most 64 kB, under a key of at most 256 bytes. It is shared by all that run at the same time
    for the connector, a content sync and an access-control sync for one. The last write wins. An error of the tree is
    raised after the call was made again for a while: `StorageUnreachable`, or at once `StorageRefused`.
    """

    def __init__(
        self, backend: Backend, connector: str, clock: Clock | None = None, retry: Retry | None = None
    ) -> None:
        self._backend = backend
        self._connector = connector
        self._clock = clock or SystemClock()
        self._retry = replace(retry or Retry(RetryPolicy(limit_s=20.0), self._clock), observe=self._tell)

    @classmethod
    def in_memory(cls, clock: Clock | None = None) -> Self:
        """Return a storage that forgets everything when nobody has it any more: for tests, and sources on their own."""
        return cls(MemoryBackend(), _ON_ITS_OWN, clock)

    async def get(self, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return the value under a key, equal to what was set; None when there is none, or when it has expired."""
        _check_key(key)
        kept = await self._retry(lambda _: self._backend.read(self._connector, key))
        if kept is None or kept.has_expired(self._clock.now()):
            return None
        return _decoded(key, kept.value)

    async def set(self, key: str, value: Any, *, expires_in_s: float | None = None) -> None:  # noqa: ANN401 - JSON
        """Set a value under a key, which is there until it is deleted, or for so many seconds."""
        _check_key(key)
        kept = Kept(_encoded(key, value), self._expiry(key, expires_in_s))
        await self._retry(lambda _: self._backend.write(self._connector, key, kept))

    async def delete(self, key: str) -> None:
        """Delete the value under a key; it need not be there."""
        _check_key(key)
        await self._retry(lambda _: self._backend.remove(self._connector, key))

    def __repr__(self) -> str:
        return f"Storage({self._connector!r})"

    def _tell(self, error: Exception, attempt: int, pause_s: float) -> None:
        if attempt in {1, 5} or attempt % 20 == 0:
            log.warning(
                "What a source remembers can't be reached; trying again.",
                connector=self._connector,
                attempt=attempt,
                pause_s=round(pause_s, 2),
                why=str(error),
            )

    def _expiry(self, key: str, expires_in_s: float | None) -> datetime | None:
        if expires_in_s is None:
            return None
        if not 0 < expires_in_s <= LONGEST_EXPIRY_S or math.isnan(expires_in_s):
            text = f"The value under {key!r} can't expire in {expires_in_s} s."
            raise StorageRefused(text, hint="Give more than no seconds and less than 100 years, or None for no expiry.")
        return self._clock.now() + timedelta(seconds=expires_in_s)


class MemoryBackend:
    """Keeps values in memory, for one process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Kept] = {}

    async def read(self, connector: str, key: str) -> Kept | None:
        """Return what is kept."""
        return self._kept.get((connector, key))

    async def write(self, connector: str, key: str, kept: Kept) -> None:
        """Keep it."""
        self._kept[connector, key] = kept

    async def remove(self, connector: str, key: str) -> None:
        """Keep it no longer."""
        self._kept.pop((connector, key), None)

    async def forget(self, connector: str) -> int:
        """Remove all of a connector."""
        return self._remove([one for one in self._kept if one[0] == connector])

    async def remove_expired(self, now: datetime, *, most: int) -> int:
        """Remove what has expired."""
        return self._remove([one for one, kept in self._kept.items() if kept.has_expired(now)][:most])

    async def connectors(self) -> set[str]:
        """Return whose values there are."""
        return {connector for connector, _ in self._kept}

    def _remove(self, places: list[tuple[str, str]]) -> int:
        for one in places:
            del self._kept[one]
        return len(places)


def _check_key(key: object) -> None:
    """Raise a `StorageRefused` for what is no key."""
    if not isinstance(key, str) or not key:
        raise StorageRefused(f"A key has to be a text that is not empty, and this is {_kind_of(key)}.")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise StorageRefused(f"The key {key!r} can't be written as UTF-8.") from None
    if size > LONGEST_KEY_BYTES:
        text = f"A key of {size} bytes is too long; {LONGEST_KEY_BYTES} is the most. It begins with {key[:40]!r}."
        raise StorageRefused(text, hint="Take a hash of it, or a part that tells it from others.")


def _encoded(key: str, value: object) -> bytes:
    """Return a value as JSON that is equal to it when it is read. Raises a `StorageRefused` for any other."""
    try:
        text = msgspec.json.encode(value)
        read = msgspec.json.decode(text)
        is_same = read is not None and read == value
    except (TypeError, ValueError, OverflowError, RecursionError):  # whose words may hold the value
        text, is_same = b"", False
    if not is_same:
        raise StorageRefused(
            f"What should be set under {key!r} would not be the same when it is read: it is {_kind_of(value)}.",
            hint="A value is made of dicts with texts as keys, lists, texts, finite numbers, True, False and, within "
            "these, None.",
        )
    if len(text) > LARGEST_VALUE_BYTES:
        raise StorageRefused(
            f"What should be set under {key!r} has {len(text)} bytes as JSON; {LARGEST_VALUE_BYTES} is the most.",
            hint="Set its parts under keys of their own, or keep it elsewhere and set where that is.",
        )
    return text


def _decoded(key: str, text: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        pass
    # Outside of the handler, as what could not be decoded may be secret.
    raise StorageRefused(f"What is kept under {key!r} is damaged.", hint="Set it anew, or delete it.")


def _kind_of(value: object) -> str:
    """Return what can be said of a value without saying it."""
    what = {str: "a text", dict: "a dict", list: "a list", type(None): "None"}.get(type(value))
    inner = " with something in it that is no JSON" if isinstance(value, Mapping | list) else ""
    return f"{what or type(value).__name__}{inner}" if value != "" else "empty"
