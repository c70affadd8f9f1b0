"""Clauses: what a query becomes, and what it is compiled with."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import apsw

from connectors.engine.embedded.mapping.field_types import Value
from connectors.engine.embedded.mapping.mapping import Mapping as IndexMapping
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented, unparsable

Json = Mapping[str, object]

TEXTS: Final = frozenset({"text", "match_only_text"})
"""Types of fields that are analyzed."""
DEEPEST: Final = 30
_COMPOUND: Final = 400
"""SQLite joins up to 500 selects by UNION."""


@dataclass(frozen=True)
class Clause:
    """What matches, as SQL.

    `rows` selects every matching `row` once, visible or not. `scores` builds a select of `row` and `score`; without it
    everything that matches scores `constant`. It is called only where scores matter. With `uniform` it gives the same
    score to all, which is not known before. `probe` is the condition that row `found.row` is among `rows`, where that
    can be looked up row by row. `scores_among` builds the same as `scores` for those rows only that a select has, where
    that is less work.
    """

    rows: str
    constant: float = 1.0
    scores: Callable[[], str] | None = None
    everything: bool = False
    uniform: bool = False
    probe: str | None = None
    scores_among: Callable[[str], str] | None = None


@dataclass
class Scope:
    """One index while a query is compiled for it; it collects the parameters."""

    connection: apsw.Connection
    mapping: IndexMapping
    index: str
    upto: int
    number: Callable[[str], int | None]
    parameters: dict[str, Value | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parameters["upto"] = self.upto

    def bind(self, value: Value | None) -> str:
        """Return the name of a new parameter."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def bind_all(self, values: Sequence[Value]) -> str:
        """Return the names of new parameters, with commas."""
        return ", ".join(self.bind(value) for value in values)

    def several(self, number: int) -> bool:
        """Return whether a row may have several values in a field."""
        return bool(self.connection.execute("SELECT multiple FROM fields WHERE number = ?", (number,)).get)


Query = Callable[[Scope], Clause]
Parser = Callable[[Json, int], Query]
"""Parses the body of a query, that many levels below the top."""
_PARSERS: Final[dict[str, Parser]] = {}
_NOT_IMPLEMENTED: Final = frozenset({
    "boosting", "combined_fields", "common", "dis_max", "distance_feature", "function_score", "fuzzy",
    "geo_bounding_box", "geo_distance", "geo_grid", "geo_polygon", "geo_shape", "has_child", "has_parent", "intervals",
    "knn", "match_bool_prefix", "match_phrase_prefix", "more_like_this", "nested", "parent_id", "percolate", "pinned",
    "query_string", "rank_feature", "regexp", "rule", "script", "script_score", "semantic", "shape", "span_containing",
    "span_first", "span_multi", "span_near", "span_not", "span_or", "span_term", "span_within", "sparse_vector",
    "terms_set", "text_expansion", "weighted_tokens", "wildcard", "wrapper",
})  # fmt: skip


def query(name: str) -> Callable[[Parser], Parser]:
    """Make a function the parser of a kind of query."""

    def register(parser: Parser) -> Parser:
        _PARSERS[name] = parser
        return parser

    return register


def parse_query(body: object, depth: int = 0) -> Query:
    """Return a query that was sent. Raises a `Refusal` for what no index could answer."""
    if depth > DEEPEST:
        raise illegal_argument(
            f"The nested depth of the query exceeds the maximum nested depth for queries set in "
            f"[indices.query.bool.max_nested_depth]: [{DEEPEST}]"
        )
    if not isinstance(body, dict):
        raise unparsable("[_na] query malformed, must start with start_object")
    if not body:
        raise illegal_argument("query malformed, empty clause found")
    name, inner = next(iter(body.items()))
    if len(body) > 1:
        raise unparsable(f"[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]")
    if name in _NOT_IMPLEMENTED:
        raise not_implemented(f"the query [{name}]")
    if name not in _PARSERS:
        raise unparsable(f"unknown query [{name}]")
    if not isinstance(inner, dict):
        raise unparsable(f"[{name}] query malformed, no start_object after query name")
    return _PARSERS[name](inner, depth)


def boost_of(options: Json) -> float:
    """Return what a query's score is multiplied by."""
    try:
        boost = float(str(options.get("boost", 1.0)))
    except ValueError as error:
        raise Refusal(400, "number_format_exception", f'For input string: "{options["boost"]}"') from error
    if boost < 0:
        raise illegal_argument(f"negative [boost] are not allowed in [{boost}], use a value between 0 and 1 to deboost")
    return boost


def check_options(name: str, options: Json, known: frozenset[str], refused: frozenset[str] = frozenset()) -> None:
    """Raise a `Refusal` for an option that a query does not have, or that is not implemented."""
    for option in options:
        if option in refused or option == "_name":
            raise not_implemented(f"[{option}] of the query [{name}]")
        if option not in known and option != "boost":
            raise unparsable(f"[{name}] query does not support [{option}]")


def one_field(name: str, body: Json) -> tuple[str, object]:
    """Return the one field that a query names, and what is said of it."""
    fields = [key for key in body if key not in {"boost", "_name"} or isinstance(body[key], dict)]
    for key in body.keys() - set(fields):
        raise unparsable(f"[{name}] query does not support [{key}]")
    if not fields:
        raise illegal_argument("field name is null or empty")
    if len(fields) > 1:
        raise unparsable(f"[{name}] query doesn't support multiple fields, found [{fields[0]}] and [{fields[1]}]")
    return fields[0], body[fields[0]]


def boosted(clause: Clause, boost: float, scope: Scope) -> Clause:
    """Return a clause whose scores are multiplied."""
    if boost == 1.0:
        return clause
    scores = clause.scores
    if scores is None:
        return replace(clause, constant=clause.constant * boost)

    def times(select: str) -> str:
        return f"SELECT row, score * {scope.bind(boost)} AS score FROM ({select})"

    plain, among = scores, clause.scores_among
    return replace(
        clause,
        scores=lambda: times(plain()),
        scores_among=None if among is None else lambda rows: times(among(rows)),
    )


def scored(clause: Clause, scope: Scope) -> str:
    """Return a select of `row` and `score`."""
    if clause.scores is not None:
        return clause.scores()
    return f"SELECT row, {scope.bind(float(clause.constant))} AS score FROM ({clause.rows})"


def scored_among(clause: Clause, scope: Scope, rows: str) -> str:
    """Return a select of `row` and `score` of those that another select has."""
    if clause.scores_among is not None:
        return clause.scores_among(rows)
    return f"SELECT row, score FROM ({scored(clause, scope)}) WHERE +row IN ({rows})"


def size(scope: Scope, rows: str, most: int) -> int:
    """Return how many rows a select has, at most so many."""
    query = f"SELECT count(*) FROM (SELECT 1 FROM ({rows}) LIMIT {most})"
    return int(next(scope.connection.execute(query, scope.parameters))[0])


def nothing() -> Clause:
    """Return what matches nothing."""
    return Clause("SELECT 0 AS row WHERE 0")


def everything() -> Clause:
    """Return what matches every document."""
    return Clause("SELECT row FROM docs WHERE deleted = 0", everything=True)


def joined(selects: Sequence[str], operator: str) -> str:
    """Join selects of the same columns by UNION or UNION ALL, however many there are."""
    if len(selects) == 1:
        return selects[0]
    if len(selects) <= _COMPOUND:
        return f" {operator} ".join(f"SELECT * FROM ({select})" for select in selects)
    parts = [selects[start : start + _COMPOUND] for start in range(0, len(selects), _COMPOUND)]
    return joined([joined(part, operator) for part in parts], operator)
