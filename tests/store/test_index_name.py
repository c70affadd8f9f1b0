import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.engine.embedded.store.names import name_problem
from connectors.errors import ConfigurationError
from connectors.store.index_name import check_name, first_index, write_alias

HOSTILE = st.text(alphabet=st.sampled_from('aZé_-+.\\/*?"<>| ,#:1İß')) | st.text()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "it is empty"),
        ("..", "it is a folder's"),
        ("_x", "it begins with '_'"),
        ("-x", "it begins with '-'"),
        ("Docs", "it has capital letters"),
        ("docs*", "it contains '*'"),
        ("docs,mails", "it contains ','"),
        ("<docs-{now/d}>", "it contains '/', '<', '>'"),
        ("é" * 128, "it has 256 bytes, and 255 are the most"),
        ("a\ud800", "it is no valid Unicode"),
    ],
)
def test_a_name_that_no_index_can_have_is_refused_with_the_rule_that_it_breaks(name: str, rule: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_name(name)
    assert caught.value.field == "index_name"
    assert caught.value.message.endswith(f": {rule}.")


@given(HOSTILE)
def test_a_name_is_refused_exactly_when_an_engine_refuses_it(name: str) -> None:
    try:
        check_name(name)
    except ConfigurationError:
        assert name_problem(name) is not None
    else:
        assert name_problem(name) is None


def test_the_first_index_of_an_alias_has_to_fit_too() -> None:
    assert first_index("a" * 248) == "a" * 248 + "-000001"
    with pytest.raises(ConfigurationError, match="it has 256 bytes"):
        first_index("a" * 249)


def test_an_index_has_an_alias_for_writes_unless_it_would_be_too_long() -> None:
    assert write_alias("docs-000001") == "docs-000001-writes"
    assert write_alias("d" * 248) == f"{'d' * 248}-writes"
    assert write_alias("d" * 249) is None
