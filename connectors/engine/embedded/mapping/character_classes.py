"""Character classes: what every character is to the standard tokenizer, as one letter.

    A letter   H Hebrew letter   N digit      K katakana      _ joins words
    Q '        D "               B . in both  L : in words    M , in numbers
    X extends what it follows    Z joins emoji      V shows as emoji   v shows as text
    J Han      I hiragana        S South-East Asian           s the same, extending
    E emoji    F skin tone       W emoji that is a letter
    R half of a flag             C # or *           G keycap           T tag          t end of the tags

Everything else is `-`, no part of a word. The classes are those of Lucene 9: Unicode 12, so that what came later is no
part of a word, and the emoji of Unicode 11.
"""

from typing import Final

import apsw.unicode

LAST_VERSION: Final = 12.1

_BY_PROPERTY: Final = {
    "WC_ALetter": "A",
    "WC_Hebrew_Letter": "H",
    "WC_Numeric": "N",
    "WC_Katakana": "K",
    "WC_ExtendNumLet": "_",
    "WC_Single_Quote": "Q",
    "WC_Double_Quote": "D",
    "WC_MidNumLet": "B",
    "WC_MidLetter": "L",
    "WC_MidNum": "M",
    "WC_Extend": "X",
    "WC_Format": "X",
    "WC_ZWJ": "Z",
    "WC_Regional_Indicator": "R",
}
_SOUTH_EAST_ASIAN: Final = """
    E01-E3A E40-E4E E81-ECD EDC-EDF 1000-103F 1050-108F 109A-109F 1780-17D3 17D7 17DC-17DD 1950-19C9 19DA 19DE-19DF
    1A20-1A7C 1AA0-1AAD A9E0-A9EF A9FA-A9FE AA60-AAC2 AADB-AADF 11700-1172B 1173A-1173B 1173F
"""
_EMOJI: Final = """
    A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 2388 23CF 23E9-23F3 23F8-23FA 24C2 25AA-25AB
    25B6 25C0 25FB-25FE 2600-2605 2607-2612 2614-2685 2690-2705 2708-2712 2714 2716 271D 2721 2728 2733-2734 2744
    2747 274C 274E 2753-2755 2757 2763-2767 2795-2797 27A1 27B0 27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 3030
    303D 3297 3299 1F000-1F0FF 1F10D-1F10F 1F12F 1F16C-1F171 1F17E-1F17F 1F18E 1F191-1F19A 1F1AD-1F1E5
    1F201-1F20F 1F21A 1F22F 1F232-1F23A 1F23C-1F23F 1F249-1F53D 1F546-1F64F 1F680-1F6FF 1F774-1F77F 1F7D5-1F7FF
    1F80C-1F80F 1F848-1F84F 1F85A-1F85F 1F888-1F88F 1F8AE-1F8FF 1F90C-1F93A 1F93C-1F945 1F947-1FFFD
"""
# The first that holds a character decides. Letters that Unicode made such later, and the other way round, come first.
_RANGES: Final = {
    "-": "B8 2E5-2EB 55A 55F 58A A708-A716",
    "X": "600-605 6DD 70F 8E2 110BD 110CD",
    "M": "FE10 FE14",
    "L": "3A",
    "v": "FE0E",
    "V": "FE0F",
    "G": "20E3",
    "t": "E007F",
    "T": "E0020-E007E",
    "C": "23 2A",
    "F": "1F3FB-1F3FF",
    "W": "2139 24C2 1F170-1F171 1F17E-1F17F",
    "N": "FF10-FF19",
    "R": "1F1E6-1F1FF",
    "E": _EMOJI,
    "S": _SOUTH_EAST_ASIAN,
    "J": """2E80-2E99 2E9B-2EF3 2F00-2FD5 3007 3021-3029 3038-303A 3400-4DB5 4E00-9FEF F900-FA6D FA70-FAD9
        20000-2A6D6 2A700-2B734 2B740-2B81D 2B820-2CEA1 2CEB0-2EBE0 2F800-2FA1D""",
    "I": "3041-3096 309D-309F 1B001-1B11E 1B150-1B152 1F200",
}


def _parsed(ranges: str) -> list[range]:
    bounds = [one.partition("-") for one in ranges.split()]
    return [range(int(first, 16), int(last or first, 16) + 1) for first, _, last in bounds]


_LISTED: Final = [(kind, _parsed(ranges)) for kind, ranges in _RANGES.items()]


def class_of(code: int) -> str:
    """Return the class of one character."""
    for kind, ranges in _LISTED:
        if any(code in one for one in ranges):
            return _south_east_asian(code) if kind == "S" else kind
    return _by_property(code)


def _south_east_asian(code: int) -> str:
    kind = _by_property(code)
    return {"X": "s", "N": "N" if code != 0x19DA else "S"}.get(kind, "S" if _is_known(code) else "-")


def _is_known(code: int) -> bool:
    version = apsw.unicode.version_added(code)
    return version is not None and float(version) <= LAST_VERSION


def _by_property(code: int) -> str:
    if not _is_known(code):
        return "-"
    names = apsw.unicode._unicode.category_name("word", code)  # type: ignore[attr-defined]  # noqa: SLF001 - not public
    return next((_BY_PROPERTY[name] for name in names if name in _BY_PROPERTY), "-")


class Classes(dict[int, str]):
    """A table for `str.translate`: it learns each character when it first comes."""

    def __missing__(self, code: int) -> str:
        self[code] = kind = class_of(code)
        return kind
