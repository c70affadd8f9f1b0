"""The route of bulk requests: many writes in one, each answered by itself."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final

import apsw
import msgspec

from connectors.engine.embedded.api.documents import (
    STATUS,
    check_request,
    invalid_request,
    natural,
    refresh_of,
    update_body,
)
from connectors.engine.embedded.api.router import Answer, Route, route
from connectors.engine.embedded.refusal import Refusal, disk_full, illegal_argument
from connectors.engine.embedded.request import Call, decode
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.index import Index, new_id
from connectors.engine.embedded.store.names import index_not_found
from connectors.engine.embedded.store.refreshing import Refreshing
from connectors.engine.embedded.store.searched import MOST_LAG_BYTES
from connectors.engine.embedded.store.versioning import Condition
from connectors.engine.embedded.turn import Turn

_KNOWN: Final = frozenset(
    {"_index", "_id", "version", "version_type", "if_seq_no", "if_primary_term", "require_alias", "retry_on_conflict"}
)
_decode_line: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of action with its document."""

    action: str
    index: str
    doc_id: str | None
    condition: Condition
    require_alias: bool
    raw: bytes


class BulkApi:
    """Answers bulk requests."""

    def __init__(self, catalog: Catalog, turn: Turn, refreshing: Refreshing) -> None:
        self._catalog = catalog
        self._turn = turn
        self._refresh = refreshing

    def routes(self) -> list[Route]:
        """Return what this answers."""
        known = "refresh timeout wait_for_active_shards require_alias pipeline routing _source"
        return [route("POST PUT", path, self.bulk, known, takes_turns=True) for path in ("/_bulk", "/{index}/_bulk")]

    def bulk(self, call: Call) -> Answer:
        """Check every line, then carry the operations out in their order."""
        started = time.monotonic()
        for name in ("routing", "pipeline"):
            if call.parameters.text(name) not in {None, "_none"}:
                raise illegal_argument(f"The embedded engine does not implement the parameter [{name}].")
        refresh = refresh_of(call.parameters)
        require_alias = call.parameters.flag("require_alias")
        operations = list(parse(call.body, call.parts.get("index"), require_alias=require_alias))
        if not operations:
            raise invalid_request(["no requests added"])
        run = _Run(self._catalog, self._turn)
        items = run.carry_out(operations)
        if refresh:
            for index in run.touched.values():
                self._refresh.after_write(index)
        errors = any("error" in item for line in items for item in line.values())
        return Answer(200, {"errors": errors, "took": int((time.monotonic() - started) * 1000), "items": items})


class _Run:
    """Carries out the operations of one bulk, a slice at a time, each with a transaction on the indices it touches."""

    def __init__(self, catalog: Catalog, turn: Turn) -> None:
        self._catalog = catalog
        self._turn = turn
        self._targets: dict[tuple[str, bool], Index] = {}
        self.touched: dict[str, Index] = {}

    def carry_out(self, operations: list[Operation]) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        while len(items) < len(operations):
            done = len(items)
            try:
                with self._turn.taken(large=True):
                    self._slice(operations, items)
            except apsw.FullError:
                # Of several indices, some may have been committed before the one that found no room.
                full = disk_full() if len(self.touched) == 1 else disk_full(unsure=True)
                return items[:done] + self._refused(operations[done:], full, done)
            except Refusal as refusal:  # there was no turn
                return items[:done] + self._refused(operations[done:], refusal, done)
            for index in self.touched.values():
                self._catch_up(index)
        return items

    def _refused(self, rest: list[Operation], refusal: Refusal, done: int) -> list[dict[str, Any]]:
        """Return the items of operations that there was no time or room for; where that were all, raise it instead."""
        if not done:
            raise refusal
        refused = {"status": refusal.status, "error": refusal.error()}
        return [{one.action: {"_index": one.index, "_id": one.doc_id, **refused}} for one in rest]

    def _slice(self, operations: list[Operation], items: list[dict[str, Any]]) -> None:
        """Carry out the next operations, and commit them."""
        until = time.monotonic() + self._turn.slice_s
        with ExitStack() as stack:
            opened: set[str] = set()
            for place in range(len(items), len(operations)):
                operation = operations[place]
                items.append({operation.action: self._item(operation, stack, opened)})
                if time.monotonic() > until:
                    break

    def _catch_up(self, index: Index) -> None:
        """Pay for the next refresh in advance, when it would be a long one; without success, it pays for itself."""
        with suppress(Refusal, apsw.FullError):
            while index.searched.lag_bytes > MOST_LAG_BYTES:
                with self._turn.taken(large=True):
                    if index.closed:
                        return
                    index.searched.catch_up_step()

    def _item(self, operation: Operation, stack: ExitStack, opened: set[str]) -> dict[str, Any]:
        doc_id = operation.doc_id if operation.doc_id is not None else new_id()
        name = operation.index
        try:
            if not doc_id:
                raise illegal_argument("if _id is specified it must not be empty")
            index = self._target(operation)
            name = index.name
            if index.closed:  # it was deleted since the last slice
                raise index_not_found(name)
            if name not in opened:
                stack.enter_context(index.transaction())
                opened.add(name)
            return self._applied(index, doc_id, operation)
        except Refusal as refusal:
            return {"_index": name, "_id": doc_id, "status": refusal.status, "error": refusal.error()}

    def _applied(self, index: Index, doc_id: str, operation: Operation) -> dict[str, Any]:
        match operation.action:
            case "delete":
                recorded = index.delete(doc_id, operation.condition)
            case "update":
                body = update_body(decode(operation.raw))
                recorded, _ = index.update(doc_id, body, operation.condition)
            case _:
                recorded = index.put(doc_id, operation.raw, operation.condition)
        return {**index.answer(doc_id, recorded), "status": STATUS[recorded.result]}

    def _target(self, operation: Operation) -> Index:
        key = (operation.index, operation.require_alias)
        if key not in self._targets:
            index = self._catalog.for_writing(operation.index, require_alias=operation.require_alias)
            self._targets[key] = self.touched[index.name] = index
        return self._targets[key]


def parse(body: bytes, index: str | None, *, require_alias: bool) -> Iterator[Operation]:
    """Yield the operations of a bulk's lines. Raises a `Refusal` for the first line that can't be."""
    if not body:
        raise Refusal(400, "parse_exception", "request body is required")
    if not body.endswith(b"\n"):
        raise illegal_argument("The bulk request must be terminated by a newline [\\n]")
    lines = iter(body.split(b"\n")[:-1])
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        action, given = _action(line, number)
        operation = _operation(action, given, index, require_alias=require_alias, number=number)
        if action == "delete":
            yield operation(b"")
        else:
            raw = next(lines, None)
            if raw is None:
                return
            yield operation(raw)


def _action(line: bytes, number: int) -> tuple[str, dict[str, Any]]:
    try:
        found = _decode_line(line)
    except msgspec.ValidationError:
        raise illegal_argument(f"Malformed action/metadata line [{number}], expected START_OBJECT") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, "x_content_parse_exception", f"[{number}] {error}") from None
    if len(found) != 1:
        raise illegal_argument(f"Malformed action/metadata line [{number}], expected one action but found {len(found)}")
    action, given = next(iter(found.items()))
    if action not in {"index", "create", "update", "delete"}:
        raise illegal_argument(
            f"Malformed action/metadata line [{number}], expected field [create], [delete], [index] or [update] "
            f"but found [{action}]"
        )
    if not isinstance(given, dict):
        raise illegal_argument(f"Malformed action/metadata line [{number}], expected START_OBJECT for [{action}]")
    return action, given


def _operation(action: str, given: dict[str, Any], index: str | None, *, require_alias: bool, number: int) -> Any:  # noqa: ANN401
    """Return what makes an operation of its document's line."""
    unknown = given.keys() - _KNOWN
    if unknown:
        told = f"Action/metadata line [{number}] contains an unknown parameter [{min(unknown)}]"
        raise illegal_argument(told)
    name = given.get("_index") or index
    doc_id = given.get("_id")
    condition = _condition(action, given)
    problems = condition.problems()
    if name is None:
        problems.append("index is missing")
    if doc_id is None and action in {"delete", "update"}:
        problems.append("id is missing")
    check_request(str(doc_id or ""), problems)
    required = bool(given.get("require_alias", require_alias))
    return lambda raw: Operation(action, str(name), None if doc_id is None else str(doc_id), condition, required, raw)


_PLAIN: Final = Condition()
_CREATE: Final = Condition(create=True)


def _condition(action: str, given: dict[str, Any]) -> Condition:
    if given.keys() <= {"_id", "_index", "require_alias", "retry_on_conflict"}:
        return _CREATE if action == "create" else _PLAIN
    version_type = given.get("version_type", "internal")
    if version_type not in ("internal", "external", "external_gte"):
        raise illegal_argument(f"No version type match [{version_type}]")
    numbers = {name: given.get(name) for name in ("version", "if_seq_no", "if_primary_term")}
    for name, number in numbers.items():
        if number is not None and not isinstance(number, int):
            raise illegal_argument(f"Failed to parse {name} [{number}], expected a long")
    natural("sequence numbers", numbers["if_seq_no"])
    natural("primary term", numbers["if_primary_term"])
    return Condition(create=action == "create", version_type=version_type, **numbers)
