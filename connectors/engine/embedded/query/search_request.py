"""What a search asks for: its body and its parameters, checked before any index is looked at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors.engine.embedded.query.query import Query, parse_query
from connectors.engine.embedded.query.sort import SortKey, parse_sort, parse_sort_parameter
from connectors.engine.embedded.query.source_filter import SourceFilter
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented, unparsable
from connectors.engine.embedded.request import Parameters
from connectors.engine.embedded.time_value import time_ms

TRACKED: Final = 10_000
"""How far hits are counted unless a search asks for more."""
WINDOW: Final = 10_000
PARAMETERS: Final = frozenset({
    "from", "size", "sort", "version", "seq_no_primary_term", "track_total_hits", "track_scores", "_source",
    "_source_includes", "_source_excludes", "docvalue_fields", "q", "terminate_after", "explain", "stored_fields",
    "timeout",
})  # fmt: skip
"""The parameters that are read here; others belong to the route."""
_NOT_IMPLEMENTED: Final = frozenset({
    "aggregations", "aggs", "collapse", "ext", "fields", "highlight", "indices_boost", "knn", "post_filter", "rank",
    "rescore", "retriever", "runtime_mappings", "script_fields", "slice", "stats", "stored_fields", "sub_searches",
    "suggest",
})  # fmt: skip


@dataclass(frozen=True)
class DocValueField:
    """A field, or a pattern of fields, whose doc values are asked for."""

    pattern: str
    format: str | None = None


@dataclass(frozen=True)
class SearchRequest:
    """One search, without the indices that it goes to."""

    query: Query
    start: int = 0
    size: int = 10
    sort: tuple[SortKey, ...] = ()
    after: tuple[object, ...] | None = None
    source: SourceFilter = field(default_factory=SourceFilter)
    doc_values: tuple[DocValueField, ...] = ()
    version: bool = False
    seq_no: bool = False
    track: int | None = TRACKED
    """How far hits are counted; None for all, a negative number for not at all."""
    track_scores: bool = False
    min_score: float | None = None
    timeout_s: float | None = None
    """After this the search ends with what it has, which is nothing."""

    @classmethod
    def parse(cls, body: object, parameters: Parameters | None = None) -> "SearchRequest":
        """Return what a body and parameters ask for. Raises a `Refusal`; `pit` in the body is left to the caller."""
        if body is None:
            body = {}
        if not isinstance(body, dict):
            raise unparsable(f"Expected [START_OBJECT] but found [{_token(body)}]")
        said: dict[str, Any] = {"query": parse_query({"match_all": {}})}
        for key, value in body.items():
            if key in _NOT_IMPLEMENTED:
                raise not_implemented(f"[{key}] of a search")
            if key not in _READERS or value is None:
                raise unparsable(f"Unknown key for a {_token(value)} in [{key}].")
            said |= _READERS[key](value)
        said |= _of_parameters(parameters or Parameters({}))
        request = cls(**said)
        if request.after is not None and request.start > 0:
            reason = "Validation Failed: 1: [from] parameter must be set to 0 when [search_after] is used;"
            raise Refusal(400, "action_request_validation_exception", reason)
        if "pit" in body and body.get("sort") and not any(key.path == "_shard_doc" for key in request.keys):
            # So that pages of a point in time neither lose nor repeat documents whose values are the same. A request
            # that goes on after fewer values does without.
            keys = (*request.keys, SortKey("_shard_doc"))
            if request.after is None or len(request.after) == len(keys):
                return replace(request, sort=keys)
        return request

    @property
    def shows_scores(self) -> bool:
        """Return whether scores are part of the answer."""
        return not self.sort or any(key.path == "_score" for key in self.sort) or self.track_scores

    @property
    def needs_scores(self) -> bool:
        """Return whether the answer depends on scores."""
        return self.shows_scores or self.min_score is not None

    @property
    def keys(self) -> tuple[SortKey, ...]:
        """Return the keys to sort by, which are the score unless something else is asked for."""
        return self.sort or (SortKey("_score", descending=True),)


def parse_count(body: object) -> Query:
    """Return the query of a count or of a delete by query. Raises a `Refusal`, always of the same type."""
    if body is None or body == {}:
        return parse_query({"match_all": {}})
    if not isinstance(body, dict):
        raise unparsable(f"Expected [START_OBJECT] but found [{_token(body)}]")
    for key in body:
        if key != "query":
            raise unparsable(f"request does not support [{key}]")
    try:
        return _query(body["query"])["query"]  # type: ignore[no-any-return]
    except Refusal as refusal:
        raise unparsable(refusal.reason or "") from refusal


def _token(value: object) -> str:
    if isinstance(value, bool):
        return "VALUE_BOOLEAN"
    names = {int: "VALUE_NUMBER", float: "VALUE_NUMBER", str: "VALUE_STRING", list: "START_ARRAY", dict: "START_OBJECT"}
    return names.get(type(value), "VALUE_NULL")


def _query(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise unparsable(f"Unknown key for a {_token(value)} in [query].")
    return {"query": parse_query(value)}


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool):
        raise Refusal(400, "x_content_parse_exception", f"[{name}] Current token ({_token(value)}) not numeric")
    if not isinstance(value, int | float | str):
        raise unparsable(f"Unknown key for a {_token(value)} in [{name}].")
    try:
        return int(value)
    except (ValueError, OverflowError) as error:
        raise Refusal(400, "number_format_exception", f'For input string: "{value}"') from error


def _start(value: object) -> dict[str, Any]:
    start = _whole("from", value)
    if start < 0:
        raise illegal_argument(f"[from] parameter cannot be negative but was [{start}]")
    return {"start": start}


def _size(value: object) -> dict[str, Any]:
    size = _whole("size", value)
    if size < 0:
        raise illegal_argument(f"[size] parameter cannot be negative, found [{size}]")
    return {"size": size}


def _after(value: object) -> dict[str, Any]:
    if not isinstance(value, list):
        raise unparsable(f"Unknown key for a {_token(value)} in [search_after].")
    if not value:
        raise illegal_argument("Values must contains at least one value.")
    for one in value:
        if isinstance(one, list | dict):
            raise unparsable(
                "Expected [VALUE_STRING] or [VALUE_NUMBER] or [VALUE_BOOLEAN] or [VALUE_NULL] but found "
                f"[{_token(one)}] inside search_after."
            )
    return {"after": tuple(value)}


def _doc_values(value: object) -> dict[str, Any]:
    if not isinstance(value, list):
        raise unparsable(f"Unknown key for a {_token(value)} in [docvalue_fields].")
    return {"doc_values": tuple(_doc_value(one) for one in value)}


def _doc_value(said: object) -> DocValueField:
    options = {"field": said} if isinstance(said, str) else said
    if not isinstance(options, dict) or not isinstance(options.get("field"), str):
        raise Refusal(400, "x_content_parse_exception", "[fetch_field_and_format] Required one of fields [field]")
    for option in options.keys() - {"field", "format"}:
        raise Refusal(400, "x_content_parse_exception", f"[fetch_field_and_format] unknown field [{option}]")
    return DocValueField(options["field"], options.get("format"))


def _track(value: object) -> dict[str, Any]:
    if isinstance(value, bool) or value == "true" or value == "false":  # noqa: PLR1714 - not everything can be in a set
        return {"track": None if value is True or value == "true" else -1}
    number = _whole("track_total_hits", value)
    if number < -1:
        raise illegal_argument(f"[track_total_hits] parameter must be positive or equals to -1, got {number}")
    return {"track": number}


def _flag(name: str, value: object) -> bool:
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise Refusal(400, "x_content_parse_exception", f"[{name}] Current token ({_token(value)}) not of boolean type")


def _min_score(value: object) -> dict[str, Any]:
    try:
        return {"min_score": float(str(value))}
    except ValueError as error:
        raise Refusal(400, "number_format_exception", f'For input string: "{value}"') from error


def _off(name: str) -> Callable[[object], dict[str, Any]]:
    def read(value: object) -> dict[str, Any]:
        if _flag(name, value):
            raise not_implemented(f"[{name}] of a search")
        return {}

    return read


def _unlimited(value: object) -> dict[str, Any]:
    if _whole("terminate_after", value):
        raise not_implemented("[terminate_after] of a search")
    return {}


def _timeout(value: object) -> dict[str, Any]:
    try:
        limit_ms = time_ms(str(value))
    except ValueError:
        raise illegal_argument(
            f"failed to parse setting [timeout] with value [{value}] as a time value: unit is missing or unrecognized"
        ) from None
    return {"timeout_s": None if limit_ms < 0 else limit_ms / 1000}


_READERS: Final[dict[str, Callable[[object], dict[str, Any]]]] = {
    "query": _query,
    "from": _start,
    "size": _size,
    "sort": lambda value: {"sort": parse_sort(value)},
    "search_after": _after,
    "_source": lambda value: {"source": SourceFilter.of_body(value)},
    "docvalue_fields": _doc_values,
    "version": lambda value: {"version": _flag("version", value)},
    "seq_no_primary_term": lambda value: {"seq_no": _flag("seq_no_primary_term", value)},
    "track_total_hits": _track,
    "track_scores": lambda value: {"track_scores": _flag("track_scores", value)},
    "min_score": _min_score,
    "explain": _off("explain"),
    "profile": _off("profile"),
    "terminate_after": _unlimited,
    "timeout": _timeout,
    "pit": lambda _: {},
}


def _of_parameters(parameters: Parameters) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, text in parameters.values.items():
        if name in {"q", "stored_fields"}:
            raise not_implemented(f"the parameter [{name}] of a search")
        if name in {"from", "size"}:
            said |= _READERS[name](parameters.number(name))
        elif name in {"track_total_hits", "terminate_after", "timeout"}:
            said |= _READERS[name](text)
        elif name in {"version", "seq_no_primary_term", "track_scores", "explain"}:
            said |= _READERS[name](parameters.flag(name))
        elif name == "sort":
            said["sort"] = parse_sort_parameter(text)
        elif name == "docvalue_fields":
            said |= _doc_values(text.split(","))
    if _names_source(parameters.values):
        said["source"] = SourceFilter.of_parameters(parameters)
    return said


def _names_source(values: Mapping[str, str]) -> bool:
    return any(name in values for name in ("_source", "_source_includes", "_source_excludes"))
