"""OpenSearch behind the client of Elasticsearch: a node that translates where the two differ on the wire."""

import re
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from elastic_transport import HttpHeaders

from connectors.engine.node import HttpNode, Reply, Request

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

    async def exchange(self, request: Request) -> Reply:
        """Translate the request, send it, and translate the answer back."""
        translated = _Translated.of(request)
        reply = await super().exchange(translated.request)
        return replace(reply, content=translated.answer(reply.content)) if reply.status < 300 else reply


@dataclass(frozen=True)
class _Translated:
    """One request as OpenSearch wants it, and what its answer has to become."""

    request: Request
    opens: bool = False
    closes: bool = False

    @classmethod
    def of(cls, request: Request) -> "_Translated":
        plain = replace(request, headers=_plain(request.headers))
        opening = _OPEN_POINT_IN_TIME.match(request.target)
        if request.method == "POST" and opening:
            target = f"/{opening['index']}{_POINT_IN_TIME}{opening['query'] or ''}"
            return cls(replace(plain, target=target), opens=True)
        if request.method == "DELETE" and request.target == _CLOSE_POINT_IN_TIME:
            ids = [msgspec.json.decode(request.body or b"", type=_Id).id]
            body = msgspec.json.encode({"pit_id": ids})
            return cls(replace(plain, target=_POINT_IN_TIME, body=body), closes=True)
        return cls(plain)

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


def _plain(headers: HttpHeaders) -> HttpHeaders:
    return HttpHeaders({name: _COMPATIBLE.sub(r"application/\g<kind>", value) for name, value in headers.items()})
