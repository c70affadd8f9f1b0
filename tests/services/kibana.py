"""Connector documents as Kibana writes them: made from the protocol, by nothing of this program."""

from typing import Any

TIMES = {"created_at": "2026-01-01T11:00:00.000Z", "updated_at": "2026-01-01T11:00:00.000Z"}
DEFAULT_RULE = {
    "id": "DEFAULT",
    "policy": "include",
    "field": "_",
    "rule": "regex",
    "value": ".*",
    "order": 0,
    **TIMES,
}


def rules(*more: dict[str, Any], state: str = "valid", advanced: Any = None) -> dict[str, Any]:
    """Return a rule set."""
    return {
        "rules": [*more, DEFAULT_RULE],
        "advanced_snippet": {"value": advanced if advanced is not None else {}, **TIMES},
        "validation": {"state": state, "errors": []},
    }


def rule(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a basic rule."""
    usual = {"policy": "exclude", "field": "status", "rule": "equals", "value": f"draft{number}"}
    return {"id": f"rule-{number}", "order": number, **usual, **TIMES, **fields}


def connector(**fields: Any) -> dict[str, Any]:
    """Return a connector that somebody has just created."""
    schedule = {"enabled": False, "interval": "0 0 0 * * ?"}
    return {
        "api_key_id": None,
        "api_key_secret_id": None,
        "configuration": {},
        "custom_scheduling": {},
        "description": None,
        "error": None,
        "features": None,
        "filtering": [{"domain": "DEFAULT", "active": rules(), "draft": rules()}],
        "index_name": "search-shop",
        "is_native": False,
        "language": None,
        "last_access_control_sync_error": None,
        "last_access_control_sync_scheduled_at": None,
        "last_access_control_sync_status": None,
        "last_deleted_document_count": None,
        "last_incremental_sync_scheduled_at": None,
        "last_indexed_document_count": None,
        "last_seen": None,
        "last_sync_error": None,
        "last_sync_scheduled_at": None,
        "last_sync_status": None,
        "last_synced": None,
        "name": "Shop",
        "pipeline": {
            "name": "search-default-ingestion",
            "extract_binary_content": True,
            "reduce_whitespace": True,
            "run_ml_inference": True,
        },
        "scheduling": {"full": schedule, "incremental": schedule, "access_control": schedule},
        "service_type": "shop",
        "status": "created",
        "sync_cursor": None,
        "of_a_newer_version": {"a": [1]},
        **fields,
    }


def setting(value: Any, **fields: Any) -> dict[str, Any]:
    """Return a setting with all properties that the protocol has."""
    return {
        "default_value": None,
        "depends_on": [],
        "display": "text",
        "label": "A label of theirs",
        "options": [],
        "order": 1,
        "required": True,
        "sensitive": False,
        "tooltip": None,
        "type": "str",
        "ui_restrictions": [],
        "validations": [],
        "value": value,
        **fields,
    }
