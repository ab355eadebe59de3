"""The fields of entries on pages: how each kind is shown, listed, typed into a form and filtered by."""

from collections.abc import Callable, Sequence
from typing import Any

from i18n import lazy_gettext as _
from models.fields import Choice, EntryField, FieldKind, camel
from permissions.policy import allows
from permissions.viewer import Standing
from web import forms, labels
from web.forms import Reader
from web.labels import Labels
from web.listing import Filter, ListColumn


def labels_of(choice: type[Choice]) -> Labels:
    """Give the label of each word of an enumeration."""
    return {word.value: word.label for word in choice}


_WRITERS: dict[FieldKind, labels.Format] = {
    FieldKind.DAY: labels.DAY,
    FieldKind.DURATION: labels.HOURS,
    FieldKind.FLAG: labels.YES,
    FieldKind.LINK: labels.LINK,
    FieldKind.LANGUAGES: labels.LANGUAGE_NAMES,
    FieldKind.CREDITS: labels.CREDITS,
}
_READERS: dict[FieldKind, Reader] = {
    FieldKind.DAY: forms.read_day,
    FieldKind.DURATION: forms.read_minutes,
    FieldKind.FLAG: forms.read_yes,
    FieldKind.COUNT: forms.read_whole_number,
    FieldKind.LANGUAGES: forms.read_languages,
}
# How a form's field has a value, if not as the page shows it.
_TYPED: dict[FieldKind, Callable[[Any], str]] = {
    FieldKind.DAY: str,
    FieldKind.DURATION: lambda value: labels.hours(value).replace(",", ""),
    FieldKind.FLAG: lambda value: "yes" if value else "",
    FieldKind.LINK: str,
    FieldKind.CHOICE: str,
}


CONTACT_HOURS = ListColumn("contactMinutes", _("Contact hours"), labels.HOURS, "CONTACT_MINUTES")


def writer(field: EntryField) -> labels.Format:
    """Give what writes a field on pages and in spreadsheets."""
    if field.words:
        of = labels.of_words if field.kind is FieldKind.WORDS else labels.of_labels
        return of(labels_of(field.words))
    return _WRITERS.get(field.kind, labels.TEXT)


def reader(field: EntryField) -> Reader:
    """Give what reads a field's input."""
    return forms.read_choice(labels_of(field.words)) if field.words else _READERS.get(field.kind, forms.read_text)


def typed(field: EntryField, value: Any) -> str:
    """Write a value as the field of a form has it."""
    if value is None:
        return ""
    write = _TYPED.get(field.kind)
    return write(value) if write else writer(field).page(value)


def column(field: EntryField) -> ListColumn:
    """Make the column of a field."""
    return ListColumn(field.graphql_name, field.title, writer(field), field.name.upper() if field.sorted else None)


def filters(type_name: str, fields: Sequence[EntryField], standing: Standing = Standing.SELF) -> tuple[Filter, ...]:
    """Give everything a standing can filter a list of entries by: fields of the API's filter, the year, any text."""
    found = [_filter(field) for field in fields if field.filtered and not field.facet]
    found += [Filter("year", _("Year"), found="years")]
    found += [_filter(field) for field in fields if field.filtered and field.facet]
    return tuple(one for one in (*found, Filter("text", _("Search"))) if allows(standing, type_name, one.field))


def _filter(field: EntryField) -> Filter:
    if field.kind is FieldKind.FLAG:
        return Filter(field.graphql_name, field.title, labels.YES_NO)
    if field.words:
        found = camel(field.facet) if field.facet else None
        return Filter(field.graphql_name, field.title, labels_of(field.words), found)
    kind = writer(field)
    write = (lambda value: kind.page([value])) if field.kind is FieldKind.LANGUAGES else str
    return Filter(field.graphql_name, field.title, found=camel(field.facet or ""), write=write)


def readable(type_name: str, fields: Sequence[EntryField], standing: Standing) -> tuple[EntryField, ...]:
    """Give the fields that a standing may read."""
    return tuple(field for field in fields if allows(standing, type_name, field.graphql_name))
