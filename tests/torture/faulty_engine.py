"""An engine that keeps documents truthfully and answers badly: faults before, after and in the middle of a write."""

import asyncio
import json
import random
from collections import Counter
from typing import Any

from tests.engine.stub import Received, Reply, Stub, answer, greeting, half, later, refusal, reset, silence

SLOW_S = 0.25
"""Longer than the client under test waits."""


class FaultyEngine(Stub):
    """Documents with sequence numbers and compare-and-set, behind a connection that can't be trusted."""

    def __init__(self, seed: int, *, fault_rate: float) -> None:
        super().__init__()
        self.documents: dict[str, tuple[int, dict[str, Any]]] = {}
        self.faults: Counter[str] = Counter()
        self._random = random.Random(seed)
        self.fault_rate = fault_rate
        self._writes = 0
        self._held_up: list[asyncio.Task[None]] = []

    def reply_to(self, request: Received) -> Reply:
        if request.target == "/":
            return greeting()
        if self._random.random() >= self.fault_rate:
            return self._apply(request)
        return self._random.choice([self._before, self._after])(request)

    async def settle(self) -> None:
        """Wait until whatever was held up on the way has arrived."""
        await asyncio.gather(*self._held_up)

    def _before(self, request: Received) -> Reply:
        """Fail without having applied anything."""
        name = self._random.choice(["refused", "reset before", "failed before", "silent before"])
        self.faults[name] += 1
        return {
            "refused": refusal(429, "es_rejected_execution_exception"),
            "reset before": reset(),
            "failed before": refusal(503, "unavailable_shards_exception"),
            "silent before": later(SLOW_S, reset()),
        }[name]

    def _after(self, request: Received) -> Reply:
        """Apply the request, and lose the answer."""
        name = self._random.choice(["reset after", "half an answer", "failed after", "late after", "held up"])
        self.faults[name] += 1
        if name == "held up":
            self._held_up.append(asyncio.create_task(self._arrive_late(request)))
            return silence()
        applied = self._apply(request)
        return {
            "reset after": reset(),
            "half an answer": half(),
            "failed after": answer(502, b"<html>Bad Gateway</html>"),
            "late after": later(SLOW_S, applied),
        }[name]

    async def _arrive_late(self, request: Received) -> None:
        """Apply a request after its sender has given it up and gone on."""
        await asyncio.sleep(SLOW_S * self._random.random() * 2)
        self._apply(request)

    def _apply(self, request: Received) -> Reply:
        path, _, query = request.target.partition("?")
        _, _, kind, doc_id = path.split("/")
        stored = self.documents.get(doc_id)
        common = {"_index": "docs", "_id": doc_id, "_version": 1, "_primary_term": 1}
        if request.method == "GET":
            if stored is None:
                return answer(404, {"_index": "docs", "_id": doc_id, "found": False})
            return answer(200, {**common, "found": True, "_seq_no": stored[0], "_source": stored[1]})
        expected = dict(part.split("=") for part in query.split("&") if part)
        if kind == "_create":
            stale = stored is not None
        else:
            stale = "if_seq_no" in expected and (stored is None or stored[0] != int(expected["if_seq_no"]))
        if stale:
            return refusal(409, "version_conflict_engine_exception")
        self._writes += 1
        self.documents[doc_id] = (self._writes, json.loads(request.body))
        return answer(200, {**common, "_seq_no": self._writes, "result": "updated"})
