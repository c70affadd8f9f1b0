"""Downloads: the contents of many documents at once, within bounds of number, bytes and time."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import TracebackType
from typing import Final, Self

from connectors import logger
from connectors.aio.budget import ByteBudget, Room
from connectors.aio.clock import Clock
from connectors.aio.retry import Retry
from connectors.download import Content, Download
from connectors.errors import AccessDenied, DocumentSkipped, SourceUnreachable, Throttled

log = logger.get(__name__)
LONGEST_REASON: Final = 1_000
_CONTAINER: Final = 64
"""What a list or a dictionary is counted as beside what is in it, so that one that contains itself has an end."""


@dataclass(frozen=True)
class DownloadLimits:
    """How much of a source's contents is fetched at once. `largest` has a part in what is indexed, the others not."""

    concurrent: int = 10
    at_once_bytes: int = 64 * 2**20
    """Of contents in memory, from before they are fetched until they have been handed on."""
    largest_bytes: int = 10 * 2**20
    """Of one content: a larger one is not indexed."""
    timeout_s: float = 600.0
    """Of one attempt."""
    farewell_s: float = 5.0
    """How long an attempt that was cancelled may take to end before it is left behind."""

    def __post_init__(self) -> None:
        if self.concurrent < 1 or not 1 <= self.largest_bytes <= self.at_once_bytes:
            raise ValueError("there has to be room for one download, and for the largest content")


class FailureKind(StrEnum):
    """Why there is no content."""

    TOO_LARGE = "too_large"
    SKIPPED = "skipped"
    DENIED = "denied"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


@dataclass(frozen=True)
class Fetched:
    """A content, and the room that it takes until it is released."""

    content: Content
    size: int
    room: Room

    def release(self) -> None:
        """Say that the content has been handed on and is not held any more."""
        self.room.release()


@dataclass(frozen=True)
class Failure:
    """Why one document has no content: `cause` is the same for what fails alike, `reason` is for a person."""

    kind: FailureKind
    cause: str
    reason: str

    @classmethod
    def skipped(cls, reason: str) -> Self:
        """Return the failure of a content that was fetched and can't be indexed."""
        return cls(FailureKind.SKIPPED, "content", reason)

    @property
    def lasting(self) -> bool:
        """Whether fetching the same version again would end the same way."""
        return self.kind in (FailureKind.TOO_LARGE, FailureKind.SKIPPED)


class Downloads:
    """Fetches the contents of one source's documents, whoever asks.

    - At most `concurrent` fetches run at once. The bytes of a content are reserved before it is fetched: its size
      where that is known, else the largest that is allowed. One that turns out larger than was said keeps its bytes if
      there is room for them now; else it is thrown away, and fetched once more with the largest reservation. So what
      is held never exceeds the budget; only what a fetch itself holds before it returns is not ours to bound.
    - Errors that are `Retryable` are tried again as `retry` says. One `Throttled` makes every download wait.
    - Whatever a fetch raises is the failure of that one document, with secrets masked in the reason.
    - While anything is fetched, `fetching` is entered, once for each.
    - A fetch runs in a task of its own, which no group owns, as a group waits for ever: cancelled, or over its time, it
      has `farewell_s` to end, and is then left behind. When as many were left behind as may run at once, the source
      is broken, and `SourceUnreachable` is raised.
    """

    def __init__(
        self,
        limits: DownloadLimits,
        *,
        clock: Clock,
        retry: Retry,
        mask: Callable[[str], str],
        fetching: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._retry = retry
        self._mask = mask
        self._fetching = fetching
        self._slots = asyncio.Semaphore(limits.concurrent)
        self._budget = ByteBudget(limits.at_once_bytes)
        self._held_until = 0.0
        self._dismissed: set[asyncio.Task[Content]] = set()

    @property
    def reserved_bytes(self) -> int:
        """The bytes that are reserved now."""
        return self._budget.used

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._dismissed:
            await self._farewell(*self._dismissed)
        if self._dismissed:
            log.warning("Downloads that can't be stopped were left behind.", downloads=len(self._dismissed))

    async def fetch(self, doc_id: str, download: Download) -> Fetched | Failure:
        """Wait for a turn and for room, and return the content, which the caller releases, or why there is none."""
        size, largest = download.size, self.limits.largest_bytes
        if size is not None and size > largest:
            return self._too_large(f"has {size:,} bytes")
        async with self._slots:
            self._check()
            with self._fetching():
                return await self._fetch(doc_id, download, largest if size is None or size < 0 else size)

    async def _fetch(self, doc_id: str, download: Download, expected: int) -> Fetched | Failure:
        room = await self._budget.reserve(expected)
        fetched = None
        try:
            await self._allowed()
            content = await self._retry(partial(self._attempt, doc_id, download))
            size = size_of(content, enough=self.limits.largest_bytes)
            if size is None:
                return Failure(FailureKind.FAILED, f"returned {type(content).__name__}", _foreign(content))
            if size > self.limits.largest_bytes:
                return self._too_large("is larger than that" if isinstance(content, Mapping) else f"has {size:,} bytes")
            if room.fit(size):
                fetched = Fetched(content, size, room)
                return fetched
            del content
        except Exception as error:  # noqa: BLE001 - whatever a source raises is the failure of one document
            return self._failure(error)
        finally:
            if fetched is None:
                room.release()
        return await self._fetch(doc_id, download, self.limits.largest_bytes)

    async def _attempt(self, doc_id: str, download: Download, attempt: int) -> Content:
        if attempt > 1:
            await self._allowed()
        try:
            return await self._in_time(doc_id, download)
        except Throttled as error:
            pause_s = error.retry_after_s
            if pause_s is None:
                pause_s = self._retry.policy.pause_s(attempt, 1.0)
            self._held_until = max(self._held_until, self._clock.monotonic() + pause_s)
            raise

    async def _allowed(self) -> None:
        """Wait until the source that asked to be left alone may be asked again."""
        while (hold_s := self._held_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(hold_s)

    async def _in_time(self, doc_id: str, download: Download) -> Content:
        task = asyncio.create_task(download(), name=f"download: {doc_id}")
        try:
            await asyncio.wait((task,), timeout=self.limits.timeout_s)
        except asyncio.CancelledError:
            await self._dismiss(task)
            raise
        if not task.done():
            await self._dismiss(task)
            raise SourceUnreachable(f"The download did not end within {self.limits.timeout_s:g} s.")
        if task.cancelled():
            raise SourceUnreachable("The download was cancelled by the source itself.")
        return task.result()

    async def _dismiss(self, task: "asyncio.Task[Content]") -> None:
        self._dismissed.add(task)
        task.add_done_callback(self._forget)
        await self._farewell(task)

    async def _farewell(self, *tasks: "asyncio.Task[Content]") -> None:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=self.limits.farewell_s)

    def _forget(self, task: "asyncio.Task[Content]") -> None:
        self._dismissed.discard(task)
        if not task.cancelled():
            task.exception()  # which nobody waits for; unread it would be reported as lost

    def _check(self) -> None:
        # Whoever still waits for a farewell has a slot, so as many as there are slots are past it.
        if len(self._dismissed) >= self.limits.concurrent:
            raise SourceUnreachable(
                f"{len(self._dismissed)} downloads neither end nor can be cancelled.",
                hint="The source may hang, or swallow cancellation.",
            )

    def _too_large(self, found: str) -> Failure:
        reason = f"At most {self.limits.largest_bytes:,} bytes are indexed; the content {found}."
        return Failure(FailureKind.TOO_LARGE, "too large", reason)

    def _failure(self, error: Exception) -> Failure:
        match error:
            case DocumentSkipped():
                kind = FailureKind.SKIPPED
            case AccessDenied():
                kind = FailureKind.DENIED
            case Throttled():
                kind = FailureKind.THROTTLED
            case SourceUnreachable():
                kind = FailureKind.UNREACHABLE
            case _:
                kind = FailureKind.FAILED
        # Masked before it is cut: half a secret would not be found.
        said = self._mask(_words_of(error, plain=kind is not FailureKind.FAILED))
        return Failure(kind, type(error).__name__, said[:LONGEST_REASON])


def size_of(content: object, *, enough: int) -> int | None:
    """Return how many bytes a content takes; None for what is none. Behind `enough` nothing more is counted."""
    if isinstance(content, bytes):
        return len(content)
    if not isinstance(content, Mapping):
        return None
    size = 0
    left: list[object] = [content]
    while left and size <= enough:
        match left.pop():
            case bytes() | bytearray() | memoryview() as raw:
                size += len(raw)
            case Mapping() as fields:
                size += _CONTAINER
                left += fields.keys()
                left += fields.values()
            case list() | tuple() | set() | frozenset() as values:
                size += _CONTAINER
                left += values
            case value:
                size += sys.getsizeof(value)
    return size


def _foreign(content: object) -> str:
    return f"The download returned neither bytes nor fields, but {type(content).__name__}."


def _words_of(error: Exception, *, plain: bool) -> str:
    """Return what an error says with its notes; a foreign one is named, as its words alone may be `'id'`."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - a foreign error may fail at this too
        words = ""
    named = words if plain else f"{type(error).__name__}: {words}" if words else type(error).__name__
    return " ".join([named, *getattr(error, "__notes__", [])])
