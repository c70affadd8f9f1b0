"""Random declarations of fields as plain configurations, and values for them, of their types but not always right."""

from typing import Any

from hypothesis import strategies as st

Wire = dict[str, Any]
Draw = st.DrawFn

WORDS = ["a", "b", "ab", "a.b", "A-1", "é", "x y"]
PATTERNS = {
    "[a-z]+": ["a", "zz"],
    "a|b": ["a", "b"],
    r"\w[\w.-]*": ["A-1", "_"],
    r"(?:a.)*b?": ["a\r", "aab", "b"],
    r"\d{1,3}": ["1", "999"],
    r"^\S+$": ["é", "a\u2028"],
    r"[^a]\@?": ["b@", "\n"],
    "(ab?){2,}c*?": ["aa", "abaccc"],
}
"""Patterns, each with texts that match."""
TEXTS = st.text(st.sampled_from("ab1.-@ _é\n\r\u2028A٣"), max_size=6) | st.sampled_from(WORDS)
WHOLE = st.integers(-9, 9)
NUMBERS = WHOLE | st.floats(-9, 9).map(lambda value: round(value, 2))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXTS,
    "int": WHOLE | WHOLE.map(float),
    "float": NUMBERS,
    "bool": st.booleans(),
    "list": st.lists(TEXTS | WHOLE, max_size=3),
    "list of str": st.lists(TEXTS, max_size=3),
    "list of int": st.lists(WHOLE, max_size=3),
}
"""Values of the JSON type that a field speaks of, by the type."""
_LIMITS: dict[str, list[str | None]] = {
    "str": [None, "pattern", "options", "included"],
    "int": [None, "range", "options", "included"],
    "float": [None, "range", "options", "included"],
    "bool": [None],
    "list": [None, "options", "included"],
    "list of str": [None, "pattern", "options", "included"],
    "list of int": [None, "options", "included"],
}
CHOICES: dict[str, list[Any]] = {
    "str": WORDS,
    "int": [-2, 0, 1, 5],
    "float": [-2.5, 0, 1.0, 5],
    "list": ["a", "b", 1, 2, True],
    "list of str": WORDS,
    "list of int": [1, 2, 3],
}


@st.composite
def plain_configurations(draw: Draw) -> dict[str, Wire]:
    """Return a plain configuration whose declarations fit together."""
    declared: dict[str, Wire] = {}
    for name in draw(st.lists(st.sampled_from("abcde"), min_size=1, max_size=5, unique=True)):
        declared[name] = draw(_field(declared))
    return declared


@st.composite
def settings_of(draw: Draw, declared: dict[str, Wire]) -> dict[str, Any]:
    """Return values for some of the fields: of their type, empty ones too, and within their limits or not."""
    values = {}
    for name, one in declared.items():
        if draw(st.integers(0, 3)):
            choices = [option["value"] for option in one.get("options", [])] + _included(one)
            likely = [one.get("value"), one.get("default_value")]
            kind = one.get("type", "str")
            some = [value for value in [*choices, *likely] if value is not None and kind != "list"]
            known: st.SearchStrategy[Any] = st.sampled_from(some) if some else st.nothing()
            values[name] = draw(known | VALUES[_kind(one)])
    return values


def _kind(one: Wire) -> str:
    items = [rule["constraint"] for rule in one.get("validations", []) if rule["type"] == "list_type"]
    return f"list of {items[0]}" if items else one.get("type", "str")


def _included(one: Wire) -> list[Any]:
    return [
        value for rule in one.get("validations", []) if rule["type"] == "included_in" for value in rule["constraint"]
    ]


@st.composite
def _field(draw: Draw, earlier: dict[str, Wire]) -> Wire:
    kind = draw(st.sampled_from(list(VALUES)))
    one: Wire = {"type": kind.partition(" ")[0]}
    fitting, rules = draw(_limits(kind, one))
    if kind.startswith("list of"):
        rules.append({"type": "list_type", "constraint": kind.removeprefix("list of ")})
    if one["type"] == "str" and draw(st.booleans()):
        del one["type"]
    optional: Wire = {
        "label": st.sampled_from(["Label", "É"]),
        "order": st.integers(-1, 9),
        "display": st.sampled_from(["text", "textarea", "numeric", "dropdown", "toggle"]),
        "default_value": fitting,
        "value": fitting,
        "required": st.booleans(),
        "tooltip": st.sampled_from([None, "Tip"]),
        "ui_restrictions": st.sampled_from([[], ["advanced"]]),
    }
    if draw(st.booleans()) or rules:
        one["validations"] = rules
    if kind == "str":
        optional["sensitive"] = st.booleans()
    one |= {key: draw(strategy) for key, strategy in optional.items() if draw(st.booleans())}
    others = [name for name, other in earlier.items() if other.get("type") != "list"]
    if draw(st.booleans()) and others:
        chosen = draw(st.lists(st.sampled_from(others), max_size=2, unique=True))
        one["depends_on"] = [{"field": other, "value": draw(_wanted(earlier[other]))} for other in chosen]
    return one


@st.composite
def _limits(draw: Draw, kind: str, one: Wire) -> tuple[st.SearchStrategy[Any], list[Wire]]:
    """Return values that fit, and the validations that they fit; options are put into the field itself."""
    limit = draw(st.sampled_from(_LIMITS[kind]))
    if limit == "range":
        low, high = draw(st.integers(-3, 0)), draw(st.integers(2, 4))
        rules = [{"type": "greater_than", "constraint": low}, {"type": "less_than", "constraint": high}]
        return st.integers(low + 1, high - 1), rules
    if limit == "pattern":
        pattern = draw(st.sampled_from(list(PATTERNS)))
        return _perhaps_several(kind, PATTERNS[pattern]), [{"type": "regex", "constraint": pattern}]
    if limit is None:
        return VALUES[kind], []
    chosen = draw(st.lists(st.sampled_from(CHOICES[kind]), min_size=1, max_size=3, unique=True))
    if limit == "options":
        one["options"] = [{"label": f"<{value}>", "value": value} for value in chosen]
        return _perhaps_several(kind, chosen), []
    return _perhaps_several(kind, chosen), [{"type": "included_in", "constraint": chosen}]


def _perhaps_several(kind: str, values: list[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(values), max_size=2) if kind.startswith("list") else st.sampled_from(values)


def _wanted(other: Wire) -> st.SearchStrategy[Any]:
    """Return values that a field may have, as the condition of another."""
    options = [option["value"] for option in other.get("options", [])] + _included(other)
    if options:
        return st.sampled_from(options)
    rules = {rule["type"]: rule["constraint"] for rule in other.get("validations", [])}
    if "regex" in rules:
        return st.sampled_from(["", *PATTERNS[rules["regex"]]])
    if "greater_than" in rules:
        return st.integers(rules["greater_than"] + 1, rules["less_than"] - 1)
    given = [value for value in (other.get("value"), other.get("default_value")) if value is not None]
    return st.sampled_from(given) if given else VALUES[_kind(other)]
