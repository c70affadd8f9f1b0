"""Writes what is made of declarations: config.yml and the pages of settings and sources; `--check` says if it is."""

import dataclasses
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from connectors.binding import choices_of
from connectors.config import ENVIRONMENT_PREFIX
from connectors.errors import ConfigurationError, ConnectorsError
from connectors.registry import Listing, Origin, Registry
from connectors.registry.page import list_of, page_of
from connectors.registry.profile import Profile
from connectors.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
CONFIG_HEAD = """\
# The settings of Connectors. Every setting is here with its default; what is commented out is not set. A setting may
# also be written with a dot, as `engine.host: http://localhost:9200`, but not in both ways.
#
# ${NAME} is replaced from the environment, ${NAME:-default} too, and ${file:/run/secrets/name} by what is in that
# file. $${ stands for ${. A variable such as CONNECTORS__ENGINE__HOST=http://localhost:9200 comes before what this file
# says. `connectors config show` tells what counts, and where it is from; `connectors config check` what is wrong.
#
# Written by `make docs` from what connectors/settings.py declares.
"""
PAGE_HEAD = """\
# Settings

What `config.yml` may say, in sections or with dots (`engine.host: …`), but each setting once. Each can also be given in
the environment, under the name in the last column. In both, `${NAME}` and `${NAME:-default}` stand for variables of the
environment, and `${file:/path}` for what is in a file, up to 64 kB without the end of its last line. `connectors config
show` tells what counts, and where it is from. A daemon that runs reads its file again when it changes: see
[daemon.md](daemon.md). This page is written by `make docs` from what `connectors/settings.py` declares.
"""


def sections() -> Iterator[tuple[str, str, list["dataclasses.Field[Any]"]]]:
    """Yield the name, the description and the settings of each section; what is in none comes last, without a name."""
    hints = get_type_hints(Settings)
    alone = []
    for one in dataclasses.fields(Settings):
        kind = hints[one.name]
        if dataclasses.is_dataclass(kind):
            yield one.name, (kind.__doc__ or "").strip(), list(dataclasses.fields(kind))
        else:
            alone.append(one)
    yield "", "What connectors may use.", alone


def config_yml() -> str:
    """Return the settings file with every setting explained in place."""
    lines = [CONFIG_HEAD]
    for name, about, settings in sections():
        lines += [f"# {about}", ""] if not name else [f"# {about}", f"{name}:"]
        for setting in settings:
            lines += _setting_lines(setting, "  " if name else "")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _setting_lines(setting: "dataclasses.Field[Any]", indent: str) -> Iterator[str]:
    yield from textwrap.wrap(_text(setting), 110, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    default, example = _default(setting), setting.metadata["example"]
    if default is None:
        yield f"{indent}# {setting.name}: {example}"
    else:
        yield f"{indent}{setting.name}: {_yaml(default)}"
    if default in ((), {}):
        yield f"{indent}#   {'- ' if default == () else ''}{example}"


def settings_page() -> str:
    """Return the page of the docs that lists every setting."""
    lines = [PAGE_HEAD]
    for name, about, settings in sections():
        lines += [f"## {name or 'Outside of sections'}", "", about, "", "| setting | default | meaning | environment |"]
        lines.append("| --- | --- | --- | --- |")
        for setting in settings:
            default = "" if _default(setting) is None else f"`{_yaml(_default(setting))}`"
            variable = ENVIRONMENT_PREFIX + (f"{name}__" if name else "").upper() + setting.name.upper()
            variable = f"`{variable}__…`" if _default(setting) == {} else f"`{variable}`"
            lines.append(f"| `{setting.name}` | {default} | {_text(setting)} | {variable} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _text(setting: "dataclasses.Field[Any]") -> str:
    choices = ", ".join(map(str, choices_of(setting.type)))
    return str(setting.metadata["text"]) + (f" One of: {choices}." if choices else "")


def _default(setting: "dataclasses.Field[Any]") -> object:
    return setting.default if setting.default_factory is dataclasses.MISSING else setting.default_factory()


def _yaml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case ():
            return "[]"
    return str(value)


def source_pages() -> dict[str, str]:
    """Return the pages of our own sources and their list, by their names; a driver that is missing is no obstacle.

    Raises a `ConfigurationError` for a source that can't be imported: its page would be lost.
    """
    registry = Registry()
    sources = {one.service_type: _class_of(one) for one in registry.listings() if one.origin is Origin.PROJECT}
    pages = {f"{name}.md": page_of(source, registry.places[name]) for name, source in sources.items()}
    return {**pages, "README.md": list_of(map(Profile.of, sources.values()))}


def _class_of(listing: Listing) -> type:
    if listing.source is None:
        message = f"There is no page of {listing.service_type}: {listing.reason}"
        raise ConfigurationError(message, field="service_type", hint=listing.install)
    return listing.source


def main() -> int:
    """Write the files and remove what is left over of sources, or with `--check` say what is not current."""
    folder = ROOT / "docs" / "sources"
    wanted = {ROOT / "config.yml": config_yml(), ROOT / "docs" / "settings.md": settings_page()}
    try:
        wanted |= {folder / name: text for name, text in source_pages().items()}
    except ConnectorsError as error:
        print(error)
        return 1
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    left_over = sorted(set(folder.glob("*")) - set(wanted))
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not current: run `make docs`.")
        for path in left_over:
            print(f"{path.relative_to(ROOT)} is the page of no source: run `make docs`.")
        return 1 if stale or left_over else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    for path in left_over:
        path.unlink()
        print(f"removed {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
