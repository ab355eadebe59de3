"""The documents of the pages: what each asks the API for, in `queries/`.

If a document needs the fields of an entry as they're declared, it spreads one of the names below, such as
`...LogbookEntryListed`, which the fields replace when it's read. So every declared field is asked for.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from models.cpd import CPD_FIELDS
from models.fields import EntryField, FieldKind, camel
from models.logbook import LOGBOOK_FIELDS
from permissions.policy import allows
from permissions.viewer import Standing

QUERIES = Path(__file__).parent / "queries"


# What's asked for in a field whose values have fields of their own.
_PARTS = {FieldKind.CREDITS: ("body", "activity", "points")}


def _asked(field: EntryField) -> str:
    parts = _PARTS.get(field.kind)
    return f"{field.graphql_name} {{ {' '.join(parts)} }}" if parts else field.graphql_name


def _spreads(noun: str, fields: Sequence[EntryField]) -> dict[str, list[str]]:
    entry, facets = f"{noun}Entry", f"{noun}Facets"
    everything = [_asked(field) for field in fields]
    occurring = ["years", *(camel(field.facet) for field in fields if field.facet)]
    return {
        f"{entry}Whole": everything,
        f"{entry}Listed": [_asked(field) for field in fields if field.listed],
        f"{entry}Proposed": ["id", *(_asked(field) for field in fields if field.proposed)],
        f"{entry}ForDirectories": [
            _asked(field) for field in fields if allows(Standing.DIRECTORY, entry, field.graphql_name)
        ],
        f"{facets}Whole": occurring,
        f"{facets}ForDirectories": [name for name in occurring if allows(Standing.DIRECTORY, facets, name)],
    }


SPREADS = _spreads("Logbook", LOGBOOK_FIELDS) | _spreads("Cpd", CPD_FIELDS)
_OPERATION = re.compile(r"^(?:query|mutation) (\w+)", re.MULTILINE)
_SPREAD = re.compile(rf"\.\.\.({'|'.join(SPREADS)})\b")


@lru_cache(maxsize=100)
def document(name: str) -> str:
    """Read a document."""
    text = (QUERIES / f"{name}.graphql").read_text(encoding="utf-8")
    return _SPREAD.sub(lambda spread: " ".join(SPREADS[spread[1]]), text)


@lru_cache(maxsize=100)
def operations(name: str) -> frozenset[str]:
    """Name the operations of a document."""
    return frozenset(_OPERATION.findall(document(name)))


def holding(operation: str, names: Iterable[str]) -> str:
    """Give the one of these documents that has an operation. Raises: LookupError, if not exactly one has it."""
    found = [name for name in names if operation in operations(name)]
    if len(found) != 1:
        raise LookupError(f"{operation} is in {found or 'none'} of the documents that the page declares")
    return document(found[0])
