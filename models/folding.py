r"""How texts are made comparable, for search and for order. Only Python does this, so no database's locale matters.

`fold` gives one form to everything that people would call the same text, and keeps its spaces and signs:

    Işık Yıldız → isik yildiz    Straße nach Köln → strasse nach koln    ΟΔΟΣ Σάμου → οδοσ σαμου
    O’Brien → o'brien            Jean‑Luc → jean-luc                      two \n spaces → two spaces

`words` gives what a search may begin with: the text from each beginning of a word on, without signs in between. So a
search finds a name by how any of its words begins, and signs don't matter:

    O’Brien Example → obrien, brien, example          Mary-Ann.Probe → maryannprobe, annprobe, probe

Some scripts write no spaces between words (Chinese, Japanese, Thai). There, any character may begin a word, so two that
follow each other find the name wherever they are in it, as they would in an index of pairs:

    山田 太郎 → 山田太郎, 田太郎, 太郎, 郎
"""

import re
import unicodedata
from itertools import accumulate

FOLD_VERSION = f"1 {unicodedata.unidata_version}"
"""To be counted up with each change to what this module gives: what's stored is then folded again by `migrate`."""

WORD_LENGTH = 20
"""The characters of a word that count, so that an index of suffixes stays small. PostgreSQL would take 2,046 bytes."""

_CHARACTERS_KEPT = 20_000  # anybody can send all of Unicode

_APOSTROPHES = (
    "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u0384\u055a\u05f3"
    "\u1fbd\u1fbf\u1ffd\u2018\u2019\u201b\u2032\u2035\ua78c"
)
_LIKE = (
    dict.fromkeys(_APOSTROPHES, "'")
    | dict.fromkeys("\u05f4\u201c\u201d\u201e\u201f\u2033\u2036", '"')
    | dict.fromkeys("\u02d7\u2043\u2212", "-")
    # Letters that Unicode doesn't take apart. `_folded` knows those with a stroke or a hook by their names.
    | {"æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ŋ": "ng", "ə": "e", "\u0131": "i", "\u0237": "j"}
    # Arabic letters that look alike on different keyboards, and the line that only makes a word longer.
    | {"\u06cc": "\u064a", "\u0649": "\u064a", "\u06a9": "\u0643", "\u0640": ""}
)
# Letters and marks that show nothing, besides Unicode's control and format characters: fillers, variation selectors.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")

# Scripts that write a syllable or a word with each character: Chinese, Japanese, Korean, Yi, Tangut, Nushu.
_CJK_RANGES = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b-\u303c\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\ua4cf\uac00-\ud7a3\uf900-\ufaff\U00016fe0-\U00018dff\U0001aff0-\U0001b2ff\U00020000-\U0003ffff"
)
_CJK = re.compile(f"[{_CJK_RANGES}]")
# Those, Thai, Lao, Burmese, Khmer and their neighbours have no spaces between words.
_UNSPACED = re.compile(
    f"[{_CJK_RANGES}\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf]"
)


def fold(text: str) -> str:
    """Fold a text for order, and for search inside it. Folding it again changes nothing."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_characters)).split())


def words(text: str) -> list[str]:
    """Give the beginnings that a search finds a text by, each once; a text of nothing but signs is found by those."""
    tokens: list[str] = []
    for token in fold(text).split():
        # Someone may write a name in such a script with a space or without one.
        if tokens and _UNSPACED.match(tokens[-1][-1]) and _UNSPACED.match(token) and not _is_mark(token[0]):
            tokens[-1] += token
        else:
            tokens.append(token)
    found = [word for token in tokens for word in _beginnings(_parts(token))]
    return list(dict.fromkeys(found or _signs(text)))


def searched(text: str) -> list[list[list[str]]]:
    """Read what somebody searches for: all of it must be found, in one of its spellings, all of whose words must be.

    O’Brien Jean-Luc → [[[obrien], [o, brien]], [[jeanluc], [jean, luc]]]
    """
    found = [_spellings(parts) for parts in map(_parts, fold(text).split()) if parts]
    return found or [[[sign]] for sign in _signs(text)]


def says_enough(text: str) -> bool:
    """Whether a search is for at least three letters, or two characters that stand for a syllable or a word each."""
    letters = "".join(_parts(fold(text)))
    return len(letters) >= 3 or len(_CJK.findall(letters)) >= 2


class _Characters(dict[int, str]):
    """The fold of each character, worked out when it's first met."""

    def __missing__(self, code: int) -> str:
        folded = _folded(chr(code))
        if len(self) < _CHARACTERS_KEPT:
            self[code] = folded
        return folded


_characters = _Characters()


def _folded(one: str) -> str:
    """Fold a character. What it gives stays as it is if it's folded again."""
    category = unicodedata.category(one)
    if one in _LIKE or category == "Pd":
        return _LIKE.get(one, "-")
    if one.isspace():
        return " "
    if category in {"Cc", "Cf", "Cs"} or _UNSEEN.match(one) or _is_accent(one):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(one))
    plain = unicodedata.normalize("NFKD", one).casefold()
    if plain != one:
        # An accent by itself, with nothing to stand on, is a sign.
        return "".join(map(_folded, plain)).strip() or one
    base = re.fullmatch("LATIN SMALL LETTER ([A-Z]) WITH .+", unicodedata.name(one, ""))
    return base[1].lower() if base else one


def _is_accent(one: str) -> bool:
    """Whether it's a mark that can be left out: an accent, a Hebrew point, an Arabic vowel.

    Unicode's combining class tells them from those that belong to the word: vowel signs as in Hindi and Thai (0, 103
    and others), nukta (7), the voicing of kana (8), virama (9).
    """
    place = unicodedata.combining(one)
    return place == 1 or 10 <= place <= 36 or place >= 200


def _is_mark(one: str) -> bool:
    return unicodedata.category(one)[0] == "M"


def _parts(token: str) -> list[str]:
    """Split at everything that isn't a letter, a digit or a mark."""
    return "".join(one if unicodedata.category(one)[0] in "LMN" else " " for one in token).split()


def _signs(text: str) -> list[str]:
    return [token[:WORD_LENGTH] for token in fold(text).split()]


def _joined(letters: str) -> str:
    # Two parts of a Korean syllable may have been apart.
    return unicodedata.normalize("NFC", letters)[:WORD_LENGTH]


def _spellings(parts: list[str]) -> list[list[str]]:
    joined = [_joined("".join(parts))]
    return [joined] if len(parts) == 1 else [joined, [_joined(part) for part in parts]]


def _beginnings(parts: list[str]) -> list[str]:
    """Give the text from each place on where a word may begin."""
    letters = "".join(parts)
    places = set(accumulate(map(len, parts[:-1]), initial=0)) if parts else set()
    for place, one in enumerate(letters):
        if _UNSPACED.match(one):
            places |= {place, place + 1}
    return [_joined(letters[place:]) for place in sorted(places) if place < len(letters)]
