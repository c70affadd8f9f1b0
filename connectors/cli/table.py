"""A table on the command line: wrapped to the width of a terminal, and one line a row where a program reads it."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, TextIO

import click

WIDEST: Final = 100
GAP: Final = "  "
LONGEST_WORDS: Final = (24, 12, 6)
"""What of a word is kept on one line where a table has to be made narrower: less, where that is not narrow enough."""


def width_of_terminal() -> int | None:
    """Return how many columns may be used; None where the output is no terminal and so has no width."""
    return min(shutil.get_terminal_size().columns, WIDEST) if sys.stdout.isatty() else None


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table for whoever reads it."""
    first, *others = lines_of([header, *rows], width_of_terminal())
    click.echo(click.style(first, bold=True))
    for line in others:
        click.echo(line)


def lines_of(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return the lines of a table; the cells of the widest columns are wrapped where it would be wider than that."""
    return [line for lines in blocks_of(rows, width) for line in lines]


def blocks_of(rows: Sequence[Sequence[str]], width: int | None) -> list[list[str]]:
    """Return the same row by row, for who has to say something below one."""
    widths = _widths(rows, width)
    blocks = []
    for row in rows:
        cells = [wrapped(cell, size, cut=True) for cell, size in zip(row, widths, strict=True)]
        lines = []
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (part.ljust(size) for part, size in zip(parts, widths, strict=True))
            lines.append(GAP.join(padded).rstrip())
        blocks.append(lines)
    return blocks


def _widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if width is None:
        return widths
    for longest in LONGEST_WORDS:
        _narrow(widths, columns, longest, width)
    return widths


def _narrow(widths: list[int], columns: Sequence[Sequence[str]], longest: int, width: int) -> None:
    """Make the widest columns narrower until they fit, or until no word could be kept."""
    words = [[word for cell in column for word in cell.split()] for column in columns]
    least = [min(max(map(len, column), default=0), longest) for column in words]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    for _ in range(excess):
        wide = [number for number, size in enumerate(widths) if size > least[number]]
        if not wide:
            break
        widths[max(wide, key=lambda number: widths[number])] -= 1


def lines_on_terminal(text: str, stream: TextIO) -> list[str]:
    """Return the lines of a text, wrapped between words where a stream is a terminal."""
    lines = text.splitlines()
    if not stream.isatty():
        return lines
    width = shutil.get_terminal_size().columns
    return [line for one in lines for line in ([one] if len(one) <= width else wrapped(one, width))]


def wrapped(text: str, width: int, *, cut: bool = False) -> list[str]:
    """Return the lines of a text, at least one; a word that is wider stays whole unless it is to be cut."""
    return textwrap.wrap(text, max(width, 1), break_long_words=cut, break_on_hyphens=False) or [""]
