"""The cells of tables: what somebody typed is escaped wherever it appears, and our own words don't need to be."""

import re
from html import unescape
from types import SimpleNamespace
from typing import Any, cast

import pytest
from markupsafe import escape
from starlette.requests import Request

from permissions.viewer import Viewer
from tests.web.reading import HOSTILE
from web import labels
from web.listing import Filter, ListColumn, Listing, View
from web.table_html import headings, rows

TEXTS = Listing(
    "texts", (ListColumn("name", HOSTILE, sort="NAME"), ListColumn("site", "Site", labels.LINK)), (Filter("q", "Q"),)
)
SAFE = [kind for kind in vars(labels).values() if isinstance(kind, labels.Format) and kind.safe]


def view(query: str = "") -> View:
    app = SimpleNamespace(state=SimpleNamespace(settings=None))
    scope = {"type": "http", "query_string": query.encode(), "app": app, "state": {"viewer": Viewer()}}
    return View(Request(cast("Any", scope)), TEXTS, f"/texts/{HOSTILE}")


def is_harmless(written: str) -> bool:
    return (
        "<script" not in written and "<b>" not in written and re.fullmatch(r'(<[^<>]*>|[^<>"])*', written) is not None
    )


@pytest.mark.parametrize(("to", "edit"), [(None, False), ("/texts", False), ("/texts", True)])
def test_typed_text_is_escaped_wherever_a_row_has_it(to: str | None, edit: bool) -> None:
    site = f'https://demo.example/"><script> {HOSTILE}'
    written = rows([{"id": HOSTILE, "name": HOSTILE, "site": site}], view(), to, edit)
    assert is_harmless(written)
    assert unescape(written).count(f">{HOSTILE}<") == 1
    assert unescape(written).count(f'<a href="{site}"') == 1
    assert unescape(written).count(f'data-label="{HOSTILE}"') == 1
    assert unescape(written).count(f"the entry of {HOSTILE}<") == edit
    assert unescape(written).count(f"/texts/{HOSTILE}") == (to is not None) + edit


def test_headings_and_what_they_take_from_the_address_are_escaped() -> None:
    written = headings(view("sort=name&dir=desc&q=%22%3E%3Cscript%3E&other=%22%3E"))
    assert is_harmless(written)
    assert unescape(written).count(f">{HOSTILE}<") == 1
    assert 'aria-sort="descending"' in written
    assert '<th scope="col">Site</th>' in written


def test_an_empty_cell_is_marked_and_has_no_link() -> None:
    written = rows([{"id": "1", "name": "Ann", "site": None}], view(), "/texts", edit=False)
    assert '<td data-label="Site" class="none"></td>' in written
    assert written.count("<a ") == 1


def test_words_that_are_not_escaped_contain_nothing_to_escape() -> None:
    said = [str(word) for kind in SAFE for word in getattr(kind, "_labels", {}).values()]
    said += [
        labels.DAY.page("2026-05-31"),
        labels.MONTH.page("2026-05"),
        labels.HOURS.page(75_015),
        labels.YES.page(True),
    ]
    assert len(said) > 15
    assert [word for word in said if escape(word) != word] == []
    assert labels.TEXT not in SAFE
    assert labels.LINK not in SAFE
