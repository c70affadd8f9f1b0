"""Analysis: how the words of texts are found in each language, with what every engine has built in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors import logger

log = logger.get(__name__)
UNIVERSAL: Final = "universal"
_FRENCH: Final = ("l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu")
_ITALIAN: Final = (
    "c", "l", "all", "dall", "dell", "nell", "sull", "coll", "pell", "gl", "agl", "dagl", "degl", "negl", "sugl", "un",
    "m", "t", "s", "v", "d",
)  # fmt: skip


@dataclass(frozen=True)
class Language:
    """What is done to the words of a language beyond what is done to those of any.

    `ahead` are filters of the engine that need no settings, `articles` those that are cut off before an apostrophe, and
    `stemmers` those that reduce a word to its stem.
    """

    ahead: Sequence[str] = ()
    articles: Sequence[str] = ()
    stemmers: Sequence[str] = ()
    tokenizer: str = "standard"

    def settings(self) -> dict[str, Any]:
        """Return the `analysis` of an index whose default analyzer this is."""
        added: dict[str, dict[str, Any]] = {}
        if self.articles:
            added["elision_articles"] = {"type": "elision", "articles": list(self.articles), "articles_case": True}
        for stemmer in self.stemmers:
            added[f"stemmer_{stemmer}"] = {"type": "stemmer", "language": stemmer}
        chain = ["cjk_width", "lowercase", *self.ahead, *added, "asciifolding"]
        analyzer = {"type": "custom", "tokenizer": self.tokenizer, "filter": chain}
        return {"analyzer": {"default": analyzer}, **({"filter": added} if added else {})}


_PAIRS: Final = Language(ahead=("cjk_bigram",))
LANGUAGES: Final[Mapping[str, Language]] = {
    UNIVERSAL: _PAIRS,
    "da": Language(stemmers=("danish",)),
    "de": Language(ahead=("german_normalization",), stemmers=("light_german",)),
    "en": Language(stemmers=("possessive_english", "english")),
    "es": Language(stemmers=("light_spanish",)),
    "fr": Language(articles=_FRENCH, stemmers=("light_french",)),
    "it": Language(articles=_ITALIAN, stemmers=("light_italian",)),
    "ja": _PAIRS,
    "ko": _PAIRS,
    "nl": Language(stemmers=("dutch",)),
    "pt": Language(stemmers=("light_portuguese",)),
    "pt-br": Language(stemmers=("brazilian",)),
    "ru": Language(stemmers=("russian",)),
    "th": Language(ahead=("decimal_digit",), tokenizer="thai"),
    "zh": _PAIRS,
}
"""The languages that a connector can name. Japanese, Korean and Chinese are searched by pairs of letters."""


def language_of(code: str | None) -> str:
    """Return the key in `LANGUAGES` of what a connector says, such as `pt_BR` or `en-US`; nothing is universal.

    A language that is not there is searched without stems, and the log says so: it is no reason not to sync.
    """
    wanted = (code or "").strip().lower().replace("_", "-") or UNIVERSAL
    for key in (wanted, wanted.partition("-")[0]):
        if key in LANGUAGES:
            return key
    log.warning("The language is not one that we know; words are searched as they are.", language=code)
    return UNIVERSAL
