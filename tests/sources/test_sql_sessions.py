"""Sessions: never more than there may be, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.errors import ConfigurationError, SourceError, SourceUnreachable
from connectors.sources._sql.session import NOTHING, Fetched, Session, Stream
from connectors.sources._sql.sessions import WAIT_S, Sessions
from connectors.testing.virtual_time import VirtualClock, virtual_time

STATEMENT_S = 10.0


class Server:
    """Counts its sessions, which take time to be opened, to be used and to be closed."""

    def __init__(self) -> None:
        self.open = 0
        self.most = 0
        self.opened = 0
        self.refuses = False

    async def connect(self) -> Session:
        """Open one."""
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(1)
        if self.refuses:
            self.open -= 1
            raise SourceUnreachable("Nobody is there.")
        self.opened += 1
        return Slow(self)

    def sessions(self, most: int) -> Sessions:
        """Return what lends so many."""
        return Sessions(self.connect, VirtualClock(), most=most, snapshot_max_s=900, retries=0)


class Slow(Session):
    """A session of which every statement takes some seconds."""

    server = "1.0"

    def __init__(self, server: Server) -> None:
        self._server = server

    async def begin(self) -> None:
        """Begin nothing."""

    async def fetch(self, text: str, given: Mapping[str, Any] = NOTHING, *, most_bytes: int | None = None) -> Fetched:
        """Return nothing, or lose the connection."""
        del given, most_bytes
        await asyncio.sleep(STATEMENT_S)
        if text == "lose":
            raise SourceUnreachable("It is gone.")
        return Fetched([], 0, complete=True)

    @asynccontextmanager
    async def streamed(self, text: str, given: Mapping[str, Any] | None = None) -> AsyncIterator[Stream]:
        """Stream nothing."""
        del text, given

        async def nothing() -> AsyncIterator[Sequence[tuple[Any, ...]]]:
            none: list[Sequence[tuple[Any, ...]]] = []
            for one in none:
                yield one

        yield Stream([], nothing())

    async def described(self, text: str) -> Sequence[str]:
        """Describe nothing."""
        return [text]

    async def close(self) -> None:
        """Say goodbye, which takes time."""
        await asyncio.sleep(1)
        self._server.open -= 1


@pytest.mark.parametrize("most", [1, 2, 3])
@virtual_time
async def test_there_are_never_more_than_there_may_be(most: int) -> None:
    server = Server()
    sessions = server.sessions(most)
    texts = ["", "lose", "", "lose", "", "", "lose", ""] * 2
    found = await asyncio.gather(*[sessions.fetch(text) for text in texts], return_exceptions=True)
    assert [isinstance(one, SourceUnreachable) for one in found] == [text == "lose" for text in texts]
    assert server.most == most
    await sessions.close()
    assert server.open == 0


@virtual_time
async def test_those_who_wait_get_a_session_in_turn_and_not_a_new_one() -> None:
    server = Server()
    sessions = server.sessions(1)
    order: list[int] = []

    async def ask(number: int) -> None:
        await sessions.fetch("")
        order.append(number)

    await asyncio.gather(*map(ask, range(5)))
    assert order == [0, 1, 2, 3, 4]
    assert server.opened == 1


@pytest.mark.parametrize(("most", "begins"), [(1, "The only connection of"), (2, "All connections of")])
@virtual_time
async def test_who_waits_for_what_it_holds_itself_is_told_what_to_do(most: int, begins: str) -> None:
    sessions = Server().sessions(most)

    async def nested(deep: int) -> None:
        async with sessions.streamed("all rows"):
            await (nested(deep - 1) if deep else sessions.fetch(""))

    began = asyncio.get_running_loop().time()
    with pytest.raises(ConfigurationError, match=f"^{begins} max_connections = {most} had something to do for 300 s"):
        await nested(most - 1)
    assert asyncio.get_running_loop().time() - began < WAIT_S + 10
    assert (await sessions.fetch("")).complete  # all are free again


@virtual_time
async def test_a_connection_that_could_not_be_made_takes_no_room() -> None:
    server = Server()
    sessions = server.sessions(1)
    server.refuses = True
    for _ in range(3):
        with pytest.raises(SourceUnreachable):
            await sessions.fetch("")
    server.refuses = False
    assert (await sessions.fetch("")).complete


@virtual_time
async def test_who_is_cancelled_while_it_waits_takes_no_room() -> None:
    sessions = Server().sessions(1)
    first, second = (asyncio.ensure_future(sessions.fetch("")) for _ in range(2))
    await asyncio.sleep(STATEMENT_S / 2)
    second.cancel()
    await first
    assert second.cancelled()
    assert (await sessions.fetch("")).complete


@virtual_time
async def test_who_waits_when_the_source_is_closed_is_told_so() -> None:
    sessions = Server().sessions(1)
    first, second = (asyncio.ensure_future(sessions.fetch("")) for _ in range(2))
    await asyncio.sleep(STATEMENT_S / 2)
    await sessions.close()
    await first
    with pytest.raises(SourceError, match="was closed"):
        await second
