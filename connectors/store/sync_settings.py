"""The settings of one connector's syncs, which stand in its document beside what the protocol has there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Final, Self

import msgspec

from connectors.binding import Binder, Problem, setting
from connectors.errors import ConfigurationError
from connectors.schedule import Windows

FIELD: Final = "sync"
"""Where a connector document has them."""
Number = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


@dataclass(frozen=True)
class DeleteGuard:
    """How many deletions of one sync are carried out without a person's word: the larger of the two."""

    count: Number = setting(default=100, text="So many documents.")
    share: Share = setting(default=0.2, text="This share of the connector's documents.")

    def most(self, documents: int) -> int:
        """Return how many of so many documents that is."""
        return max(self.count, int(documents * self.share))


@dataclass(frozen=True)
class MaxDeadLetters:
    """With how many documents that can't be indexed a sync still goes on: the larger of the two."""

    count: Number = setting(default=1_000, text="So many documents.")
    share: Share = setting(default=0.01, text="This share of the documents that were read.")

    def most(self, documents: int) -> int:
        """Return how many of so many documents that is."""
        return max(self.count, int(documents * self.share))


@dataclass(frozen=True)
class SyncSettings:
    """How the syncs of one connector behave."""

    shared_index: bool = setting(
        default=False, text="Other connectors may write to the same index. Each of them has to say so."
    )
    delete_guard: DeleteGuard = field(default_factory=DeleteGuard)
    max_dead_letters: MaxDeadLetters = field(default_factory=MaxDeadLetters)
    live: bool = setting(
        default=False,
        text="What changes in the source is written at once, by a sync that does not end, where the source can tell.",
    )
    windows: tuple[str, ...] = setting(
        default=(), text="When syncs that are due may begin, instead of what the service says.", example="22:00-06:00"
    )

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the settings."""
        if self.live and self.shared_index:
            yield Problem("live", "A live sync keeps its index to itself, and sync.shared_index is set.")
        try:
            Windows.parse(self.windows)
        except ConfigurationError as error:
            yield Problem("windows", error.message)

    @classmethod
    def of(cls, given: object) -> Self:
        """Return the settings that a connector document has.

        Raises one `ConfigurationError` that names every problem. What is not known is one too: it may be a setting that
        a newer version obeys, or one that keeps documents from being deleted and has a slip of the pen in its name.
        """
        binder = Binder({})
        settings = binder.section(cls, given, FIELD)
        if binder.problems:
            raise ConfigurationError("\n".join(map(str, binder.problems)), field=binder.problems[0].name)
        return settings
