"""The routes of single documents: write, read, delete, update, and reads of many by id."""

from collections.abc import Mapping
from typing import Any

from connectors.engine.embedded.api.router import Answer, Route, route
from connectors.engine.embedded.api.views import Views
from connectors.engine.embedded.query.source_filter import SourceFilter
from connectors.engine.embedded.refusal import Refusal, illegal_argument
from connectors.engine.embedded.request import Call, Parameters
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.index import MOST_ID_BYTES, Index, new_id
from connectors.engine.embedded.store.index_file import PRIMARY_TERM, Recorded, Stored, standing_in, stood_in
from connectors.engine.embedded.store.names import index_not_found
from connectors.engine.embedded.store.refreshing import Refreshing
from connectors.engine.embedded.store.versioning import Condition
from connectors.engine.embedded.turn import Turn

CONDITION = "version version_type if_seq_no if_primary_term"
WRITE = f"{CONDITION} refresh timeout wait_for_active_shards routing"
SOURCE = "_source _source_includes _source_excludes _source_include _source_exclude"
STATUS = {"created": 201, "updated": 200, "deleted": 200, "not_found": 404, "noop": 200}


class DocumentsApi:
    """Answers requests for single documents."""

    def __init__(self, catalog: Catalog, turn: Turn, refreshing: Refreshing, views: Views) -> None:
        self._catalog = catalog
        self._turn = turn
        self._refresh = refreshing
        self._views = views

    def routes(self) -> list[Route]:
        """Return what this answers."""
        index = f"{WRITE} op_type pipeline require_alias"
        read = f"{SOURCE} realtime refresh preference"
        update = f"{WRITE} {SOURCE} retry_on_conflict require_alias"
        many = f"{SOURCE} realtime preference"
        return [
            route("PUT POST", "/{index}/_doc/{id}", self.put, index, takes_turns=True),
            route("POST", "/{index}/_doc", self.put, index, takes_turns=True),
            route("PUT POST", "/{index}/_create/{id}", self.create, index, takes_turns=True),
            route("GET", "/{index}/_doc/{id}", self.get, read, takes_turns=True),
            route("GET", "/{index}/_source/{id}", self.source, read, takes_turns=True),
            route("DELETE", "/{index}/_doc/{id}", self.delete, WRITE, takes_turns=True),
            route("POST", "/{index}/_update/{id}", self.update, update, takes_turns=True),
            route("GET POST", "/_mget", self.get_many, many, takes_turns=True),
            route("GET POST", "/{index}/_mget", self.get_many, many, takes_turns=True),
        ]

    def put(self, call: Call) -> Answer:
        """Write a document, under an id of its own where none is given."""
        op_type = call.parameters.text("op_type") or ("index" if "id" in call.parts else "create")
        if op_type not in {"index", "create"}:
            raise illegal_argument(f"opType must be 'create' or 'index', found: [{op_type}]")
        return self._put(call, create=op_type == "create" and "id" in call.parts)

    def create(self, call: Call) -> Answer:
        """Write a document of which there is none yet."""
        return self._put(call, create=True)

    def _put(self, call: Call, *, create: bool) -> Answer:
        doc_id = call.parts.get("id") or new_id()
        refuse_unimplemented(call.parameters)
        condition = condition_of(call.parameters, create=create)
        check_request(doc_id, condition.problems())
        refresh = refresh_of(call.parameters)
        if not call.body.strip():
            raise Refusal(400, "parse_exception", "request body is required")
        require_alias = call.parameters.flag("require_alias")
        with self._turn.taken():
            index = self._catalog.for_writing(call.parts["index"], require_alias=require_alias)
            with index.transaction():
                recorded = index.put(doc_id, call.body, condition)
            answer = index.answer(doc_id, recorded)
        return self._written(index, recorded, answer, refresh=refresh)

    def delete(self, call: Call) -> Answer:
        """Delete a document."""
        doc_id = call.parts["id"]
        refuse_unimplemented(call.parameters)
        condition = condition_of(call.parameters)
        check_request(doc_id, condition.problems())
        refresh = refresh_of(call.parameters)
        name = call.parts["index"]
        with self._turn.taken():
            if name not in self._catalog.indices and name not in self._catalog.aliases and condition.version is None:
                raise index_not_found(name)
            index = self._catalog.for_writing(name)
            with index.transaction():
                recorded = index.delete(doc_id, condition)
            answer = index.answer(doc_id, recorded)
        return self._written(index, recorded, answer, refresh=refresh)

    def update(self, call: Call) -> Answer:
        """Merge a part into a document."""
        doc_id = call.parts["id"]
        refuse_unimplemented(call.parameters)
        body = update_body(call.json() or {})
        condition = condition_of(call.parameters)
        problems = condition.problems()
        if condition.if_seq_no is not None and call.parameters.number("retry_on_conflict"):
            problems.append("compare and write operations can not be retried")
        if "doc" not in body:
            problems.append("script or doc is missing")
        check_request(doc_id, problems)
        refresh = refresh_of(call.parameters)
        asked = SourceFilter.of_parameters(call.parameters, default=False)
        require_alias = call.parameters.flag("require_alias")
        with self._turn.taken():
            index = self._catalog.for_writing(call.parts["index"], require_alias=require_alias)
            with index.transaction():
                recorded, raw = index.update(doc_id, body, condition)
            answer = index.answer(doc_id, recorded)
        if asked.wanted:
            same = {"_seq_no": recorded.seq, "_primary_term": PRIMARY_TERM, "found": True}
            answer["get"] = {**same, "_source": asked.apply(raw)}
        return self._written(index, recorded, answer, refresh=refresh)

    def _written(self, index: Index, recorded: Recorded, answer: dict[str, Any], *, refresh: bool) -> Answer:
        """Answer a write, after the refresh that it asked for."""
        if refresh:
            self._refresh.after_write(index)
            answer["forced_refresh"] = True
        return Answer(STATUS[recorded.result], answer)

    def get(self, call: Call) -> Answer:
        """Read a document as it is now."""
        index, found = self._read(call)
        asked = SourceFilter.of_parameters(call.parameters)
        return Answer(200 if found else 404, shown(index, call.parts["id"], found, asked))

    def source(self, call: Call) -> Answer:
        """Read a document's content alone."""
        index, found = self._read(call)
        if found is None:
            told = f"Document not found [{index.name}]/[{call.parts['id']}]"
            raise Refusal(404, "resource_not_found_exception", told)
        return Answer(200, SourceFilter.of_parameters(call.parameters).apply(found.source))

    def _read(self, call: Call) -> tuple[Index, Stored | None]:
        index = self._catalog.names.one(call.parts["index"])
        if call.parameters.flag("refresh"):
            self._refresh(index)
        return index, self._stored(index, call.parts["id"], realtime=call.parameters.flag("realtime", default=True))

    def _stored(self, index: Index, doc_id: str, *, realtime: bool) -> Stored | None:
        """Return a document as it is now, or as searches see it."""
        with self._views.of(index) as view:
            if realtime:
                return standing_in(view.connection, doc_id)
            return stood_in(view.connection, doc_id, view.upto)

    def get_many(self, call: Call) -> Answer:
        """Read documents by id, in the order in which they are asked for."""
        body = call.json() or {}
        unknown = body.keys() - {"ids", "docs"}
        if unknown:
            told = f"unexpected field [{min(unknown)}], expected one of [docs, ids]"
            raise Refusal(400, "parsing_exception", told)
        wanted = [*body.get("docs", []), *({"_id": one} for one in body.get("ids", []))]
        if not wanted:
            raise invalid_request(["no documents to get"])
        asked = SourceFilter.of_parameters(call.parameters)
        realtime = call.parameters.flag("realtime", default=True)
        return Answer(200, {"docs": [self._one_of_many(one, call, asked, realtime=realtime) for one in wanted]})

    def _one_of_many(self, one: Mapping[str, Any], call: Call, asked: SourceFilter, *, realtime: bool) -> Any:  # noqa: ANN401
        unknown = one.keys() - {"_index", "_id", "_source"}
        if unknown or "_id" not in one:
            raise Refusal(400, "parsing_exception", f"unknown or missing key in a document to get: {sorted(one)}")
        name, doc_id = one.get("_index") or call.parts.get("index"), str(one["_id"])
        if name is None:
            raise invalid_request(["index is missing for doc 0"])
        try:
            index = self._catalog.names.one(name)
        except Refusal as refusal:
            return {"_index": name, "_id": doc_id, "error": refusal.body()["error"]}
        part = SourceFilter.of_body(one["_source"]) if "_source" in one else asked
        return shown(index, doc_id, self._stored(index, doc_id, realtime=realtime), part)


def shown(index: Index, doc_id: str, found: Stored | None, asked: SourceFilter) -> dict[str, Any]:
    """Return what a read answers."""
    if found is None:
        return {"_index": index.name, "_id": doc_id, "found": False}
    body = {
        "_index": index.name,
        "_id": doc_id,
        "_version": found.version,
        "_seq_no": found.seq,
        "_primary_term": found.term,
        "found": True,
    }
    return {**body, "_source": asked.apply(found.source)} if asked.wanted else body


def refresh_of(parameters: Parameters) -> bool:
    """Return whether a write is to be searchable when it is answered. To wait for a refresh is to make one."""
    if parameters.text("refresh") == "wait_for":
        return True
    try:
        return parameters.flag("refresh")
    except Refusal:
        raise illegal_argument(f"Unknown value for refresh: [{parameters.text('refresh')}].") from None


def condition_of(parameters: Parameters, *, create: bool = False) -> Condition:
    """Return what the parameters of a write expect."""
    version_type = parameters.text("version_type") or "internal"
    if version_type == "external_gt":
        version_type = "external"
    if version_type not in {"internal", "external", "external_gte"}:
        raise illegal_argument(f"No version type match [{version_type}]")
    return Condition(
        create=create,
        version=parameters.number("version"),
        version_type=version_type,  # type: ignore[arg-type] # it was just checked
        if_seq_no=natural("sequence numbers", parameters.number("if_seq_no")),
        if_primary_term=natural("primary term", parameters.number("if_primary_term")),
    )


def natural(what: str, number: int | None) -> int | None:
    """Return a number that can't be negative. Raises a `Refusal` when it is."""
    if number is not None and number < 0:
        raise illegal_argument(f"{what} must be non negative. got [{number}].")
    return number


def refuse_unimplemented(parameters: Parameters) -> None:
    """Refuse parameters that would change what is written if they were ignored."""
    for name in ("routing", "pipeline"):
        if parameters.text(name) not in {None, "_none"}:
            raise illegal_argument(f"The embedded engine does not implement the parameter [{name}].")


def check_request(doc_id: str, problems: list[str]) -> None:
    """Raise a `Refusal` for an id that is too long and for other problems."""
    size = len(doc_id.encode("utf-8", "surrogatepass"))
    if size > MOST_ID_BYTES:
        too_long = f"id [{doc_id}] is too long, must be no longer than {MOST_ID_BYTES} bytes but was: {size}"
        problems = [*problems, too_long]
    if problems:
        raise invalid_request(problems)


def invalid_request(problems: list[str]) -> Refusal:
    """Return the refusal of a request that contradicts itself."""
    listed = "".join(f" {number}: {problem};" for number, problem in enumerate(problems, 1))
    return Refusal(400, "action_request_validation_exception", f"Validation Failed:{listed}")


def update_body(body: object) -> dict[str, Any]:
    """Return the body of an update. Raises a `Refusal` for what it can't have."""
    if not isinstance(body, dict):
        raise Refusal(400, "x_content_parse_exception", "[UpdateRequest] is no object")
    known = {"doc", "upsert", "doc_as_upsert", "detect_noop", "_source"}
    for name in sorted(body.keys() - known):
        if name in {"script", "scripted_upsert"}:
            raise illegal_argument(f"The embedded engine does not implement [{name}] in updates.")
        raise Refusal(400, "x_content_parse_exception", f"[UpdateRequest] unknown field [{name}]")
    for name in ("doc", "upsert"):
        if not isinstance(body.get(name, {}), dict):
            raise Refusal(400, "x_content_parse_exception", f"[UpdateRequest] [{name}] is no object")
    return body
