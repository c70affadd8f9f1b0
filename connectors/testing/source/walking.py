"""The walk: it can be repeated, ended at any moment, and never ends as if it were complete when it is not."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

from connectors.changes import Checkpoint
from connectors.dataset import Dataset
from connectors.errors import ConnectorsError
from connectors.source import Document
from connectors.source_class import can_resume
from connectors.testing.source.case import SourceCase
from connectors.testing.source.held import Held, left_over
from connectors.testing.source.promise import applies, fail, promise
from connectors.testing.source.subject import Action, Broken, Settings, Subject, done
from connectors.testing.source.walked import Walked, difference, documents_of, walk


class Walking(SourceCase):
    """Walks from their beginning to whatever end they come to."""

    async def test_each_walk_yields_the_same_documents(self, subject: Subject, settings: Settings) -> None:
        """A second one of the same object too, for what has to be read again."""
        async with subject.opened(settings) as source:
            first = await documents_of(source)
            second = await documents_of(source)
        found = difference(first, second)
        promise(not found, f"A second walk of one object yields something else: {found}. Keep nothing of a walk.")
        found = difference(first, await subject.documents(settings))
        promise(not found, f"The walk of another object yields something else: {found}.")

    async def test_a_walk_goes_on_behind_each_of_its_checkpoints(self, subject: Subject, settings: Settings) -> None:
        """A sync that was interrupted goes on there, and has everything then."""
        applies(can_resume(self.source), "it has no get_docs_from(), and no rows to make one of")
        async with subject.opened(settings) as source:
            whole, checkpoints = await _walked_from(source, None)
            found = difference(await documents_of(source), dict(whole))
            promise(not found, f"get_docs_from(None) (second) yields something else than get_docs() (first): {found}.")
            for place, cursor in checkpoints:
                rest, _ = await _walked_from(source, json.loads(json.dumps(cursor)))
                found = difference(dict(whole[place:]), dict(rest))
                promise(not found, f"get_docs_from({cursor}) is not what comes behind that checkpoint: {found}.")

    async def test_closing_frees_everything(
        self, subject: Subject, settings: Settings, unreachable: tuple[Settings, type[ConnectorsError]]
    ) -> None:
        """At the end, in mid-walk, without a walk, and when it could not be pinged."""
        await subject.documents(settings)  # what is made once for all sources is made by now

        async def failed_ping() -> None:
            try:
                async with subject.opened(unreachable[0]):
                    pass
            except Exception:  # noqa: BLE001, S110 - what it raises is the matter of another test
                pass

        moments: dict[str, Action] = {
            "before its walk": lambda: _walk_of(subject, settings, 0),
            "in mid-walk": lambda: _walk_of(subject, settings, 1),
            "after its walk": lambda: subject.documents(settings),
            "after a ping that failed": failed_ping,
        }
        for moment, act in moments.items():
            before = Held.now()
            await done(act)
            left = await left_over(before, within_s=self.settle_limit_s)
            promise(not left, f"{subject.name}, closed {moment}, leaves {left}: end it in close() or __aexit__.")

    async def test_a_walk_that_is_cancelled_ends_at_once(self, subject: Subject, many: Settings) -> None:
        """A job that is cancelled waits for nobody, and leaves nothing behind."""
        await _walk_of(subject, many, 1)
        before = Held.now()
        loop = asyncio.get_running_loop()
        cancelled_at: list[float] = []

        async def job() -> None:
            async with subject.opened(many) as source, aclosing(walk(source)) as walked:
                async for _ in walked:
                    if not cancelled_at:
                        cancelled_at.append(loop.time())
                        me = asyncio.current_task()
                        _ = me is not None and me.cancel()  # takes effect where the source waits next
                await asyncio.sleep(0)

        task = asyncio.create_task(job(), name="the job that is cancelled")
        await asyncio.wait({task}, timeout=self.time_limit_s)
        promise(cancelled_at, "The walk of `many` yielded nothing.")
        took = loop.time() - cancelled_at[0]
        _promise_cancelled(task, subject.name)
        slow = f"A walk that is cancelled took {took:.1f} s to end: stop threads between pages, and wait with a limit."
        promise(took < self.cancel_limit_s, slow)
        left = await left_over(before, within_s=self.settle_limit_s)
        promise(not left, f"{subject.name}, cancelled in mid-walk, leaves {left}: end it in close() or __aexit__.")

    async def test_a_page_that_cannot_be_read_ends_the_walk_with_an_error(
        self, subject: Subject, broken: Settings | Broken
    ) -> None:
        """A walk that ends says that it has seen everything, and what it has not seen is deleted."""
        given = Broken.of(broken)
        caught: Exception | None = None
        documents = 0
        async with subject.opened(given.settings) as source:
            try:
                async with aclosing(source.get_docs(None)) as yielded:
                    async for _ in yielded:
                        documents += 1
                        if documents == 1 and given.after_first is not None:
                            await done(given.after_first)
            except Exception as error:  # noqa: BLE001 - whatever is raised is compared
                caught = error
        ended = f"The walk of `broken` ended after {documents} documents as if that were all: raise what went wrong."
        promise(caught is not None, ended)
        kinds = given.error if isinstance(given.error, tuple) else (given.error,)
        wanted = " or ".join(kind.__name__ for kind in kinds)
        promise(isinstance(caught, kinds), f"The walk of `broken` raised {caught!r}: raise {wanted}.")


async def _walked_from(source: Any, cursor: object) -> tuple[list[tuple[str, Document]], list[tuple[int, object]]]:  # noqa: ANN401
    """Return the documents behind a cursor, and the checkpoints with the number of documents before each."""
    documents: list[tuple[str, Document]] = []
    checkpoints: list[tuple[int, object]] = []
    async with aclosing(source.get_docs_from(cursor, None)) as yielded:
        async for one in yielded:
            if isinstance(one, Checkpoint):
                checkpoints.append((len(documents), one.cursor))
            elif not isinstance(one, Dataset):
                walked = Walked.of(one)
                documents.append((walked.id, walked.document))
    return documents, checkpoints


async def _walk_of(subject: Subject, settings: Settings, documents: int) -> None:
    """Open a source, read so many documents, and close it."""
    async with subject.opened(settings) as source, aclosing(walk(source)) as walked:
        for _ in range(documents):
            await anext(walked, None)


def _promise_cancelled(task: "asyncio.Task[None]", name: str) -> None:
    promise(task.done(), f"A walk of {name} goes on after it was cancelled: never catch CancelledError and go on.")
    if not task.cancelled():
        error = task.exception()
        text = "went on to its end" if error is None else f"raised {error!r}"
        fail(f"A walk that was cancelled {text}: let CancelledError through.")
