"""Expired values: a janitor removes them, some at a time, and leaves what a source may still ask for."""

from datetime import timedelta

from connectors.services.cleaning.expired_values import AT_ONCE
from connectors.storage import Storage
from connectors.storages.engine import StoredValue
from tests.services.yard import Yard


async def kept(yard: Yard) -> set[str]:
    return {one.value.key async for one in yard.shelf.state.find(StoredValue, connector="c")}


async def test_what_has_expired_is_removed_by_the_janitor_and_nothing_else(yard: Yard) -> None:
    await yard.connect()
    storage = Storage(yard.shelf.storage, "c", yard.watch)
    await storage.set("minutes", 1, expires_in_s=700)
    await storage.set("hours", 1, expires_in_s=7_000)
    await storage.set("for ever", 1)
    janitor = yard.janitor()
    await janitor.look()
    assert await kept(yard) == {"minutes", "hours", "for ever"}
    yard.pass_(timedelta(seconds=700))
    await janitor.look()
    assert await kept(yard) == {"hours", "for ever"}
    yard.pass_(timedelta(days=1))
    await janitor.look()
    assert await kept(yard) == {"for ever"}


async def test_many_go_in_several_looks(yard: Yard) -> None:
    await yard.connect()
    storage = Storage(yard.shelf.storage, "c", yard.watch)
    for number in range(AT_ONCE + 1):
        await storage.set(str(number), 1, expires_in_s=1)
    yard.pass_(timedelta(seconds=1))
    janitor = yard.janitor()
    await janitor.look()
    assert len(await kept(yard)) == 1
    await janitor.look()
    assert await kept(yard) == set()
