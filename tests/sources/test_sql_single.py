"""Numbers of 32 bits: as many digits as tell one from the others, and no more."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.sources._sql.single import single_of


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(3.4028234663852886e38)
@example(1.401298464324817e-45)
@example(-0.0)
def test_a_number_of_32_bits_has_as_many_digits_as_tell_it_from_others(value: float) -> None:
    found = single_of(value)
    assert struct.pack("f", found) == struct.pack("f", value)
    assert len(repr(found)) <= len(repr(value))


@pytest.mark.parametrize(
    ("value", "short"), [(1.100000023841858, 1.1), (123456.78125, 123456.78), (16777217.0, 16777217.0), (1e300, 1e300)]
)
def test_a_number_of_32_bits_is_short(value: float, short: float) -> None:
    assert single_of(value) == short
