import pytest
from structlog.testing import capture_logs

from connectors.sync.index.analysis import LANGUAGES, UNIVERSAL, language_of


@pytest.mark.parametrize(
    "code", ["da", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pt", "pt-br", "ru", "th", "zh"]
)
def test_a_language_of_kibana_is_known(code: str) -> None:
    assert language_of(code) == code
    assert code in LANGUAGES


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (None, UNIVERSAL),
        ("", UNIVERSAL),
        (" ", UNIVERSAL),
        ("universal", UNIVERSAL),
        ("pt_BR", "pt-br"),
        ("EN-us", "en"),
    ],
)
def test_a_language_is_found_however_it_is_written(code: str | None, key: str) -> None:
    with capture_logs() as logs:
        assert language_of(code) == key
    assert logs == []


def test_an_unknown_language_is_universal_and_the_log_says_so() -> None:
    with capture_logs() as logs:
        assert language_of("tlh") == UNIVERSAL
    assert [(line["log_level"], line["language"]) for line in logs] == [("warning", "tlh")]


def test_every_filter_that_a_language_uses_is_defined_or_built_in() -> None:
    built_in = {"cjk_width", "lowercase", "cjk_bigram", "german_normalization", "decimal_digit", "asciifolding"}
    for language in LANGUAGES.values():
        settings = language.settings()
        assert set(settings["analyzer"]["default"]["filter"]) <= built_in | set(settings.get("filter", {}))
        assert set(settings.get("filter", {})) <= set(settings["analyzer"]["default"]["filter"])
