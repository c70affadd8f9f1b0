"""Queries for texts as people write them: `match`, `match_phrase`, `multi_match`."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.engine.embedded.mapping.analysis import cached_tokens
from connectors.engine.embedded.mapping.java_numbers import text_of as java_text
from connectors.engine.embedded.query.clause import (
    TEXTS,
    Clause,
    Json,
    Query,
    Scope,
    boost_of,
    boosted,
    check_options,
    joined,
    nothing,
    one_field,
    query,
    scored,
)
from connectors.engine.embedded.query.compound import Minimum, minimum_of
from connectors.engine.embedded.query.terms import searchable, term_clause
from connectors.engine.embedded.query.words import Words, phrase_clause, words_clause
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented, unparsable

_NOT_IMPLEMENTED: Final = frozenset({
    "analyzer", "auto_generate_synonyms_phrase_query", "cutoff_frequency", "fuzziness", "fuzzy_rewrite",
    "fuzzy_transpositions", "max_expansions", "prefix_length", "zero_terms_query",
})  # fmt: skip


@dataclass(frozen=True)
class Matching:
    """How a text is looked for in a field."""

    all_of_them: bool = False
    minimum: Minimum | None = None
    phrase: bool = False
    slop: int = 0
    lenient: bool = False


@query("match")
def match(body: Json, _depth: int) -> Query:
    """Parse a query for any or all of the words of a text."""
    path, said = one_field("match", body)
    options = said if isinstance(said, dict) else {"query": said}
    check_options(
        "match", options, frozenset({"query", "operator", "minimum_should_match", "lenient"}), _NOT_IMPLEMENTED
    )
    text = text_of("match", options)
    how, boost = matching_of("match", options), boost_of(options)
    return lambda scope: boosted(field_clause(scope, path, text, how), boost, scope)


@query("match_phrase")
def match_phrase(body: Json, _depth: int) -> Query:
    """Parse a query for the words of a text in their order."""
    path, said = one_field("match_phrase", body)
    options = said if isinstance(said, dict) else {"query": said}
    check_options("match_phrase", options, frozenset({"query", "slop"}), _NOT_IMPLEMENTED)
    text = text_of("match_phrase", options)
    how, boost = Matching(phrase=True, slop=slop_of(options)), boost_of(options)
    return lambda scope: boosted(field_clause(scope, path, text, how), boost, scope)


@query("multi_match")
def multi_match(body: Json, _depth: int) -> Query:
    """Parse a query for a text in several fields."""
    known = frozenset({"query", "fields", "type", "operator", "minimum_should_match", "lenient", "tie_breaker", "slop"})
    check_options("multi_match", body, known, _NOT_IMPLEMENTED)
    text = text_of("multi_match", body)
    kind = body.get("type", "best_fields")
    if kind in ("cross_fields", "phrase_prefix", "bool_prefix"):
        raise not_implemented(f"[{kind}] of the query [multi_match]")
    if kind not in ("best_fields", "most_fields", "phrase"):
        raise Refusal(400, "parse_exception", f"failed to parse [multi_match] query type [{kind}]. unknown type.")
    fields, boost = fields_of("multi_match", body.get("fields", [])), boost_of(body)
    tie = float(str(body.get("tie_breaker") or (1.0 if kind == "most_fields" else 0.0)))
    how = matching_of("multi_match", body, phrase=kind == "phrase", by_default=not fields)
    return lambda scope: boosted(fields_clause(scope, fields, text, how, tie), boost, scope)


def text_of(name: str, options: Json) -> object:
    """Return the text of a query, or the value that it is."""
    text = options.get("query")
    if text is None:
        raise illegal_argument(f"[{name}] requires query value")
    if isinstance(text, list | dict):
        raise illegal_argument("Expected text but found START_ARRAY")
    return text


def slop_of(options: Json) -> int:
    """Return how far apart the words of a phrase may be."""
    slop = options.get("slop", 0)
    try:
        number = int(str(slop))
    except ValueError as error:
        raise Refusal(400, "number_format_exception", f'For input string: "{slop}"') from error
    if number < 0:
        raise illegal_argument("No negative slop allowed.")
    return number


def matching_of(name: str, options: Json, *, phrase: bool = False, by_default: bool = False) -> Matching:
    """Return how the options say that a text is looked for."""
    operator = str(options.get("operator", "or")).upper()
    if operator not in ("AND", "OR"):
        raise illegal_argument(f"No enum constant org.elasticsearch.index.query.Operator.{operator}")
    lenient = options.get("lenient", by_default)
    if lenient not in (True, False, "true", "false"):
        raise unparsable(f"[{name}] [lenient] is true or false")
    return Matching(
        operator == "AND",
        minimum_of(options.get("minimum_should_match")),
        phrase,
        slop_of(options) if phrase else 0,
        lenient in (True, "true"),
    )


def fields_of(name: str, said: object) -> dict[str, float]:
    """Return fields, or patterns of fields, by how much each counts."""
    listed = [said] if isinstance(said, str) else said
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise unparsable(f"[{name}] query does not support [fields]")
    weights: dict[str, float] = {}
    for one in listed:
        path, caret, weight = one.partition("^")
        try:
            weights[path] = weights.get(path, 1.0) * float(weight) if caret else weights.get(path, 1.0)
        except ValueError as error:
            raise Refusal(400, "number_format_exception", f'For input string: "{weight}"') from error
    return weights


def field_clause(scope: Scope, path: str, text: object, how: Matching) -> Clause:
    """Return what has a text in a field: its words, where the field is analyzed, and otherwise itself."""
    try:
        said = java_text(text)
        known = scope.mapping.field(path)
        if known is not None and known.type.name in TEXTS and not cached_tokens(said):
            return nothing()
        field = None if path in {"_id", "_seq_no", "_index"} else searchable(scope, path)
        if field is None or field.type.name not in TEXTS:
            # Being lenient, it reads even a number as a text: of dates that depends on their format.
            return term_clause(scope, path, said if how.lenient else text)
        if how.phrase:
            return phrase_clause(scope, field, said, how.slop)
        return words_clause(scope, field, said, Words(how.all_of_them, how.minimum))
    except Refusal:
        if how.lenient:
            return nothing()
        raise


def resolved(scope: Scope, fields: dict[str, float]) -> dict[str, float]:
    """Return the fields that there are for names and patterns; all, where none are named."""
    found: dict[str, float] = {}
    for path, weight in (fields or {"*": 1.0}).items():
        names = [field.path for field in scope.mapping.matching(path) if field.searchable] if "*" in path else [path]
        for name in names:
            found[name] = found.get(name, 1.0) * weight
    return found


def fields_clause(scope: Scope, fields: dict[str, float], text: object, how: Matching, tie: float) -> Clause:
    """Return what has a text in any of several fields; the best of them counts, and of the others this part."""
    found = [
        boosted(field_clause(scope, path, java_text(text), how), weight, scope)
        for path, weight in resolved(scope, fields).items()
    ]
    return best_of(scope, found, tie)


def best_of(scope: Scope, clauses: Sequence[Clause], tie: float) -> Clause:
    """Return what any clause matches; the best score counts, and of the others this part."""
    if not clauses:
        return nothing()
    if len(clauses) == 1:
        return clauses[0]

    def scores() -> str:
        each = joined([scored(clause, scope) for clause in clauses], "UNION ALL")
        total = f"max(score) + {scope.bind(tie)} * (sum(score) - max(score))"
        return f"SELECT row, {total} AS score FROM ({each}) GROUP BY row"

    return Clause(joined([clause.rows for clause in clauses], "UNION"), 1.0, scores)
