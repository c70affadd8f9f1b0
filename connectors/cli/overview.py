"""The overview: the connectors that there are, a row each."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from connectors.cli import table
from connectors.cli.arguments import print_json
from connectors.cli.wording import as_moment, in_short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.store.connector import Connector
    from connectors.store.connectors import ConnectorStore

HEADER: Final = ("ID", "NAME", "SOURCE", "INDEX", "STATUS", "LAST SYNC", "SCHEDULE")
BEGINNING: Final = "`connectors create` makes one, and `connectors sync --source` does so as it syncs."
KINDS: Final = {"full": "full", "incremental": "incremental", "access_control": "access control"}
"""The kinds of syncs that a connector may have a schedule for, as the protocol and as a person calls them."""


async def all_of(connectors: "ConnectorStore") -> "list[Connector]":
    """Return the connectors that there are, in the order of their ids."""
    return sorted([one async for one in connectors.all()], key=lambda one: one.id)


def show(connectors: "Iterable[Connector]", *, as_json: bool) -> None:
    """Print connectors, of which there is at least one unless it is for a program."""
    described = [described_of(one) for one in connectors]
    if as_json:
        print_json(described)
    else:
        table.show(HEADER, [_row(one) for one in described])


def show_schedules(connector: "Connector") -> None:
    """Print which kinds of syncs of a connector are due, and when."""
    rows = [
        [KINDS[kind], "on" if one.enabled else "off", one.interval or ""] for kind, one in connector.schedules.items()
    ]
    table.show(["SYNC", "", "WHEN"], rows)


def described_of(connector: "Connector") -> dict[str, Any]:
    """Return what an overview says of a connector."""
    document = connector.document
    moment = connector.last_synced
    return {
        "id": connector.id,
        "name": connector.name,
        "service_type": connector.service_type,
        "index_name": connector.index_name,
        "status": connector.status.value if connector.status else None,
        "error": connector.error,
        "last_synced": moment.isoformat() if moment else None,
        "last_sync_status": document.get("last_sync_status"),
        "last_sync_error": document.get("last_sync_error"),
        "last_sync_skipping": document.get("last_sync_skipping"),
        "last_access_control_sync_status": document.get("last_access_control_sync_status"),
        "last_access_control_sync_error": document.get("last_access_control_sync_error"),
        "scheduling": {
            kind: {"enabled": schedule.enabled, "interval": schedule.interval}
            for kind, schedule in connector.schedules.items()
        },
    }


def last_sync(described: dict[str, Any]) -> str:
    """Return in words when a connector was synced last, and how that ended."""
    moment = as_moment(described["last_synced"]) if described["last_synced"] else None
    return ended(content_status(described), described["last_access_control_sync_status"], moment)


def content_status(document: Mapping[str, Any], now: datetime | None = None) -> str | None:
    """Return how the last sync of a connector's content ended; of one that was skipped since when nothing changed."""
    status, skipping = document.get("last_sync_status"), document.get("last_sync_skipping")
    if status != "completed" or not isinstance(skipping, Mapping) or skipping.get("skipped") is not True:
        return str(status) if status else None
    from connectors.store.lenient import instant_of  # loaded only where it is wanted  # noqa: PLC0415

    since = instant_of(skipping.get("since_began_at") or skipping.get("since_ended_at"))
    if since is None:
        return "completed, skipped"
    unchanged = f"since {as_moment(since)}" if now is None else f"for {in_short(now - since)}"
    return f"completed, skipped (unchanged {unchanged})"


def skipping_of(report: object) -> Mapping[str, Any] | None:
    """Return whether a sync was skipped, and why or why not, as the report in a job's metadata says it."""
    found = report.get("skipping") if isinstance(report, Mapping) else None
    return found if isinstance(found, Mapping) else None


def ended(status: object, access: object, moment: str | None) -> str:
    """Return the same of the status of each kind, and of the moment at which one of them ended last."""
    found = [str(status)] if status else []
    if access and (access != "completed" or not found):
        found.append(f"access control {access}")
    if not found:
        return "never"
    before = ", the one before" if "in_progress" in {status, access} and moment else ""
    return f"{', '.join(found)}{before}{f' {moment}' if moment else ''}"


def _row(described: dict[str, Any]) -> list[str]:
    plain = [str(described[name] or "") for name in ("id", "name", "service_type", "index_name", "status")]
    due = [
        schedule["interval"] if kind == "full" else f"{KINDS[kind]} {schedule['interval']}"
        for kind, schedule in described["scheduling"].items()
        if schedule["enabled"]
    ]
    return [*plain, last_sync(described), ", ".join(due) or "off"]
