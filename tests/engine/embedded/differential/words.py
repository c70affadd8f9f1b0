"""Words and texts: plain ones, and whatever tokenizers disagree about."""

# ruff: noqa: RUF001 - characters that look like others are the point

from dataclasses import dataclass
from typing import Final

from tests.engine.embedded.differential.chance import Chance

PLAIN: Final = ["fox", "quick", "brown", "lazy", "dog", "sun", "Moon", "RED", "tea", "over", "jumps", "an"]
ODD: Final = [
    "don't", "O'Neil", "rock'n'roll", "foo_bar", "_x", "__", "v1.5", "3.14", "1,000", "U.S.A.", "a.b", "x-ray", "C++",
    "日本語", "漢字", "東京タワー", "ひらがな", "カタカナ", "한국어", "ไทย", "naïve", "Straße", "ΣΑΣ", "İzmir", "😀",
    "👩‍👩‍👧", "🇩🇪", "1️⃣", "a😀b", "e\u0301a", "user@example.org", "2024-01-31", "½", "ﬁx",
    "👍🏽", "𝔘nicode", "\u200bzw", "’s",
]  # fmt: skip
ALPHABET: Final = "abAB12'_.,-:’漢字ひカ한😀é /"
_SEPARATORS: Final = [" ", " ", " ", " ", " ", ", ", ". ", "\n", "-", "/", " & ", "; "]


@dataclass(frozen=True)
class Vocabulary:
    """The words that the documents and the queries of one index share, so that they meet."""

    plain: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def random(cls, chance: Chance) -> "Vocabulary":
        """Choose a few words and make some up."""
        plain = chance.some(PLAIN, 7, 4)
        made_up = ["".join(chance.choices(ALPHABET, k=chance.randint(1, 6))) for _ in range(5)]
        return cls(tuple(plain), (*plain, *plain, *chance.some(ODD, 10, 6), *made_up))

    def word(self, chance: Chance) -> str:
        """Return one word."""
        return chance.one(self.words)

    def text(self, chance: Chance, most: int = 9) -> str:
        """Return several words, with what stands between them; now and then none, or a great many."""
        if chance.maybe(0.04):
            return ""
        count = chance.randint(30, 400) if chance.maybe(0.03) else chance.randint(1, most)
        return "".join(self.word(chance) + chance.one(_SEPARATORS) for _ in range(count)).rstrip(" ")
