"""Poison: documents that no engine takes, among good ones: each is told with its reason and takes no other along."""

import asyncio
import math
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.torture.arena import arena
from tests.torture.oracle import Content, expected
from tests.torture.scripted import Step, long_text, unreadable, written

PARSING = "document_parsing_exception"


def good(number: int) -> Step:
    moment = f"2026-01-{number % 28 + 1:02}T00:00:00Z"
    deep = {"deep": {"leaf": number}, "n": {"n": {"leaf": "text"}}}
    return {"_id": f"good{number}", "when": moment, "count": number, "value": 1.5, "text": "fine", **deep}


def nested(levels: int) -> dict[str, Any]:
    return {"leaf": 1} if levels == 1 else {"n": nested(levels - 1)}


POISON: dict[str, tuple[Step, str, str]] = {
    "conflict": ({"_id": "conflict", "when": {"not": "a date"}}, PARSING, "[when] of type [date]"),
    "20 levels": ({"_id": "20 levels", "n": nested(20)}, PARSING, "mapping depth"),
    "200 levels": ({"_id": "200 levels", "n": nested(200)}, PARSING, "mapping depth"),
    "300 levels": ({"_id": "300 levels", "n": nested(300)}, "convert", "nested more than 254 deep"),
    "wide": ({"_id": "wide", "wide": {f"f{n}": n for n in range(10_000)}}, PARSING, "total fields"),
    "dots": ({"_id": "dots", "a..b": 1}, PARSING, "a..b"),
    "no name": ({"_id": "no name", "": 1}, PARSING, "empty string"),
    "the engine's": ({"_id": "the engine's", "_source": 1}, PARSING, "_source"),
    "ours": ({"_id": "ours", "_sync": {"c": "c1"}}, "convert", "has a field _sync"),
    "": ({"_id": ""}, "convert", "The _id is empty."),
    "(no id)": ({"nothing": 1}, "convert", "has no _id"),
    "x" * 513: ({"_id": "x" * 513}, "convert", "has 513 bytes"),
    "ü" * 257: ({"_id": "ü" * 257}, "convert", "has 514 bytes"),
    "half\ufffd": ({"_id": "half\ud800"}, "convert", "half a character"),
    "locked": (unreadable("locked"), "read", "It is locked."),
}
"""By what the letter says of the id: what is yielded, the cause of the letter, and words of its reason."""
STRANGE: dict[str, tuple[Step, dict[str, Any]]] = {
    "nul": ({"_id": "nul", "text": "a\0b"}, {"text": "a\0b"}),
    "nul\0id": ({"_id": "nul\0id", "text": "x"}, {"text": "x"}),
    "half": ({"_id": "half", "text": "a\ud800b"}, {"text": "a\ufffdb"}),
    "nan": ({"_id": "nan", "value": math.nan}, {"value": None}),
    "inf": ({"_id": "inf", "value": -math.inf}, {"value": None}),
    "x" * 512: ({"_id": "x" * 512, "text": "x"}, {"text": "x"}),
    "no number": ({"_id": "no number", "count": "many"}, {"count": "many"}),
    "out of range": ({"_id": "out of range", "when": "999999999-01-01"}, {"when": "999999999-01-01"}),
    "no day": ({"_id": "no day", "when": "2026-02-31"}, {"when": "2026-02-31"}),
    "large number": ({"_id": "large number", "count": 2**70}, {"count": 2**70}),
    "19 levels": ({"_id": "19 levels", "n": nested(18)}, {"n": nested(18)}),
}
"""What looks like poison and is indexed, with the fields that it has then."""
GOOD = [good(number) for number in range(60)]


def mixed(seed: int) -> list[Step]:
    steps = [*(one for one, _, _ in POISON.values()), *(one for one, _ in STRANGE.values()), *GOOD]
    random.Random(f"poison {seed}").shuffle(steps)
    return [good(60), *steps]  # so that the mapping is that of the good ones


def stored() -> dict[str, Content]:
    strange = [{"_id": doc_id, "id": doc_id, **fields} for doc_id, (_, fields) in STRANGE.items()]
    return expected([*({**one, "id": one["_id"]} for one in [*GOOD, good(60)]), *strange])


@pytest.mark.parametrize("seed", range(1))
async def test_each_poisonous_document_is_told_and_its_neighbours_are_indexed(seed: int, tmp_path: Path) -> None:
    sys.stdout.write(f"seed {seed}\n")
    async with arena(tmp_path) as here:
        script = written(tmp_path / "script", mixed(seed))
        await here.connect("scripted", {"script": str(script)})
        report = (await here.sync(batch_documents=random.Random(seed).choice([3, 20, 100]))).report
        assert not await here.differs(stored())
        letters = {letter.id: letter for letter in await here.letters()}
        assert letters.keys() == POISON.keys()
        causes = {doc_id: letter.cause for doc_id, letter in letters.items()}
        assert causes == {doc_id: cause for doc_id, (_, cause, _) in POISON.items()}
        assert [doc_id for doc_id, (_, _, words) in POISON.items() if words not in letters[doc_id].reason] == []
        assert report["letters"] == len(POISON)
        mended = [{"_id": doc_id, "text": "mended"} for doc_id in POISON if 0 < len(doc_id.encode()) <= 512]
        written(script, [*(one for one, _ in STRANGE.values()), *GOOD, good(60), *mended])
        report = (await here.sync()).report
        assert (report["created"], report["letters"], report["error"]) == (len(mended), 0, None)
        assert await here.letters() == []
        assert not await here.differs({**stored(), **expected({**one, "id": one["_id"]} for one in mended)})


@pytest.mark.long_round
async def test_a_document_larger_than_a_request_may_be_is_told_and_a_large_one_indexed(tmp_path: Path) -> None:
    async with arena(tmp_path, notes=False) as here:
        steps = [
            good(1),
            long_text("large", "body", 50_000_000),
            good(2),
            long_text("huge", "body", 120_000_000),
            good(3),
        ]
        script = written(tmp_path / "script", steps)
        await here.connect("scripted", {"script": str(script)})
        report = (await here.sync(batch_documents=100)).report
        assert (report["created"], report["letters"]) == (4, 1)
        (letter,) = await here.letters()
        assert (letter.id, letter.cause) == ("huge", "content_too_long_exception")
        assert set(await here.stored()) == {"good1", "good2", "good3", "large"}
        written(script, [good(1), long_text("large", "body", 50_000_000), good(2), {"_id": "huge"}, good(3)])
        report = (await here.sync()).report
        assert (report["created"], report["unchanged"], report["letters"]) == (1, 4, 0)
        assert await here.letters() == []


TEXTS = st.text(st.characters() | st.sampled_from("\0\ud800.\u2028"), max_size=8)
NAMES = st.sampled_from(["a", "b", "when", "count", "n"]) | TEXTS
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.just("2026-01-01") | st.integers(2**62, 2**65),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=12)


@given(DOCUMENTS)
@settings(max_examples=12)
def test_whatever_documents_hold_each_is_indexed_or_told_and_good_ones_are_indexed(documents: list[Step]) -> None:
    asyncio.run(_one_of_two(documents))


async def _one_of_two(documents: list[Step]) -> None:
    strange = [{**one, "_id": f"strange{number}"} for number, one in enumerate(documents)]
    with tempfile.TemporaryDirectory() as folder:
        async with arena(Path(folder)) as here:
            steps = [good(0), *(step for number, one in enumerate(strange, 1) for step in (one, good(number)))]
            script = written(Path(folder) / "script", steps)
            await here.connect("scripted", {"script": str(script)})
            report = await here.sync_here()
            indexed, told = set(await here.stored()), {letter.id for letter in await here.letters()}
            again = await here.sync_here()
            letters_again = {letter.id for letter in await here.letters()}
    assert indexed | told == {one["_id"] for one in steps}
    assert indexed & told == set()
    assert {one["_id"] for one in steps if one["_id"].startswith("good")} <= indexed
    assert (report.created, report.letters) == (len(indexed), len(told))
    assert (again.unchanged, again.letters) == (len(indexed), len(told))
    assert letters_again == told
