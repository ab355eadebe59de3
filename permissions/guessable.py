"""Passwords that are easy to guess, and so are refused: common ones, simple patterns, and what's known about a person.

The common ones are the 30,000 in zxcvbn's list. There are no rules about what a password must consist of.
"""

import re
import unicodedata
from functools import cache
from itertools import pairwise

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from permissions.secrets import caseless

_DIFFERENT_LEAST = 3
_MAX_ENDING = 4  # the digits and signs that people add to a word if a site asks for some
_SHORT = 4


@cache
def _commonest() -> frozenset[str]:
    return frozenset(map(caseless, FREQUENCY_LISTS["passwords"]))


def is_guessable(password: str, *known: str) -> bool:
    """Whether a password is easy to guess; `known` are names and addresses of the account and the service."""
    folded = caseless(password)
    unit = folded[: (folded + folded).find(folded, 1)]  # the part that the whole repeats
    stems = {folded, unit, _without_ending(folded)}
    return (
        len(set(folded)) < _DIFFERENT_LEAST
        or len(unit) <= min(_SHORT, len(folded) - 1)
        or _is_run(folded)
        or bool(stems & _commonest())
        or bool({_letters(stem) for stem in stems} & _known(known))
    )


def _without_ending(folded: str) -> str:
    stem = re.sub(r"[\W\d_]+$", "", folded)
    return stem if len(folded) - len(stem) <= _MAX_ENDING else folded


def _is_run(folded: str) -> bool:
    """Whether each character directly follows or precedes the one before: 23456789, hgfedcba."""
    steps = {ord(after) - ord(before) for before, after in pairwise(folded)}
    return steps in ({1}, {-1})


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFC", text) if c.isalnum())


def _known(known: tuple[str, ...]) -> set[str]:
    """Give names as one word, and each of their words; for an address, also the part before its @."""
    words: set[str] = set()
    for one in map(caseless, known):
        words |= {one, one.partition("@")[0], *one.split()}
    return {_letters(word) for word in words} - {""}
