"""An engine that answers at once and keeps next to nothing, so that what is measured is the client.

It answers what a whole sync asks. Small documents (leases, state) it keeps, with compare-and-set. Of bulks it counts
the operations, and `_stats` advances by as many; what they wrote is gone: searches find nothing.
"""

import asyncio
import contextlib
import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote
from uuid import uuid4

import msgspec

GREETING: Final = json.dumps({"cluster_name": "null", "version": {"number": "8.19.8"}}).encode()
HEAD: Final = (
    "HTTP/1.1 {status} Status\r\nx-elastic-product: Elasticsearch\r\n"
    "content-type: application/vnd.elasticsearch+json;compatible-with=8\r\ncontent-length: {length}\r\n\r\n"
)
SHARDS: Final = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
WRITTEN: Final = {"total": 1, "successful": 1, "failed": 0}
NOTHING_FOUND: Final = {
    "took": 0,
    "timed_out": False,
    "_shards": SHARDS,
    "hits": {"total": {"value": 0, "relation": "eq"}, "max_score": None, "hits": []},
}
RESULTS: Final = {"index": ("created", 201), "create": ("created", 201), "update": ("updated", 200)}
_KINDS: Final = {ord(kind[0]): kind for kind in ("index", "create", "update", "delete")}
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_encode: Final = msgspec.json.Encoder().encode


class Refused(Exception):
    """Raised with the status and the body of an answer that is an error."""

    def __init__(self, status: int, kind: str, reason: str, **more: object) -> None:
        cause = {"type": kind, "reason": reason, **more}
        super().__init__(reason)
        self.status = status
        self.body = _encode({"error": {"root_cause": [cause], **cause}, "status": status})


@dataclass(frozen=True)
class Asked:
    """A request: the name before the first part of the path that begins with an underscore, that, and what follows."""

    method: str
    name: str
    verb: str
    rest: Sequence[str]
    query: Mapping[str, list[str]]
    body: bytes

    @classmethod
    def of(cls, method: str, path: str, query: str, body: bytes) -> Self:
        """Take the parts of a request apart."""
        first, *more = [unquote(part) for part in path.strip("/").split("/")]
        name, verb, *rest = ["", first, *more] if first.startswith("_") else [first, *(more or [""])]
        return cls(method, name, verb, rest, parse_qs(query), body)


@dataclass
class Index:
    """An index of one or more shards, the first of which gets all writes."""

    name: str
    shards: int = 1
    mappings: dict[str, Any] = field(default_factory=dict)
    aliases: dict[str, Any] = field(default_factory=dict)
    uuid: str = field(default_factory=lambda: uuid4().hex[:22])
    written: int = 0
    """How many sequence numbers were given away."""
    documents: dict[str, tuple[int, int, msgspec.Raw]] = field(default_factory=dict)
    """Version, sequence number and source by id."""

    @classmethod
    def of(cls, name: str, told: dict[str, Any]) -> Self:
        """Return an index as the body of its creation describes it."""
        settings = told.get("settings") or {}
        shards = settings.get("number_of_shards") or settings.get("index", {}).get("number_of_shards", 1)
        return cls(name, int(shards), told.get("mappings") or {}, told.get("aliases") or {})

    def put(self, doc_id: str, source: bytes, query: Mapping[str, list[str]], *, create: bool) -> tuple[int, object]:
        """Keep a document under the conditions of a query."""
        self._check(doc_id, query, create=create)
        known = self.documents.get(doc_id)
        version = known[0] + 1 if known else 1
        self.documents[doc_id] = (version, self.written, msgspec.Raw(source))
        return (200, self._did(doc_id, version, "updated")) if known else (201, self._did(doc_id, version, "created"))

    def remove(self, doc_id: str, query: Mapping[str, list[str]]) -> tuple[int, object]:
        """Drop a document under the conditions of a query."""
        self._check(doc_id, query, create=False)
        version, _, _ = self.documents.pop(doc_id, (0, 0, None))
        found = version > 0
        return 200 if found else 404, self._did(doc_id, version + 1, "deleted" if found else "not_found")

    def get(self, doc_id: str) -> dict[str, Any]:
        """Return a document as a read by id does."""
        if doc_id not in self.documents:
            return {"_index": self.name, "_id": doc_id, "found": False}
        version, seq_no, source = self.documents[doc_id]
        known = {"_version": version, "_seq_no": seq_no, "_primary_term": 1, "found": True, "_source": source}
        return {"_index": self.name, "_id": doc_id, **known}

    def stats(self) -> dict[str, Any]:
        """Return the UUID and the sequence numbers of the shards."""
        numbers = [self.written - 1, *[-1] * (self.shards - 1)]
        shards = {
            str(shard): [
                {
                    "routing": {"state": "STARTED", "primary": True},
                    "seq_no": {"max_seq_no": number, "local_checkpoint": number, "global_checkpoint": number},
                    "commit": {"user_data": {"history_uuid": f"{self.uuid}-{shard}"}},
                }
            ]
            for shard, number in enumerate(numbers)
        }
        return {"uuid": self.uuid, "shards": shards}

    def settings(self) -> dict[str, Any]:
        """Return the settings that are asked for."""
        settings = {"uuid": self.uuid, "number_of_shards": str(self.shards), "provided_name": self.name}
        return {"settings": {"index": settings}}

    def _check(self, doc_id: str, query: Mapping[str, list[str]], *, create: bool) -> None:
        known = self.documents.get(doc_id)
        wanted = query.get("if_seq_no")
        if (create and known) or (wanted and (known is None or known[1] != int(wanted[0]))):
            raise Refused(409, "version_conflict_engine_exception", f"[{doc_id}]: version conflict", index=self.name)

    def _did(self, doc_id: str, version: int, result: str) -> object:
        self.written += 1
        place = {"_seq_no": self.written - 1, "_primary_term": 1, "_shards": WRITTEN}
        return {"_index": self.name, "_id": doc_id, "_version": version, "result": result, **place}


class NullEngine:
    """What there is, and the answer to each request."""

    def __init__(self) -> None:
        self.indices: dict[str, Index] = {}

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the body of an answer."""
        path, _, query = target.partition("?")
        try:
            if path.endswith("/_bulk"):
                return 200, self._bulk(path, query, body)
            if path == "/":
                return 200, GREETING
            asked = Asked.of(method, path, query, body)
            status, content = self._route(asked.verb)(asked)
        except Refused as refused:
            return refused.status, refused.body
        return status, _encode(content)

    def _bulk(self, path: str, query: str, body: bytes) -> bytes:
        kinds = kinds_of(body)
        index = self._written(unquote(path.split("/")[1]))
        index.written += len(kinds)
        return b'{"errors":false}' if query == "filter_path=errors" else bulk_answer_of(kinds, index.name)

    def _route(self, verb: str) -> Callable[[Asked], tuple[int, object]]:
        routes: dict[str, Callable[[Asked], tuple[int, object]]] = {
            "": self._index,
            "_doc": self._document,
            "_create": self._document,
            "_mget": self._documents,
            "_search": lambda asked: (200, NOTHING_FOUND),
            "_count": lambda asked: (200, {"count": 0, **self._shards(asked.name)}),
            "_refresh": lambda asked: (200, self._shards(asked.name)),
            "_pit": lambda asked: (200, {"id": "null"} if asked.name else {"succeeded": True, "num_freed": 1}),
            "_stats": lambda asked: (200, {"indices": self._each(asked.name, Index.stats)}),
            "_cluster": self._primary_terms,
            "_settings": lambda asked: (200, self._each(asked.name, Index.settings)),
            "_alias": lambda asked: (200, self._each(asked.name, lambda one: {"aliases": one.aliases})),
            "_aliases": self._change_aliases,
            "_mapping": self._mapping,
            "_ingest": lambda asked: (404, {}),
        }
        return routes.get(verb, self._unknown)

    def _unknown(self, asked: Asked) -> tuple[int, object]:
        raise Refused(400, "illegal_argument_exception", f"the null engine knows no {asked.method} of {asked.verb}")

    def _document(self, asked: Asked) -> tuple[int, object]:
        doc_id = asked.rest[0]
        match asked.method:
            case "GET":
                found = self._one(asked.name).get(doc_id)
                return 200 if found["found"] else 404, found
            case "DELETE":
                return self._written(asked.name).remove(doc_id, asked.query)
        return self._written(asked.name).put(doc_id, asked.body, asked.query, create=asked.verb == "_create")

    def _documents(self, asked: Asked) -> tuple[int, object]:
        index, told = self._one(asked.name), json.loads(asked.body)
        ids = told.get("ids") or [one["_id"] for one in told["docs"]]
        return 200, {"docs": [index.get(doc_id) for doc_id in ids]}

    def _index(self, asked: Asked) -> tuple[int, object]:
        name = asked.name
        match asked.method:
            case "PUT":
                if name in self.indices:
                    raise Refused(400, "resource_already_exists_exception", f"index [{name}] exists", index=name)
                self.indices[name] = Index.of(name, json.loads(asked.body or b"{}"))
                return 200, {"acknowledged": True, "shards_acknowledged": True, "index": name}
            case "DELETE":
                for one in self._named(name):
                    del self.indices[one.name]
                return 200, {"acknowledged": True}
        return 200, self._each(name, lambda one: {"aliases": one.aliases, "mappings": one.mappings, **one.settings()})

    def _primary_terms(self, asked: Asked) -> tuple[int, object]:
        terms = {str(shard): 1 for shard in range(self._one(asked.rest[-1]).shards)}
        return 200, {"metadata": {"indices": {self._one(asked.rest[-1]).name: {"primary_terms": terms}}}}

    def _mapping(self, asked: Asked) -> tuple[int, object]:
        if asked.method == "GET":
            return 200, self._each(asked.name, lambda one: {"mappings": one.mappings})
        for one in self._named(asked.name):
            one.mappings.setdefault("properties", {}).update(json.loads(asked.body).get("properties", {}))
        return 200, {"acknowledged": True}

    def _change_aliases(self, asked: Asked) -> tuple[int, object]:
        for action in json.loads(asked.body)["actions"]:
            for kind, change in action.items():
                index = self._one(change["index"])
                if kind == "add":
                    more = {key: value for key, value in change.items() if key == "is_write_index"}
                    index.aliases[change["alias"]] = more
                elif index.aliases.pop(change["alias"], None) is None:
                    raise Refused(404, "aliases_not_found_exception", f"aliases [{change['alias']}] missing")
        return 200, {"acknowledged": True, "errors": False}

    def _shards(self, name: str) -> dict[str, object]:
        return {"_shards": {**SHARDS, **dict.fromkeys(("total", "successful"), self._one(name).shards)}}

    def _each(self, name: str, told: Callable[[Index], object]) -> dict[str, object]:
        return {one.name: told(one) for one in self._named(name)}

    def _named(self, name: str) -> list[Index]:
        """Return what a name or an alias stands for, and all without one. Raises `Refused` where it is nothing."""
        if not name:
            return list(self.indices.values())
        found = [one for one in self.indices.values() if name == one.name or name in one.aliases]
        if not found:
            raise Refused(404, "index_not_found_exception", f"no such index [{name}]", index=name)
        return found

    def _one(self, name: str) -> Index:
        return self._named(name)[0]

    def _written(self, name: str) -> Index:
        """Return the index to write to, which a write makes when it is missing."""
        known = self.indices.get(name)
        if known is not None:
            return known
        if not any(name in one.aliases for one in self.indices.values()):
            self.indices[name] = Index(name)
        return self._one(name)


def kinds_of(body: bytes) -> tuple[str, ...]:
    """Return the kind of each operation of a bulk, told by the first letter of its line."""
    kinds, place, find = [], 0, body.find
    while place < len(body):
        kind = _KINDS[body[place + 2]]
        kinds.append(kind)
        place = find(b"\n", place) + 1
        if kind != "delete":
            place = find(b"\n", place) + 1
    return tuple(kinds)


@functools.lru_cache(maxsize=64)
def bulk_answer_of(kinds: tuple[str, ...], index: str = "content-000001") -> bytes:
    """Return what an engine says when it did all operations of a bulk; their ids and numbers are made up."""
    items = []
    for number, kind in enumerate(kinds):
        result, status = RESULTS.get(kind, ("deleted", 200))
        done = {"_index": index, "_id": f"table_{number}", "_version": 3_671_000_000_000_000_000 + number}
        place = {"result": result, "_shards": WRITTEN, "_seq_no": number, "_primary_term": 1, "status": status}
        items.append({kind: {**done, **place}})
    return json.dumps({"took": 1, "errors": False, "items": items}).encode()


def bulk_answer(operations: int) -> bytes:
    """Return what an engine says when it created so many documents."""
    return bulk_answer_of(("index",) * operations)


class _Connection(asyncio.Protocol):
    """Cuts what comes over one connection into requests, and answers each."""

    def __init__(self, engine: NullEngine) -> None:
        self._engine = engine
        self._head: bytes | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._wanted = 1
        """How many bytes there must be before it is worth looking at them again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        while self._size >= self._wanted:
            joined = b"".join(self._pieces)
            if self._head is not None:
                self._reply(self._head, joined[: self._wanted])
                self._head = None
                self._keep(joined[self._wanted :], wanted=1)
                continue
            head, end, rest = joined.partition(b"\r\n\r\n")
            if not end:
                self._keep(joined, wanted=self._size + 1)
                break
            length = _LENGTH.search(head)
            self._head = head
            self._keep(rest, wanted=int(length[1]) if length else 0)

    def _keep(self, rest: bytes, *, wanted: int) -> None:
        self._pieces, self._size, self._wanted = [rest], len(rest), wanted

    def _reply(self, head: bytes, body: bytes) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        status, content = self._engine.answer(method, target, body)
        lines = HEAD.format(status=status, length=len(content)).encode()
        self._transport.write(lines if method == "HEAD" else lines + content)


async def serve() -> None:
    """Serve on a free port, which is printed, until the process is ended."""
    engine = NullEngine()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(engine), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def start() -> tuple[subprocess.Popen[str], str]:
    """Start a null engine in a process of its own, and return that and its address."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.null_engine"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{int(process.stdout.readline())}"


def end(process: subprocess.Popen[str]) -> None:
    """End its process."""
    process.terminate()
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


@contextlib.contextmanager
def null_engine() -> Iterator[str]:
    """Provide the address of a null engine."""
    process, url = start()
    try:
        yield url
    finally:
        end(process)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
