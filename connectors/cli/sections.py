"""Sections: the commands in groups, as `--help` lists them."""

from collections.abc import Mapping, Sequence
from typing import Any

import click


class Sections(click.Group):
    """A group of commands whose help lists them by what they are about."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as click has them
        super().__init__(*arguments, **options)
        self._sections: dict[str, list[str]] = {}

    def add_sections(self, sections: Mapping[str, Sequence[click.Command]]) -> None:
        """Add commands, each section in the order in which they are to be listed."""
        for title, commands in sections.items():
            for command in commands:
                self.add_command(command)
                self._sections.setdefault(title, []).append(str(command.name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the lists of commands: click calls this for the help."""
        longest = max(map(len, self.commands), default=0)
        for title, names in self._sections.items():
            limit = formatter.width - 6 - longest
            rows = [(name.ljust(longest), self.commands[name].get_short_help_str(limit)) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)
