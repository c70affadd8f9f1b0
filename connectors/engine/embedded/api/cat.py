"""Tables as `_cat` prints them: columns chosen, rows sorted, aligned as Elasticsearch does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from connectors.engine.embedded.api.router import Answer
from connectors.engine.embedded.refusal import illegal_argument, not_implemented
from connectors.engine.embedded.request import Parameters

PARAMETERS: Final = "v h s"
"""The parameters that are read here."""
_UNITS: Final = ("b", "kb", "mb", "gb", "tb", "pb")
Row = Mapping[str, str | int]


@dataclass(frozen=True)
class Column:
    """One column; numbers stand on the right, and those that are sizes are printed with a unit."""

    name: str
    aliases: tuple[str, ...] = ()
    number: bool = False
    size: bool = False

    def called(self, name: str) -> bool:
        """Return whether a request means this column."""
        return name == self.name or name in self.aliases

    def text(self, row: Row) -> str:
        """Return what stands in a row."""
        value = row[self.name]
        return size_text(value) if self.size and isinstance(value, int) else str(value)


def size_text(count: int) -> str:
    """Return a number of bytes as Elasticsearch prints it: with one digit after the point, cut off."""
    power = 0
    while power + 1 < len(_UNITS) and count >= 1024 ** (power + 1):
        power += 1
    tenths = count * 10 // 1024**power
    whole, rest = divmod(tenths, 10)
    return f"{whole}{f'.{rest}' if rest else ''}{_UNITS[power]}"


def answer_table(columns: Sequence[Column], rows: Sequence[Row], parameters: Parameters) -> Answer:
    """Return the answer to a request for a table, as text unless it asks for JSON. Raises a `Refusal`."""
    chosen = _chosen(columns, parameters)
    for column, descending in reversed(_order(columns, parameters)):
        rows = sorted(rows, key=lambda row: row[column.name], reverse=descending)
    texts = [{head: column.text(row) for head, column in chosen.items()} for row in rows]
    form = parameters.text("format")
    if form == "json":
        return Answer(200, texts)
    if form in ("yaml", "cbor", "smile"):
        raise not_implemented(f"[format={form}]")
    heads = [{head: head for head in chosen}] if parameters.flag("v") else []
    return Answer(200, _printed(chosen, [*heads, *texts]))


def _chosen(columns: Sequence[Column], parameters: Parameters) -> dict[str, Column]:
    """Return the columns that are asked for, each once, by what the request calls it."""
    names = parameters.names("h")
    if names is None:
        return {column.name: column for column in columns}
    chosen: dict[str, Column] = {}
    for name in names:
        if "*" in name:
            chosen |= {one.name: one for one in columns if fnmatchcase(one.name, name)}
            continue
        column = next((one for one in columns if one.called(name)), None)
        if column is None:
            # Elasticsearch has many more, and leaves out those that it does not know either.
            raise not_implemented(f"the column [{name}]")
        chosen[name] = column
    return chosen


def _order(columns: Sequence[Column], parameters: Parameters) -> list[tuple[Column, bool]]:
    order: list[tuple[Column, bool]] = []
    for one in parameters.names("s") or []:
        name, _, direction = one.partition(":")
        found = [column for column in columns if column.called(name)]
        if not found:
            raise illegal_argument(f"Unable to sort by unknown sort key `{name}`")
        order.append((found[0], direction == "desc"))
    return order


def _printed(columns: Mapping[str, Column], texts: Sequence[Mapping[str, str]]) -> str:
    widths = {head: max((len(text[head]) for text in texts), default=0) for head in columns}
    lines = []
    for text in texts:
        cells = [
            text[head].rjust(widths[head]) if column.number or column.size else text[head].ljust(widths[head])
            for head, column in columns.items()
        ]
        lines.append(" ".join(cells).rstrip() + "\n")
    return "".join(lines)
