"""The letters of one sync: which documents could not be indexed, and which that could not before are well now."""

import asyncio
from contextlib import suppress
from typing import Final, NamedTuple

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import DocumentSkipped, TooManyLetters
from connectors.store.dead_letter import OF_ACCESS, OF_CONTENT_SYNCS, OF_DOCUMENTS, DeadLetter, LetterKind
from connectors.store.dead_letters import DeadLetters
from connectors.store.sync_settings import MaxDeadLetters
from connectors.store.sync_state import JobType
from connectors.sync.document.prepared import key_of
from connectors.sync.owner.lease import Lease
from connectors.sync.report import SyncReport

log = logger.get(__name__)
IN_A_ROW: Final = 50
"""So many documents one after the other that fail for one cause mean that something else is wrong."""
AT_ONCE: Final = 500


class _Said(NamedTuple):
    """What one letter of this sync counts for."""

    letters: int
    content_failed: int
    passing: int


class Letters:
    """Gathers the dead letters of one sync, and takes back those about documents that are well.

    Letters are written some hundred at a time, and all of them by `flush`: before a checkpoint, and at the end. Before
    that the lease is confirmed, so that a sync that lost its target says nothing any more. More than `most` letters,
    or too many in a row for one cause, raise `TooManyLetters`. Letters of an access-control sync are of a kind of
    their own: it knows nothing of those about documents, and leaves them.
    """

    def __init__(
        self, store: DeadLetters, lease: Lease, report: SyncReport, *, most: MaxDeadLetters, clock: Clock
    ) -> None:
        self._store = store
        self._lease = lease
        self._report = report
        self._most = most
        self._clock = clock
        self._is_access = report.job_type is JobType.ACCESS_CONTROL
        self._kinds = OF_ACCESS if self._is_access else OF_DOCUMENTS
        self._known: set[bytes] = set()
        self._written: list[DeadLetter] = []
        self._well: dict[str, bool] = {}
        self._rows: dict[LetterKind, tuple[str, int]] = {}
        self._flushing = asyncio.Lock()
        self._without_content: set[bytes] = set()
        """Of this sync: to be written without it is not to be well."""
        self._of_this_sync: dict[bytes, list[_Said]] = {}
        self.passing = 0
        """Letters of this sync about what may be well the next time: while there are any, none may be skipped."""

    async def load(self) -> None:
        """Read which documents have letters, to take back those that have become well."""
        kinds = OF_ACCESS if self._is_access else OF_CONTENT_SYNCS
        async for letter in self._store.letters(self._lease.claim.connector, kinds=kinds):
            with suppress(DocumentSkipped):
                self._known.add(key_of(letter.id))

    @property
    def any_known(self) -> bool:
        """Whether there are letters that could be taken back."""
        return bool(self._known)

    async def add(
        self, kind: LetterKind, doc_id: str, cause: str, reason: str, *, lasting: bool = False, walked: bool = True
    ) -> None:
        """Keep that a document could not be indexed, or not wholly; `lasting` if it will be the same the next time.

        `walked` says whether it is one that the source yielded. Raises `TooManyLetters`.
        """
        while doc_id in self._well:
            await self.flush()  # else what is taken back would take this back too
        claim = self._lease.claim
        letter = DeadLetter(
            connector=claim.connector,
            id=doc_id,
            kind=LetterKind.ACCESS if self._is_access else kind,
            cause=cause,
            reason=reason,
            at=self._clock.now(),
            run=claim.run,
        )
        self._written.append(letter)
        said = _Said(
            letters=int(walked and kind is not LetterKind.CONTENT),
            content_failed=int(kind is LetterKind.CONTENT),
            passing=int(not lasting),
        )
        self._remember(doc_id, kind, said)
        self._report.letters += said.letters
        self._report.content_failed += said.content_failed
        self.passing += said.passing
        if len(self._written) >= AT_ONCE:
            await self.flush()
        if not (lasting and kind is LetterKind.CONTENT):
            await self._check(kind, cause, reason)

    @property
    def in_a_row(self) -> bool:
        """Whether something failed last, at any step: then it has to be told what goes well."""
        return bool(self._rows)

    def went_well(self, kind: LetterKind) -> None:
        """Learn that a document took the step at which letters of this kind arise."""
        if kind in self._rows:
            del self._rows[kind]

    def well(self, doc_id: str, key: bytes, *, content: bool) -> None:
        """Take back what there is about a document that is indexed, or gone; of its content only if that is meant.

        What this sync said of the document stays until that is superseded: it may have failed after it was sent.
        """
        failed = any(said.letters for said in self._of_this_sync.get(key, ()))
        if key in self._known and not failed:
            is_whole = content and key not in self._without_content
            self._well[doc_id] = is_whole or self._well.get(doc_id, False)

    def superseded(self, key: bytes) -> None:
        """Learn that a document comes again in this sync, so that what was said of it counts no longer.

        Its letters stay until it is well; what was walked in vain is counted as superseded.
        """
        for said in self._of_this_sync.pop(key, ()):
            self._report.letters -= said.letters
            self._report.superseded += said.letters
            self._report.content_failed -= said.content_failed
            self.passing -= said.passing
        self._without_content.discard(key)

    async def flush(self) -> None:
        """Write what was gathered. Raises `JobLost`."""
        async with self._flushing:
            if self._written or self._well:
                await self._lease.ensure()
                await self._flush()

    async def _flush(self) -> None:
        written, well = list(self._written), dict(self._well)
        await self._store.put_many(written)
        connector = self._lease.claim.connector
        await self._store.remove_many(connector, well, kinds=self._kinds)
        whole = [doc_id for doc_id, content in well.items() if content and not self._is_access]
        await self._store.remove_many(connector, whole, kinds=[LetterKind.CONTENT])
        del self._written[: len(written)]  # only now: what failed is tried again with what came meanwhile
        self._well = {doc_id: content for doc_id, content in self._well.items() if well.get(doc_id) is not content}

    async def forget_older(self) -> None:
        """Remove the letters of earlier syncs about documents: a complete walk has said all that there is to say.

        Letters about contents stay while their documents do.
        """
        await self._lease.ensure()
        claim = self._lease.claim
        await self._store.drop(claim.connector, kinds=self._kinds, but_of_run=claim.run)

    def _remember(self, doc_id: str, kind: LetterKind, said: _Said) -> None:
        """Know of a letter that may be taken back later."""
        with suppress(DocumentSkipped):
            key = key_of(doc_id)
            self._known.add(key)
            self._of_this_sync.setdefault(key, []).append(said)
            if kind is LetterKind.CONTENT:
                self._without_content.add(key)

    async def _check(self, kind: LetterKind, cause: str, reason: str) -> None:
        last, row = self._rows.get(kind, (cause, 0))
        row = row + 1 if last == cause else 1
        self._rows[kind] = cause, row
        letters, most = self._report.letters, self._most.most(self._report.walked)
        if row >= IN_A_ROW:
            problem = f"{row} documents in a row could not be indexed ({cause}: {reason})."
        elif letters > most:
            problem = f"{letters} documents could not be indexed, and {most} is the limit; the last: {reason}"
        else:
            return
        await self.flush()
        raise TooManyLetters(
            problem,
            hint=f"Nothing was deleted. `connectors dead-letters list {self._lease.claim.connector}` tells more.",
        )
