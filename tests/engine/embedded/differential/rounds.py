"""A round: one random mapping with its documents in two engines, and many searches of both."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final

from tests.contracts.wire import Answer, Wire
from tests.engine.embedded.differential.chance import Chance
from tests.engine.embedded.differential.comparison import difference
from tests.engine.embedded.differential.documents import Writer
from tests.engine.embedded.differential.mappings import UNIQUE, Json, RandomMapping
from tests.engine.embedded.differential.queries import Querist
from tests.engine.embedded.differential.searches import Searcher, keys_of
from tests.engine.embedded.differential.shrinking import shrunk
from tests.engine.embedded.differential.words import Vocabulary

SEARCHES: Final = 250
_AT_ONCE: Final = 4
_MOST_PAGES: Final = 60
# A merge may put documents into another order, so none happens before half of them were replaced.
_UNMERGED: Final = {"merge.policy.segments_per_tier": 100, "merge.policy.deletes_pct_allowed": 50}


@dataclass
class Engines:
    """The engine under test and the one that it has to agree with."""

    ours: Wire
    theirs: Wire

    async def both(self, method: str, target: str, body: object = None) -> tuple[Answer, Answer]:
        """Ask both."""
        theirs = await self.theirs(method, target, body)
        return await self.ours(method, target, body), theirs


@dataclass
class Round:
    """All that one seed makes."""

    engines: Engines
    seed: int
    searches: int = SEARCHES
    index: str = ""
    asked: int = 0
    refused: int = 0
    found: int = 0
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = self.chance = Chance(self.seed)
        self.index = f"differential-{self.seed}"
        self.mapping = RandomMapping.random(chance)
        self.vocabulary = Vocabulary.random(chance)
        self.shards = chance.choices([1, 2, 3], [8, 1, 1])[0]
        self.changed = chance.maybe(0.35)
        self.documents = chance.one([0, 8, 30, 60, 120, 120, 120])

    async def run(self) -> None:
        """Write, search, compare, and clean up. What differs is in `problems`."""
        try:
            await self._write()
            if not self.problems:
                await self._search()
        finally:
            await self.engines.both("DELETE", f"/{self.index}")

    # --- documents ---------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        settings = {"number_of_shards": self.shards, "number_of_replicas": 0, "refresh_interval": "-1"}
        if self.mapping.ignore_malformed:
            settings["mapping.ignore_malformed"] = True
        body: Json = {"mappings": self.mapping.body, "settings": settings}
        ours = await self.engines.ours("PUT", f"/{self.index}", body)
        theirs = await self.engines.theirs("PUT", f"/{self.index}", {**body, "settings": {**settings, **_UNMERGED}})
        self._same("creating the index", ours.status, theirs.status)
        writer = Writer(self.chance, self.mapping, self.vocabulary, self.shards)
        await self._bulk(writer.insert(0, self.documents))
        if self.changed and self.documents:
            await self._bulk(writer.change(self.documents, self.documents // 6))
            await self.engines.both("POST", f"/{self.index}/_refresh")
            await self._bulk(writer.insert(self.documents, 10) + writer.change(self.documents, self.documents // 6))
        await self.engines.both("POST", f"/{self.index}/_refresh")
        mappings = await self.engines.both("GET", f"/{self.index}/_mapping")
        self._same("the mapping", *(answer.body[self.index] for answer in mappings))

    async def _bulk(self, lines: bytes) -> None:
        if not lines:
            return
        answers = await self.engines.both("POST", f"/{self.index}/_bulk", lines)
        outcomes = [[self._outcome(item) for item in answer.body["items"]] for answer in answers]
        for one, other, item in zip(*outcomes, answers[0].body["items"], strict=True):
            self._same(f"the write {item}", one, other)

    def _outcome(self, item: Json) -> tuple[Any, ...]:
        """Return what counts of one item of a bulk; which shard it went to does not."""
        said = next(iter(item.values()))
        seq_no = said.get("_seq_no") if self.shards == 1 else None
        return said["status"], said.get("result"), said.get("_version"), seq_no, said.get("error", {}).get("type")

    def _same(self, what: str, ours: object, theirs: object) -> None:
        if ours != theirs:
            self.problems.append(self._told(f"{what} differs", ours, theirs))

    def _told(self, problem: str, ours: object, theirs: object, asked: object = None) -> str:
        told = f"seed {self.seed}: {problem}\n"
        if asked is not None:
            told += f"asked: {_json(asked)}\n"
        fields = self._fields_in(_json(asked) if asked is not None else "")
        return f"{told}mapping: {_json(fields)}\nembedded: {_json(ours)}\nelasticsearch: {_json(theirs)}\n"

    def _fields_in(self, text: str) -> Json:
        """Return what the mapping says of the fields that a search names, or all of it."""
        named = {leaf.path: leaf.body for leaf in self.mapping.leaves if f'"{leaf.path}' in text}
        return named or self.mapping.body

    # --- searches ----------------------------------------------------------------------------------------------------

    async def _search(self) -> None:
        # In an index without documents Elasticsearch does not look at queries either.
        bold = self.documents > 0
        querist = Querist(self.chance, self.mapping, self.vocabulary, max(self.documents, 1), self.shards, bold)
        searcher = Searcher(querist, statistics=not self.changed)
        # All are made before the first is answered, so that answers do not decide what is asked.
        asked = [(searcher.search(), self.chance.random()) for _ in range(self.searches)]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(body: Json, kind: float) -> None:
            async with limit:
                if kind < 0.1 and body.get("sort") and "from" not in body:
                    await self._walk({**body, "size": max(body.get("size", 10), 5)}, point=kind < 0.03)
                elif kind < 0.15 and "query" in body:
                    await self._count(body["query"])
                else:
                    await self._compare(body)

        async with asyncio.TaskGroup() as group:
            for number, (body, kind) in enumerate(asked):
                group.create_task(one(body, kind), name=f"search {number}")

    async def _ask(self, body: Json) -> tuple[Answer, Answer]:
        self.asked += 1
        return await self.engines.both("POST", f"/{self.index}/_search", body)

    async def _compare(self, body: Json) -> None:
        ours, theirs = await self._ask(body)
        self.refused += theirs.status != 200
        if theirs.status == 200:
            self.found += len(theirs.body["hits"]["hits"])
        if difference(body, ours, theirs) is not None:
            await self._explain(body)

    async def _explain(self, body: Json) -> None:
        kind = _kind(difference(body, *await self._ask(body)))

        async def differs(smaller: Json) -> bool:
            if self.shards > 1 and UNIQUE not in keys_of(smaller.get("sort", [])):
                return False
            try:
                return _kind(difference(smaller, *await self._ask(smaller))) == kind
            except (AttributeError, KeyError, TypeError, ValueError):
                return False  # no body of a search any more

        small = await shrunk(body, differs)
        ours, theirs = await self._ask(small)
        told = self._told(f"{difference(small, ours, theirs)}", _brief(ours), _brief(theirs), small)
        documents = await self._documents(_json(small), ours, theirs)
        self.problems.append(f"{told}documents: {_json(documents)}\nat first: {_json(body)}\n")

    async def _documents(self, asked: str, *answers: Answer) -> Json:
        """Return, of the documents that only one answer has or the first few, the fields that were asked for."""
        found = [
            [hit["_id"] for hit in answer.body["hits"]["hits"]] if answer.status == 200 else [] for answer in answers
        ]
        ids = [*dict.fromkeys([*(set(found[0]) ^ set(found[1])), *found[1][:3], *found[0][:3]])][:6]
        sources = {}
        for doc_id in ids:
            answer = await self.engines.theirs("GET", f"/{self.index}/_doc/{doc_id}")
            source = answer.body.get("_source") or {}
            named = {name: source[name] for name in source if f'"{name.partition(".")[0]}' in asked}
            sources[doc_id] = named or source
        return sources

    async def _count(self, query: Json) -> None:
        self.asked += 1
        ours, theirs = await self.engines.both("POST", f"/{self.index}/_count", {"query": query})
        if (ours.status, ours.body.get("count")) != (theirs.status, theirs.body.get("count")):
            self.problems.append(self._told("count", ours.body, theirs.body, {"query": query}))

    async def _walk(self, body: Json, *, point: bool) -> None:
        """Compare all pages of a search, each engine going on after what it answered itself."""
        bodies = [dict(body), dict(body)]
        target = f"/{self.index}/_search"
        points: list[Any] = []
        if point and self.shards == 1:
            opened = await self.engines.both("POST", f"/{self.index}/_pit?keep_alive=1m")
            points = [answer.body["id"] for answer in opened]
            target = "/_search"
            bodies = [{**body, "pit": {"id": one}} for one in points]
        for _ in range(_MOST_PAGES):
            self.asked += 1
            answers = [
                await self.engines.ours("POST", target, bodies[0]),
                await self.engines.theirs("POST", target, bodies[1]),
            ]
            told = difference(body, *answers)
            if told is not None:
                self.problems.append(self._told(f"walking, {told}", _brief(answers[0]), _brief(answers[1]), bodies[0]))
            if told is not None or answers[0].status != 200 or "sort" not in _last(answers[0]):
                break
            for one, answer in zip(bodies, answers, strict=True):
                one["search_after"] = _last(answer)["sort"]
        for wire, name in zip((self.engines.ours, self.engines.theirs), points, strict=False):
            await wire("DELETE", "/_pit", {"id": name})


def _last(answer: Answer) -> Json:
    """Return the last hit of a page, an empty one where there is none."""
    hits: list[Json] = answer.body["hits"]["hits"]
    return hits[-1] if hits else {}


def _kind(told: str | None) -> str:
    """Return the first words of a difference: what differs, without the values."""
    return " ".join((told or "").split()[:2] if (told or "").startswith("status") else (told or "").split()[:1])


def _brief(answer: Answer) -> Any:
    if answer.status != 200:
        error = answer.body["error"]
        return {"status": answer.status, "type": error["type"], "root_cause": error["root_cause"][0]}
    hits = answer.body["hits"]
    shown = [{key: hit[key] for key in hit if key not in ("_index", "_source")} for hit in hits["hits"][:10]]
    return {"total": hits.get("total"), "max_score": hits.get("max_score"), "hits": shown}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
