"""Random queries of every kind that the embedded engine implements, in each other, with their options.

Left out is what it refuses because it does not implement it: `case_insensitive`, `rewrite`, `fuzziness`, `analyzer`,
`zero_terms_query`, ranges of texts, `~` and `\\` in a simple query string, a word twice in a phrase with slop.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.engine.embedded.differential import values
from tests.engine.embedded.differential.chance import Chance
from tests.engine.embedded.differential.mappings import DEFAULT_FORMAT, FLOATING, WHOLE, Json, Leaf, RandomMapping
from tests.engine.embedded.differential.words import Vocabulary

_MOST_LEVELS = 3
_BOOSTS = [0, 0.5, 2, 3.5, "1.5"]
_MINIMUMS = [0, 1, 2, 3, -1, "1", "50%", "-30%", "100%", "2<75%", "1<-1 3<50%", 9]


@dataclass(frozen=True)
class Querist:
    """Makes queries of one mapping; `documents` is how many there are.

    Only a `bold` one asks for what is refused: within others, Elasticsearch may not look at such a query at all.
    """

    chance: Chance
    mapping: RandomMapping
    vocabulary: Vocabulary
    documents: int
    shards: int = 1
    bold: bool = True

    def query(self, level: int = 0) -> Json:
        """Return a query."""
        if level and self.bold:
            return replace(self, bold=False).query(level)
        if level < _MOST_LEVELS and self.chance.maybe(0.4 if level == 0 else 0.25):
            return self.chance.one([self._bool, self._bool, self._bool, self._constant_score])(level)
        plain: list[Callable[[], Json]] = [
            self._match, self._match, self._match_phrase, self._multi_match, self._simple, self._term, self._term,
            self._terms, self._range, self._range, self._range, self._exists, self._prefix, self._ids, self._all,
        ]  # fmt: skip
        return self.chance.one(plain)()

    def filter(self, level: int = 0) -> Json:
        """Return a query that scores the same whatever the statistics of the words are."""
        return {"bool": {"filter": self.query(level + 1)}}

    # --- what is asked for -------------------------------------------------------------------------------------------

    def _leaf(self, *kinds: str) -> Leaf:
        leaves = self.mapping.of_kind(*kinds) if kinds else [*self.mapping.leaves]
        leaves = [leaf for leaf in leaves if self._fits(leaf)]
        return self.chance.one(leaves or [Leaf("no.such.field", {"type": kinds[0] if kinds else "keyword"})])

    def _fits(self, leaf: Leaf) -> bool:
        return self.bold or leaf.searchable

    def _path(self, leaf: Leaf) -> str:
        if self.chance.maybe(0.97):
            return leaf.path
        # What documents added can be a field of any type, and so a query may not fit it.
        return self.chance.one(["none", "a.none", "new0", "new1"][: 4 if self.bold else 2])

    def _boosted(self, options: Json) -> Json:
        return options | ({"boost": self.chance.one(_BOOSTS)} if self.chance.maybe(0.15) else {})

    def _about(self, leaf: Leaf, key: str, value: Any, options: Json | None = None) -> Json:
        """Return what a query says of a field: in short, or as an object."""
        options = self._boosted(options or {})
        short = not options and self.chance.maybe(0.5)
        return {self._path(leaf): value if short else {key: value, **options}}

    def _asked(self, leaf: Leaf) -> Any:
        return values.asked(self.chance, leaf, self.vocabulary, bold=self.bold)

    # --- queries without others --------------------------------------------------------------------------------------

    def _all(self) -> Json:
        if self.chance.maybe(0.2):
            return {"match_none": {}}
        return {"match_all": self._boosted({})}

    def _term(self) -> Json:
        if self.chance.maybe(0.05):
            return {"term": {"_id": str(self.chance.randrange(self.documents + 2))}}
        leaf = self._leaf()
        return {"term": self._about(leaf, "value", self._asked(leaf))}

    def _terms(self) -> Json:
        leaf = self._leaf()
        asked = [self._asked(leaf) for _ in range(self.chance.randrange(5))]
        return {"terms": self._boosted({self._path(leaf): asked})}

    def _ids(self) -> Json:
        count = self.chance.randrange(8)
        return {
            "ids": self._boosted({"values": [str(self.chance.randrange(self.documents + 3)) for _ in range(count)]})
        }

    def _prefix(self) -> Json:
        leaf = self._leaf("text", "keyword")
        word = self.vocabulary.word(self.chance)
        start = word[: self.chance.randint(0, 3)]
        return {"prefix": self._about(leaf, "value", self.chance.one([start, start.lower()]))}

    def _exists(self) -> Json:
        paths = [leaf.path for leaf in self.mapping.leaves] + [*self.mapping.objects] * 2
        path = self.chance.one([*paths, "none", "new0", "new1", self.chance.one(paths)[:1] + "*"])
        return {"exists": self._boosted({"field": path})}

    def _match(self) -> Json:
        leaf = self._leaf("text") if self.chance.maybe(0.75) else self._leaf()
        asked = self.vocabulary.text(self.chance, 4) if leaf.kind == "text" else self._asked(leaf)
        return {"match": self._about(leaf, "query", asked, self._matching(lenient=leaf.kind != "text"))}

    def _matching(self, *, lenient: bool) -> Json:
        options: Json = {}
        if self.chance.maybe(0.3):
            options["operator"] = self.chance.one(["and", "or", "AND"])
        if self.chance.maybe(0.25):
            options["minimum_should_match"] = self.chance.one(_MINIMUMS)
        if lenient and self.chance.maybe(0.3):
            options["lenient"] = True
        return options

    def _match_phrase(self) -> Json:
        leaf = self._leaf("text") if self.chance.maybe(0.85) else self._leaf("keyword", "boolean", *WHOLE)
        if leaf.kind != "text":
            return {"match_phrase": self._about(leaf, "query", self._asked(leaf))}
        if self.chance.maybe(0.5):
            # The words differ from each other for sure: one that is repeated is not implemented here.
            words = self.chance.some(self.vocabulary.plain, 3, 2)
            slop = self.chance.randrange(4)
            return {"match_phrase": self._about(leaf, "query", " ".join(words), {"slop": slop})}
        return {"match_phrase": self._about(leaf, "query", self.vocabulary.text(self.chance, 3))}

    def _fields(self) -> list[str]:
        known = [leaf for leaf in self.mapping.of_kind("text", "keyword") if self._fits(leaf)]
        leaves = self.chance.some(known or [Leaf("none", {"type": "text"})], 3)
        fields = [leaf.path + (self.chance.one(["^2", "^0.5"]) if self.chance.maybe(0.3) else "") for leaf in leaves]
        if self.chance.maybe(0.1):
            fields.append("none")
        if self.chance.maybe(0.15):
            fields.append(self.chance.one(leaves).path[:1] + "*")
        return fields

    def _multi_match(self) -> Json:
        kind = self.chance.one(["best_fields", "best_fields", "most_fields", "phrase"])
        options: Json = {"query": self.vocabulary.text(self.chance, 3), "type": kind}
        if self.chance.maybe(0.9):
            options["fields"] = self._fields()
        # A pattern may name a field that can't have the text, such as a number.
        options["lenient"] = True
        if kind != "phrase":
            options |= self._matching(lenient=False)
            if self.chance.maybe(0.3):
                options["tie_breaker"] = self.chance.one([0.3, 1.0])
        return {"multi_match": self._boosted(options)}

    def _simple(self) -> Json:
        marks = ["+", "|", "-", " ", " ", " ", '"', "(", ")", "*", " -", " +", " | "]
        count = self.chance.randint(1, 6)
        typed = "".join(self.chance.one(marks) + self.vocabulary.word(self.chance) for _ in range(count))
        options: Json = {"query": typed + self.chance.one(["", "", '"', "*", ")"])}
        if self.chance.maybe(0.9):
            options["fields"] = self._fields()
        options["lenient"] = True
        if self.chance.maybe(0.4):
            options["default_operator"] = self.chance.one(["and", "or", "AND"])
        return {"simple_query_string": self._boosted(options)}

    def _range(self) -> Json:
        if self.chance.maybe(0.05) and self.shards == 1:
            return {"range": {"_seq_no": self._bounds(lambda: self.chance.randrange(self.documents))}}
        leaf = self._leaf("keyword", "date", "date", *WHOLE, *FLOATING, "boolean")
        if leaf.kind == "boolean" and leaf.body.get("index") is False:
            # Elasticsearch finds false below false there.
            return self._exists()
        # No path that documents added: it may be a text, and ranges of those are not implemented.
        path = leaf.path if self.chance.maybe(0.97) else "none"
        if leaf.kind == "date":
            return {"range": {path: self._date_range(leaf)}}
        return {"range": {path: self._boosted(self._bounds(lambda: self._asked(leaf)))}}

    def _bounds(self, bound: Callable[[], Any]) -> Json:
        bounds = {}
        if self.chance.maybe(0.7):
            bounds[self.chance.one(["gt", "gte"])] = bound()
        if self.chance.maybe(0.6):
            bounds[self.chance.one(["lt", "lte"])] = bound()
        return bounds

    def _date_range(self, leaf: Leaf) -> Json:
        kind = self.chance.random()
        if kind < 0.5:
            form = leaf.body.get("format", DEFAULT_FORMAT)
            return self._boosted(self._dates(self._bounds(lambda: values.date_text(self.chance, form))))
        if kind < 0.7:
            # Rounded far enough that both engines agree on when now is.
            math = ["now-900d/d", "now/y", "now+1y/M", "now-3y/y"]
            return self._bounds(lambda: self.chance.one(math))
        if kind < 0.85:
            days = [f"2024-01-{day}" for day in (28, 29, 30, 31)]
            math = ["||/d", "||+1d", "||-1d/d", "||+1M/M", "||/w", "||+36h/h", ""]
            return {**self._bounds(lambda: self.chance.one(days) + self.chance.one(math)), "format": "yyyy-MM-dd"}
        zone = self.chance.one(["+02:00", "-05:00", "Europe/Berlin", "UTC", "Z"])
        days = [f"2024-01-{day}" for day in (28, 29, 30, 31)]
        return {**self._bounds(lambda: self.chance.one(days)), "time_zone": zone, "format": "yyyy-MM-dd"}

    def _dates(self, bounds: Json) -> Json:
        """Return bounds that are both numbers or both texts: one of each is refused where the text is no number."""
        if not self.bold and len({type(bound) for bound in bounds.values()}) > 1:
            bounds.popitem()
        return bounds

    # --- queries of others -------------------------------------------------------------------------------------------

    def _constant_score(self, level: int) -> Json:
        return {"constant_score": self._boosted({"filter": self.query(level + 1)})}

    def _bool(self, level: int) -> Json:
        body: Json = {}
        for occur, probability in (("must", 0.5), ("filter", 0.35), ("should", 0.6), ("must_not", 0.3)):
            if self.chance.maybe(probability):
                clauses = [self.query(level + 1) for _ in range(self.chance.randint(1, 3))]
                body[occur] = clauses[0] if len(clauses) == 1 and self.chance.maybe(0.5) else clauses
        if self.chance.maybe(0.25):
            body["minimum_should_match"] = self.chance.one(_MINIMUMS)
        return {"bool": self._boosted(body)}
