"""The position of a server of MySQL or MariaDB: its binary log, and what InnoDB counts, which sees what no log does.

docs/decisions/0027-positions.md has what was tried.
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

from connectors.sources._sql.position import Position
from connectors.sources._sql.session import Session
from connectors.sources._sql.table import Table

_SAID: Final = """
SELECT variable_name, variable_value, UNIX_TIMESTAMP() FROM {schema}.session_status WHERE variable_name IN (
    'uptime', 'binlog_snapshot_file', 'binlog_snapshot_position', 'innodb_max_trx_id', 'innodb_log_write_requests',
    'slaves_running')
UNION ALL
SELECT variable_name, variable_value, UNIX_TIMESTAMP() FROM {schema}.global_variables WHERE variable_name IN (
    'log_bin', 'log_slave_updates', 'log_replica_updates', 'gtid_slave_pos', 'gtid_mode', 'wsrep_on',
    'innodb_read_only', 'server_uid', 'server_uuid', 'server_id', 'hostname', 'port', 'datadir', 'version_comment',
    'aurora_version')"""
"""Anybody may ask so, and what a server does not know is not there. A long value is cut off."""
_EXECUTED: Final = "SELECT @@GLOBAL.gtid_executed"
_TABLES: Final = """
SELECT TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, '') FROM information_schema.TABLES WHERE TABLE_SCHEMA = %(group)s"""
_GENERATED: Final = """
SELECT TABLE_NAME, COLUMN_NAME, GENERATION_EXPRESSION FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = %(group)s AND LOCATE('VIRTUAL', EXTRA) > 0"""
_ARITHMETIC: Final = re.compile(r"(?:`[^`]+`|\d+|[-+*() ])+")
_OWN: Final = frozenset({"mysql", "information_schema", "performance_schema", "sys"})
_OF_MYSQL: Final = ("MySQL ", "Percona Server", "Source distribution", "(Ubuntu)", "(Debian)")
"""What servers say that are MySQL. Others speak as it does, and keep their rows and logs in ways of their own."""

LEAST_UPTIME_S: Final = 2
"""When a server was started is known to the second, so for as long another start might look the same."""

_Said = Mapping[str, str]


async def position_of(session: Session) -> Position:
    """Return the position of the snapshot that a session has begun."""
    is_mariadb = "MariaDB" in session.server
    schema = "information_schema" if is_mariadb else "performance_schema"
    rows = (await session.fetch(_SAID.format(schema=schema))).rows
    said = {str(name).lower(): str(value) for name, value, _ in rows}
    if not said.get("uptime", "").isdigit():
        return Position(why_not="The server does not say since when it runs.")
    started = round(float(rows[0][2])) - int(said["uptime"])  # both are of the beginning of the statement
    names = ("server_uuid", "server_uid", "server_id", "hostname", "port", "datadir")
    server = " ".join([*(said.get(name, "") for name in names), str(started)])
    if why_not := _lacking(said) or (_lacking_of_mariadb(said) if is_mariadb else _lacking_of_mysql(said)):
        return Position(server, why_not=why_not)
    if int(said["uptime"]) < LEAST_UPTIME_S:
        return Position(server, why_not="The server was started a moment ago, and might have been before that.")
    if is_mariadb:
        moment = f"{said['binlog_snapshot_file']}:{said['binlog_snapshot_position']} {said['innodb_max_trx_id']}"
        return Position(server, moment)
    [(executed,)] = (await session.fetch(_EXECUTED)).rows
    digest = blake2b(str(executed).encode(), digest_size=16).hexdigest()
    return Position(server, f"{digest} {said['innodb_log_write_requests']}")


async def doubt_about(session: Session, group: str, tables: Sequence[Table]) -> str:
    """Return why what these tables hold may change without a write to InnoDB of this server."""
    if group.lower() in _OWN:
        return f"The tables of {group!r} are the server's own."
    chosen = {one.name for one in tables}
    for name, kind, engine in (await session.fetch(_TABLES, {"group": group})).rows:
        if name in chosen and (kind != "BASE TABLE" or engine != "InnoDB"):
            what = f"kept by {engine}" if kind == "BASE TABLE" else f"no plain table ({kind})"
            return f"{name!r} is {what}: only what is written to tables of InnoDB is noticed with certainty."
        chosen.discard(name)
    if chosen:
        return f"Nothing is said about the table {min(chosen)!r}."
    chosen = {one.name for one in tables}
    for name, column, expression in (await session.fetch(_GENERATED, {"group": group})).rows:
        if name in chosen and not _ARITHMETIC.fullmatch(str(expression)):
            return f"The column {column!r} of {name!r} is computed when it is read, and may depend on the time."
    return ""


def _lacking(said: _Said) -> str:
    if said.get("log_bin") != "ON":
        return "The server has no binary log (log_bin)."
    if said.get("innodb_read_only", "OFF") != "OFF":
        return "The server only reads what another one writes (innodb_read_only)."
    if "aurora_version" in said:
        return "Nothing is known about positions in the log of Aurora."
    return ""


def _lacking_of_mariadb(said: _Said) -> str:
    if said.get("wsrep_on", "OFF") != "OFF":
        return "The server is one of a cluster (wsrep_on), and its log need not have what others write."
    is_replica = said.get("gtid_slave_pos") != "" or said.get("slaves_running") != "0"
    if is_replica and said.get("log_slave_updates") != "ON":
        return "The server is a replica, and what it replicates is not in its binary log (log_slave_updates)."
    needed = ("binlog_snapshot_file", "binlog_snapshot_position", "innodb_max_trx_id")
    if missing := [name for name in needed if not said.get(name)]:
        return f"The server does not say {missing[0]}: MariaDB does from 10.5 on."
    return ""


def _lacking_of_mysql(said: _Said) -> str:
    if not said.get("version_comment", "").startswith(_OF_MYSQL):
        return "The server is none of MySQL itself, so it is not known what its positions mean."
    if said.get("gtid_mode") != "ON":
        return "The server has no global ids of transactions (gtid_mode)."
    if "ON" not in (said.get("log_slave_updates"), said.get("log_replica_updates")):
        return "What the server replicates would not be in its binary log (log_replica_updates)."
    if not said.get("server_uuid") or not said.get("innodb_log_write_requests"):
        return "The server does not say innodb_log_write_requests, or its server_uuid."
    return ""
