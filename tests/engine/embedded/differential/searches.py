"""Random searches: a query with a page, an order, a source filter and whatever else a body asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.engine.embedded.differential.mappings import DEFAULT_FORMAT, UNIQUE, WHOLE, Json, Leaf
from tests.engine.embedded.differential.queries import Querist

PLACES: Final = ("_doc", "_shard_doc")
"""Sort keys whose values are an engine's own."""


@dataclass(frozen=True)
class Searcher:
    """Makes searches of one index.

    Without `statistics` scores depend on what each engine has not cleaned up yet, and so none are asked for. Where the
    index has several shards, which each engine fills in its own way, only a unique key makes an order.
    """

    querist: Querist
    statistics: bool = True

    def search(self) -> Json:
        """Return the body of a search."""
        chance = self.querist.chance
        scored = self.statistics and self.querist.shards == 1
        body: Json = {"query": self.querist.query() if scored or chance.maybe(0.7) else self.querist.filter()}
        if chance.maybe(0.03):
            del body["query"]
        if chance.maybe(0.5):
            body["size"] = chance.one([0, 1, 2, 5, 20, 100])
        if chance.maybe(0.15):
            body["from"] = chance.randrange(12)
        if not scored or chance.maybe(0.5):
            body["sort"] = self._sort(scored=scored)
        if scored and chance.maybe(0.1):
            body["min_score"] = chance.one([0.1, 0.37, 0.9, 1.0, 1.5, 2])
        if scored and chance.maybe(0.15):
            body["track_scores"] = True
        if chance.maybe(0.3):
            body["track_total_hits"] = chance.one([True, False, 1, 5, 30, 1000])
        return body | self._shown()

    def _shown(self) -> Json:
        chance = self.querist.chance
        body: Json = {}
        if chance.maybe(0.3):
            body["_source"] = self._source()
        if chance.maybe(0.25):
            body["docvalue_fields"] = [self._doc_value() for _ in range(chance.randint(1, 3))]
        if chance.maybe(0.15):
            body["version"] = True
        if chance.maybe(0.15) and self.querist.shards == 1:
            body["seq_no_primary_term"] = True
        return body

    # --- order -------------------------------------------------------------------------------------------------------

    def _sort(self, *, scored: bool) -> list[Any]:
        chance = self.querist.chance
        if self.querist.shards > 1:
            # First of all: Elasticsearch skips a shard that the first key alone rules out, whatever the others say.
            return [
                {UNIQUE: chance.one(["asc", "desc"])},
                *([self._key(scored=False, first=False)][: chance.randrange(2)]),
            ]
        count = chance.choices([1, 2, 3], [5, 3, 2])[0]
        return [self._key(scored=scored, first=not place) for place in range(count)]

    def _key(self, *, scored: bool, first: bool) -> Any:
        chance = self.querist.chance
        special = chance.random()
        if scored and special < 0.15:
            return chance.one(["_score", {"_score": {"order": "asc"}}, {"_score": "desc"}])
        if special < 0.27 and self.querist.shards == 1:
            path = chance.one(["_doc", "_seq_no", "_seq_no", "_index"])
            return chance.one([path, {path: chance.one(["asc", "desc"])}])
        if special < 0.33:
            return {"no.such.field": {"unmapped_type": chance.one(["long", "keyword", "date", "double", "boolean"])}}
        # Elasticsearch fails at sorting by half_float first.
        leaf = chance.one([leaf for leaf in self.querist.mapping.sortable if leaf.kind != "half_float" or not first])
        options: Json = {}
        if chance.maybe(0.5):
            options["order"] = chance.one(["asc", "desc"])
        if chance.maybe(0.4):
            options["missing"] = self._missing(leaf)
        if chance.maybe(0.3):
            options["mode"] = chance.one(["min", "max"])
        return {leaf.path: options} if options else leaf.path

    def _missing(self, leaf: Leaf) -> Any:
        chance = self.querist.chance
        if chance.maybe(0.7):
            return chance.one(["_first", "_last"])
        if leaf.kind == "keyword":
            return chance.one(["fox", "", "zz"])
        if leaf.kind in ("boolean", "date") or leaf.kind in WHOLE:
            return chance.one([0, 1, -2, "3"])
        return chance.one([0, 1.5, -2, "0.5"])

    # --- what is shown -----------------------------------------------------------------------------------------------

    def _source(self) -> Any:
        chance = self.querist.chance
        patterns = self._patterns()
        return chance.one([
            True, False, patterns[0], patterns, {"includes": patterns}, {"excludes": patterns},
            {"includes": patterns, "excludes": self._patterns()},
        ])  # fmt: skip

    def _patterns(self) -> list[str]:
        chance, mapping = self.querist.chance, self.querist.mapping
        paths = [leaf.path for leaf in mapping.leaves] + [*mapping.objects]
        found = chance.some(paths, 3)
        if chance.maybe(0.4):
            path = chance.one(paths)
            found.append(chance.one([f"{path}.*", f"{path[:1]}*", f"*{path[-1:]}", "none", "*.a", f"{path}*"]))
        return found

    def _doc_value(self) -> Any:
        chance, mapping = self.querist.chance, self.querist.mapping
        leaf: Leaf = chance.one(mapping.sortable)
        if chance.maybe(0.1):
            return chance.one(["none", f"{leaf.path[:1]}*"])
        if leaf.kind == "date" and chance.maybe(0.4):
            return {"field": leaf.path, "format": chance.one(["yyyy-MM-dd", "epoch_millis", DEFAULT_FORMAT])}
        return chance.one([leaf.path, {"field": leaf.path}])


def keys_of(sort: Sequence[Any]) -> list[str]:
    """Return the names of the keys of an order."""
    return [key if isinstance(key, str) else next(iter(key), "") for key in sort]
