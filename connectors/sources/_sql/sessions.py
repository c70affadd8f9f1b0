"""The sessions of a source: opened when they are needed, in one snapshot for as long as that may last."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from connectors import logger
from connectors.aio.clock import Clock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.errors import ConfigurationError, SourceError, SourceUnreachable
from connectors.sources._sql.session import NOTHING, Fetched, Session, Stream

T = TypeVar("T")
log = logger.get(__name__)
FIRST_PAUSE_S = 2.0
"""A server that was restarted needs some seconds."""
WAIT_S: Final = 300.0
"""How long to wait while others have all connections: less than a source may keep silent, as this may never end."""


@dataclass
class _Held:
    """A session, and which snapshot it reads: of which walk, and since when."""

    session: Session
    walk: int = -1
    since_s: float = 0.0


class Sessions:
    """Lends sessions. Who reads in turn with others gets the same one, and so reads the same snapshot.

    A snapshot is the database's way to let all pages of a walk be of one moment. It ends after `snapshot_max_s`, as a
    database keeps for it what others change meanwhile, and the next page is of a later moment.

    There are `most` sessions at a time, those that are opened or closed just now among them. Nothing here asks for one
    while it has one, so that one is enough.

    `begun`, where it is set, is called with each session that has begun a snapshot.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Session]],
        clock: Clock,
        *,
        most: int,
        snapshot_max_s: float,
        retries: int,
        remark: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._connect = connect
        self._most = most
        self._room = asyncio.Semaphore(most)
        self._clock = clock
        self._snapshot_max_s = snapshot_max_s
        self._remark = remark
        self.begun: Callable[[Session], Awaitable[None]] | None = None
        policy = RetryPolicy(attempts=1 + retries, first_pause_s=FIRST_PAUSE_S)
        self._retry = Retry(policy, clock, observe=_again)
        self._idle: _Held | None = None
        self._lent: set[Session] = set()
        self._walk = 0
        self._snapshots = 0
        self._is_closed = False

    def renew(self) -> None:
        """Let what is read from now on be of a new snapshot: another walk begins."""
        self._walk += 1
        self._snapshots = 0

    async def again(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Do some work with a session, and again after a pause where the connection was lost: it changes nothing."""

        async def attempt(_: int) -> T:
            async with self.lent() as session:
                try:
                    return await work(session)
                except SourceUnreachable:  # also where a snapshot can't be read any more: it is not taken up again
                    session.usable = False
                    raise

        return await self._retry(attempt)

    async def fetch(self, text: str, given: Mapping[str, Any] = NOTHING, *, most_bytes: int | None = None) -> Fetched:
        """Return the rows of a statement, in the snapshot of the walk."""
        return await self.again(lambda session: session.fetch(text, given, most_bytes=most_bytes))

    @asynccontextmanager
    async def streamed(self, text: str, given: Mapping[str, Any] | None = None) -> AsyncIterator[Stream]:
        """Provide what a statement returns as it comes, in the snapshot of the walk. Only its beginning is repeated."""

        async def begun(_: int) -> tuple[AsyncExitStack, Stream]:
            async with AsyncExitStack() as stack:
                session = await stack.enter_async_context(self.lent())
                stream = await stack.enter_async_context(session.streamed(text, given))
                return stack.pop_all(), stream

        stack, stream = await self._retry(begun)
        async with stack:
            yield stream

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Session]:
        """Lend a session in the snapshot of the walk: the one that is there, or another one while that is lent.

        Waits where all are lent. Raises a `ConfigurationError` when that does not end.
        """
        async with self._turn():
            held, self._idle = self._idle, None
            if held is None:
                held = await self._opened()
            self._lent.add(held.session)
            try:
                await self._in_snapshot(held)
                yield held.session
            finally:
                await self._given_back(held)

    async def close(self) -> None:
        """Close all sessions, in the middle of what they do too."""
        self._is_closed = True
        held, self._idle = self._idle, None
        for session in [*self._lent, *([held.session] if held is not None else [])]:
            await session.close()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._room.acquire()
        except TimeoutError:
            many = "All connections" if self._most > 1 else "The only connection"
            message = f"{many} of max_connections = {self._most} had something to do for {WAIT_S:g} s."
            hint = "Raise it, or let what is read at the same time come to its end."
            raise ConfigurationError(message, field="max_connections", hint=hint) from None
        try:
            yield
        finally:
            self._room.release()

    async def _opened(self) -> _Held:
        if self._is_closed:
            raise SourceError("The source was closed.")
        return _Held(await self._connect())

    async def _given_back(self, held: _Held) -> None:
        self._lent.discard(held.session)
        if self._idle is None and held.session.usable and not self._is_closed:
            self._idle = held
        else:
            await held.session.close()

    async def _in_snapshot(self, held: _Held) -> None:
        """Have a session read the snapshot of the walk, or the next one where that is too old."""
        now_s = self._clock.monotonic()
        if held.walk == self._walk and now_s - held.since_s < self._snapshot_max_s:
            return
        await held.session.begin()
        if self.begun is not None:
            await self.begun(held.session)
        held.walk, held.since_s = self._walk, now_s
        self._snapshots += 1
        if self._snapshots > 1 and self._snapshot_max_s:
            self._remark(
                "The database was not read as it was at one moment, but at several: a snapshot lasts "
                f"{self._snapshot_max_s:g} s at most (snapshot_max_s), and no longer than its connection."
            )


def _again(error: Exception, attempt: int, pause_s: float) -> None:
    log.warning("The source is asked again after a pause.", attempt=attempt, pause_s=round(pause_s, 1), why=str(error))
