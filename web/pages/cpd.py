"""Continuing professional development: its table below the logbook's, its export and its entries."""

from models.cpd import CPD_FIELDS
from web.csv_response import csv_export
from web.entry_fields import column, filters
from web.listing import Listing
from web.page import MEDIATORS
from web.pages import entries

CPD = Listing(
    "cpd",
    tuple(column(field) for field in CPD_FIELDS if field.listed),
    filters("CpdFilter", CPD_FIELDS),
    more=tuple(column(field) for field in CPD_FIELDS if not field.listed),
    prefix="cpd-",
)
COURSE = entries.EntryForm(
    name="cpd",
    noun="CpdEntry",
    field="cpdEntry",
    called="entry",
    fields=CPD_FIELDS,
    heading=lambda course: str(course["title"]),
)


export = csv_export(
    "/cpd.csv", MEDIATORS, CPD, document="cpd", operation="ExportCpd", found_at=("me", "mediator", "cpd")
)
course_pages = entries.pages(COURSE)
