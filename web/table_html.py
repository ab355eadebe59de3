"""The cells of a table as HTML. They're written here because hundreds of them are too slow in a template."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from i18n import lazy_gettext
from web.listing import View

_EDIT = lazy_gettext('Edit<span class="unseen"> the entry of %(first)s</span>')
_ARROWS = {None: "", "ascending": " ↑", "descending": " ↓"}


def headings(view: View) -> Markup:
    """Write the headings of a table's columns. Most of them are links that sort it."""
    written = []
    for column in view.listing.columns:
        title, how = escape(column.title), view.sorted(column)
        if column.sort:
            arrow = f'<span class="arrow" aria-hidden="true">{_ARROWS[how]}</span>'
            link = f'<a href="{escape(view.sort_url(column))}">{title}{arrow}</a>'
            sorted_so = f' aria-sort="{how}"' if how else ""
            written.append(f'<th scope="col"{sorted_so}>{link}</th>\n')
        else:
            written.append(f'<th scope="col">{title}</th>\n')
    return Markup("".join(written))  # noqa: S704 - what is not safe was escaped above


def rows(nodes: Iterable[Mapping[str, Any]], view: View, to: str | None, edit: bool) -> Markup:
    """Write the rows of a table's body; their contents go through `escape`.

    `to`: where the first column leads, followed by the row's id. The place in the table goes along as `back`. `edit`:
    whether there's a last column that leads to the row's form.
    """
    first, *_ = columns = view.listing.columns
    cells = [(column.field, column.kind, f'<td data-label="{escape(column.title)}"') for column in columns]
    back = quote(view.here())  # which leave nothing to escape
    marks = {column.field: column.mark for column in columns if column.mark}
    written = []
    for row in nodes:
        written.append("<tr>\n")
        place = f"{to}/{escape(row['id'])}" if to else ""
        texts = [kind.page(row[field]) if kind.safe else escape(kind.page(row[field])) for field, kind, _ in cells]
        for text, (field, kind, opening) in zip(texts, cells, strict=True):
            if field in marks and row[marks[field][0]]:
                written.append(f'{opening}>{text} <span class="mark">{escape(marks[field][1])}</span></td>\n')
            elif not text:
                written.append(f'{opening} class="none"></td>\n')
            elif place and field == first.field:
                written.append(f'{opening}><a href="{place}?back={back}">{text}</a></td>\n')
            elif kind.leads:
                written.append(f'{opening}><a href="{escape(row[field])}" rel="noopener noreferrer">{text}</a></td>\n')
            else:
                written.append(f"{opening}>{text}</td>\n")
        if edit:
            written.append(f'<td><a href="{place}/edit?back={back}">{_EDIT % {"first": texts[0]}}</a></td>\n')
        written.append("</tr>\n")
    return Markup("".join(written))  # noqa: S704 - what is not safe was escaped above
