"""The audit log as CSV, for administrators, who look through it in GraphiQL.

The address takes the API's filters: `action`, `actorId`, `subjectId`, `from` and `to`.
"""

from typing import Any

from i18n import lazy_gettext as _
from web.csv_response import csv_export
from web.labels import Format
from web.listing import Filter, ListColumn, Listing
from web.page import FOR_ADMINISTRATORS


class _Of(Format):
    """One fact about an account, which may be deleted."""

    def __init__(self, fact: str) -> None:
        self._fact = fact

    def cell(self, value: Any) -> Any:
        """Give it as text, or None."""
        return value and value[self._fact]


AUDIT_LISTING = Listing(
    "audit",
    (
        ListColumn("at", _("Time")),
        ListColumn("action", _("Action")),
        ListColumn("actor", _("Done by"), _Of("name")),
        ListColumn("actor", _("Their email"), _Of("email")),
        ListColumn("actorId", _("Their id")),
        ListColumn("subject", _("Account concerned"), _Of("name")),
        ListColumn("subject", _("Its email"), _Of("email")),
        ListColumn("subject", _("Its id"), _Of("id")),
        ListColumn("subjectId", _("Done to")),
        ListColumn("reason", _("Reason")),
        ListColumn("count", _("How often")),
    ),
    (
        Filter("action", _("Action")),
        Filter("actorId", _("Done by")),
        Filter("subjectId", _("Done to")),
        Filter("from", _("From")),
        Filter("to", _("Before")),
    ),
)

export = csv_export(
    "/audit.csv",
    FOR_ADMINISTRATORS,
    AUDIT_LISTING,
    document="audit",
    operation="ExportAuditLog",
    found_at=("auditLog",),
)
