"""Presence: connectors show that somebody looks after them, and the engine is not asked much for that."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.errors import EngineUnreachable
from connectors.services.preparing.presence import AT_ONCE, EVERY, LOOK_EVERY_S, OVERTAKEN_S, Presence
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore
from connectors.store.lenient import instant_of
from tests.services.shop import FILLED, Office

NEARLY = EVERY - timedelta(seconds=1)


async def last_seen(office: Office, name: str = "c") -> datetime | None:
    return instant_of((await office.known(name)).document["last_seen"])


async def every(office: Office) -> dict[str, Connector]:
    return {one.id: one async for one in office.store.all()}


@pytest.mark.parametrize("status", ["created", "needs_configuration", "configured", "connected", "error"])
async def test_a_connector_is_seen_when_it_is_new_and_every_five_minutes(office: Office, status: str) -> None:
    await office.create(status=status, configuration=FILLED)
    daemon, seen = office.daemon(), []
    for _ in range(4):
        await daemon.look()
        seen.append(await last_seen(office))
        office.watch.moment += NEARLY
        office.watch.seconds += NEARLY.total_seconds()
    begin = seen[0]
    assert begin is not None
    assert seen == [begin, begin, begin + 2 * NEARLY, begin + 2 * NEARLY]


@pytest.mark.parametrize("seen", [None, "2025-12-31T12:00:00+00:00", "2036-01-01T00:00:00Z"])
async def test_what_is_no_recent_moment_is_written_over(office: Office, seen: Any) -> None:
    await office.create(last_seen=seen)
    await office.daemon().look()
    assert await last_seen(office) == office.watch.moment


async def test_many_connectors_are_written_to_some_at_a_time_the_oldest_first(office: Office) -> None:
    await office.create("new", last_seen=office.watch.moment)
    for number in reversed(range(AT_ONCE + 2)):
        seen = office.watch.moment - timedelta(days=200) + timedelta(days=number)
        await office.create(f"c{number}", last_seen=seen)
    presence, connectors, counts = Presence(office.store, office.watch, lambda _: True), await every(office), []
    for _ in range(4):
        await presence.look(connectors)
        fresh = {name for name in connectors if await last_seen(office, name) == office.watch.moment}
        assert fresh == {"new", *(f"c{number}" for number in range(len(fresh) - 1))}
        counts.append(len(fresh) - 1)
        office.watch.seconds += LOOK_EVERY_S / 2
    assert counts == [AT_ONCE, AT_ONCE, AT_ONCE + 2, AT_ONCE + 2]


async def test_one_that_somebody_writes_to_is_left_alone_for_a_while(office: Office) -> None:
    await office.create()
    connectors = await every(office)
    await office.change(name="changed")
    presence = Presence(office.store, office.watch, lambda _: True)
    await presence.look(connectors)
    assert await last_seen(office) is None
    office.watch.seconds += OVERTAKEN_S - 1
    await presence.look(await every(office))
    assert await last_seen(office) is None
    office.watch.seconds += LOOK_EVERY_S
    await presence.look(await every(office))
    found = await office.known()
    assert (found.document["name"], await last_seen(office)) == ("changed", office.watch.moment)


async def test_connectors_whose_source_is_not_here_are_another_daemons(office: Office) -> None:
    await office.create(service_type="elsewhere")
    await office.create("d", service_type=None)
    await office.daemon().look()
    assert (await last_seen(office), await last_seen(office, "d")) == (None, None)


async def test_of_two_daemons_one_writes(office: Office) -> None:
    await office.create()
    one, other = (Presence(office.store, office.watch, lambda _: True) for _ in range(2))
    connectors = await every(office)
    await one.look(connectors)
    revision = (await office.known()).revision
    office.watch.moment += NEARLY
    await other.look(connectors)
    assert (await office.known()).revision == revision
    await asyncio.gather(one.look(await every(office)), other.look(await every(office)))


async def test_a_connector_that_is_gone_is_not_made_anew(office: Office) -> None:
    await office.create()
    connectors = await every(office)
    await office.store._operations.delete(".elastic-connectors", "c")
    await Presence(office.store, office.watch, lambda _: True).look(connectors)
    assert await office.store.get("c") is None


async def test_an_engine_that_is_away_is_told_of_once_and_asked_again(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    class Away(ConnectorStore):
        async def write(self, connectors: Collection[Connector], changes: Mapping[str, Any]) -> set[str]:
            raise EngineUnreachable("The engine is away.")

    for name in ("c", "d"):
        await office.create(name)
    presence = Presence(Away(office.store._operations), office.watch, lambda _: True)
    await presence.look(await every(office))
    assert caplog.text.count("The engine is away.") == 1
    presence.store = office.store
    office.watch.seconds += LOOK_EVERY_S
    await presence.look(await every(office))
    assert await last_seen(office) == office.watch.moment
