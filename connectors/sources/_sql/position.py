"""The position of a server: what it says of itself that is the same again only while nobody has written."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from connectors.source import Token
from connectors.sources._sql.table import Table


@dataclass(frozen=True)
class Position:
    """Which server a session reads, and at which moment.

    `server` names it and since when it has run without a break. With the same server and the same `moment`, two
    snapshots hold the same rows. Where the server can't promise that, `why_not` says why: it ends the sentence that
    begins with the server.
    """

    server: str = ""
    moment: str = ""
    why_not: str = ""

    def token(self, tables: Sequence[Table]) -> Token:
        """Return what is remembered of these tables at this moment."""
        return {"server": self.server, "moment": self.moment, "tables": _digest(tables)}


def _digest(tables: Sequence[Table]) -> str:
    """Return what is different when a table or a column is there that was not, for this user at least."""
    described = [
        (one.name, one.is_view, one.key, one.identity, [(it.name, it.declared, it.nullable) for it in one.columns])
        for one in tables
    ]
    return blake2b(repr(described).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
