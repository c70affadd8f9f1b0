"""The position of a server of PostgreSQL: which transactions a snapshot sees. Every write is one, and has a number.

docs/decisions/0027-positions.md has what was tried.
"""

import re
from collections.abc import Sequence
from typing import Final

from connectors.sources._sql.position import Position
from connectors.sources._sql.session import Session
from connectors.sources._sql.table import Table

_SAID: Final = """
SELECT txid_current_snapshot()::text, pg_is_in_recovery(), version(),
    EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citus'),
    to_regproc('pg_catalog.aurora_version') IS NOT NULL,
    (SELECT system_identifier FROM pg_control_system())::text, pg_postmaster_start_time()::text,
    (SELECT stats_reset FROM pg_catalog.pg_stat_bgwriter)::text, pg_conf_load_time()::text"""
"""Anybody may ask so, unless somebody has taken that from them.

Statistics are reset when a server recovers from a crash, which need not end its main process. Numbers of transactions
may be given again then: of those that wrote to unlogged tables only, or were committed asynchronously.
"""
_DOUBTS: Final = """
WITH RECURSIVE part AS (
    SELECT c.oid, c.relname::text AS name FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(group)s AND c.relname = ANY (%(tables)s::text[])
    UNION
    SELECT h.inhrelid, part.name FROM part JOIN pg_catalog.pg_inherits h ON h.inhparent = part.oid)
SELECT part.name, CASE
    WHEN c.oid < 16384 THEN 'is the server''s own'
    WHEN c.relkind = 'v' THEN 'is a view, and may depend on the time'
    WHEN c.relkind = 'f' THEN 'is a foreign table, or has one as a part'
    WHEN c.relkind NOT IN ('r', 'm', 'p') THEN 'is of a kind that is not known'
    WHEN c.relkind <> 'p' AND m.amname IS DISTINCT FROM 'heap' THEN 'has an access method of its own'
    WHEN row_security_active(c.oid) THEN 'has policies for its rows, which may depend on the time' END
FROM part JOIN pg_catalog.pg_class c ON c.oid = part.oid LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam"""
_PLAIN: Final = re.compile(r"PostgreSQL \d+\.\d+(?: \((?:Debian|Ubuntu|Homebrew)[^)]*\))?(?: on |, compiled ).*")
"""How PostgreSQL itself describes itself. Others are made of it, and keep their rows elsewhere."""


async def position_of(session: Session) -> Position:
    """Return the position of the snapshot that a session has begun."""
    [row] = (await session.fetch(_SAID)).rows
    snapshot, is_standby, version, has_citus, is_aurora, *identity = row
    if is_standby:
        return Position(why_not="The server is a standby, whose snapshots do not name all transactions.")
    if has_citus or is_aurora or not _PLAIN.fullmatch(version):
        return Position(why_not="The server is not PostgreSQL alone, so it is not known where its rows are.")
    if not all(identity):
        return Position(why_not="The server does not say since when it runs.")
    *server, configured = identity
    return Position(" ".join(server), f"{snapshot} {configured}")


async def doubt_about(session: Session, group: str, tables: Sequence[Table]) -> str:
    """Return why what these tables hold may change without a transaction that writes on this server."""
    given = {"group": group, "tables": [one.name for one in tables]}
    found = dict.fromkeys(given["tables"], "is not there")
    for name, why_not in (await session.fetch(_DOUBTS, given)).rows:
        found[name] = why_not if found.get(name) in {"is not there", None} else found[name]
    return next((f"{name!r} {why_not}." for name, why_not in found.items() if why_not), "")
