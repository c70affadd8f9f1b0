"""The beginning of an order by a field, read from the index of its values instead of sorting all that matches."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

from collections.abc import Sequence
from typing import Final

from connectors.engine.embedded.mapping.field_types import Value
from connectors.engine.embedded.query.clause import Clause, Scope, size
from connectors.engine.embedded.query.sort import EXTREMES, SortKey

FEW: Final = 5_000
"""So few rows are sorted at once, which takes some milliseconds."""
MOST_READ: Final = 20_000
"""So many values are read before giving up: where what matches has other values than these."""


def first_by_value(
    scope: Scope, clause: Clause, key: SortKey, wanted: int, after: Sequence[Value | None], *, visible: str
) -> str:
    """Return a select of rows that match, all those among them that can be on a page; `visible` is asked of `m.row`.

    The index of values is read from where the page begins until enough rows are found. All rows with a value up to the
    last one that was found may be on the page, whatever the other keys are.
    """
    # For everything an index of the table: the rows themselves are large.
    every_row = "SELECT row FROM docs INDEXED BY docs_seq" if clause.everything else clause.rows
    number = scope.number(key.path)
    if number is None or key.missing != "_last" or scope.several(number) or (after and after[0] is None):
        return every_row
    if not clause.everything and (clause.probe is None or size(scope, clause.rows, FEW) < FEW):
        return every_row
    matches = "1" if clause.everything else clause.probe
    field, direction, ahead = scope.bind(number), *(("DESC", "<") if key.descending else ("ASC", ">"))
    start = scope.bind(after[0]) if after else ""
    beyond = f" AND m.value {ahead} {start}" if after else ""
    in_order = (
        f"SELECT m.row AS row, m.value AS value FROM vals AS m WHERE m.field = {field} AND {visible}{beyond} "
        f"ORDER BY m.value {direction} LIMIT {MOST_READ}"
    )
    enough = f"SELECT value FROM ({in_order}) AS found WHERE {matches} LIMIT {scope.bind(wanted)}"
    # Whichever rows these are: where they are enough, none behind the last of them can be on the page.
    last_of = "min" if key.descending else "max"
    query = f"SELECT count(*), {last_of}(value) FROM ({enough})"
    count, last = next(scope.connection.execute(query, scope.parameters))
    if count < wanted or last in EXTREMES:
        return every_row
    beyond = f" AND value {ahead}= {start}" if after else ""
    upto = f"SELECT row FROM vals WHERE field = {field} AND {scope.bind(last)} {ahead}= value{beyond}"
    return upto if clause.everything else f"SELECT found.row AS row FROM ({upto}) AS found WHERE {matches}"
