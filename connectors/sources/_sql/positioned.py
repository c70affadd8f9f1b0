"""A source of a SQL database that tells whether anything was written, by the position of its server."""

import secrets
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.aio.clock import Clock
from connectors.byoc import Filter
from connectors.errors import Retryable, SourceError, SourceUnreachable
from connectors.fields import Configuration
from connectors.source import Token
from connectors.sources._sql.position import Position
from connectors.sources._sql.session import Session
from connectors.sources._sql.source import SQLDataSource
from connectors.sources._sql.table import Table

_ELSEWHERE: Final = "walks elsewhere"
"""Under this key are kept the walks that read another server than the one that gave their token."""
_WALK: Final = "walk"


@dataclass(frozen=True)
class _Told:
    """What was found out about a moment: a token, or why there is none."""

    position: Position
    token: Token | None = None
    why_not: str = ""


class PositionedSQLDataSource(SQLDataSource):
    """Compares the position of the server with that of the token. What can't be shown to be the same has changed."""

    def __init__(self, configuration: Configuration, *, clock: Clock | None = None) -> None:
        super().__init__(configuration, clock=clock)
        self._told: _Told | None = None
        self._walk_before: str | None = None
        self._sessions.begun = self._check_server

    # What a database has to say.

    @abstractmethod
    async def position(self, session: Session) -> Position:
        """Return the position of the snapshot of a session."""

    @abstractmethod
    async def doubt(self, session: Session, tables: Sequence[Table]) -> str:
        """Return why what these tables hold may change while the position stays; nothing where it can't."""

    # The contract.

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Return whether anything was written to the server. No table is read for it.

        The answer is yes with advanced rules, whose answers may depend on anything, and wherever the position does not
        tell all: `health` says why.
        """
        self._told = None
        if filtering is not None and filtering.has_advanced_rules():
            return True, None
        self._sessions.renew()
        told = await self._sessions.again(self._tell)
        self._told, self._walk_before = told, None if token is None else token.get(_WALK)
        if token is None or told.token is None:
            return True, told.token
        is_same = {**token, _WALK: told.token[_WALK]} == told.token and self._walk_before is not None
        return not is_same or self._walk_before in await self._walks_elsewhere(), told.token

    async def health(self) -> Mapping[str, Any]:
        """Return the same as without, and whether a sync can be skipped when nothing has changed; else why not."""
        found = await super().health()
        told = await self._sessions.again(self._tell)
        return {**found, "tells_changes": told.token is not None, **({} if told.token else {"why_not": told.why_not})}

    async def _tell(self, session: Session) -> _Told:
        tables = (await self._catalog(session)).chosen(self.configuration.tables)
        try:
            position = await self.position(session)
            why_not = position.why_not or await self.doubt(session, tables)
        except SourceError as error:
            if isinstance(error, Retryable):
                raise
            return _Told(Position(), why_not=str(error))
        if why_not:
            return _Told(position, why_not=why_not)
        return _Told(position, {**position.token(tables), _WALK: secrets.token_hex(8)})

    async def _check_server(self, session: Session) -> None:
        """Have the token of this walk hold for nothing, if what reads now is not the server that gave it.

        A proxy or a second address may lead to one that has not got everything yet.
        """
        told = self._told
        if told is None or told.token is None or (await self._server(session)) == told.position.server:
            return
        self._told = None
        walks = {told.token[_WALK], *(one for one in await self._walks_elsewhere() if one == self._walk_before)}
        await self.storage.set(_ELSEWHERE, sorted(walks))
        if not session.usable:
            raise SourceUnreachable("The server that is read is another one than before, and did not answer.")

    async def _server(self, session: Session) -> str:
        try:
            return (await self.position(session)).server
        except SourceError as error:
            if isinstance(error, Retryable):
                raise
            return ""

    async def _walks_elsewhere(self) -> Sequence[str]:
        found: Sequence[str] = await self.storage.get(_ELSEWHERE) or ()
        return found
