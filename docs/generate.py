"""Writes what is generated from declarations, config.yml and docs/settings.md; `--check` says whether it is current."""

import dataclasses
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

from connectors.config import ENVIRONMENT_PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
CONFIG_HEAD = """\
# The settings of Connectors. Every setting is here with its default; what is commented out is not set.
#
# ${NAME} is replaced from the environment, ${NAME:-default} too, and a variable such as
# CONNECTORS__ENGINE__HOST=http://localhost:9200 comes before what this file says.
#
# Written by `make docs` from what connectors/config.py declares.
"""
PAGE_HEAD = """\
# Settings

What `config.yml` may say. Each setting can also be given in the environment, under the name in the last column.
This page is written by `make docs` from what `connectors/config.py` declares.
"""


def sections() -> Iterator[tuple[str, str, list["dataclasses.Field[Any]"]]]:
    """Yield the name, the description and the settings of each section."""
    hints = get_type_hints(Settings)
    for section in dataclasses.fields(Settings):
        kind = hints[section.name]
        yield section.name, (kind.__doc__ or "").strip(), list(dataclasses.fields(kind))


def config_yml() -> str:
    """Return the settings file with every setting explained in place."""
    lines = [CONFIG_HEAD]
    for name, about, settings in sections():
        lines += [f"# {about}", f"{name}:"]
        for setting in settings:
            choices = _choices(setting)
            text = setting.metadata["text"] + (f" One of: {choices}." if choices else "")
            lines += textwrap.wrap(text, 110, initial_indent="  # ", subsequent_indent="  # ")
            unset = setting.default is None
            shown = setting.metadata["example"] if unset else _yaml(setting.default)
            lines.append(f"  {'# ' if unset else ''}{setting.name}: {shown}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def settings_page() -> str:
    """Return the page of the docs that lists every setting."""
    lines = [PAGE_HEAD]
    for name, about, settings in sections():
        lines += [f"## {name}", "", about, "", "| setting | default | meaning | environment |"]
        lines.append("| --- | --- | --- | --- |")
        for setting in settings:
            choices = _choices(setting)
            text = setting.metadata["text"] + (f" One of: {choices}." if choices else "")
            default = "" if setting.default is None else f"`{_yaml(setting.default)}`"
            variable = f"`{ENVIRONMENT_PREFIX}{name.upper()}__{setting.name.upper()}`"
            lines.append(f"| `{setting.name}` | {default} | {text} | {variable} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _choices(setting: "dataclasses.Field[Any]") -> str:
    described = str(setting.type)
    return ", ".join(str(choice) for choice in get_args(setting.type)) if described.startswith("typing.Literal") else ""


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def main() -> int:
    """Write the files, or with `--check` say which are stale."""
    wanted = {ROOT / "config.yml": config_yml(), ROOT / "docs" / "settings.md": settings_page()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not current: run `make docs`.")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
