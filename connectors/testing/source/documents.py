"""The documents of a source, and what is downloaded of them."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from connectors.download import Content, Download
from connectors.literal import instant_of
from connectors.source_class import has
from connectors.testing.source.case import SourceCase
from connectors.testing.source.promise import applies, fail, promise
from connectors.testing.source.serializable import canonical, faults_of, is_unicode
from connectors.testing.source.subject import Settings, Subject
from connectors.testing.source.walked import Walked, difference_of, walk, walked_by_id

FEWEST: Final = 3
LONGEST_ID: Final = 512
"""Bytes of an id that an engine takes."""
MOST_DOWNLOADS: Final = 20


class Documents(SourceCase):
    """What a walk yields can be indexed."""

    async def test_ids_are_unique_texts_that_an_engine_takes(self, subject: Subject, settings: Settings) -> None:
        """A document with the id of another would replace it."""
        ids: set[str] = set()
        async with subject.opened(settings) as source:
            async for one in walk(source):
                sound = one.id and is_unicode(one.id) and len(one.id.encode()) <= LONGEST_ID
                promise(sound, f"The id {one.id!r} is empty, no Unicode or longer than {LONGEST_ID} bytes of UTF-8.")
                promise(one.id not in ids, f"The id {one.id!r} comes twice: make it of what tells documents apart.")
                ids.add(one.id)
        promise(len(ids) >= FEWEST, f"The walk yielded {len(ids)} documents: let `settings` have {FEWEST} or more.")

    async def test_documents_can_be_written(self, subject: Subject, settings: Settings) -> None:
        """JSON types, dates and times, decimals, UUIDs, bytes, tuples and sets: nothing else."""
        for id_, document in (await subject.documents(settings)).items():
            for fault in faults_of(document):
                fail(f"The document {id_!r} can't be written: {fault}")

    async def test_timestamps_are_instants(self, subject: Subject, settings: Settings) -> None:
        """`_timestamp` is the only name with a meaning beside `_id`."""
        for id_, document in (await subject.documents(settings)).items():
            stamp = document.get("_timestamp")
            sound = stamp is None or (isinstance(stamp, str | date) and instant_of(stamp) is not None)
            promise(sound, f"The document {id_!r} has the _timestamp {stamp!r}: a datetime, a date or ISO 8601 text.")

    async def test_downloads_give_their_content_each_time(self, subject: Subject, settings: Settings) -> None:
        """In the walk, when the framework asks for it, and later, when something has to be read again."""
        async with subject.opened(settings) as source:
            first: list[tuple[Walked, Download, Content]] = []
            async for one in walk(source):
                if one.download is not None and len(first) < MOST_DOWNLOADS:
                    first.append((one, one.download, await one.download()))
            applies(first, "no document has a download")
            for one, download, content in first:
                fault = _fault_of(download, content)
                promise(not fault, f"The download of {one.id!r} {fault}.")
                same = canonical(await download()) == canonical(content)
                promise(same, f"The download of {one.id!r} gave something else the second time: read it anew.")

    async def test_the_version_of_content_stays_while_nothing_changes(
        self, subject: Subject, settings: Settings
    ) -> None:
        """Content whose version is what it was is not fetched; a version that changes by itself fetches all of it."""
        async with subject.opened(settings) as source:
            first = await walked_by_id(source)
        applies(any(one.download for one in first.values()), "no document has a download")
        async with subject.opened(settings) as source:
            second = await walked_by_id(source)
        for id_ in first.keys() & second.keys():
            found = difference_of(first[id_].said, second[id_].said)
            promise(not found, f"The download of {id_!r} says something else in a second walk: {found}.")

    async def test_one_document_is_read_as_the_walk_yields_it(self, subject: Subject, settings: Settings) -> None:
        """And one that is not there is None."""
        applies(has(self.source, "get_doc"), "it has no get_doc()")
        walked = await subject.documents(settings)
        async with subject.opened(settings) as source:
            for id_, document in walked.items():
                found = await source.get_doc(id_)
                promise(found is not None, f"get_doc({id_!r}) found nothing, and the walk yields it.")
                differing = difference_of(document, Walked.of(found).document)
                promise(not differing, f"get_doc({id_!r}) returned something else than the walk yields: {differing}.")
            for unknown in (id_ for id_ in _unknown(next(iter(walked), "")) if id_ not in walked):
                try:
                    found = await source.get_doc(unknown)
                except Exception as error:  # noqa: BLE001 - whatever is raised is wrong
                    found = error
                promise(found is None, f"get_doc({unknown!r}) gave {found!r}: return None for what is not there.")

    async def test_identities_have_ids_and_can_be_written(self, subject: Subject, settings: Settings) -> None:
        """Who may read what is indexed as other documents are."""
        applies(getattr(self.source, "dls_enabled", False), "it has no document level security")
        ids: set[str] = set()
        async with subject.opened(settings) as source:
            async for yielded in source.get_access_control():
                one = Walked.of(yielded)
                twice = f"get_access_control() yielded the id {one.id!r} twice, or empty."
                promise(one.id and one.id not in ids, twice)
                for fault in faults_of(one.document):
                    fail(f"The identity {one.id!r} can't be written: {fault}")
                ids.add(one.id)
        promise(ids, "get_access_control() yielded nobody: let `settings` describe a source that somebody may read.")


def _fault_of(download: Download, content: object) -> str:
    if not isinstance(content, bytes | Mapping):
        return f"gave {type(content).__name__}: give bytes, or a mapping of fields"
    for name in ("content_version", "name"):
        said: object = getattr(download, name)
        if said is not None and not (isinstance(said, str) and said):
            return f"has the {name} {said!r}: a text, or None"
    if download.size is not None and isinstance(content, bytes) and download.size != len(content):
        return f"is {len(content)} bytes and its size says {download.size}"
    return next((f"can't be written: {fault}" for fault in faults_of(content)), "")


def _unknown(known: str) -> list[str]:
    """Return ids that no document has, some of them much like one that has."""
    return ["no such document", f"{known}x", known[:-1], "../..", "%00'\"", "é" * 100]
