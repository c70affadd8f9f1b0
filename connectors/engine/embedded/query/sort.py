"""The order of hits: sort keys, the values they show, and where to go on after."""

# ruff: noqa: S608 - what is put into statements are other statements and names of parameters

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.engine.embedded.mapping.field import Field
from connectors.engine.embedded.mapping.field_types import Value
from connectors.engine.embedded.mapping.java_numbers import text_of
from connectors.engine.embedded.mapping.number_types import shortest, single
from connectors.engine.embedded.mapping.tree import METADATA
from connectors.engine.embedded.query.clause import TEXTS, Scope
from connectors.engine.embedded.query.terms import shard_refusal
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented

_WHOLE: Final = frozenset({"long", "integer", "short", "byte", "date", "boolean"})
EXTREMES: Final = (2**31 - 1, -(2**31), 2**63 - 1, -(2**63), math.inf, -math.inf)
"""What stands for a value that is missing, and may be one that is there as well."""
_NARROW: Final = frozenset({"integer", "short", "byte"})
"""Types that are sorted as numbers of 32 bits."""
_SINGLE: Final = frozenset({"float", "half_float"})
"""Types that are sorted as floats of 32 bits."""
_FLOATING: Final = _SINGLE | {"double"}
_OPTIONS: Final = frozenset({"order", "missing", "mode", "unmapped_type"})
_TYPES: Final = _WHOLE | _FLOATING | {"keyword"}
_NOT_IMPLEMENTED: Final = METADATA | {"_script", "_geo_distance"}
_NO_IDS: Final = (
    "Fielddata access on the _id field is disallowed, you can re-enable it by updating the dynamic cluster setting: "
    "indices.id_field_data.enabled"
)
_SEEKS: Final = frozenset({"_doc", "_shard_doc"})


@dataclass(frozen=True)
class SortKey:
    """One key of an order, as a request asks for it."""

    path: str
    descending: bool = False
    missing: object = "_last"
    mode: str | None = None
    unmapped_type: str | None = None

    @property
    def is_place(self) -> bool:
        """Return whether it is the order in which documents lie in the index."""
        return self.path in _SEEKS


@dataclass(frozen=True)
class Ordering:
    """A sort key in one index: its SQL, and how its values are shown."""

    sql: str
    descending: bool
    nulls_first: bool = False
    field: Field | None = None
    kind: str = "long"

    def terms(self, column: str) -> str:
        """Return what stands in ORDER BY."""
        return f"{column} {'DESC' if self.descending else 'ASC'} NULLS {'FIRST' if self.nulls_first else 'LAST'}"

    def after(self, scope: Scope, column: str, value: Value | None) -> str:
        """Return the condition that a row comes after a value."""
        if value is None:
            return f"{column} IS NOT NULL" if self.nulls_first else "0"
        beyond = f"{column} {'<' if self.descending else '>'} {scope.bind(value)}"
        return beyond if self.nulls_first else f"({beyond} OR {column} IS NULL)"

    def shown(self, value: Value | None) -> object:
        """Return the value as the hit shows it."""
        if value is None:
            return None
        if isinstance(value, float) and math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return shortest(value) if self.kind in _SINGLE and isinstance(value, float) else value


def parse_sort(body: object) -> tuple[SortKey, ...]:
    """Return the keys that a body asks for. Raises a `Refusal`."""
    listed = body if isinstance(body, list | dict) else [str(body)]
    listed = [listed] if isinstance(listed, dict) else listed
    keys: list[SortKey] = []
    for one in listed:
        if isinstance(one, dict):
            keys += [_key(path, said) for path, said in one.items()]
        elif isinstance(one, str):
            keys.append(_key(one, {}))
        else:
            raise illegal_argument(
                "malformed sort format, within the sort array, an object, or an actual string are allowed"
            )
    by_score = len(keys) == 1 and keys[0] == SortKey("_score", descending=True)
    return () if by_score else tuple(keys)


def parse_sort_parameter(text: str) -> tuple[SortKey, ...]:
    """Return the keys of the parameter `sort`: `field` or `field:order`, with commas."""
    keys = []
    for one in text.split(","):
        path, colon, order = one.rpartition(":")
        keys.append(_key(path, order) if colon else _key(one, {}))
    return tuple(keys)


def _key(path: str, said: object) -> SortKey:
    options = {"order": said} if isinstance(said, str) else said
    if not isinstance(options, Mapping):
        raise _malformed(f"[field_sort] Expected START_OBJECT for [{path}]")
    for option in options:
        if option in {"nested", "numeric_type", "format"} or path in {"_script", "_geo_distance"}:
            raise not_implemented(f"[{option}] of a sort")
        if option not in _OPTIONS or (path == "_score" and option != "order"):
            raise _malformed(f"[field_sort] unknown field [{option}]")
    default = "desc" if path == "_score" else "asc"
    order = str(options.get("order", default)).lower()
    if order not in ("asc", "desc"):
        raise illegal_argument(f"No enum constant org.elasticsearch.search.sort.SortOrder.{order.upper()}")
    mode = options.get("mode")
    if mode in ("sum", "avg", "median"):
        raise not_implemented(f"the sort mode [{mode}]")
    if mode not in (None, "min", "max"):
        raise _malformed("[field_sort] failed to parse field [mode]")
    unmapped = options.get("unmapped_type")
    if unmapped is not None and unmapped not in _TYPES:
        raise not_implemented(f"the unmapped type [{unmapped}] of a sort")
    return SortKey(path, order == "desc", options.get("missing", "_last"), mode, unmapped)


def _malformed(reason: str) -> Refusal:
    return Refusal(400, "x_content_parse_exception", reason)


def ordering(scope: Scope, key: SortKey, place: int) -> Ordering:
    """Return a key as this index orders by it; `place` is the place of the index among those that are searched."""
    if key.path == "_score":
        return Ordering("m.score", key.descending)
    if key.is_place:
        return Ordering(f"(m.row + {scope.bind(place << 40)})" if place else "m.row", key.descending)
    if key.path == "_seq_no":
        return Ordering("(SELECT seq FROM docs WHERE docs.row = m.row)", key.descending)
    if key.path == "_index":
        return Ordering(scope.bind(scope.index), key.descending, kind="keyword")
    if key.path == "_id":
        raise illegal_argument(_NO_IDS)
    if key.path in _NOT_IMPLEMENTED:
        raise not_implemented(f"sorting by [{key.path}]")
    field = scope.mapping.field(key.path)
    if field is None and key.unmapped_type is None:
        raise shard_refusal(f"No mapping found for [{key.path}] in order to sort on")
    if field is not None:
        _check_sortable(scope, field)
    kind = field.type.name if field is not None else str(key.unmapped_type)
    return _by_field(scope, key, field, kind)


def _check_sortable(scope: Scope, field: Field) -> None:
    if field.type.name in TEXTS:
        raise illegal_argument(
            f"Fielddata is disabled on [{field.path}] in [{scope.index}]. Text fields are not optimised for operations "
            "that require per-document field data like aggregations and sorting, so these operations are disabled by "
            "default. Please use a keyword field instead."
        )
    if not field.doc_values:
        raise illegal_argument(
            f"Can't load fielddata on [{field.path}] because fielddata is unsupported on fields of type "
            f"[{field.type.name}]. Use doc values instead."
        )
    if field.type.name not in _TYPES:
        raise not_implemented(f"sorting by fields of the type [{field.type.name}]")


def _by_field(scope: Scope, key: SortKey, field: Field | None, kind: str) -> Ordering:
    number = scope.number(key.path) if field is not None else None
    last = key.missing == "_last"
    first = key.missing == "_first"
    sql = "NULL" if number is None else _value_sql(scope, key, number)
    if kind == "keyword":
        if not (first or last):
            return Ordering(f"coalesce({sql}, {scope.bind(str(key.missing))})", key.descending, field=field, kind=kind)
        return Ordering(sql, key.descending, nulls_first=first, field=field, kind=kind)
    instead = _extreme(kind, above=last != key.descending) if first or last else _stated_missing(key, kind)
    return Ordering(f"coalesce({sql}, {scope.bind(instead)})", key.descending, field=field, kind=kind)


def _extreme(kind: str, *, above: bool) -> Value:
    """Return what stands for a value that is missing where those come before or after all others."""
    if kind not in _WHOLE:
        return math.inf if above else -math.inf
    most = 2**31 - 1 if kind in _NARROW else 2**63 - 1
    return most if above else -most - 1


def _stated_missing(key: SortKey, kind: str) -> Value:
    try:
        if kind in _WHOLE:
            return int(str(key.missing))
        return single(float(str(key.missing))) if kind in _SINGLE else float(str(key.missing))
    except ValueError as error:
        raise Refusal(400, "number_format_exception", f'For input string: "{text_of(key.missing)}"') from error


def _value_sql(scope: Scope, key: SortKey, number: int) -> str:
    bound = scope.bind(number)
    largest = key.mode == "max" or (key.mode is None and key.descending)
    if largest and scope.several(number):
        return f"(SELECT value FROM doc_vals WHERE field = {bound} AND row = m.row ORDER BY place DESC LIMIT 1)"
    return f"(SELECT value FROM doc_vals WHERE field = {bound} AND row = m.row AND place = 0)"


def after_condition(scope: Scope, orderings: Sequence[Ordering], after: Sequence[Value | None]) -> str:
    """Return the condition that a row comes after these values."""
    condition = ""
    for place in reversed(range(len(orderings))):
        one, column, value = orderings[place], f"k{place}", after[place]
        beyond = one.after(scope, column, value)
        condition = f"({beyond} OR ({column} IS {scope.bind(value)} AND {condition}))" if condition else beyond
    return condition


def after_values(keys: Sequence[SortKey], orderings: Sequence[Ordering], given: Sequence[object]) -> list[Value | None]:
    """Return the values of `search_after`, as they are compared. Raises a `Refusal`."""
    if not keys:
        raise illegal_argument("Sort must contain at least one field.")
    if len(given) != len(keys):
        raise illegal_argument(f"search_after has {len(given)} value(s) but sort has {len(keys)}.")
    return [_after_value(key, one, raw) for key, one, raw in zip(keys, orderings, given, strict=True)]


def _after_value(key: SortKey, one: Ordering, raw: Any) -> Value | None:  # noqa: ANN401 - JSON
    refusal = illegal_argument(f"Failed to parse search_after value for field [{key.path}].")
    kind = one.kind
    if raw is None:
        if kind != "keyword":
            raise refusal
        return None
    if kind == "keyword":
        return str(raw)
    try:
        if key.path == "_score" or kind in _FLOATING:
            return single(float(raw)) if kind in _SINGLE else float(raw)
        if isinstance(raw, str) and one.field is not None and kind == "date":
            return one.field.type.query_value(raw)
        if kind == "boolean" and raw in {"true", "false"}:
            return int(raw == "true")
        return int(raw)
    except (ValueError, OverflowError, TypeError, Refusal) as error:
        raise refusal from error
