"""The query `simple_query_string`: what people type, never refused for its syntax."""

from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.engine.embedded.mapping.analysis import cached_tokens, lowered
from connectors.engine.embedded.query.clause import (
    Clause,
    Json,
    Query,
    Scope,
    boost_of,
    boosted,
    check_options,
    everything,
    query,
)
from connectors.engine.embedded.query.clause import nothing as no_match
from connectors.engine.embedded.query.compound import combined
from connectors.engine.embedded.query.match import (
    Matching,
    best_of,
    fields_clause,
    fields_of,
    matching_of,
    resolved,
    text_of,
)
from connectors.engine.embedded.query.terms import prefix_clause
from connectors.engine.embedded.refusal import Refusal, not_implemented, unparsable

_KNOWN: Final = frozenset({"query", "fields", "default_operator", "minimum_should_match", "lenient", "flags"})
_REFUSED: Final = frozenset({
    "analyzer", "analyze_wildcard", "quote_field_suffix", "fuzzy_prefix_length", "fuzzy_max_expansions",
    "fuzzy_transpositions", "auto_generate_synonyms_phrase_query",
})  # fmt: skip
_DEEPEST: Final = 20


@query("simple_query_string")
def simple_query_string(body: Json, _depth: int) -> Query:
    """Parse a query that is typed: words, `"phrases"`, `prefix*`, `+`, `|`, `-` and parentheses."""
    for option in body:
        if option not in _KNOWN | _REFUSED | {"boost", "_name"}:
            raise unparsable(f"[simple_query_string] unsupported field [{option}]")
    check_options("simple_query_string", body, _KNOWN, _REFUSED)
    if str(body.get("flags", "ALL")).upper() not in {"ALL", "-1"}:
        raise not_implemented("[flags] of the query [simple_query_string]")
    if "minimum_should_match" in body:
        raise not_implemented("[minimum_should_match] of the query [simple_query_string]")
    text = str(text_of("simple_query_string", body))
    if any(mark in text for mark in "~\\"):
        raise not_implemented("fuzziness, slop and escapes in the query [simple_query_string]")
    fields, boost = fields_of("simple_query_string", body.get("fields", [])), boost_of(body)
    how = matching_of("simple_query_string", {"operator": body.get("default_operator", "or"), **_lenient(body, fields)})
    target = _Target(fields, how)
    return lambda scope: boosted(_Typed(scope, target, text).whole(), boost, scope)


def _lenient(body: Json, fields: dict[str, float]) -> dict[str, Any]:
    return {"lenient": body.get("lenient", not fields)}


@dataclass(frozen=True)
class _Target:
    """Where and how what was typed is looked for."""

    fields: dict[str, float]
    how: Matching


class _Typed:
    """What was typed, read from left to right; operators that stand nowhere are overlooked."""

    def __init__(self, scope: Scope, target: _Target, text: str, depth: int = 0) -> None:
        self._scope = scope
        self._target = target
        self._text = text
        self._at = 0
        self._depth = depth

    def whole(self) -> Clause:
        """Return what is matched."""
        if self._text.strip() == "*":
            return everything()
        return self._sequence() or no_match()

    def _sequence(self) -> Clause | None:
        """Read up to the end: each further part is joined to all before it by the operator that stood before it."""
        found: Clause | None = None
        all_of_them: bool | None = None
        parts: list[Clause] = []
        operator = ""
        negated = 0
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "+":
                operator = operator or ("and" if parts else "")
                self._at += 1
            elif character == "|":
                operator = operator or ("or" if parts else "")
                self._at += 1
            elif character == "-":
                negated += 1
                self._at += 1
                continue
            elif character.isspace() or character == ")":
                self._at += 1
            else:
                part = self._part(character)
                if part is not None:
                    part = _without(self._scope, part) if negated % 2 else part
                    wanted = operator == "and" or (not operator and self._target.how.all_of_them)
                    if (len(parts) > 1 and wanted != all_of_them) or (all_of_them is None and len(parts) > 1):
                        parts = [found] if found is not None else parts
                    if parts:
                        all_of_them = wanted
                    parts.append(part)
                    found = parts[0] if len(parts) == 1 else combined(self._scope, parts, all_of_them=bool(all_of_them))
                    operator = ""
            negated = 0
        return found

    def _part(self, character: str) -> Clause | None:
        if character == '"':
            return self._phrase()
        if character == "(":
            return self._group()
        return self._word()

    def _phrase(self) -> Clause | None:
        end = self._text.find('"', self._at + 1)
        if end < 0:
            self._at += 1
            return None
        text = self._text[self._at + 1 : end]
        self._at = end + 1
        return self._fields(text, replace(self._target.how, phrase=True)) if text else None

    def _group(self) -> Clause | None:
        depth, end = 0, len(self._text)
        for place in range(self._at, len(self._text)):
            depth += {"(": 1, ")": -1}.get(self._text[place], 0)
            if not depth:
                end = place
                break
        else:
            self._at += 1
            return None
        inner = self._text[self._at + 1 : end]
        self._at = end + 1
        if self._depth >= _DEEPEST:
            raise not_implemented("so many parentheses in the query [simple_query_string]")
        return _Typed(self._scope, self._target, inner, self._depth + 1)._sequence()  # noqa: SLF001 - another of its own

    def _word(self) -> Clause | None:
        start = self._at
        while self._at < len(self._text) and not self._text[self._at].isspace() and self._text[self._at] not in '"|+()':
            self._at += 1
        text = self._text[start : self._at]
        if text.endswith("*") and len(text) > 1:
            return self._prefix(text[:-1])
        return self._fields(text, self._target.how)

    def _fields(self, text: str, how: Matching) -> Clause | None:
        known = self._known()
        if known and not cached_tokens(text) and all(_is_text(self._scope, path) for path in known):
            # Nothing but marks is no part of the query at all.
            return None
        return fields_clause(self._scope, self._target.fields, text, how, 0.0 if how.phrase else 1.0)

    def _prefix(self, start: str) -> Clause | None:
        found = []
        for path, weight in self._known().items():
            try:
                folded = lowered(start) if _is_text(self._scope, path) else start
                found.append(boosted(prefix_clause(self._scope, path, folded), weight, self._scope))
            except Refusal:
                if not self._target.how.lenient:
                    raise
                found.append(no_match())
        return best_of(self._scope, found, 1.0) if found else None

    def _known(self) -> dict[str, float]:
        """Return the fields that there are."""
        fields = resolved(self._scope, self._target.fields)
        return {path: fields[path] for path in fields if self._scope.mapping.field(path)}


def _is_text(scope: Scope, path: str) -> bool:
    field = scope.mapping.field(path)
    return field is not None and field.type.name == "text"


def _without(scope: Scope, clause: Clause) -> Clause:
    return Clause(combined(scope, [], without=[clause]).rows)
