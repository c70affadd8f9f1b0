"""The parameters of a field in a mapping: which a type has, what they may say, and which can be changed later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from connectors.engine.embedded.mapping.date_patterns import BadDate
from connectors.engine.embedded.mapping.dates import DEFAULT_FORMAT, UnknownFormat, date_format
from connectors.engine.embedded.mapping.field_types import (
    Binary,
    Boolean,
    Date,
    FieldType,
    Keyword,
    Malformed,
    Text,
)
from connectors.engine.embedded.mapping.java_numbers import text_of
from connectors.engine.embedded.mapping.number_types import FLOATING_TYPES, WHOLE_TYPES, shortest
from connectors.engine.embedded.refusal import Refusal, not_implemented

MAPPER_PARSING: Final = "mapper_parsing_exception"
_ILLEGAL: Final = "illegal_argument_exception"
_NO_LIMIT: Final = 2**31 - 1
Parameters = Mapping[str, Any]


def bad_mapping(reason: str, kind: str = MAPPER_PARSING) -> Refusal:
    """Return the refusal of a mapping; `kind` is the type of what was wrong further down."""
    return Refusal(
        400,
        MAPPER_PARSING,
        f"Failed to parse mapping: {reason}",
        more={"caused_by": {"type": kind, "reason": reason}},
        root=kind if kind in (MAPPER_PARSING, "parse_exception") else None,
    )


@dataclass(frozen=True)
class Parameter:
    """One parameter. `change` says whether a later mapping may change it; `only` lists the values that are implemented.

    `shown` is set where `GET _mapping` shows the default too, once it was given.
    """

    default: Any
    read: Callable[[Any], Any]
    change: Literal["never", "always", "off"] = "never"
    only: tuple[Any, ...] | None = None
    nullable: bool = False
    shown: bool = False


def flag(raw: object) -> bool:
    """Read a boolean of a mapping; raises Refusal."""
    if raw is True or raw == "true":
        return True
    if raw is False or raw == "false":
        return False
    raise bad_mapping(f"Failed to parse value [{text_of(raw)}] as only [true] or [false] are allowed.", _ILLEGAL)


def _count(raw: object) -> int:
    if isinstance(raw, float) and not raw.is_integer():
        raise bad_mapping(f"{text_of(raw)} is not an integer value", _ILLEGAL)
    try:
        number = int(text_of(raw) if not isinstance(raw, float) else raw)
    except ValueError:
        raise bad_mapping(f'For input string: "{text_of(raw)}"', "number_format_exception") from None
    if number < 0:
        raise bad_mapping(f"[ignore_above] must be positive, got [{number}]", _ILLEGAL)
    return number


def _any(raw: object) -> object:
    return raw


def _labels(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise bad_mapping(f"[meta] must be an object, got {text_of(raw)}")
    return dict(sorted(raw.items()))


def _one_of(name: str, *allowed: str) -> Callable[[Any], Any]:
    def read(raw: object) -> str:
        if raw not in allowed:
            accepted = ", ".join(allowed)
            raise bad_mapping(f"Unknown value [{text_of(raw)}] for field [{name}] - accepted values are [{accepted}]")
        return str(raw)

    return read


def _names(raw: object) -> list[Any]:
    return list(raw) if isinstance(raw, list) else [raw]


def _yes(*, change: Literal["never", "always", "off"] = "never", only: tuple[Any, ...] | None = None) -> Parameter:
    return Parameter(default=True, read=flag, change=change, only=only)


def _no(*, change: Literal["never", "always", "off"] = "never", only: tuple[Any, ...] | None = None) -> Parameter:
    return Parameter(default=False, read=flag, change=change, only=only)


_NONE: Final = (None,)
_SCRIPTS: Final = {
    "script": Parameter(None, _any, only=_NONE, nullable=True),
    "on_script_error": Parameter("fail", _one_of("on_script_error", "fail", "continue"), only=("fail",)),
}
_ALL: Final = {
    "meta": Parameter({}, _labels, change="always"),
    "copy_to": Parameter([], _names, change="always", only=([],)),
}
_STORED: Final = {"store": _no()}
_POINTS: Final = {"index": _yes(), "doc_values": _yes(), **_STORED}
_MENDING: Final = {"ignore_malformed": Parameter(default=False, read=flag, change="always", shown=True)}
_NULL: Final = {"null_value": Parameter(None, _any, nullable=True)}
_DIMENSION: Final = {"time_series_dimension": _no(only=(False,))}
_NUMBER: Final = {
    **_POINTS, **_ALL, **_MENDING, **_NULL, **_SCRIPTS, **_DIMENSION,
    "coerce": Parameter(default=True, read=flag, change="always", shown=True),
    "time_series_metric": Parameter(None, _any, only=_NONE, nullable=True),
}  # fmt: skip
_SIMILARITY: Final = {"similarity": Parameter(None, _any, only=(None, "BM25"), nullable=True)}
_EAGER: Final = {"eager_global_ordinals": _no(change="always")}
_TEXT_OPTION: Final = _one_of("index_options", "positions", "docs", "freqs", "offsets")
PARAMETERS: Final[Mapping[str, Mapping[str, Parameter]]] = {
    **dict.fromkeys([*WHOLE_TYPES, *FLOATING_TYPES], _NUMBER),
    "keyword": {
        **_POINTS, **_ALL, **_NULL, **_SCRIPTS, **_DIMENSION, **_SIMILARITY, **_EAGER,
        "ignore_above": Parameter(_NO_LIMIT, _count, change="always"),
        "index_options": Parameter("docs", _one_of("index_options", "docs", "freqs"), only=("docs",)),
        "norms": _no(change="off", only=(False,)),
        "normalizer": Parameter(None, _any, only=_NONE, nullable=True),
        "split_queries_on_whitespace": _no(change="always", only=(False,)),
    },
    "text": {
        **_STORED, **_ALL, **_SIMILARITY, **_EAGER,
        "index": _yes(),
        "norms": _yes(change="off"),
        "index_options": Parameter("positions", _TEXT_OPTION, only=("positions", "offsets")),
        "analyzer": Parameter("default", _any, only=("default", "standard"), nullable=True),
        "search_analyzer": Parameter("default", _any, change="always", only=("default",), nullable=True),
        "search_quote_analyzer": Parameter("default", _any, change="always", only=("default",), nullable=True),
        "fielddata": _no(change="always", only=(False,)),
        "fielddata_frequency_filter": Parameter(None, _any, change="always", only=_NONE, nullable=True),
        "index_phrases": _no(only=(False,)),
        "index_prefixes": Parameter(None, _any, only=_NONE, nullable=True),
        "position_increment_gap": Parameter(100, _count, only=(100,)),
        "term_vector": Parameter("no", _any, only=("no",)),
    },
    "boolean": {**_POINTS, **_ALL, **_MENDING, **_NULL, **_SCRIPTS, **_DIMENSION},
    "date": {
        **_POINTS, **_ALL, **_MENDING, **_NULL, **_SCRIPTS,
        "format": Parameter(DEFAULT_FORMAT, text_of),
        "locale": Parameter("en", text_of, only=("en", "en_US", "")),
    },
    "binary": {**_STORED, **_ALL, "doc_values": _no(only=(False,))},
}  # fmt: skip
OBJECT: Final = "object"
NOT_IMPLEMENTED: Final = frozenset({
    "alias", "completion", "date_nanos", "date_range", "dense_vector", "double_range", "flattened", "float_range",
    "geo_point", "integer_range", "ip", "ip_range", "join", "long_range", "nested", "passthrough", "sparse_vector",
    "aggregate_metric_double", "annotated_text", "constant_keyword", "counted_keyword", "geo_shape", "histogram",
    "icu_collation_keyword", "match_only_text", "murmur3", "percolator", "point", "rank_feature", "rank_features",
    "rank_vectors", "scaled_float", "search_as_you_type", "semantic_text", "shape", "token_count", "unsigned_long",
    "version", "wildcard",
})  # fmt: skip
"""Types that Elasticsearch has, those of its modules included."""


def read_parameters(path: str, kind: str, given: Parameters) -> dict[str, Any]:
    """Return the parameters that `GET _mapping` shows; raises Refusal."""
    declared = PARAMETERS[kind]
    name = path.rpartition(".")[2]
    shown: dict[str, Any] = {}
    for key in sorted(given):
        raw, parameter = given[key], declared.get(key)
        if key == "boost":
            raise bad_mapping(f"Unknown parameter [boost] on mapper [{name}]")
        if parameter is None:
            raise bad_mapping(f"unknown parameter [{key}] on mapper [{name}] of type [{kind}]")
        if raw is None:
            if not parameter.nullable:
                raise bad_mapping(f"[{key}] on mapper [{name}] of type [{kind}] must not have a [null] value")
            continue
        value = parameter.read(raw)
        if parameter.only is not None and value not in parameter.only:
            raise not_implemented(f"[{key}: {text_of(value)}] on a field of the type [{kind}]")
        if parameter.shown or value != parameter.default:
            shown[key] = value
    for label in shown.get("meta", {}).values():
        if not isinstance(label, str):
            kinds = {int: "Integer", float: "Double", bool: "Boolean", dict: "LinkedHashMap", list: "ArrayList"}
            got = f"{kinds.get(type(label), 'null')}[{text_of(label)}]" if label is not None else "null[null]"
            raise bad_mapping(f"[meta] values can only be strings, but got {got} for field [{path}]")
    return _with_null_value(path, kind, shown)


def _with_null_value(path: str, kind: str, shown: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with the null value as it is shown, after checking that the field could have it."""
    raw = shown.get("null_value")
    name = path.rpartition(".")[2]
    if kind == "date":
        try:
            form = date_format(shown.get("format", DEFAULT_FORMAT))
        except UnknownFormat as error:
            raise bad_mapping(f"Error parsing [format] on field [{name}]: {error}", _ILLEGAL) from None
        if raw is not None:
            try:
                form.parse(text_of(raw))
            except BadDate:
                why = f"failed to parse date field [{text_of(raw)}] with format [{form.text}]"
                raise bad_mapping(f"Error parsing [null_value] on field [{name}]: {why}") from None
            shown["null_value"] = text_of(raw)
    elif raw is not None:
        shown["null_value"] = _null_value(kind, raw)
    return shown


def _null_value(kind: str, raw: object) -> object:
    if kind == "keyword":
        return text_of(raw)
    if kind == "boolean":
        return flag(raw)
    if kind in WHOLE_TYPES and isinstance(raw, float) and not raw.is_integer():
        raise bad_mapping(f"Value [{text_of(raw)}] has a decimal part", _ILLEGAL)
    try:
        value = build_type(kind, {}).read(text_of(raw) if isinstance(raw, bool) else raw)
    except Malformed as error:
        raise bad_mapping(error.reason, error.kind) from None
    if value is None:
        raise bad_mapping("empty String", "number_format_exception")
    return shortest(value) if kind in ("float", "half_float") and isinstance(value, float) else value


def build_type(kind: str, parameters: Parameters) -> FieldType:
    """Return the type of a field with these parameters, which have been read."""
    null = parameters.get("null_value")
    coerce = parameters.get("coerce", True)
    match kind:
        case "keyword":
            limited = parameters.get("index", True) or parameters.get("doc_values", True)
            ignore_above = parameters.get("ignore_above")
            # What is longer is ignored even where it stands for a null.
            stored = None if null is None else Keyword(ignore_above, None, limited).read(null)
            return Keyword(ignore_above, stored, limited)
        case "text":
            return Text(parameters.get("norms", True))
        case "boolean":
            return Boolean(None if null is None else int(null))
        case "date":
            form = date_format(parameters.get("format", DEFAULT_FORMAT))
            return Date(form, None if null is None else form.parse(null))
        case "binary":
            return Binary(bool(parameters.get("store")))
    if kind in WHOLE_TYPES:
        return WHOLE_TYPES[kind](coerce, null)
    floating = FLOATING_TYPES[kind]
    return floating(coerce, None if null is None else floating().read(null))


def check_change(path: str, kind: str, old: Parameters, new: Parameters) -> None:
    """Check that a field may have other parameters from now on; raises Refusal."""
    conflicts = ""
    for key, parameter in PARAMETERS[kind].items():
        before, after = old.get(key, parameter.default), new.get(key, parameter.default)
        if before == after or parameter.change == "always" or (parameter.change == "off" and before):
            continue
        conflicts += f"\n\tCannot update parameter [{key}] from [{text_of(before)}] to [{text_of(after)}]"
    if conflicts:
        raise Refusal(400, _ILLEGAL, f"Mapper for [{path}] conflicts with existing mapper:{conflicts}")
