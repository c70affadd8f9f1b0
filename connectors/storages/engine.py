"""Values of sources in the engine: records of the state index, which every daemon has anyway."""

from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import datetime
from typing import ClassVar, Final

from connectors.errors import Conflict, EngineError, RecordUnreadable, Retryable, StorageRefused, StorageUnreachable
from connectors.storage import Kept
from connectors.store.record import Record
from connectors.store.state import MOST_ATTEMPTS, StateStore


class StoredValue(Record, frozen=True, kw_only=True):
    """One value. It is text, so that an engine neither looks into it nor writes its numbers in another way."""

    KIND: ClassVar[str] = "value"

    connector: str
    key: str
    value: str
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"StoredValue({self.connector!r}, {self.key!r})"


class EngineBackend:
    """Keeps values as records of the state index.

    They are written and removed by compare-and-set on what was read just before. So a request that lost its answer,
    was made again and arrives all the same after that changes nothing.
    """

    def __init__(self, state: StateStore) -> None:
        self._state = state

    async def read(self, connector: str, key: str) -> Kept | None:
        """Return what is kept."""
        with _of_engine():
            found = await self._state.read(StoredValue.key_for(connector, key), StoredValue)
        return None if found is None else Kept(found.value.value.encode(), found.value.expires_at)

    async def write(self, connector: str, key: str, kept: Kept) -> None:
        """Keep it."""
        value = StoredValue(connector=connector, key=key, value=kept.value.decode(), expires_at=kept.expires_at)
        with _of_engine():
            await self._state.change(StoredValue.key_for(connector, key), StoredValue, lambda _: value)

    async def remove(self, connector: str, key: str) -> None:
        """Keep it no longer."""
        place = StoredValue.key_for(connector, key)
        with _of_engine():
            for _ in range(MOST_ATTEMPTS):
                found = await self._state.read(place, StoredValue)
                with suppress(Conflict):
                    if found is not None:
                        await self._state.remove(place, found)
                    return
            raise Conflict(f"Others write the value under {key!r} all the time.")

    async def forget(self, connector: str) -> int:
        """Remove all of a connector."""
        number = 0
        with _of_engine():
            async with aclosing(self._state.keys(StoredValue, connector=connector)) as keys:
                async for key in keys:
                    await self._state.delete(key)
                    number += 1
        return number

    async def remove_expired(self, now: datetime, *, most: int) -> int:
        """Remove what has expired."""
        number = 0
        with _of_engine():
            async with aclosing(self._state.expired(StoredValue, now)) as expired:
                async for one in expired:
                    if number == most:
                        break
                    if one.value.expires_at is None or one.value.expires_at > now:
                        continue
                    with suppress(Conflict):  # it was set anew
                        await self._state.remove(StoredValue.key_for(one.value.connector, one.value.key), one)
                        number += 1
        return number

    async def connectors(self) -> set[str]:
        """Return whose values there are."""
        with _of_engine():
            return await self._state.connectors_of(StoredValue)


_WHERE: Final = "What sources remember is in the engine."


@contextmanager
def _of_engine() -> Iterator[None]:
    """Make what is wrong with the engine an error of the storage."""
    try:
        yield
    except RecordUnreadable as error:
        raise StorageRefused(error.message, hint=error.hint) from None
    except EngineError as error:
        kind = StorageUnreachable if isinstance(error, Retryable | Conflict) else StorageRefused
        raise kind(f"{_WHERE} {error.message}", hint=error.hint) from None
