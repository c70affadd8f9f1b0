"""Scans: what an index holds of one connector, in pages of keys and fingerprints."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from connectors.engine.operations import Operations
from connectors.engine.records import Hit
from connectors.engine.scan import Walk
from connectors.sync.ledger import Keys, keys_of
from connectors.sync.ledger_run import Fingerprints
from connectors.sync.mark import FIELD, Mark, scanned_fingerprint
from connectors.sync.prepared import key_of


@dataclass(frozen=True)
class Page:
    """Some documents of a connector, as the index had them when the scan began."""

    hits: list[Hit]
    keys: Keys
    fingerprints: Fingerprints


def query(connector: str) -> dict[str, object]:
    """Return the query for the documents of a connector."""
    return {"term": {f"{FIELD}.c": connector}}


async def ours(data: Operations, index: str, connector: str) -> AsyncGenerator[Page, None]:
    """Yield the documents of a connector that a search sees, each once. To be read within `aclosing`."""
    walk = Walk(index, query(connector), fields=Mark.SCANNED)
    async with aclosing(data.scan(walk)) as pages:
        async for hits in pages:
            keys = keys_of(b"".join([key_of(hit.id) for hit in hits]))
            yield Page(hits, keys, np.array([scanned_fingerprint(hit) for hit in hits], np.int64))
