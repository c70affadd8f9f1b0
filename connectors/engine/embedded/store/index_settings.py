"""The settings of an index: which there are, what they may say, and which can be changed later."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented
from connectors.engine.embedded.time_value import time_ms

Check = Callable[[str, str], None]
Settings = Mapping[str, str]


def _is_time(name: str, value: str) -> None:
    try:
        time_ms(value)
    except ValueError:
        raise illegal_argument(
            f"failed to parse setting [{name}] with value [{value}] as a time value: unit is missing or unrecognized"
        ) from None


def _is_flag(name: str, value: str) -> None:
    if value not in {"true", "false"}:
        raise illegal_argument(
            f"Failed to parse value [{value}] for setting [{name}]: only [true] or [false] are allowed."
        )


def _is_number(least: int, most: int = 2**31 - 1) -> Check:
    def check(name: str, value: str) -> None:
        try:
            number = int(value)
        except ValueError:
            raise illegal_argument(f"Failed to parse value [{value}] for setting [{name}]") from None
        if not least <= number <= most:
            bound = f">= {least}" if number < least else f"<= {most}"
            raise illegal_argument(f"Failed to parse value [{value}] for setting [{name}] must be {bound}")

    return check


def _is_one_of(*allowed: str) -> Check:
    def check(name: str, value: str) -> None:
        if value not in allowed:
            raise illegal_argument(f"unknown value for [{name}] must be one of {list(allowed)} but was: {value}")

    return check


FIXED: Final[Mapping[str, Check]] = {
    "index.number_of_shards": _is_number(1, 1024),
    "index.codec": _is_one_of("default", "best_compression"),
    "index.mapping.ignore_malformed": _is_flag,
}
CHANGEABLE: Final[Mapping[str, Check]] = {
    "index.number_of_replicas": _is_number(0),
    "index.auto_expand_replicas": lambda name, value: None,
    "index.refresh_interval": _is_time,
    "index.gc_deletes": _is_time,
    "index.hidden": _is_flag,
    "index.blocks.write": _is_flag,
    "index.blocks.read_only": _is_flag,
    "index.blocks.read_only_allow_delete": _is_flag,
    "index.max_result_window": _is_number(1),
    "index.mapping.total_fields.limit": _is_number(0),
    "index.mapping.depth.limit": _is_number(1),
}
DEFAULTS: Final[Settings] = {
    "index.number_of_shards": "1",
    "index.number_of_replicas": "1",
    "index.refresh_interval": "1s",
    "index.gc_deletes": "60s",
    "index.max_result_window": "10000",
    "index.mapping.total_fields.limit": "1000",
    "index.mapping.depth.limit": "20",
    "index.mapping.ignore_malformed": "false",
}
ELSEWHERE: Final = (
    "index.analysis.",
    "index.default_pipeline",
    "index.final_pipeline",
    "index.sort.",
    "index.similarity.",
)
"""What Elasticsearch knows, and what would change results if it were ignored."""


def flat(given: Mapping[str, Any]) -> dict[str, str | None]:
    """Return settings by their full names, however they were nested; None stands for the default."""
    named: dict[str, str | None] = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, below in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), below)
        else:
            name = prefix if prefix.startswith("index.") else f"index.{prefix}"
            named[name] = _text(value)

    walk("", given)
    return named


def _text(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def checked(given: Mapping[str, Any], *, creating: bool) -> dict[str, str | None]:
    """Return settings by their full names. Raises a `Refusal` for one that is unknown, wrong or fixed."""
    named = flat(given)
    for name, value in named.items():
        check = CHANGEABLE.get(name) or FIXED.get(name)
        if check is None:
            if name.startswith(ELSEWHERE):
                raise not_implemented(f"the setting [{name}]")
            raise illegal_argument(
                f"unknown setting [{name}] please check that any required plugins are installed, "
                "or check the breaking changes documentation for removed settings"
            )
        if name in FIXED and not creating:
            raise illegal_argument(f"final index setting [{name}], not updateable")
        if value is not None:
            check(name, value)
    return named


def nested(settings: Settings) -> dict[str, Any]:
    """Return settings as objects within objects, as they are shown."""
    shown: dict[str, Any] = {}
    for name, value in sorted(settings.items()):
        *path, last = name.split(".")
        place = shown
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return shown


def block_against_writing(settings: Settings, index: str) -> Refusal | None:
    """Return why nothing may be written to an index now; None when it may."""
    blocks = {
        "index.blocks.read_only_allow_delete": (
            429,
            "TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block",
        ),
        "index.blocks.read_only": (403, "FORBIDDEN/5/index read-only (api)"),
        "index.blocks.write": (403, "FORBIDDEN/8/index write (api)"),
    }
    for name, (status, reason) in blocks.items():
        if settings.get(name) == "true":
            told = f"index [{index}] blocked by: [{reason}];"
            return Refusal(status, "cluster_block_exception", told, more={"index": index})
    return None
