"""Globs match what a real server says they do, byte by byte."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sources._redis.globs import Glob
from fixtures.redis.server import MISSING, is_installed
from tests.sources.redis_servers import Store, filled_by_hand

pytestmark = pytest.mark.skipif(not is_installed(), reason=MISSING)
PARTS = ("*", "?", "[", "]", "^", "-", "\\", "a", "b", "z", "é", ".", "\n", "\0", "|", "(", "{", "$")
KEYS = st.lists(st.sampled_from([*(part.encode() for part in PARTS), b"\xff", b"\xc3", b"ab"]), max_size=6)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with filled_by_hand() as one:
        yield one


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=st.lists(st.sampled_from(PARTS), min_size=1, max_size=7), keys=st.lists(KEYS, min_size=1, max_size=20))
def test_a_glob_matches_as_the_server_does(store: Store, pattern: list[str], keys: list[list[bytes]]) -> None:
    text, names = "".join(pattern), {b"".join(parts) for parts in keys}
    store.client.flushdb()
    store.client.mset(dict.fromkeys(names, "x"))
    said = set(store.client.scan_iter(match=text, count=1_000))
    if not text.strip("*"):
        said = names  # which is not asked: the server finds that the empty key matches * and not **
    assert {name for name in names if Glob(text).matches(name)} == said


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("user:*", b"user:1", b"users:1"),
        ("[a-c]?", b"b\xff", b"d\xff"),
        ("[c-a]", b"b", b"d"),
        ("[^a]", b"\n", b"a"),
        ("[^]", b"]", b""),
        (r"\*", b"*", b"a"),
        ("[ab", b"b", b"[ab"),
        ("\\", b"\\", b""),
        ("*", b"", None),
        ("é", "é".encode(), b"e"),
    ],
)
def test_what_is_easily_got_wrong(store: Store, text: str, matching: bytes, other: bytes | None) -> None:
    store.client.flushdb()
    for key, matches in ((matching, True), (other, False)):
        if key is not None:
            store.client.set(key, "x")
            assert (Glob(text).matches(key), key in store.client.scan_iter(match=text)) == (matches, matches)


def test_a_pattern_that_could_take_for_ever_takes_no_time() -> None:
    assert not Glob("*a" * 500).matches(b"a" * 499 + b"b" * 10_000)
