"""Scans: what an index holds of one connector, in pages of keys and fingerprints."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from connectors.engine.operations import Operations
from connectors.engine.records import Hit
from connectors.engine.scan import Walk
from connectors.sync.document.prepared import key_of
from connectors.sync.index.mark import FIELD, MOST_BATCHES, Mark, scanned_fingerprint, scanned_origin, version
from connectors.sync.ledger.ledger import Keys, keys_of
from connectors.sync.ledger.run import Fingerprints
from connectors.sync.owner.lease import Lease


@dataclass(frozen=True)
class Page:
    """Some documents of a connector, as the index had them when the scan began."""

    hits: list[Hit]
    keys: Keys
    fingerprints: Fingerprints


def query(connector: str) -> dict[str, object]:
    """Return the query for the documents of a connector."""
    return {"term": {f"{FIELD}.c": connector}}


async def ours(data: Operations, lease: Lease) -> AsyncGenerator[Page, None]:
    """Yield the documents of a lease's connector that a search sees, each once. To be read within `aclosing`.

    One that was written under a higher epoch than that of the lease is the work of a later owner, unless records were
    lost: the lease rises above it, which only the owner can, before anything is concluded from it. Raises `JobLost`.
    """
    claim = lease.claim
    walk = Walk(claim.target.index, query(claim.connector), fields=Mark.SCANNED)
    async with aclosing(data.scan(walk)) as pages:
        async for hits in pages:
            await _make_sure(hits, lease)
            keys = keys_of(b"".join([key_of(hit.id) for hit in hits]))
            yield Page(hits, keys, np.array([scanned_fingerprint(hit) for hit in hits], np.int64))


async def _make_sure(hits: list[Hit], lease: Lease) -> None:
    above = version(lease.epoch, MOST_BATCHES - 1)
    # A version is never below that of the mark; what somebody else did to the document may have raised it a little.
    later = [one for hit in hits if hit.version is not None and hit.version > above for one in [scanned_origin(hit)]]
    highest = max((one for one in later if lease.is_within_reach(one)), default=0)
    if highest > above:
        await lease.rise_above(highest)
