"""Lists of people: in the order of their names, and searched by the words of a name."""

from sqlalchemy import ColumnElement, bindparam, cast
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.types import Text

from models.account import accounts
from models.folding import searched
from resolvers.paging import Sort
from resolvers.validation import MAX_NAME

MAX_WORDS = 20  # of a search, or of a part of it that has signs in between

BY_NAME = Sort("name", accounts.c.name_key, nullable=False)


def search_words(text: str | None) -> dict[str, str]:
    """Give the parameter of `name_matches`, or nothing for a blank text: each word must begin a word of the name."""
    if not (text and text.strip()):
        return {}
    return {"words": " & ".join(map(_any_of, searched(text[:MAX_NAME])[:MAX_WORDS]))}


def _any_of(spellings: list[list[str]]) -> str:
    return f"({' | '.join(map(_all_of, spellings))})"


def _all_of(words: list[str]) -> str:
    return f"({' & '.join(map(_beginning, words[:MAX_WORDS]))})"


def _beginning(word: str) -> str:
    """Write a word as `tsquery` reads it: in quotes, nothing is an operator."""
    quoted = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}':*"


def name_matches() -> ColumnElement[bool]:
    """Select accounts by the parameter `words`, using the index on the words of names."""
    query = cast(bindparam("words", type_=Text()), TSQUERY())
    return accounts.c.name_words.op("@@", is_comparison=True)(query)
