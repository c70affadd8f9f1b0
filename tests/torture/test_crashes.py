"""Crashes: an engine that is killed, or whose power fails, in the middle of a write loses nothing it acknowledged."""

import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.engine.embedded.engine import EmbeddedEngine
from tests.torture.conftest import Report
from tests.torture.life import CREATE, WORDS, Documents, Json, Life, all_searched

ROOT = Path(__file__).parent.parent.parent
STEPS, LIVES, MOST_WRITES = 40, 2, 1_500
SHORT = range(3)
PROMISE = (
    "An embedded engine dies at a random write or sync of a file, during bulks, refreshes, deletes by query and the "
    "removal of old documents: killed, or without power, which takes along what was not synced, sector by sector. "
    "What was acknowledged is there, what was under way is there up to some point of it, and searches with their "
    "scores are those of an index that is made anew of the same documents. Each round has two lives on one folder."
)


@dataclass(frozen=True)
class End:
    """How a life ended: how many requests were answered, and whether there was one more under way."""

    answered: int
    died: bool


def live(folder: Path, seed: int, writes: int, kind: str) -> End:
    command = [sys.executable, "-m", "tests.torture.doomed", str(folder), str(seed), str(STEPS), str(writes), kind]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode in {0, -9}, (seed, done.stderr)
    assert done.stderr == "", (seed, done.stderr)
    lines = done.stdout.splitlines()
    assert lines == [f"answered {number}" for number in range(len(lines))], (seed, lines[-1:])
    return End(len(lines), done.returncode != 0)


def ask(engine: EmbeddedEngine, method: str, target: str, body: object = None) -> Json:
    status, content = engine.handle(method, target, b"" if body is None else msgspec.json.encode(body))
    assert status < 300, (target, content)
    found: Json = msgspec.json.decode(content)
    return found


def documents_in(engine: EmbeddedEngine) -> dict[str, Json]:
    """Return every document, by what searches see after a refresh, in the order of their writing."""
    ask(engine, "POST", "/docs/_refresh")
    engine.settle()
    hits = ask(engine, "POST", "/docs/_search", {"size": 10_000, "sort": ["_seq_no"]})["hits"]
    found = {hit["_id"]: hit["_source"] for hit in hits["hits"]}
    assert len(found) == hits["total"]["value"] == ask(engine, "GET", "/docs/_count")["count"]
    for doc_id, source in found.items():
        assert ask(engine, "GET", f"/docs/_doc/{doc_id}")["_source"] == source
    return found


def found_by(engine: EmbeddedEngine) -> list[Any]:
    """Return what some searches find, with their scores."""
    queries: list[Json] = [{"match": {"text": word}} for word in WORDS]
    queries += [{"match_phrase": {"text": f"{one} {other}"}} for one, other in pairwise(WORDS)]
    queries += [{"term": {"group": group}} for group in "abcde"]
    queries += [{"exists": {"field": f"extra_{number}"}} for number in range(20)] + [{"range": {"n": {"gte": 0}}}]
    answers = []
    for query in queries:
        body = {"query": query, "size": 10_000, "sort": ["_score", "n"], "track_scores": True}
        hits = ask(engine, "POST", "/docs/_search", body)["hits"]["hits"]
        answers.append([(hit["_id"], hit["_score"] and round(hit["_score"], 9)) for hit in hits])
    return answers


def made_anew(folder: Path, documents: dict[str, Json]) -> list[Any]:
    engine = EmbeddedEngine(folder)
    ask(engine, "PUT", "/docs", CREATE)
    for doc_id, source in documents.items():
        ask(engine, "PUT", f"/docs/_doc/{doc_id}", source)
    ask(engine, "POST", "/docs/_refresh")
    found = found_by(engine)
    engine.close()
    return found


def expected(documents: Documents, seed: int, end: End) -> list[dict[str, Json]]:
    """Return everything that may be there after a life that began with these documents and ended so."""
    allowed = [dict(documents.now)]
    for number, step in enumerate(Life(seed).steps(STEPS)):
        if number < end.answered:
            allowed = [list(documents.after(step))[-1]]
        elif number == end.answered and end.died:
            allowed = list(documents.after(step))
    return allowed


def one_round(seed: int, folder: Path) -> Counter[str]:
    chance = random.Random(f"crash {seed}")
    facts: Counter[str] = Counter()
    documents = Documents()
    for number in range(LIVES):
        life = seed * LIVES + number
        kind = chance.choice(["kill", "power"])
        end = live(folder / "data", life, chance.randrange(1, MOST_WRITES), kind)
        facts["requests that were answered"] += end.answered
        if end.died:
            facts["kills" if kind == "kill" else "power failures"] += 1
        else:
            facts["lives to their end"] += 1
        if end.answered == 0 and not (folder / "data" / "catalog.db").exists():
            continue
        engine = EmbeddedEngine(folder / "data")
        if end.answered == 0:  # it may have died before it made the index
            engine.handle("PUT", "/docs", msgspec.json.encode(CREATE))
        found = documents_in(engine)
        assert found in expected(documents, life, end), (seed, number)
        assert found_by(engine) == made_anew(folder / f"anew{number}", found), (seed, number)
        engine.close()
        documents = all_searched(found)
    return facts


@pytest.mark.parametrize("seed", SHORT)
def test_what_was_acknowledged_survives_a_crash(seed: int, tmp_path: Path) -> None:
    one_round(seed, tmp_path)


@pytest.mark.long_round
def test_what_was_acknowledged_survives_many_crashes(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += one_round(seed, tmp_path_factory.mktemp(f"crash{seed}"))
    report.add("Crashes of the embedded engine", PROMISE, seeds, dict(facts))
