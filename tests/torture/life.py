"""One life of an embedded engine: random requests on a data folder, drawn from a seed, and what they should do."""

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import msgspec

Json = dict[str, Any]
IDS = [f"d{number}" for number in range(60)]
WORDS = ["ash", "birch", "cedar", "doum", "elm", "fir", "gum", "hazel", "ivy", "juniper"]
CREATE = {
    "settings": {"refresh_interval": "-1"},
    "mappings": {"properties": {"text": {"type": "text"}, "group": {"type": "keyword"}, "n": {"type": "long"}}},
}


@dataclass(frozen=True)
class Action:
    """One write of a request; `source` is None for a delete."""

    doc_id: str
    source: Json | None


@dataclass(frozen=True)
class Step:
    """One request, the writes in it, and whether it makes everything searchable."""

    method: str
    target: str
    body: bytes = b""
    actions: tuple[Action, ...] = ()
    refreshes: bool = False
    group: str | None = None


@dataclass
class Documents:
    """What should be there: sources by id, and which of them searches see."""

    now: dict[str, Json] = field(default_factory=dict)
    searched: dict[str, Json] = field(default_factory=dict)

    def after(self, step: Step) -> Iterator[dict[str, Json]]:
        """Yield what may be there when a step was begun, from nothing of it to all of it, and take that over."""
        yield dict(self.now)
        for action in self._actions(step):
            self.now.pop(action.doc_id, None)
            if action.source is not None:
                self.now[action.doc_id] = action.source  # at the end: the order is that of the writes
            yield dict(self.now)
        if step.refreshes:
            self.searched = dict(self.now)

    def _actions(self, step: Step) -> tuple[Action, ...]:
        """Return the writes of a step; those of a delete by query depend on what searches see."""
        if step.group is None:
            return step.actions
        found = [doc_id for doc_id, source in self.searched.items() if source["group"] == step.group]
        # Sources are never the same twice, so an equal one is the one that was found.
        return tuple(Action(doc_id, None) for doc_id in found if self.now.get(doc_id) == self.searched[doc_id])


class Life:
    """Draws the steps of one life."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"life {seed}")
        self._made = seed * 1_000_000

    def steps(self, count: int) -> Iterator[Step]:
        """Yield that many steps."""
        drawers = [self._bulk] * 6 + [self._long_bulk] + [self._write] * 3 + [self._refresh] * 3
        drawers += [self._delete_group, self._hold, self._other_index]
        for _ in range(count):
            yield self._random.choice(drawers)()

    def _source(self) -> Json:
        self._made += 1
        source: Json = {
            "n": self._made,
            "group": self._random.choice("abcde"),
            "text": " ".join(self._random.choices(WORDS, k=self._random.choice([1, 5, 40]))),
        }
        if self._random.random() < 0.05:  # a field that is new, and so a mapping that grows
            number = self._random.randrange(20)
            source[f"extra_{number}"] = [1, 1.5, True, "x y"][number % 4]
        return source

    def _bulk(self) -> Step:
        return self._bulk_of([self._random.choice(IDS) for _ in range(self._random.randrange(1, 40))])

    def _long_bulk(self) -> Step:
        """Write more than one slice of documents."""
        return self._bulk_of([f"long{number}" for number in range(1_500)])

    def _bulk_of(self, ids: list[str]) -> Step:
        lines, actions = [], []
        for doc_id in ids:
            deleted = self._random.random() < 0.15
            action = Action(doc_id, None if deleted else self._source())
            lines.append(msgspec.json.encode({"delete" if deleted else "index": {"_id": doc_id}}) + b"\n")
            if action.source is not None:
                lines.append(msgspec.json.encode(action.source) + b"\n")
            actions.append(action)
        refreshes = self._random.random() < 0.2
        target = "/docs/_bulk?refresh=true" if refreshes else "/docs/_bulk"
        return Step("POST", target, b"".join(lines), tuple(actions), refreshes)

    def _write(self) -> Step:
        action = Action(self._random.choice(IDS), self._source())
        refreshes = self._random.random() < 0.5
        target = f"/docs/_doc/{action.doc_id}" + ("?refresh=true" if refreshes else "")
        return Step("PUT", target, msgspec.json.encode(action.source), (action,), refreshes)

    def _refresh(self) -> Step:
        return Step("POST", "/docs/_refresh", refreshes=True)

    def _delete_group(self) -> Step:
        group = self._random.choice("abcde")
        body = msgspec.json.encode({"query": {"term": {"group": group}}})
        return Step("POST", "/docs/_delete_by_query?conflicts=proceed", body, group=group)

    def _hold(self) -> Step:
        return Step("POST", "/docs/_pit?keep_alive=1m")

    def _other_index(self) -> Step:
        name = f"other{self._random.randrange(4)}"
        if self._random.random() < 0.5:
            return Step("DELETE", f"/{name}")
        return Step("PUT", f"/{name}/_doc/1?refresh=true", msgspec.json.encode(self._source()))


def all_searched(documents: dict[str, Json]) -> Documents:
    """Return documents of which searches see every one."""
    return Documents(deepcopy(documents), deepcopy(documents))
