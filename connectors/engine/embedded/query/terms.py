"""Queries for values as they are: terms, ranges, prefixes, ids, and whether a field is there."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from connectors.engine.embedded.mapping.field import Field
from connectors.engine.embedded.mapping.field_types import Bound, Value
from connectors.engine.embedded.mapping.tree import IGNORED
from connectors.engine.embedded.query.clause import (
    TEXTS,
    Clause,
    Json,
    Query,
    Scope,
    boost_of,
    boosted,
    check_options,
    everything,
    joined,
    nothing,
    one_field,
    query,
)
from connectors.engine.embedded.query.words import Statistics, has_token, token_with_prefix
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented, unparsable

MOST_TERMS: Final = 65_536
_BY_TERM: Final = frozenset({"keyword", "boolean", "constant_keyword", "wildcard", "flattened"})
"""Types whose terms score by how rare they are."""
_META: Final = frozenset({"_id", "_seq_no", "_index"})
_STREAMS: Final = "_data_stream_timestamp"
"""A field of every index, which makes Elasticsearch refuse a pattern that it fits."""
_LAST_CHARACTER: Final = 0x10FFFF


@query("match_all")
def match_all(body: Json, _depth: int) -> Query:
    """Parse a query for every document."""
    options = body
    check_options("match_all", options, frozenset())
    boost = boost_of(options)
    return lambda scope: boosted(everything(), boost, scope)


@query("match_none")
def match_none(body: Json, _depth: int) -> Query:
    """Parse a query for no document."""
    check_options("match_none", body, frozenset())
    return lambda scope: nothing()


@query("term")
def term(body: Json, _depth: int) -> Query:
    """Parse a query for one value of one field."""
    path, said = one_field("term", body)
    if isinstance(said, list):
        raise unparsable("[term] query does not support array of values")
    options = said if isinstance(said, dict) else {"value": said}
    check_options("term", options, frozenset({"value"}), frozenset({"case_insensitive"}))
    value, boost = options.get("value"), boost_of(options)
    if value is None:
        raise illegal_argument("value cannot be null")
    if isinstance(value, list | dict):
        raise unparsable("[term] query does not support array of values")
    return lambda scope: boosted(term_clause(scope, path, value), boost, scope)


@query("terms")
def terms(body: Json, _depth: int) -> Query:
    """Parse a query for any of several values of one field."""
    options = body
    paths = [key for key in options if key not in {"boost", "_name"}]
    check_options("terms", {key: options[key] for key in options if key not in paths}, frozenset())
    if len(paths) > 1:
        raise unparsable("[terms] query does not support multiple fields")
    if not paths:
        raise illegal_argument(
            "[terms] query requires a field name, followed by array of terms or a document lookup specification"
        )
    path, values, boost = paths[0], options[paths[0]], boost_of(options)
    if isinstance(values, dict):
        raise not_implemented("the lookup of terms in another document")
    if not isinstance(values, list):
        raise unparsable(f"[terms] query does not support [{path}]")
    if any(value is None or isinstance(value, list | dict) for value in values):
        raise illegal_argument("No value specified for terms query")
    return lambda scope: boosted(_terms_clause(scope, path, values), boost, scope)


@query("ids")
def ids(body: Json, _depth: int) -> Query:
    """Parse a query for documents by their ids."""
    options = body
    check_options("ids", options, frozenset({"values"}))
    values, boost = options.get("values", []), boost_of(options)
    listed = values if isinstance(values, list) else [values]
    if any(value is None or isinstance(value, list | dict | bool) for value in listed):
        raise unparsable("[ids] failed to parse field [values]")
    return lambda scope: boosted(_by_id(scope, [str(value) for value in listed]), boost, scope)


@query("prefix")
def prefix(body: Json, _depth: int) -> Query:
    """Parse a query for values that start so."""
    path, said = one_field("prefix", body)
    options = said if isinstance(said, dict) else {"value": said}
    check_options("prefix", options, frozenset({"value"}), frozenset({"case_insensitive", "rewrite"}))
    value, boost = options.get("value"), boost_of(options)
    if value is None:
        raise illegal_argument("value cannot be null")
    if isinstance(value, list | dict):
        raise unparsable("[prefix] query does not support array of values")
    return lambda scope: boosted(prefix_clause(scope, path, str(value)), boost, scope)


@query("exists")
def exists(body: Json, _depth: int) -> Query:
    """Parse a query for documents that have a field."""
    options = body
    check_options("exists", options, frozenset({"field"}))
    path, boost = options.get("field"), boost_of(options)
    if not isinstance(path, str) or not path:
        raise unparsable("[exists] must be provided with a [field]")
    return lambda scope: boosted(exists_clause(scope, path), boost, scope)


@query("range")
def range_(body: Json, _depth: int) -> Query:
    """Parse a query for values between two bounds."""
    path, said = one_field("range", body)
    if not isinstance(said, dict):
        raise unparsable(f"[range] query does not support [{path}]")
    known = frozenset({"gt", "gte", "lt", "lte"})
    check_options(
        "range",
        said,
        known | {"format", "time_zone"},
        frozenset({"from", "to", "include_lower", "include_upper", "relation"}),
    )
    if any(isinstance(said.get(name), list | dict) for name in known):
        raise unparsable("[range] query does not support array of values")
    boost = boost_of(said)
    # Of two lower or two upper bounds the later one counts.
    last = {name[0]: name for name in said if name in known}
    bounds = {name: said[name] for name in last.values() if said[name] is not None}
    pattern, zone = said.get("format"), said.get("time_zone")
    if not all(one is None or isinstance(one, str) for one in (pattern, zone)):
        raise unparsable("[range] [format] and [time_zone] are texts")
    as_dates = _AsDates(pattern, zone)
    return lambda scope: boosted(_range_clause(scope, path, bounds, as_dates), boost, scope)


@dataclass(frozen=True)
class _AsDates:
    """How the bounds of a range of dates are written."""

    pattern: str | None
    time_zone: str | None


def searchable(scope: Scope, path: str) -> Field | None:
    """Return a field that may be searched; None when there is none."""
    field = scope.mapping.field(path)
    if field is not None and not field.searchable:
        raise shard_refusal(f"failed to create query: Cannot search on field [{path}] since it is not indexed.")
    return field


def shard_refusal(reason: str) -> Refusal:
    """Return the refusal of a query that does not fit the mapping."""
    return Refusal(400, "query_shard_exception", reason)


def term_clause(scope: Scope, path: str, value: object) -> Clause:
    """Return what has a value in a field."""
    if path in _META:
        return _meta_clause(scope, path, [value])
    field = searchable(scope, path)
    number = scope.number(path)
    if field is None:
        return nothing()
    if field.type.name in TEXTS:
        return has_token(scope, field, _text(value))
    bounds = field.type.term_bounds(value)
    wanted = None if bounds else field.type.query_value(value)
    if number is None:
        return nothing()
    if wanted is None:
        return _within(scope, number, bounds)
    has = f"field = {scope.bind(number)} AND value = {scope.bind(wanted)}"
    rows, probe = f"SELECT row FROM vals WHERE {has}", f"(SELECT 1 FROM vals WHERE {has} AND row = found.row)"
    if field.type.name not in _BY_TERM or not field.indexed:
        return Clause(rows, probe=probe)
    return Clause(rows, 1.0, lambda: _term_scores(scope, number, wanted, rows), uniform=True, probe=probe)


def _within(scope: Scope, number: int, bounds: tuple[Bound, Bound] | None) -> Clause:
    lower, upper = bounds or (None, None)
    limits = [_limit(scope, bound, upper=bound is upper) for bound in (lower, upper) if bound is not None]
    return _by_value(scope, number, limits)


def _by_value(scope: Scope, number: int, limits: Sequence[str]) -> Clause:
    """Return what has a value in a field that is within limits."""
    distinct = "DISTINCT " if scope.several(number) else ""
    has = " AND ".join([f"field = {scope.bind(number)}", *limits])
    probe = f"(SELECT 1 FROM doc_vals WHERE {has} AND row = found.row LIMIT 1)"
    return Clause(f"SELECT {distinct}row FROM vals WHERE {has}", probe=probe)


def _term_scores(scope: Scope, number: int, value: Value, rows: str) -> str:
    """Return the scores of a value: as those of a word that stands alone in a text."""
    query = "SELECT count(*) FROM vals WHERE field = ? AND value = ?"
    having = scope.connection.execute(query, (number, value)).get
    statistics = Statistics.of(scope, number)
    score = statistics.score(scope, statistics.rarity(having))
    return f"SELECT row, {score} AS score FROM (SELECT row, 1 AS often, 1 AS coarse_length FROM ({rows}))"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _terms_clause(scope: Scope, path: str, values: Sequence[object]) -> Clause:
    if len(values) > MOST_TERMS:
        raise illegal_argument(
            f"The number of terms [{len(values)}] used in the Terms Query request has exceeded the allowed maximum of "
            f"[{MOST_TERMS}]. This maximum can be set by changing the [index.max_terms_count] index level setting."
        )
    if not values:
        return nothing()
    if path in _META:
        return _meta_clause(scope, path, values)
    field = searchable(scope, path)
    number = scope.number(path)
    if field is None:
        return nothing()
    if field.type.name in TEXTS:
        return Clause(joined([has_token(scope, field, _text(value)).rows for value in values], "UNION"))
    ranges = [bounds for bounds in map(field.type.term_bounds, values) if bounds]
    read = field.type.terms_value if field.indexed else field.type.query_value
    wanted = [] if ranges else sorted({read(value) for value in values}, key=_order)
    if number is None:
        return nothing()
    if ranges:
        return Clause(joined([_within(scope, number, bounds).rows for bounds in ranges], "UNION"))
    return _by_value(scope, number, [f"value IN ({_listed(scope, wanted)})"])


def _order(value: Value) -> tuple[bool, Value]:
    return isinstance(value, str), value


MOST_PARAMETERS: Final = 1_000


def _listed(scope: Scope, values: Sequence[Value]) -> str:
    """Return values for an IN: as parameters, or as one parameter where they are too many."""
    if len(values) <= MOST_PARAMETERS or any(isinstance(value, float) for value in values):
        # SQLite might read a decimal fraction a bit off.
        return scope.bind_all(values)
    return f"SELECT value FROM json_each({scope.bind(json.dumps(list(values)))})"


def prefix_clause(scope: Scope, path: str, start: str) -> Clause:
    """Return what has a value that starts so in a field."""
    field = None if path in _META else searchable(scope, path)
    kind = path if path in _META else field.type.name if field else ""
    if path in _META or (field and kind not in TEXTS and kind not in {"keyword", "wildcard", "constant_keyword"}):
        raise shard_refusal(
            f"Can only use prefix queries on keyword, text and wildcard fields - not on [{path}] which is of type "
            f"[{kind}]"
        )
    number = scope.number(path)
    if field is None or number is None:
        return nothing()
    if kind in TEXTS:
        return token_with_prefix(scope, number, start)
    below = _after_prefix(start)
    bound = [f"value < {scope.bind(below)}"] if below is not None else []
    return _by_value(scope, number, [f"value >= {scope.bind(start)}", *bound])


def _after_prefix(start: str) -> str | None:
    """Return the first text behind all that start so."""
    while start:
        last = ord(start[-1])
        if last < _LAST_CHARACTER:
            return start[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)
        start = start[:-1]
    return None


def exists_clause(scope: Scope, path: str) -> Clause:
    """Return what has a field, or anything below it."""
    if path in _META:
        return everything()
    field = scope.mapping.field(path)
    if field is not None:
        fields: Sequence[Field] = [field]
    elif "*" in path:
        names = [path, *([IGNORED] if fnmatchcase(IGNORED, path) else [])]
        fields = [one for name in names for one in scope.mapping.matching(name)]
    else:
        fields = scope.mapping.fields_below(path)
    if "*" in path and fnmatchcase(_STREAMS, path):
        raise shard_refusal(
            f"failed to create query: Field [{_STREAMS}] of type [{_STREAMS}] does not support exists queries"
        )
    if "*" in path and any(fnmatchcase(name, path) for name in _META):
        return everything()
    selects = []
    for one in fields:
        number = scope.number(one.path)
        if number is None:
            continue
        bound = scope.bind(number)
        if one.type.name not in TEXTS:
            several = "DISTINCT " if scope.several(number) else ""
            selects.append(f"SELECT {several}row FROM doc_vals WHERE field = {bound}")
        if scope.connection.execute("SELECT 1 FROM texts WHERE field = ? LIMIT 1", (number,)).get:
            selects.append(f"SELECT row FROM texts WHERE field = {bound}")
    return Clause(joined(selects, "UNION")) if selects else nothing()


def _range_clause(scope: Scope, path: str, bounds: Json, as_dates: _AsDates) -> Clause:
    if path == "_seq_no":
        limits = [f"seq {_SIGNS[name]} {scope.bind(_whole(value))}" for name, value in bounds.items()]
        return Clause(f"SELECT row FROM docs WHERE {' AND '.join([*limits, 'deleted = 0'])}")
    if path in _META:
        raise shard_refusal(f"failed to create query: Field [{path}] of type [{path}] does not support range queries")
    if not bounds:
        return exists_clause(scope, path)
    field = scope.mapping.field(path)
    if field is None or (field.type.name == "date" and not field.searchable):
        # Of dates, other than of numbers, Elasticsearch notices first that there are none.
        return nothing()
    field, number = searchable(scope, path), scope.number(path)
    if field is None:
        return nothing()
    if field.type.name in TEXTS:
        raise not_implemented(f"ranges of texts, as in [{path}]")
    if as_dates.pattern is None and field.type.name == "date" and any(map(_is_number, bounds.values())):
        # One number makes milliseconds of the other bound too.
        as_dates = replace(as_dates, pattern="epoch_millis")
    limits = []
    for name, raw in bounds.items():
        upper = name.startswith("l")
        bound = field.type.query_bound(
            raw, upper=upper, inclusive=name.endswith("e"), pattern=as_dates.pattern, time_zone=as_dates.time_zone
        )
        limits.append(_limit(scope, bound, upper=upper))
    if number is None:
        return nothing()
    return _by_value(scope, number, limits)


def _is_number(raw: object) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool)


def _limit(scope: Scope, bound: Bound, *, upper: bool) -> str:
    return f"value {'<' if upper else '>'}{'=' if bound.inclusive else ''} {scope.bind(bound.value)}"


_SIGNS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _meta_clause(scope: Scope, path: str, values: Sequence[object]) -> Clause:
    if path == "_id":
        return _by_id(scope, [str(value) for value in values])
    if path == "_seq_no":
        return Clause(
            f"SELECT row FROM docs WHERE deleted = 0 AND seq IN ({scope.bind_all([_whole(v) for v in values])})"
        )
    named = any(fnmatchcase(scope.index, str(value)) for value in values)
    return everything() if named else nothing()


def _whole(value: object) -> int:
    try:
        return int(str(value).removesuffix(".0"))
    except ValueError as error:
        raise shard_refusal(f'failed to create query: For input string: "{value}"') from error


def _by_id(scope: Scope, doc_ids: Sequence[str]) -> Clause:
    if not doc_ids:
        return nothing()
    wanted = f"IN ({_listed(scope, sorted(set(doc_ids)))})"
    # What was replaced since a point in time is found among what is gone.
    return Clause(
        f"SELECT row FROM docs WHERE until IS NULL AND deleted = 0 AND id {wanted} UNION ALL "
        f"SELECT row FROM docs WHERE until > :upto AND deleted = 0 AND id {wanted} AND row IN "
        f"(SELECT row FROM docs INDEXED BY docs_gone WHERE (until IS NOT NULL OR deleted = 1) AND until > :upto)"
    )
