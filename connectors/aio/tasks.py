"""A group of named tasks that succeeds or fails as one."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Tasks:
    """Owns the tasks that are started in it: leaving the block waits for all of them.

    The first task that fails cancels the others, and the block raises that one error itself rather than a group of
    errors, because an error tree can steer recovery only when there is one error. What failed besides it while
    things were being cancelled is kept as a note. An error raised in the block itself, cancellation included, comes
    before those of the tasks.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._group = asyncio.TaskGroup()
        self._first: BaseException | None = None

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start a task; its full name is `<group>: <name>`."""
        task = self._group.create_task(work, name=f"{self.name}: {name}")
        task.add_done_callback(self._keep_first)
        return task

    def _keep_first(self, task: asyncio.Task[Any]) -> None:
        if self._first is None and not task.cancelled():
            self._first = task.exception()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as group:
            first = self._leading(error, group)
            for other in group.exceptions:
                if other is not first:
                    first.add_note(f"Besides, in {self.name}: {type(other).__name__}: {other}")
            raise first from first.__cause__

    def _leading(self, body: BaseException | None, group: BaseExceptionGroup[BaseException]) -> BaseException:
        if body is not None and not isinstance(body, asyncio.CancelledError):
            return body
        return self._first or group.exceptions[0]
