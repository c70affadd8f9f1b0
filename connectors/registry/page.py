"""The page of a source: its settings and what it can do, as Markdown and as rows for a terminal."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connectors.fields import Fields
from connectors.fields.field import Field
from connectors.registry.installation import extra_of, install_command, own_distribution
from connectors.registry.profile import ABILITIES, Profile, advanced_schemas
from connectors.registry.registry import Place

_TYPES: Final[Mapping[type, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    list: "list",
    Path: "path",
}


@dataclass(frozen=True)
class FieldRow:
    """A field as a table shows it, all of it text."""

    name: str
    label: str
    type: str
    default: str
    required: str
    notes: str


def field_rows(fields: Fields) -> list[FieldRow]:
    """Return a row for each field."""
    return [
        FieldRow(
            name=name,
            label=one.label,
            type=_TYPES[one.type],
            default=text_of(False if one.type is bool and one.default is None else one.default),
            required="yes" if one.has_to_be_set else "no",
            notes=" ".join(_notes(one, fields)),
        )
        for name, one in fields.items()
    ]


def text_of(value: object) -> str:
    """Return a setting's value as a person would type it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ", ".join(map(text_of, value))
    return str(value)


def page_of(source: type[Any], place: Place | None = None) -> str:
    """Return the page of a source: the same for the same class. Without a place it is one of ours."""
    package = own_distribution() if place is None else place.package
    profile = Profile.of(source, None if place is None else place.service_type)
    sections = [
        f"# {profile.name}",
        *profile.paragraphs,
        f"Its service type is `{profile.service_type}`.",
        *_settings(profile),
        *_abilities(profile),
        *_advanced_rules(source),
        "## Installation",
        _installation(
            profile.drivers,
            extra_of(profile.service_type, package),
            install_command(profile.service_type, profile.drivers.values(), package),
        ),
        f"This page is made of what `{source.__module__}.{source.__qualname__}` declares.",
    ]
    return "\n\n".join(sections) + "\n"


def list_of(profiles: Iterable[Profile]) -> str:
    """Return the page that lists the pages of sources."""
    rows = [
        [f"[{one.name}]({one.service_type}.md)", f"`{one.service_type}`", one.summary, ", ".join(one.abilities)]
        for one in profiles
    ]
    text = "What can be read. Each page is written by `make docs` from what its source declares."
    header = ["source", "service type", "what it reads", "what it can"]
    return "\n\n".join(["# Sources", text, _table(header, rows) if rows else "There is none yet."]) + "\n"


def _settings(profile: Profile) -> Iterator[str]:
    yield "## Settings"
    if not profile.fields:
        yield "It has none."
        return
    rows = [
        [f"`{row.name}`", row.label, row.type, f"`{row.default}`" if row.default else "", row.required, row.notes]
        for row in field_rows(profile.fields)
    ]
    yield _table(["setting", "label", "type", "default", "required", "notes"], rows)
    example = profile.fields.example()
    yield "An example of them, as the values of a connector:"
    yield _json(example)
    needed = [
        name for name, one in profile.fields.items() if one.has_to_be_set and not one.sensitive and not one.depends_on
    ]
    options = [f"--set {shlex.quote(f'{name}={text_of(example[name])}')}" for name in needed if name in example]
    command = " \\\n    ".join([f"connectors rules check --source {profile.service_type}", *options, "rules.json"])
    yield "What has to be set, on the command line:"
    yield f"```console\n$ {command}\n```"


def _abilities(profile: Profile) -> Iterator[str]:
    yield "## What it can do"
    rows = [[ability, "yes" if ability in profile.abilities else "no", text] for ability, text in ABILITIES.items()]
    yield _table(["ability", "", "what that means"], rows)


def _advanced_rules(source: type[Any]) -> Iterator[str]:
    schemas = advanced_schemas(source)
    if schemas:
        yield "## Advanced rules"
        yield "They have to match this JSON Schema:" if len(schemas) == 1 else "They have to match these JSON Schemas:"
        yield from map(_json, schemas)


def _installation(drivers: Mapping[str, str], extra: str | None, command: str | None) -> str:
    names = ", ".join(f"`{name}`" for name in drivers.values())
    if command is None:
        return "It needs nothing beside Connectors."
    if not drivers:
        return f"It works without anything else. `{command}` adds what it can use."
    return f"`{command}` brings what it can't do without: {names}." if extra else f"It needs {names}: `{command}`."


def _notes(one: Field, fields: Fields) -> Iterator[str]:
    """Yield what is to be known of a field beside its type and default, a sentence each."""
    if one.tooltip:
        yield one.tooltip if one.tooltip.endswith((".", "?", "!")) else f"{one.tooltip}."
    if one.depends_on:
        wanted = (f"{fields[other].name} is {text_of(value)}" for other, value in one.depends_on.items())
        yield f"Counts where {' and '.join(wanted)}."
    choices = [f"{text_of(value)} ({label})" for value, label in one.options.items()]
    choices = choices or [text_of(value) for value in one.included_in]
    if choices:
        yield f"One of: {', '.join(choices)}."
    limits = [
        f"{words} {limit}"
        for words, limit in (("greater than", one.greater_than), ("less than", one.less_than))
        if limit is not None
    ]
    if limits:
        yield f"Has to be {' and '.join(limits)}."
    if one.pattern is not None:
        yield f"Has to match {one.pattern}."
    if one.list_type == "int":
        yield "Of whole numbers."
    if one.sensitive:
        yield "Sensitive."
    if one.advanced:
        yield "Advanced."


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *([_in_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _in_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _json(value: object) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False, default=str)}\n```"
