"""Lists of people: in the order of their names, and searched by the words of a name."""

from sqlalchemy import ColumnElement, bindparam, func
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.types import Text

from models.account import accounts
from permissions.secrets import fold_name
from resolvers.paging import Sort
from resolvers.validation import MAX_NAME

BY_NAME = Sort("name", accounts.c.name_key, nullable=False)


def search_words(text: str | None) -> dict[str, str]:
    """Give the parameter of `name_matches`, or nothing for a blank text: each word must begin a word of the name."""
    if not (text and text.strip()):
        return {}
    words = "".join(c if c.isalnum() else " " for c in fold_name(text[:MAX_NAME])).split()
    return {"words": " & ".join(f"'{word}':*" for word in words)}


def name_matches() -> ColumnElement[bool]:
    """Select accounts by the parameter `words`, using the index on the words of names."""
    query = func.to_tsquery("simple", bindparam("words", type_=Text()), type_=TSQUERY())
    return func.to_tsvector("simple", accounts.c.name_key).op("@@")(query)
