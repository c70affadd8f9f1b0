"""The settings file: what it gives, key by key, and what is wrong with its form."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import yaml

from connectors.binding import Problem
from connectors.errors import ConfigurationError

_QUOTED: Final = re.compile(r"'[^']{2,}'")


@dataclass(frozen=True)
class Key:
    """One key of a file: the dotted name of what it gives, its line, and whether it is the head of a section."""

    name: str
    line: int
    is_section: bool = False
    is_within: bool = False
    """Whether it stands below the head of its section."""


@dataclass(frozen=True)
class SettingsFile:
    """What is in a settings file. A key with dots, such as `engine.host`, gives what it would in its section."""

    path: Path
    given: Mapping[str, object] = field(repr=False)
    keys: tuple[Key, ...]

    @classmethod
    def read(cls, path: Path, sections: Collection[str], *, required: bool) -> Self:
        """Return what is in a file with these sections; nothing, if there is none and none is required.

        Raises a `ConfigurationError` for one that can't be read.
        """
        text = _text_of(path, required=required)
        content = _content(path, text)
        return cls(path, _nested(content, sections), tuple(_keys_in(text, sections)))

    def problems(self) -> Iterator[Problem]:
        """Yield what is given more than once, in its section or with dots: only one of them would count."""
        first: dict[str, Key] = {}
        for key in self.keys:
            before = first.setdefault(key.name, key)
            if before is not key:
                yield Problem(key.name, f"It is given twice, in lines {before.line} and {key.line}. Keep one of them.")


def _text_of(path: Path, *, required: bool) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not required:
            return ""
        raise ConfigurationError(f"There is no settings file {path}.", field="") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The settings file {path} can't be read: {error}", field="") from None


def _content(path: Path, text: str) -> dict[str, object]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"The settings file {path} can't be read: {_told(error)}", field="") from None
    if not isinstance(content, dict | None):
        raise ConfigurationError(f"The settings file {path} holds a {type(content).__name__}, no settings.", field="")
    return content or {}


def _told(error: yaml.YAMLError) -> str:
    """Return what is wrong with a file, without the lines that it quotes: a secret may stand in them."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    mark, problem = error.problem_mark, _QUOTED.sub("…", error.problem or "it is no YAML")
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}."


def _nested(content: Mapping[str, object], sections: Collection[str]) -> dict[str, object]:
    """Return the content with dotted keys in the sections that they name."""
    nested = {key: value for key, value in content.items() if _section_of(key, sections) is None}
    for key, value in content.items():
        section = _section_of(key, sections)
        if section is not None:
            within = nested.get(section) or {}
            if isinstance(within, dict):  # or else there is something wrong with the section, which is told
                nested[section] = {**within, key.removeprefix(f"{section}."): value}
    return nested


def _section_of(key: object, sections: Collection[str]) -> str | None:
    """Return the section that a dotted key names; None for any other key."""
    section, dot, _ = key.partition(".") if isinstance(key, str) else ("", "", "")
    return section if dot and section in sections else None


def _keys_in(text: str, sections: Collection[str]) -> Iterator[Key]:
    """Yield what a text gives; it is read once more for that, as values know no lines."""
    for key, value in _pairs_of(yaml.compose(text, yaml.SafeLoader)):
        is_section = key.value in sections
        yield Key(str(key.value), key.start_mark.line + 1, is_section=is_section)
        for name, _ in _pairs_of(value) if is_section else ():
            yield Key(f"{key.value}.{name.value}", name.start_mark.line + 1, is_within=True)


def _pairs_of(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []
