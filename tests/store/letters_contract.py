"""What the dead letters promise on every engine: inherited by one test class an engine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from connectors.engine import Engine
from connectors.errors import RecordUnreadable
from connectors.store.dead_letter import DeadLetter, LetterKind
from connectors.store.dead_letters import AT_ONCE, INDEX, DeadLetters

NOW = datetime(2026, 11, 21, 20, 15, 30, 123456, UTC)
IDS = ["", "a", "a/b", "é😀", "\ud800", "x" * 600, "x" * 601, "y" * 100_000, "y" * 100_001, "ab", "b"]
READ, CONVERT, WRITE, CONTENT, ACCESS = LetterKind


def letter(connector: str, document_id: str, kind: LetterKind = WRITE, **given: Any) -> DeadLetter:
    values = {"cause": "mapper_parsing_exception", "reason": "n is no number", "at": NOW, "run": "r", **given}
    return DeadLetter(connector=connector, id=document_id, kind=kind, **values)


class LettersContract:
    """Its module provides the fixture `engine`. Every test keeps to connectors of its own."""

    @pytest.fixture
    async def letters(self, engine: Engine) -> DeadLetters:
        return await DeadLetters.open(engine)

    @pytest.fixture
    def own(self) -> str:
        return uuid4().hex

    async def test_a_letter_is_read_as_it_was_written_and_at_once(self, letters: DeadLetters, own: str) -> None:
        written = letter(own, "a/b ü", cause="c", fields=("n", "sub.é"))
        await letters.put_many([written])
        assert [one async for one in letters.letters(own)] == [written]
        assert await letters.count(own) == 1

    async def test_there_is_one_letter_for_a_document_and_kind_whatever_the_id(
        self, letters: DeadLetters, own: str
    ) -> None:
        for run in ("r1", "r2"):
            await letters.put_many(letter(own, one, kind, run=run) for one in IDS for kind in LetterKind)
        await letters.put_many([letter(f"{own}a", "b")])
        assert await letters.count(own) == len(IDS) * len(LetterKind)
        assert {one.run async for one in letters.letters(own)} == {"r2"}
        await letters.remove_many(own, IDS, kinds=list(LetterKind))
        assert (await letters.count(own), await letters.count(f"{own}a")) == (0, 1)

    async def test_more_letters_than_one_request_takes_are_kept_and_removed(
        self, letters: DeadLetters, own: str
    ) -> None:
        ids = [f"d{number}" for number in range(2 * AT_ONCE + 1)]
        await letters.put_many(letter(own, one) for one in ids)
        assert {one async for one in letters.ids(own)} == set(ids)
        await letters.remove_many(own, ids[1:])
        assert [one async for one in letters.ids(own)] == ids[:1]

    async def test_a_success_leaves_letters_about_a_content_and_about_who_may_read_what(
        self, letters: DeadLetters, own: str
    ) -> None:
        await letters.put_many(letter(own, "a", kind) for kind in LetterKind)
        await letters.remove_many(own, ["a", "never there"])
        assert {one.kind async for one in letters.letters(own)} == {CONTENT, ACCESS}
        await letters.remove_many(own, ["a"], kinds=[CONTENT, ACCESS])
        assert await letters.count(own) == 0

    async def test_letters_are_counted_by_cause_with_the_latest_of_each(self, letters: DeadLetters, own: str) -> None:
        def many() -> Iterator[DeadLetter]:
            for number in range(5):
                yield letter(own, f"w{number}", cause="too many fields", at=NOW + timedelta(seconds=number))
            for number in range(2):
                yield letter(own, f"r{number}", READ, cause="gone")
                yield letter(own, f"c{number}", CONTENT, cause="gone")

        await letters.put_many([*many(), letter(f"{own}x", "other")])
        found = await letters.causes(own, samples=2)
        assert [(one.kind, one.cause, one.count) for one in found] == [
            (WRITE, "too many fields", 5),
            (CONTENT, "gone", 2),
            (READ, "gone", 2),
        ]
        assert [[one.id for one in cause.samples] for cause in found[:1]] == [["w4", "w3"]]
        assert [sorted(one.id for one in cause.samples) for cause in found[1:]] == [["c0", "c1"], ["r0", "r1"]]
        assert [(one.count, one.samples) for one in await letters.causes(own, samples=0, most=1)] == [(5, ())]
        assert sorted([one async for one in letters.ids(own, cause="gone", kinds=[READ])]) == ["r0", "r1"]
        assert await letters.count(own, kinds=[READ, WRITE]) == 7

    async def test_letters_that_a_run_did_not_write_again_are_dropped(self, letters: DeadLetters, own: str) -> None:
        await letters.put_many(letter(own, one, kind, run="r1") for one in ("a", "b") for kind in (WRITE, CONTENT))
        await letters.put_many([letter(own, "b", run="r2")])
        assert await letters.drop(own, kinds=[READ, CONVERT, WRITE], but_of_run="r2") == 1
        assert sorted([(one.id, one.kind) async for one in letters.letters(own)]) == [
            ("a", CONTENT),
            ("b", CONTENT),
            ("b", WRITE),
        ]
        assert await letters.drop(own, cause="another") == 0
        assert await letters.drop(own) == 3
        assert await letters.count(own) == 0

    async def test_a_letter_of_a_newer_version_is_told(self, engine: Engine, letters: DeadLetters, own: str) -> None:
        await engine.control.put(INDEX.name, own, {"format": 2, "connector": own, "cause": "c", "kind": "write"})
        with pytest.raises(RecordUnreadable, match="has format 2, and this version knows 1"):
            [one async for one in letters.letters(own)]
        assert await letters.count(own) == 1
        assert await letters.drop(own) == 1

    async def test_what_is_no_letter_is_told(self, engine: Engine, letters: DeadLetters, own: str) -> None:
        await engine.control.put(INDEX.name, own, {"format": 1, "connector": own, "kind": "surprise"})
        with pytest.raises(RecordUnreadable, match=f"The dead letter '{own}' is none"):
            [one async for one in letters.letters(own)]

    async def test_letters_are_counted_by_their_connectors(self, letters: DeadLetters, own: str) -> None:
        await letters.put_many(letter(own, f"d{number}", kind) for number in range(3) for kind in (READ, WRITE))
        await letters.put_many([letter(f"{own}b", "d")])
        found = await letters.numbers()
        assert (found[own], found[f"{own}b"], found[f"{own}c"]) == (6, 1, 0)
