"""The router: finds who answers a request, and answers in words itself when nobody does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw
import msgspec

from connectors import logger
from connectors.engine.embedded.api.filter_path import filtered, reached
from connectors.engine.embedded.refusal import Refusal, disk_full
from connectors.engine.embedded.request import Call, Parameters, split_target
from connectors.engine.embedded.store.names import invalid_index_name
from connectors.engine.embedded.turn import Turn

log = logger.get(__name__)
MOST_BYTES: Final = 100 * 2**20
"""A larger body is refused, as Elasticsearch does by default."""
TEXT: Final = "text/plain; charset=UTF-8"
JSON: Final = "application/vnd.elasticsearch+json;compatible-with=8"


@dataclass(frozen=True)
class Answer:
    """What is answered: a body that is encoded as JSON, but for a text, which is what it is."""

    status: int
    body: Any


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """Which requests a handler takes: `pattern` is a path in which `{name}` stands for any part.

    A handler has the turn while it works, but for one that `takes_turns`: it works on the data for a slice at a time.
    """

    methods: frozenset[str]
    pattern: str
    handler: Handler
    parameters: frozenset[str]
    takes_turns: bool

    def match(self, parts: Sequence[str]) -> dict[str, str] | None:
        """Return what the names of the pattern stand for in a path; None where it does not fit."""
        wanted = self.pattern.strip("/").split("/") if self.pattern.strip("/") else []
        if len(wanted) != len(parts):
            return None
        found = {}
        for want, part in zip(wanted, parts, strict=True):
            if want.startswith("{"):
                # What begins with an underscore is the name of an endpoint, and never of an index.
                if want == "{index}" and part.startswith("_") and part != "_all":
                    return None
                found[want.strip("{}")] = part
            elif want != part:
                return None
        return found


class Router:
    """Hands each request to its route; the first that fits is taken. For any number of threads."""

    def __init__(self, routes: Sequence[Route], turn: Turn) -> None:
        self._routes = routes
        self._turn = turn

    def handle(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the encoded body of the answer. Never raises."""
        path, parts, parameters = split_target(target)
        try:
            answer = self._answer(method, path, parts, parameters, body)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body())
        except apsw.FullError:
            log.error("The embedded engine can't write: the disk is full.", method=method, path=path)
            answer = Answer(429, disk_full().body())
        except Exception:
            log.exception("The embedded engine failed at a request.", method=method, path=path)
            failed = Refusal(500, "exception", "The embedded engine failed at this request; its log says why.")
            answer = Answer(500, failed.body())
        if method == "HEAD" or answer.body is None:
            return answer.status, b""
        if isinstance(answer.body, str):
            return answer.status, answer.body.encode()
        wanted = parameters.values.get("filter_path")
        if wanted is None:
            return answer.status, msgspec.json.encode(answer.body)
        patterns = wanted.split(",")
        # Sources are JSON that is ready, and have to be decoded before something can be left out of them.
        rest = msgspec.json.decode(msgspec.json.encode(reached(answer.body, patterns)))
        return answer.status, msgspec.json.encode(filtered(rest, patterns))

    def _answer(self, method: str, path: str, parts: list[str], parameters: Parameters, body: bytes) -> Answer:
        if len(body) > MOST_BYTES:
            raise too_large()
        fitting = [(route, found) for route in self._routes if (found := route.match(parts)) is not None]
        for route, found in fitting:
            if method in route.methods or (method == "HEAD" and "GET" in route.methods):
                return self._handled(route, Call(method, path, found, parameters, body))
        if fitting:
            allowed = ", ".join(sorted({one for route, _ in fitting for one in route.methods}))
            told = f"Incorrect HTTP method for uri [{path}] and method [{method}], allowed: [{allowed}]"
            return Answer(405, {"error": told, "status": 405})
        if len(parts) == 1 and parts[0].startswith("_"):
            raise invalid_index_name(parts[0], "must not start with '_', '-', or '+'")
        return Answer(400, {"error": f"no handler found for uri [{path}] and method [{method}]"})

    def _handled(self, route: Route, call: Call) -> Answer:
        call.parameters.check(call.path, route.parameters)
        if route.takes_turns:
            return route.handler(call)
        with self._turn.taken():
            return route.handler(call)


def too_large() -> Refusal:
    """Return the refusal of a body that is larger than any may be."""
    return Refusal(413, "content_too_long_exception", f"A body may have {MOST_BYTES} bytes at the most.")


def is_table(content: bytes) -> bool:
    """Return whether an encoded answer is a text: what is JSON is an object or an array."""
    return bool(content) and not content.startswith((b"{", b"["))


def route(methods: str, pattern: str, handler: Handler, parameters: str = "", *, takes_turns: bool = False) -> Route:
    """Return a route for methods and with parameters that are written with spaces between them."""
    return Route(frozenset(methods.split()), pattern, handler, frozenset(parameters.split()), takes_turns)
