"""The rules of a sync: each can be broken, to see that it is needed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """What a worker obeys. All of it by default; a search has to find out when one is broken."""

    external_versions: bool = True
    """A write carries a version made of epoch and batch, over which no lower one is applied."""
    version_is_compared: bool = True
    """A stored document counts as unchanged only if its version is the one that its writer gave it."""
    audited: bool = True
    """A sync is complete when the index advanced by exactly what was acknowledged to it."""
    stamp_before_refresh: bool = True
    """The stamp that a scan stands for is taken before the refresh that makes writes visible to it."""
    drained_before_stamp: bool = True
    """Nothing is in flight when a stamp is taken."""
    once_in_flight: bool = True
    """An id is not sent again before what became of it is known."""
    deletes_expect_revision: bool = True
    """A delete names the revision of the document that was found not to be in the source."""
    token_before_walk: bool = True
    """What a skip compares with is taken before the walk."""
    stamp_is_compared: bool = True
    """A copy of the ledger, and a skip, count only while the index stands where it stood."""
    terms_are_compared: bool = True
    """A primary that changed makes stamps incomparable."""
    incremental_audited: bool = True
    """An incremental sync reads again what it wrote when the index did not advance by that alone."""
    fenced_by_higher_epoch: bool = True
    """Who meets a document that was written under a higher epoch makes sure of still owning the target, or stops."""
    state_is_fenced: bool = True
    """What a sync leaves behind carries its epoch, and only the owner with the highest one may change it."""
    cursor_after_acknowledged: bool = True
    """A cursor is saved when all that came before it is written."""
    cursor_expects_revision: bool = True
    """A cursor is saved in the revision of the connector that was read before the state was found to be still ours."""
    connector_is_touched: bool = True
    """Who takes the state over for an incremental sync gives the connector a new revision before the cursor is read."""
    cursor_holds_for_recipe: bool = True
    """A cursor that was made with other rules is none."""
    cursor_holds_for_target: bool = True
    """A cursor that was made with another index is none."""
    reach_is_voided: bool = True
    """Who writes with other rules than the cursor was made with says first that it holds for nothing."""
    reach_after_cursor: bool = True
    """What a cursor holds for is saved when the cursor is."""
    skip_compares_recipe: bool = True
    """A sync is skipped only when the last completed one had the same rules."""
