"""How a source tells what changed: its tokens, and its incremental walk."""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

import pytest

from connectors.changes import Change, Checkpoint, Delete, Failed, Upsert
from connectors.errors import ConnectorsError
from connectors.source import Document
from connectors.source_class import has
from connectors.testing.source.case import SourceCase
from connectors.testing.source.promise import applies, promise
from connectors.testing.source.subject import Action, Settings, Subject, done
from connectors.testing.source.walked import difference

MOST_CURSORS: Final = 10
NO_REMOVAL: Final = "there is no fixture `removal` that returns a function which removes a document of `settings`"
NO_CHANGE: Final = "there is no fixture `change` that returns a function which changes a document of `settings`"


class Changing(SourceCase):
    """`changed` and `get_docs_incrementally`."""

    @pytest.fixture
    def token_needed(self) -> None:
        """Skip what is about tokens for a source that has none."""
        applies(has(self.source, "changed"), "it has no changed(), and is walked each time")

    @pytest.fixture
    def cursor_needed(self) -> None:
        """Skip what is about cursors for a source that has none."""
        enabled = getattr(self.source, "incremental_sync_enabled", False)
        applies(enabled and has(self.source, "get_docs_incrementally"), "it has no get_docs_incrementally()")

    @pytest.mark.usefixtures("token_needed")
    async def test_without_a_token_it_may_have_changed(self, subject: Subject, settings: Settings) -> None:
        """The first sync is never skipped. The token is kept as JSON."""
        changed, token = await _changed(subject, settings, None)
        promise(changed, "changed(None) says no: without a token the answer is yes.")
        if token is not None:
            promise(_is_json(token), f"changed() returned the token {token!r}: an object of JSON types, or None.")

    @pytest.mark.usefixtures("token_needed")
    async def test_whether_it_changed_is_answered_by_any_object(self, subject: Subject, settings: Settings) -> None:
        """The one that asks is not the one that took the token: it may be another process, days later."""
        async with subject.opened(settings) as source:
            _, token = await source.changed(None)
            await subject.documents(settings)
            own, _ = await source.changed(token)
        other, _ = await _changed(subject, settings, _stored(token))
        same = f"changed(token) says {own} in the object that took the token and {other} in a new one"
        promise(own == other, f"{same}: keep what it needs in the token.")

    @pytest.mark.usefixtures("token_needed")
    async def test_after_a_change_it_says_that_it_changed(
        self, subject: Subject, settings: Settings, change: Action | None
    ) -> None:
        """A sync that is skipped wrongly leaves the index wrong."""
        applies(change, NO_CHANGE)
        assert change is not None  # noqa: S101 - for the type checker
        _, token = await _changed(subject, settings, None)
        await _change(subject, settings, change)
        changed, _ = await _changed(subject, settings, _stored(token))
        promise(changed, "changed(token) says no after a document was changed: when in doubt it has to say yes.")

    @pytest.mark.usefixtures("token_needed")
    async def test_after_a_document_is_gone_it_says_that_it_changed(
        self, subject: Subject, settings: Settings, removal: Action | None
    ) -> None:
        """What is gone leaves no time and no version behind: it takes a count, a log or all of the names to see it."""
        applies(removal, NO_REMOVAL)
        assert removal is not None  # noqa: S101 - for the type checker
        _, token = await _changed(subject, settings, None)
        await _change(subject, settings, removal)
        changed, _ = await _changed(subject, settings, _stored(token))
        promise(changed, "changed(token) says no after a document was removed.")

    @pytest.mark.usefixtures("token_needed")
    async def test_of_two_changes_in_one_second_the_second_is_seen(
        self, subject: Subject, settings: Settings, change: Action | None, removal: Action | None
    ) -> None:
        """A token may be taken between two writes that a clock can't tell apart."""
        applies(change, NO_CHANGE)
        applies(removal, NO_REMOVAL)
        assert change is not None  # noqa: S101 - for the type checker
        assert removal is not None  # noqa: S101 - for the type checker
        if (second := time.time() % 1) > 0.5:  # it would end before both were written
            await asyncio.sleep(1 - second)
        await done(change)
        _, token = await _changed(subject, settings, None)
        await done(removal)
        changed, _ = await _changed(subject, settings, _stored(token))
        coarse = "changed(token) says no after a change in the same second as the token"
        promise(changed, f"{coarse}: say yes as long as what it goes by may stay the same by another write.")

    @pytest.mark.usefixtures("token_needed")
    async def test_a_change_in_the_middle_of_a_walk_is_seen_the_next_time(
        self, subject: Subject, settings: Settings, change: Action | None
    ) -> None:
        """The walk may have missed it, so what counts is the moment before the walk, and not the one after it."""
        applies(change, NO_CHANGE)
        assert change is not None  # noqa: S101 - for the type checker
        async with subject.opened(settings) as source:
            _, token = await source.changed(None)
            token = _stored(token)
            applies(await _walked(source, change), "it ends a walk in which something changes")
            own, _ = await source.changed(token)
        other, _ = await _changed(subject, settings, token)
        promise(own and other, "changed(token) says no, though something was changed in the walk after the token.")

    @pytest.mark.usefixtures("token_needed")
    async def test_a_token_that_it_never_gave_out_counts_as_a_change(
        self, subject: Subject, settings: Settings
    ) -> None:
        """It may be of an older version of the source, or of other settings."""
        _, given = await _changed(subject, settings, None)
        less = [{name: one for name, one in given.items() if name != left} for left in given] if given else []
        for token in ({}, {"of another": 1}, *less):
            changed, _ = await _changed(subject, settings, token)
            promise(changed, f"changed({token!r}) says no: a token that it never gave out, or a part, means yes.")

    @pytest.mark.usefixtures("cursor_needed")
    async def test_without_a_cursor_everything_is_yielded(self, subject: Subject, settings: Settings) -> None:
        """An incremental walk from the start ends where a full one does."""
        changes = await _changes(subject, settings, None)
        found = difference(await subject.documents(settings), _applied({}, changes))
        promise(not found, f"Without a cursor an incremental walk yields something else than a full one: {found}.")

    @pytest.mark.usefixtures("cursor_needed")
    async def test_from_each_cursor_on_nothing_is_missing(self, subject: Subject, settings: Settings) -> None:
        """Wherever a walk was interrupted, another object goes on, with a cursor that was stored as JSON."""
        changes = await _changes(subject, settings, None)
        places = [place for place, one in enumerate(changes) if isinstance(one, Checkpoint)]
        for place in places[:: max(1, len(places) // MOST_CURSORS)]:
            cursor = changes[place].cursor  # type: ignore[union-attr]  # it is a checkpoint
            promise(_is_json(cursor), f"The walk yielded the cursor {cursor!r}: an object of JSON types.")
            wanted = {id_ for one in changes[place:] if (id_ := _id_of(one))}
            missing = wanted - {_id_of(one) for one in await _changes(subject, settings, _stored(cursor))}
            promise(not missing, f"From the cursor {cursor!r} on these are missing: {sorted(missing)[:5]}.")

    @pytest.mark.usefixtures("cursor_needed")
    async def test_after_a_change_the_incremental_walk_yields_it(
        self, subject: Subject, settings: Settings, change: Action | None
    ) -> None:
        """What was there before, with the changes since the last cursor, is what is there now."""
        applies(change, NO_CHANGE)
        assert change is not None  # noqa: S101 - for the type checker
        changes = await _changes(subject, settings, None)
        cursor = next((one.cursor for one in reversed(changes) if isinstance(one, Checkpoint)), None)
        applies(cursor, "its walk yields no checkpoint")
        before = await _change(subject, settings, change)
        now = _applied(before, await _changes(subject, settings, _stored(cursor)))
        found = difference(await subject.documents(settings), now)
        promise(not found, f"The changes since the last cursor do not lead to what a full walk yields: {found}.")


async def _changed(subject: Subject, settings: Settings, token: Any) -> tuple[bool, Any]:  # noqa: ANN401 - JSON
    async with subject.opened(settings) as source:
        answer = await source.changed(token)
    sound = isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], bool)
    promise(sound, f"changed() returned {answer!r}: return (whether it changed, the token of this moment).")
    changed, new_token = answer
    return changed, new_token


async def _walked(source: Any, change: Action) -> bool:  # noqa: ANN401 - of any class
    """Walk to the end, with a change behind the first document; return whether the walk came to its end."""
    is_changed = False
    try:
        async with aclosing(source.get_docs()) as documents:
            async for _ in documents:
                if not is_changed:
                    is_changed = True
                    await done(change)
    except ConnectorsError:
        return False
    return is_changed


async def _change(subject: Subject, settings: Settings, change: Action) -> dict[str, Document]:
    """Change the source and return what it held before. Fails where nothing is different afterwards."""
    before = await subject.documents(settings)
    await done(change)
    changed = difference(before, await subject.documents(settings))
    promise(changed, "What the fixture `change` returned changed no document.")
    return before


async def _changes(subject: Subject, settings: Settings, cursor: Any) -> list[Change]:  # noqa: ANN401 - JSON
    found: list[Change] = []
    async with subject.opened(settings) as source, aclosing(source.get_docs_incrementally(cursor)) as changes:
        async for one in changes:
            sound = isinstance(one, Change) and not isinstance(one, Failed)
            promise(sound, f"The incremental walk yielded {one!r}: Upsert, Delete or Checkpoint.")
            found.append(one)
    return found


def _applied(documents: Mapping[str, Document], changes: list[Change]) -> dict[str, Document]:
    now = dict(documents)
    for one in changes:
        if isinstance(one, Upsert):
            now[str(one.document.get("_id"))] = one.document
        elif isinstance(one, Delete):
            now.pop(one.id, None)
    return now


def _id_of(change: Change) -> str:
    match change:
        case Upsert(document):
            return str(document.get("_id"))
        case Delete(id_):
            return id_
    return ""


def _is_json(value: object) -> bool:
    try:
        return isinstance(value, Mapping) and bool(_stored(value) == value)
    except (TypeError, ValueError):
        return False


def _stored(value: Any) -> Any:  # noqa: ANN401 - JSON
    return json.loads(json.dumps(value))
