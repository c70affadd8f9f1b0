"""Rules, documents and other JSON as tests of rules need them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from connectors.literal import Operator

Json = dict[str, Any]


def rule(own: str = "r1", **changes: object) -> Json:
    wire = {"id": own, "policy": "exclude", "field": "a", "rule": "equals", "value": "x", "order": 1}
    return {name: value for name, value in {**wire, **changes}.items() if value is not ...}


# Values that are near each other, so that comparisons are often true.
TEXTS = ["a", "ab", "b", "ba", "true", "1", "0", "5", "5.0", "10", "-3", "2x", "2024-05-01", "20240501", "1e400"]
TEXTS += [
    "2024-05-01T12:00:00+02:00",
    "18446744073709551616",
    "0.1",
    "5.00000000000000000001",
    "no",
    "nan",
    "a\nb",
    ".",
]
INSTANTS: list[date] = [
    date(2024, 5, 1),
    datetime(2024, 5, 1, 10, tzinfo=UTC),
    datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))),
    datetime(2024, 5, 1, 10, 0, 1),  # noqa: DTZ001 - naive ones exist
]
NUMBERS: list[object] = [0, 1, 5, 10, -3, 2**64, 2**64 + 1, 0.1, 5.0, 0.0, -0.0, 20240501, 10**400]
NUMBERS += [Decimal(5), Decimal("5.0"), Decimal("0.1"), Decimal("NaN"), float("inf"), float("nan")]
SCALARS: st.SearchStrategy[Any] = (
    st.sampled_from(TEXTS) | st.sampled_from(NUMBERS) | st.sampled_from(INSTANTS) | st.booleans() | st.none()
) | st.just(UUID(int=5))
NAMES = st.sampled_from(["a", "b", "a.b", "c"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
PATTERNS = ["a", "a+b$", "[0-9]+", "(a|5)", "^b", "true|false", r"\d{4}-", ".*b", "(?i)A", ".+"]
FIELDS = ["a", "b", "a.b", "b.a.c", "c"]


def _wires(operators: Sequence[Operator], values: list[str]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {
            "id": st.sampled_from(["r1", "r2", "r3", "r4", "r5"]),
            "policy": st.sampled_from(["include", "exclude", "Exclude"]),
            "field": st.sampled_from(FIELDS),
            "rule": st.sampled_from(operators).map(str),
            "value": st.sampled_from(values),
            "order": st.integers(-2, 5) | st.floats(-2, 5),
        }
    )


PLAIN = [one for one in Operator if one is not Operator.REGEX]
WIRE_RULES = _wires(PLAIN, TEXTS) | _wires([Operator.REGEX], PATTERNS)

# Whatever JSON may decode to, and what it may not.
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\ud800", 10**4000])
    | st.sampled_from(["include", "equals", "regex", "r1", "DEFAULT", "(", ".*", ">"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "policy", "field", "rule", "value", "order"]) | st.text(max_size=2),
            inner,
            max_size=6,
        )
    ),
    max_leaves=10,
)
HOSTILE = ANYTHING | st.sampled_from([..., b"x", {1: 2}, {None: 1}, {"a"}, object()])


@st.composite
def almost_rules(draw: st.DrawFn) -> Any:
    """A rule of which some parts are missing, or are anything."""
    wire: Json = dict(draw(WIRE_RULES))
    for name in draw(st.lists(st.sampled_from(sorted(wire)), max_size=3)):
        value = draw(HOSTILE)
        wire[name] = value
        if value is ...:
            del wire[name]
    return wire
