"""The node to the embedded engine: into this process where it owns the data, and to the owner's socket elsewhere."""

import asyncio
import sys
from typing import ClassVar, Final

import aiohttp
import msgspec
from elastic_transport import HttpHeaders, NodeConfig

from connectors.aio.retry import Retry, RetryPolicy
from connectors.engine.embedded.access import Access
from connectors.engine.embedded.desk import Desk
from connectors.engine.embedded.refusal import Refusal
from connectors.engine.node import PRODUCT, PRODUCT_HEADER, HttpNode, Reply, Request
from connectors.errors import EngineUnreachable, EngineUntrusted
from connectors.settings import EngineSettings

ADDRESS: Final = "http://embedded:80"
"""What a client is given as the engine's address; nothing is ever looked up under it."""
_HEADERS: Final = HttpHeaders({"content-type": "application/json", PRODUCT_HEADER: PRODUCT})


class EmbeddedNode(HttpNode):
    """Sends requests to the engine of one data folder, wherever it runs. `configured_for` names the folder."""

    access: ClassVar[Access]

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._path = self.access.socket

    @classmethod
    def configured_for(cls, access: Access, settings: EngineSettings) -> "type[EmbeddedNode]":
        """Return this class with the access to a folder."""
        members = {"access": access, "known": True, "connect_timeout_s": settings.connect_timeout_s}
        return type("ConfiguredEmbeddedNode", (cls,), members)

    @property
    def where(self) -> str:
        """What messages call the engine."""
        return f"the embedded engine of {self.access.folder}"

    async def exchange(self, request: Request) -> Reply:
        """Have a request carried out. Raises an `EngineError`.

        When there is no owner any more, this process tries to become it. If another one is faster, that one is looked
        for until `connect_timeout_s` is over. What may have reached an owner that is gone is not sent again.
        """
        if self.access.desk is not None:
            return await self._carried_out(self.access.desk, request)
        retry = Retry(RetryPolicy(attempts=sys.maxsize, longest_pause_s=0.5, limit_s=self.connect_timeout_s))
        outcome = await retry(lambda _: self._through_owner(request))
        if isinstance(outcome, EngineUnreachable):
            raise outcome
        return outcome

    async def _through_owner(self, request: Request) -> Reply | EngineUnreachable:
        """Go through the owner, or become it. Raises only what another attempt may mend."""
        try:
            return await super().exchange(request)
        except EngineUnreachable as error:
            await self.access.join()
            if self._path != self.access.socket:
                await self.close()
            if not error.unsent:
                return error
            if self.access.desk is None:
                raise
        return await self._carried_out(self.access.desk, request)

    async def _carried_out(self, desk: Desk, request: Request) -> Reply:
        body = request.body or b""
        try:
            async with asyncio.timeout(request.timeout_s):
                with desk.place(request.target, len(body)) as place:
                    status, content = await desk.answer(place, request.method, request.target, body)
        except Refusal as refusal:
            return Reply(refusal.status, _HEADERS, msgspec.json.encode(refusal.body()))
        except TimeoutError as error:
            raise self._fault(error, request.timeout_s) from error
        return Reply(status, _HEADERS, content)

    def _connector(self) -> aiohttp.BaseConnector:
        self._path = self.access.socket
        return aiohttp.UnixConnector(str(self._path), limit=self.config.connections_per_node)

    def _fault(self, error: Exception, timeout_s: float | None) -> EngineUnreachable | EngineUntrusted:
        fault = super()._fault(error, timeout_s)
        if isinstance(error, aiohttp.ClientConnectorError):
            fault.hint = "Another process owns that folder and does not answer: is it just starting, or ending?"
        return fault
