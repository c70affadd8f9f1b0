"""The verdict on an operation: what the item of a bulk's answer means for it."""

from typing import Final

from connectors.engine.bulk import BulkItem
from connectors.engine.faults import PRIVILEGE
from connectors.errors import EngineBlocked, EngineDenied, EngineError, EngineFailed, EngineOverloaded
from connectors.sync.index.target import Target

BLOCKED: Final = "cluster_block_exception"
MISSING: Final = "index_not_found_exception"
DENIED: Final = "security_exception"


def is_elsewhere(item: BulkItem, index: str) -> bool:
    """Return whether an operation did not find the index that it was meant for."""
    return item.index != index if item.error is None else item.error.type == MISSING


def passing(item: BulkItem, target: Target) -> EngineError | None:
    """Return the error for an operation that the engine may take later."""
    if item.error is None:
        return None
    is_ours_missing = item.error.type == MISSING and item.index in {target.index, target.alias}
    if not (item.status == 429 or item.status >= 500 or item.error.type == BLOCKED or is_ours_missing):
        return None
    text = f"{item.error.reason or 'No reason given'} ({item.error.type}, status {item.status})."
    if item.error.type == BLOCKED:
        return EngineBlocked(text, hint="Free disk space, or lift the block from the index.")
    return EngineOverloaded(text) if item.status == 429 else EngineFailed(text, status=item.status)


def denied(item: BulkItem, target: Target) -> EngineDenied | None:
    """Return the error for an operation that our credentials may not do; they may do it to no other document either.

    Where a pipeline sends a document is another matter: that is about this one alone.
    """
    if item.error is None or item.error.type != DENIED or item.index not in {target.index, target.alias}:
        return None
    reason = item.error.reason or "No reason given"
    return EngineDenied(f"Could not write to {item.index}: {reason} ({DENIED}, status {item.status}).", hint=PRIVILEGE)


def why(item: BulkItem, index: str) -> tuple[str, str]:
    """Return the cause and the reason why an operation can't be carried out."""
    if item.error is not None:
        deepest = item.error.caused_by or item.error
        reasons = dict.fromkeys(one.reason for one in (item.error, deepest) if one.reason)
        return item.error.type, ": ".join(reasons) or "The engine gives no reason."
    if item.index != index:
        return "rerouted", f"A pipeline sent the document to the index {item.index}."
    return f"result {item.result}", "A pipeline dropped the document."
