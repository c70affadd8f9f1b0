"""A description: what a person wrote of a connector, or of what is to be other about one, checked part by part."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from connectors.binding import Problem
from connectors.errors import ConfigurationError
from connectors.fields import Configuration
from connectors.filtering.chain import validate
from connectors.filtering.rule import DEFAULT_ID
from connectors.grants import Grants
from connectors.registry import nearest
from connectors.registry.profile import Profile
from connectors.schedule import Schedule
from connectors.source_class import can_be_live, opened
from connectors.store.index_name import check_name
from connectors.store.sync_settings import FIELD, SyncSettings
from connectors.wording import shown

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


class Description:
    """What somebody wrote, looked at part by part; what is wrong is collected.

    `stored` is the document that it is to change, and has what is not said here. A new connector changes nothing.
    """

    def __init__(self, given: object, stored: Mapping[str, Any] | None = None) -> None:
        self.problems: list[Problem] = []
        self._stored = stored or {}
        if not isinstance(given, Mapping):
            hint = f"It says {', '.join(KEYS)}."
            raise ConfigurationError(f"The description is {shown(given)}, not an object.", field="", hint=hint)
        self._given = {str(name): value for name, value in given.items()}
        self._refuse_unknown("", self._given, KEYS)

    def settle(self) -> None:
        """Raise a `ConfigurationError` if something is wrong."""
        if self.problems:
            raise ConfigurationError("\n".join(map(str, self.problems)), field=self.problems[0].name)

    def __contains__(self, name: str) -> bool:
        return name in self._given

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

    def index_name(self) -> str | None:
        """Return the name of the index, checked as it is before a sync."""
        found = self.text("index_name", needed=True)
        if found is not None:
            try:
                check_name(found)
            except ConfigurationError as error:
                self._add("index_name", error.message)
        return found

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
        """Return the settings of the source as a connector document has them; what is stored keeps its form."""
        values, stored = self._values(), self._part("configuration")
        known = dict(profile.configuration)
        for name, one in profile.configuration.items():
            if name in values or name in stored:
                parts = {**_object(one), **_object(stored.get(name))}
                known[name] = {**parts, "value": values.get(name, _object(one).get("value"))}
        return {**stored, **known}

    def rules(self, now: datetime) -> dict[str, Any]:
        """Return a rule set, with the rule that every set has at its end."""
        found = self._given.get("rules")
        if not isinstance(found, list | None):
            self._add("rules", f"This is {shown(found)}, not a list.")
        times = {"created_at": now, "updated_at": now}
        rules = [
            {**one, **times} if isinstance(one, Mapping) else one
            for one in numbered(found if isinstance(found, list) else [])
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
        return {**PIPELINE, **self._part("pipeline"), **self._mapping("pipeline", found, PIPELINE)}

    def scheduling(self, now: datetime) -> dict[str, Any]:
        """Return when syncs are due, as it was given; what was not given is as it was, or never."""
        stored = self._part("scheduling")
        schedules = {name: {**NEVER, **_object(stored.get(name))} for name in SCHEDULES}
        for name, schedule in self._mapping("scheduling", self._given.get("scheduling"), SCHEDULES).items():
            said = self._mapping(f"scheduling.{name}", schedule, NEVER)
            if "interval" in said:
                self._check_interval(f"scheduling.{name}.interval", said["interval"], now)
            schedules[name] = {**schedules.get(name, NEVER), **said}
        return {**stored, **schedules}

    def sync(self, source: type[Any] | None) -> dict[str, Any]:
        """Return the settings of syncs as they were given, beside those that are stored; of a source that can do so."""
        if FIELD not in self._given:
            return {}
        found = _merged(self._stored.get(FIELD), self._given[FIELD])
        try:
            if SyncSettings.of(found).live and source is not None and not can_be_live(source):
                self._add(f"{FIELD}.live", "The source can't tell of changes as they happen.")
        except ConfigurationError as error:
            self.problems += [Problem("", line) for line in str(error).splitlines()]
        return {FIELD: found}

    def _check_interval(self, name: str, interval: str, now: datetime) -> None:
        """Note what is wrong with when syncs are due."""
        if not interval.strip():
            self._add(name, "It is empty.")
            return
        try:
            Schedule.parse(interval, setting=name).check(now, setting=name)
        except ConfigurationError as error:
            self._add(name, str(error))

    def _part(self, name: str) -> Mapping[str, Any]:
        return _object(self._stored.get(name))

    def _values(self) -> dict[str, Any]:
        """Return the values of the settings: those that were given, and what is stored of the others."""
        found = self._given.get("configuration")
        values = found if isinstance(found, Mapping) else {}
        stored = {
            name: one.get("value") if isinstance(one, Mapping) else one
            for name, one in self._part("configuration").items()
        }
        return {str(name): value for name, value in {**stored, **values}.items() if value is not None}

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


def numbered(rules: Sequence[object]) -> list[object]:
    """Return basic rules with an id and an order each, made up by their places where they have none."""
    return [
        {"id": f"rule-{place}", "order": place, **one} if isinstance(one, Mapping) else one
        for place, one in enumerate(rules, 1)
    ]


def _object(found: object) -> Mapping[str, Any]:
    """Return an object as it is, and an empty one for what is none."""
    return found if isinstance(found, Mapping) else {}


def _merged(stored: object, given: object) -> object:
    """Return what is given, with what it leaves out of objects as it is stored."""
    if not isinstance(stored, Mapping) or not isinstance(given, Mapping):
        return given
    return {**stored, **{name: _merged(stored.get(name), one) for name, one in given.items()}}
