"""A new connector: its document, made of what a person wrote about it, and checked before anything is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from connectors.binding import Problem
from connectors.errors import ConfigurationError
from connectors.fields import Configuration
from connectors.filtering.chain import validate
from connectors.filtering.rule import DEFAULT_ID
from connectors.filtering.wording import shown
from connectors.grants import Grants
from connectors.registry import Registry, nearest
from connectors.registry.profile import Profile
from connectors.source import opened
from connectors.store.connector import DOMAIN, ConnectorStatus
from connectors.store.sync_settings import FIELD, SyncSettings

KEYS: Final[Mapping[str, str]] = {
    "id": "Its id; without one it gets one.",
    "name": "What people call it; else the name of its source.",
    "description": "What it is for.",
    "service_type": "The source that it reads.",
    "index_name": "The index, or alias, that it writes to.",
    "language": "The language of its documents.",
    "configuration": "The settings of the source, as `name: value`.",
    "rules": "Basic sync rules, a list; an id and an order are made up where they are missing.",
    "advanced_rules": "Advanced sync rules, in the form of the source.",
    "scheduling": "When syncs are due: `full`, `incremental` and `access_control`, with `enabled` and `interval` each.",
    "pipeline": "The ingest pipeline: its name, or an object with its flags.",
    FIELD: "How its syncs behave.",
}
"""What a description may say, and what that means."""
MOST_ID_BYTES: Final = 512
PIPELINE: Final[Mapping[str, Any]] = {
    "name": "search-default-ingestion",
    "extract_binary_content": True,
    "reduce_whitespace": True,
    "run_ml_inference": True,
}
NEVER: Final[Mapping[str, Any]] = {"enabled": False, "interval": "0 0 0 * * ?"}
SCHEDULES: Final = ("full", "incremental", "access_control")
_NOT_YET: Final = (
    "api_key_id",
    "api_key_secret_id",
    "error",
    "last_access_control_sync_error",
    "last_access_control_sync_scheduled_at",
    "last_access_control_sync_status",
    "last_deleted_document_count",
    "last_incremental_sync_scheduled_at",
    "last_indexed_document_count",
    "last_seen",
    "last_sync_error",
    "last_sync_scheduled_at",
    "last_sync_status",
    "last_synced",
    "sync_cursor",
)
"""What there is to say of a connector once it was synced."""


@dataclass(frozen=True)
class NewConnector:
    """A connector that can be created. Its document may hold secrets."""

    id: str
    service_type: str
    index_name: str
    document: Mapping[str, Any] = field(repr=False)


async def new_connector(given: object, registry: Registry, grants: Grants, now: datetime) -> NewConnector:
    """Return the connector that somebody described, as Kibana would have written it.

    Raises one `ConfigurationError` that names every problem. The source is contacted only where checking its advanced
    rules needs it.
    """
    description = _Description(given)
    service_type = description.text("service_type", needed=True)
    source = registry.source(service_type) if service_type else None
    profile = Profile.of(source, service_type) if source else None
    configuration = description.configuration(profile, grants) if profile else None
    document = {
        **dict.fromkeys(_NOT_YET),
        "name": description.text("name") or (profile.name if profile else None),
        "description": description.text("description"),
        "service_type": service_type,
        "index_name": description.text("index_name", needed=True),
        "language": description.text("language"),
        "is_native": False,
        "status": ConnectorStatus.CONFIGURED,
        "configuration": description.wire(profile) if profile else {},
        "custom_scheduling": {},
        "features": profile.features if profile else {},
        "filtering": [_domain(description.rules(now), now)],
        "pipeline": description.pipeline(),
        "scheduling": description.scheduling(),
        **description.sync(),
        "created_at": now,
        "updated_at": now,
    }
    own = description.id()
    if source and configuration and not description.problems:
        await description.check_rules(source(configuration), document["filtering"][0]["active"])
    description.settle()
    return NewConnector(own, str(service_type), str(document["index_name"]), document)


class _Description:
    """What somebody wrote, looked at part by part; what is wrong is collected."""

    def __init__(self, given: object) -> None:
        self.problems: list[Problem] = []
        if not isinstance(given, Mapping):
            hint = f"It says {', '.join(KEYS)}."
            raise ConfigurationError(f"The description is {shown(given)}, not an object.", field="", hint=hint)
        self._given = {str(name): value for name, value in given.items()}
        self._refuse_unknown("", self._given, KEYS)

    def settle(self) -> None:
        """Raise a `ConfigurationError` if something is wrong."""
        if self.problems:
            raise ConfigurationError("\n".join(map(str, self.problems)), field=self.problems[0].name)

    def text(self, name: str, *, needed: bool = False) -> str | None:
        """Return a text; None where there is none."""
        found = self._given.get(name)
        if found is not None and not isinstance(found, str):
            self._add(name, f"This is {shown(found)}, not a text. Put it into quotes.")
        elif found:
            return found
        elif needed:
            self._add(name, "It has to be given.")
        return None

    def id(self) -> str:
        """Return the id that was given, or one that nobody has."""
        found = self.text("id") or str(uuid4())
        if len(found.encode("utf-8", "surrogatepass")) > MOST_ID_BYTES:
            self._add("id", f"It is longer than {MOST_ID_BYTES} bytes.")
        return found

    def configuration(self, profile: Profile, grants: Grants) -> Configuration:
        """Return the settings of the source, checked as they are before a sync."""
        self._refuse_unknown("configuration", self._given.get("configuration") or {}, profile.fields)
        configuration = Configuration(profile.fields, self._values(), grants)
        self.problems += [Problem(f"configuration.{one.name}", one.text) for one in configuration.problems()]
        return configuration

    def wire(self, profile: Profile) -> dict[str, Any]:
        """Return the settings of the source as a connector document has them."""
        values = self._values()
        return {
            name: {**(one if isinstance(one, Mapping) else {}), "value": values[name]} if name in values else one
            for name, one in profile.configuration.items()
        }

    def rules(self, now: datetime) -> dict[str, Any]:
        """Return a rule set, with the rule that every set has at its end."""
        found = self._given.get("rules")
        if not isinstance(found, list | None):
            self._add("rules", f"This is {shown(found)}, not a list.")
        times = {"created_at": now, "updated_at": now}
        rules = [
            {"id": f"rule-{place}", "order": place, **one, **times} if isinstance(one, Mapping) else one
            for place, one in enumerate(found if isinstance(found, list) else [], 1)
        ]
        default = {"id": DEFAULT_ID, "policy": "include", "field": "_", "rule": "regex", "value": ".*", "order": 0}
        snippet = {"value": self._given.get("advanced_rules") or {}, **times}
        return {"rules": [*rules, {**default, **times}], "advanced_snippet": snippet}

    async def check_rules(self, source: object, rules: Mapping[str, Any]) -> None:
        """Ask the validators of the source about a rule set."""
        async with opened(source) as one:
            found = await validate(one, rules)
        self.problems += [Problem("rules", message) for error in found.errors for message in error.messages]

    def pipeline(self) -> dict[str, Any]:
        """Return the pipeline, with the flags that were not given as Kibana sets them."""
        found = self._given.get("pipeline")
        if isinstance(found, str):
            found = {"name": found}
        return {**PIPELINE, **self._mapping("pipeline", found, PIPELINE)}

    def scheduling(self) -> dict[str, Any]:
        """Return when syncs are due, as it was given; what was not given is never."""
        found = self._mapping("scheduling", self._given.get("scheduling"), SCHEDULES)
        for name, schedule in found.items():
            self._mapping(f"scheduling.{name}", schedule, NEVER)
        return {name: {**NEVER, **found[name]} if name in found else NEVER for name in SCHEDULES}

    def sync(self) -> dict[str, Any]:
        """Return the settings of syncs as they were given."""
        if FIELD not in self._given:
            return {}
        try:
            SyncSettings.of(self._given[FIELD])
        except ConfigurationError as error:
            self.problems += [Problem("", line) for line in str(error).splitlines()]
        return {FIELD: self._given[FIELD]}

    def _values(self) -> dict[str, Any]:
        found = self._given.get("configuration")
        values = found if isinstance(found, Mapping) else {}
        return {str(name): value for name, value in values.items() if value is not None}

    def _mapping(self, name: str, found: object, known: Mapping[str, Any] | tuple[str, ...]) -> dict[str, Any]:
        """Return an object that has these parts, of the types that they have there; an empty one for what is none."""
        if not isinstance(found, Mapping):
            if found is not None:
                self._add(name, f"This is {shown(found)}, not an object.")
            return {}
        self._refuse_unknown(name, found, known)
        for part, value in found.items():
            kind = type(known[part]) if isinstance(known, Mapping) and part in known else Mapping
            if part in known and not isinstance(value, kind):
                wanted = {bool: "true or false", str: "a text"}.get(kind, "an object")
                self._add(f"{name}.{part}", f"This is {shown(value)}, not {wanted}.")
        return {str(part): value for part, value in found.items() if isinstance(value, Mapping | bool | str)}

    def _refuse_unknown(self, name: str, found: object, known: Mapping[str, Any] | tuple[str, ...]) -> None:
        if not isinstance(found, Mapping):
            self._add(name, f"This is {shown(found)}, not an object.")
            return
        for part in map(str, found):
            if part not in known:
                at = f"{name}.{part}" if name else part
                self._add(at, f"There is no such setting. {nearest(part, known)}")

    def _add(self, name: str, text: str) -> None:
        self.problems.append(Problem(name, text))


def _domain(rules: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a rule set as the only domain has it: in use, and as the draft that somebody may change."""
    times = {"created_at": now, "updated_at": now}
    valid = {**rules, "validation": {"state": "valid", "errors": []}, **times}
    return {"domain": DOMAIN, "active": valid, "draft": valid}
