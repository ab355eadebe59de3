"""Makes what a stranger typed safe to show in a mail: no links, no changes of direction, no line ends."""

import re
import unicodedata

from permissions.writing import BLANK

# The full stops that browsers treat as a dot.
_DOT = r"[.\u3002\uff0e\uff61\u2024\ufe52]"
# What may start a top-level domain: a letter, then neither space, digit nor ASCII punctuation.
_TLD = r"[^\W\d_][^\s\d!-/:-@\[-`{-~]"
_DOMAIN = re.compile(rf"\w{_DOT}{_TLD}")
_GLUED_DOT = re.compile(rf"(?<=\S)({_DOT})(?={_TLD})")
_CLEAR_LINK = re.compile(
    rf"""
      [/\\\uff0f\uff3c]{{2}}                     # after a scheme, or before the name of a host
    | \bwww\d?{_DOT}
    | @[^\s@]*{_DOT}                              # an address, or what stands before a host
    | \w{_DOT}(?:com|net|org|info|biz|xyz)\b     # not typed after a full stop by accident
    | \b\d+(?:{_DOT}\d+){{3}}[:/]                # a host by its number
    """,
    re.VERBOSE | re.IGNORECASE,
)


def plain_name(text: str, fallback: str) -> str:
    """Make a name or reference safe to show in a mail: one visible line of 1 to 200 characters without links.

    A word is left out if it's certainly a link: it has a scheme, `www.`, an `@` with a domain or one of the oldest
    top-level domains, or before its path is a dotted name in small letters (`evil.example/x`). Names aren't written
    like that. In any other word, mail programs may still see a domain if letters follow a dot directly, and nobody can
    keep a list of all domains, so the dot gets a space. `J.Smith` becomes `J. Smith`, which reads the same and links to
    nothing. `fallback` is used if no letter or digit is left.
    """
    visible = "".join(map(_shown, text))
    words = [word for word in unicodedata.normalize("NFC", visible).split() if not _is_link(word)]
    name = _GLUED_DOT.sub(r"\1 ", " ".join(words))[:200].rstrip()
    return name if any(map(str.isalnum, name)) else fallback


def _shown(character: str) -> str:
    """Drop what's invisible or changes the direction of text, and lone surrogates; controls become a space."""
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category.startswith("C") or character in BLANK else character


def _is_link(word: str) -> bool:
    before_path = re.split(r"[/?#:]", word, maxsplit=1)[0]
    return bool(_CLEAR_LINK.search(word) or (before_path.islower() and _DOMAIN.search(before_path)))
