"""OpenSearch behind the client of Elasticsearch: a node that translates where the two differ on the wire."""

import re
from dataclasses import dataclass
from typing import Final

import msgspec
from elastic_transport import HttpHeaders
from elastic_transport._node import NodeApiResponse
from elastic_transport.client_utils import DEFAULT, DefaultType

from connectors.engine.node import HttpNode

_COMPATIBLE: Final = re.compile(r"application/vnd\.elasticsearch\+(?P<kind>[a-z-]+)\s*;\s*compatible-with=\d+")
_OPEN_POINT_IN_TIME: Final = re.compile(r"^/(?P<index>[^/?]+)/_pit(?P<query>\?.*)?$")
_CLOSE_POINT_IN_TIME: Final = "/_pit"
_POINT_IN_TIME: Final = "/_search/point_in_time"


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Opened(msgspec.Struct, frozen=True):
    pit_id: str


class _Closed(msgspec.Struct, frozen=True):
    successful: bool


class _AllClosed(msgspec.Struct, frozen=True):
    pits: list[_Closed]


class OpenSearchNode(HttpNode):
    """Media types without a compatibility version, and points in time under OpenSearch's own path and names."""

    async def perform_request(  # type: ignore[override] # the base class declares the synchronous signature
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> NodeApiResponse:
        """Translate the request, send it, and translate the answer back."""
        request = _Translated.of(method, target, body)
        meta, content = await super().perform_request(
            method, request.target, request.body, _plain(headers), request_timeout
        )
        return NodeApiResponse(meta, request.answer(content) if meta.status < 300 else content)


@dataclass(frozen=True)
class _Translated:
    """One request as OpenSearch wants it."""

    target: str
    body: bytes | None
    opens: bool = False
    closes: bool = False

    @classmethod
    def of(cls, method: str, target: str, body: bytes | None) -> "_Translated":
        opening = _OPEN_POINT_IN_TIME.match(target)
        if method == "POST" and opening:
            return cls(f"/{opening['index']}{_POINT_IN_TIME}{opening['query'] or ''}", body, opens=True)
        if method == "DELETE" and target == _CLOSE_POINT_IN_TIME:
            ids = [msgspec.json.decode(body or b"", type=_Id).id]
            return cls(_POINT_IN_TIME, msgspec.json.encode({"pit_id": ids}), closes=True)
        return cls(target, body)

    def answer(self, content: bytes) -> bytes:
        """Return the content as Elasticsearch would give it; what can't be read stays, for the caller to find."""
        try:
            if self.opens:
                return msgspec.json.encode({"id": msgspec.json.decode(content, type=_Opened).pit_id})
            if self.closes:
                closed = [pit.successful for pit in msgspec.json.decode(content, type=_AllClosed).pits]
                return msgspec.json.encode({"succeeded": all(closed), "num_freed": sum(closed)})
        except msgspec.DecodeError:
            pass
        return content


def _plain(headers: HttpHeaders | None) -> HttpHeaders:
    return HttpHeaders(
        {name: _COMPATIBLE.sub(r"application/\g<kind>", value) for name, value in (headers or {}).items()}
    )
