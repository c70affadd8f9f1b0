"""Queries made of queries: `bool` and `constant_score`."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

from collections.abc import Callable, Sequence
from typing import Final

from connectors.engine.embedded.query.clause import (
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
    parse_query,
    query,
    scored,
    scored_among,
    size,
)
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented, unparsable

_OCCURS: Final = {
    "must": "must", "filter": "filter", "should": "should", "must_not": "must_not", "mustNot": "must_not",
}  # fmt: skip
_MANY: Final = 20_000
Minimum = Callable[[int], int]


@query("constant_score")
def constant_score(body: Json, depth: int) -> Query:
    """Parse a query that scores the same for all that a filter matches."""
    check_options("constant_score", body, frozenset({"filter"}))
    if "filter" not in body:
        raise unparsable("[constant_score] requires a 'filter' element")
    inner, boost = parse_query(body["filter"], depth + 1), boost_of(body)

    def plan(scope: Scope) -> Clause:
        clause = inner(scope)
        return Clause(clause.rows, boost, None, clause.everything)

    return plan


@query("bool")
def bool_(body: Json, depth: int) -> Query:
    """Parse a query that combines others."""
    clauses: dict[str, list[Query]] = {"must": [], "filter": [], "should": [], "must_not": []}
    for name, said in body.items():
        if name in _OCCURS:
            clauses[_OCCURS[name]] += [parse_query(one, depth + 1) for one in _clauses(name, said)]
        elif name == "_name":
            raise not_implemented("[_name] of the query [bool]")
        elif name not in {"minimum_should_match", "boost", "adjust_pure_negative"}:
            raise Refusal(400, "x_content_parse_exception", f"[bool] unknown field [{name}]")
    if body.get("adjust_pure_negative", True) not in (True, "true"):
        raise not_implemented("[adjust_pure_negative] of the query [bool]")
    minimum, boost = minimum_of(body.get("minimum_should_match")), boost_of(body)

    def plan(scope: Scope) -> Clause:
        planned = {name: [one(scope) for one in queries] for name, queries in clauses.items()}
        return boosted(_bool_clause(scope, planned, minimum), boost, scope)

    return plan


def combined(
    scope: Scope, clauses: Sequence[Clause], *, all_of_them: bool = False, without: Sequence[Clause] = ()
) -> Clause:
    """Return what any or all of the clauses match, and none of `without`."""
    occurs = "must" if all_of_them else "should"
    planned: dict[str, list[Clause]] = {"must": [], "filter": [], "should": [], "must_not": list(without)}
    planned[occurs] = list(clauses)
    return _bool_clause(scope, planned, None)


def _clauses(name: str, said: object) -> list[object]:
    if isinstance(said, dict):
        return [said]
    if not isinstance(said, list):
        raise Refusal(400, "x_content_parse_exception", f"[bool] {name} doesn't support values of type: VALUE")
    if not all(isinstance(one, dict) for one in said):
        raise Refusal(400, "x_content_parse_exception", f"[bool] failed to parse field [{name}]")
    return said


def _bool_clause(scope: Scope, planned: dict[str, list[Clause]], minimum: Minimum | None) -> Clause:
    must, should = planned["must"], planned["should"]
    alone = not must and not planned["filter"]
    # Without any optional clause a minimum means nothing; where they stand alone one has to match whatever is said.
    needed = int(alone) if minimum is None else max(minimum(len(should)), int(alone))
    if not should and alone:
        needed = 0
    if needed > len(should):
        return nothing()
    required = [clause for clause in [*must, *planned["filter"]] if not clause.everything]
    if needed and not (needed == 1 and any(clause.everything for clause in should)):
        required.append(Clause(_any_of(scope, [clause.rows for clause in should], needed)))
    without = [clause.rows for clause in planned["must_not"]]
    whole = not required and not without
    rows = _all_of(scope, required, without)
    probes = None if without else _every_probe(required)
    if not must and not should:
        pure = not planned["filter"]
        # What only rules documents out scores nothing, as does a filter; without any clause everything scores 1.
        return Clause(rows, 1.0 if pure and not without else 0.0, None, whole, probe=probes)
    if all(clause.scores is None for clause in must) and not should:
        return Clause(rows, sum(clause.constant for clause in must), None, whole, probe=probes)
    only = not must and not without and not planned["filter"] and needed == 1
    return Clause(rows, 1.0, lambda: _summed(scope, rows, must, should, only_should=only), whole, probe=probes)


def _every_probe(required: Sequence[Clause]) -> str | None:
    """Return the condition that a row matches all clauses, where each of them has one."""
    probes = [clause.probe for clause in required if clause.probe is not None]
    return f"({' AND '.join(probes)})" if probes and len(probes) == len(required) else None


def _any_of(scope: Scope, rows: Sequence[str], needed: int) -> str:
    if needed == 1:
        return joined(rows, "UNION")
    return f"SELECT row FROM ({joined(rows, 'UNION ALL')}) GROUP BY row HAVING count(*) >= {scope.bind(needed)}"


def _all_of(scope: Scope, required: Sequence[Clause], without: Sequence[str]) -> str:
    """Return what all of the required clauses match, and none of the others.

    What is looked for in a clause has to be gathered first, unless its rows can be looked up: then it is enough to look
    up those of the smallest one.
    """
    probed = [clause for clause in required if clause.probe is not None]
    rest = [clause.rows for clause in required if clause.probe is None]
    if not probed or len(required) < 2:
        return _intersection([clause.rows for clause in required], without)
    probes = probed
    sized = sorted((size(scope, clause.rows, _MANY), place) for place, clause in enumerate(probed))
    if not rest or sized[0][0] < size(scope, rest[0], _MANY):
        smallest = probed[sized[0][1]]
        probes = [clause for clause in probed if clause is not smallest]
        rest.insert(0, smallest.rows)
    first = _intersection(rest, without)
    conditions = " AND ".join(str(clause.probe) for clause in probes)
    return f"SELECT found.row AS row FROM ({first}) AS found WHERE {conditions}" if probes else first


def _intersection(required: Sequence[str], without: Sequence[str]) -> str:
    first, *rest = required or [everything().rows]
    # The plus keeps SQLite from asking an inner select anew for each row.
    limits = [f"+row IN ({one})" for one in rest] + [f"+row NOT IN ({one})" for one in without]
    return f"SELECT row FROM ({first}) WHERE {' AND '.join(limits)}" if limits else first


def _summed(scope: Scope, rows: str, must: Sequence[Clause], should: Sequence[Clause], *, only_should: bool) -> str:
    """Return the sums of what the clauses score."""
    constant = float(sum(clause.constant for clause in must if clause.scores is None))
    scoring = [clause for clause in must if clause.scores is not None]
    if len(scoring) == 1 and not should and not constant:
        return scored_among(scoring[0], scope, rows)
    scoring += should
    if only_should:
        each = joined([scored(clause, scope) for clause in scoring], "UNION ALL")
        return f"SELECT row, sum(score) AS score FROM ({each}) GROUP BY row"
    base = f"SELECT row, {scope.bind(constant)} AS score FROM ({rows})"
    limited = [scored_among(clause, scope, rows) for clause in scoring]
    return f"SELECT row, sum(score) AS score FROM ({joined([base, *limited], 'UNION ALL')}) GROUP BY row"


def minimum_of(said: object) -> Minimum | None:
    """Return how many of so many clauses have to match: a number, a part in percent, or either by their number."""
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | str):
        raise illegal_argument(f"[minimum_should_match] can't be [{said}]")
    text = str(said).strip()
    if "<" not in text:
        return _part(text)
    steps = [step.split("<", 1) for step in text.split()]
    if any(len(step) != 2 for step in steps):
        raise _no_number(text)
    ordered = [(_number(above), _part(part)) for above, part in steps]

    def chosen(count: int) -> int:
        needed = count
        for above, part in ordered:
            if count <= above:
                return needed
            needed = part(count)
        return needed

    return chosen


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise _no_number(text) from error


def _no_number(text: str) -> Refusal:
    return Refusal(400, "number_format_exception", f'For input string: "{text}"')


def _part(text: str) -> Minimum:
    if text.endswith("%"):
        percent = _number(text[:-1])
        # A part that may be missing is cut off too: of two clauses, -30% is none.
        return lambda count: (count if percent < 0 else 0) + int(count * percent / 100)
    number = _number(text)
    return lambda count: count + number if number < 0 else number
