"""A refusal: why a request was not carried out, in the shape in which Elasticsearch says so."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """Raised anywhere below the router, which answers with it; it never leaves the embedded engine.

    `more` is added to the error's body (such as the index); `cause` is what was wrong further down.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        reason: str | None,
        *,
        more: Mapping[str, Any] | None = None,
        root: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.kind = kind
        self.reason = reason
        self.more = dict(more or {})
        self.root = root or kind

    def error(self) -> dict[str, Any]:
        """Return what stands under `error`, in a whole answer or in one item of a bulk."""
        reason = None if self.reason is None else self.reason.encode(errors="replace").decode()  # of bytes as they came
        return {"type": self.kind, "reason": reason, **self.more}

    def body(self) -> dict[str, Any]:
        """Return the body of a whole answer."""
        # What failed in a shard is its own cause, and not that all of them failed.
        cause = self.more["caused_by"] if "failed_shards" in self.more else self.error() | {"type": self.root}
        return {"error": {"root_cause": [cause], **self.error()}, "status": self.status}


def illegal_argument(reason: str) -> Refusal:
    """Return the refusal of an argument that can't be."""
    return Refusal(400, "illegal_argument_exception", reason)


def unparsable(reason: str) -> Refusal:
    """Return the refusal of a body that is no such request."""
    return Refusal(400, "parsing_exception", reason)


def not_implemented(what: str) -> Refusal:
    """Return the refusal of what Elasticsearch knows and this engine does not: it never answers wrongly instead."""
    return Refusal(400, "illegal_argument_exception", f"The embedded engine does not implement {what}.")


def disk_full(*, unsure: bool = False) -> Refusal:
    """Return the refusal of a write for which there is no room; `unsure` where a part of it may have found some."""
    if unsure:
        return Refusal(500, "exception", "The disk of the embedded engine is full, and this may be written or not.")
    told = "The disk of the embedded engine is full: nothing was written, and nothing is until there is room again."
    return Refusal(429, "cluster_block_exception", told)
