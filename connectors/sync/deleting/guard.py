"""The guard: whether documents that are gone from the source are deleted, or held for a person's word."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.store.sync_settings import DeleteGuard


@dataclass(frozen=True)
class Walked:
    """What a complete walk found, beside what there was before it."""

    unseen: int
    """Documents that the index holds and the walk did not find."""
    before: int
    """Documents that the index held of this connector."""
    seen: int
    """Documents that the walk found."""
    known: int
    """How many of them the index holds."""
    datasets: Mapping[str, int]
    """How many of them are of each dataset."""
    datasets_before: Mapping[str, int]


def reason_to_hold(walked: Walked, guard: DeleteGuard) -> str | None:
    """Return why the deletions of a sync are held; None when they are not.

    A source that yields nothing, or lost a dataset, may be one whose credentials see less than before.
    """
    if not walked.unseen:
        return None
    if not walked.seen:
        return f"The source yielded nothing, and the index holds {walked.before:,} documents of it."
    if not walked.known:
        return f"The source has none of the {walked.before:,} documents that the index holds of it, and only others."
    gone = sorted(name for name, count in walked.datasets_before.items() if count and not walked.datasets.get(name))
    if gone:
        return f"The source had documents of {', '.join(gone)}, and has none any more."
    most = guard.most(walked.before)
    if walked.unseen > most:
        return f"{walked.unseen:,} of {walked.before:,} documents are gone from the source, and {most:,} is the limit."
    return None
