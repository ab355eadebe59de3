"""Exports of sessions: the same cases as on the page, with a row for each session. So hours can be added up by year.

A case without sessions has one row: the mediation session on its last day that it counts as.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from i18n import lazy_gettext as _
from models.case_session import SESSION_FIELDS, SessionKind
from models.fields import EntryField
from web import labels
from web.entry_fields import column
from web.listing import Filter, ListColumn, Listing

# What's exported of a session's case.
_OF_CASE = ("role", "dispute_kind", "simulated", "reference")
MONTH = ListColumn("heldMonth", _("Month"), labels.MONTH)


def sessions_listing(fields: Sequence[EntryField], filters: tuple[Filter, ...], *, days: bool) -> Listing:
    """Describe an export of sessions. `fields` are those of a case that its reader has; `days`: or else months."""
    day, *rest = (column(field) for field in SESSION_FIELDS)
    of_case = (column(field) for field in fields if field.name in _OF_CASE)
    return Listing("sessions", (day if days else MONTH, *rest, *of_case), filters)


def sessions_of(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the rows of a case: the case with each of its sessions in turn."""
    whole = {"kind": SessionKind.MEDIATION.value, "heldOn": case.get("endedOn"), "heldMonth": case.get("endedMonth")}
    for session in case["sessions"] or [whole]:
        yield case | session
