"""Targets: who writes to an index, under which epoch, and that the owner is alive."""

from typing import ClassVar

from connectors.store.record import Record


class TargetRecord(Record, frozen=True, kw_only=True):
    """What is known of a concrete index that is written to.

    `lease` rises with every renewal: whoever watches it needs no clock of the owner's. `owner` is the instance that
    holds it now, None when nobody does; the epoch never falls.
    """

    KIND: ClassVar[str] = "target"

    target: str
    """The UUID of the index."""
    index: str
    epoch: int
    lease: int = 0
    owner: str | None = None
    connector: str | None = None
    run: str | None = None

    @classmethod
    def key_of(cls, target: str) -> str:
        """Return the key of a target's record."""
        return cls.key_for(target)
