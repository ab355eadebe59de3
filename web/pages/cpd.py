"""Continuing professional development: its table below the logbook's, its export and its entries."""

from dataclasses import replace

from i18n import lazy_gettext as _
from models.cpd import CPD_FIELDS
from web.csv_response import csv_export
from web.entry_fields import column, filters
from web.labels import YES
from web.listing import ListColumn, Listing
from web.page import FOR_MEDIATORS
from web.pages import entries

CERTIFICATE = ListColumn("hasCertificate", _("Certificate"), YES)


def _marked(column: ListColumn) -> ListColumn:
    """Mark the title of an entry that has a certificate."""
    return replace(column, mark=(CERTIFICATE.field, _("Certificate"))) if column.field == "title" else column


CPD_LISTING = Listing(
    "cpd",
    tuple(_marked(column(field)) for field in CPD_FIELDS if field.listed),
    filters("CpdFilter", CPD_FIELDS),
    more=(*(column(field) for field in CPD_FIELDS if not field.listed), CERTIFICATE),
    prefix="cpd-",
)
CPD_FORM = entries.EntryForm(
    name="cpd",
    noun="CpdEntry",
    field="cpdEntry",
    called="entry",
    fields=CPD_FIELDS,
    heading=lambda cpd: str(cpd["title"]),
)


export_cpd = csv_export(
    "/cpd.csv", FOR_MEDIATORS, CPD_LISTING, document="cpd", operation="ExportCpd", found_at=("me", "mediator", "cpd")
)
cpd_pages = entries.entry_pages(CPD_FORM)
