"""Answers: what a server says with a batch of a change stream, and a cursor of the driver's does not tell."""

from typing import TYPE_CHECKING, Any, Final

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

_BATCHES: Final = ("firstBatch", "nextBatch")


class Answers(CommandListener):
    """Notes of the last answer of a change stream how many events it has, and how far it goes.

    A cursor of the driver's tells neither; only what listens to it is told.
    """

    def __init__(self) -> None:
        self.events = 0
        self.after: Mapping[str, Any] | None = None

    def started(self, event: CommandStartedEvent) -> None:
        """Take no note."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Take no note."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Take note of how far an answer goes, which only those of change streams say."""
        if event.command_name in {"aggregate", "getMore"}:
            cursor = event.reply.get("cursor") or {}
            after = cursor.get("postBatchResumeToken")
            self.after = None if after is None else dict(after)
            self.events = next((len(cursor[name]) for name in _BATCHES if name in cursor), 0)
