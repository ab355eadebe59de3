"""What a text shows: characters that look blank don't count as something typed."""

import unicodedata

# Letters, signs and marks that show nothing, besides Unicode's categories "other" and "separator".
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc\U00013441\U00013442\U0001d159")
# And tatweel, the line that only makes an Arabic word longer: by itself, nobody could be found by it.
NOTHING_ALONE = BLANK | {"\u0640"}


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: it has no letter, digit or sign. A combining mark alone doesn't count."""
    return not any(unicodedata.category(one)[0] in "LNPS" and one not in NOTHING_ALONE for one in text)


def is_one_line(text: str) -> bool:
    """Whether a text has no line break or other control character."""
    return not any(unicodedata.category(one) in {"Cc", "Zl", "Zp"} for one in text)
