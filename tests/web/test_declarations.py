"""Routes, menus and each document's audience follow from the declarations of the pages, with nothing else to add."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from models.account import Role
from permissions.viewer import Viewer
from web.documents import QUERIES, document, holding, operations
from web.menu import offered
from web.page import FOR_MEDIATORS, FOR_SIGNED_IN, FORM, POST, Page, documents_of, in_order, page
from web.pages import menu, pages, routes
from web.rendering import DONE_WORDS

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
# Every path that was ever in a mail, or that people pass on themselves. These never change.
MAILED = (
    *("/", "/verify/{secret}", "/password/{secret}", "/invitation/{secret}", "/export/{secret}"),
    *("/feedback/{secret}", "/stop/{secret}", "/give/{secret}"),
)
SHARED = {"base", "charts", "error", "fields", "tables", "graphiql", "graphiql_missing"}
WITHOUT_RESOLVER = {"home", "done"}


def found_by(path: str, method: str = "GET") -> str | None:
    """The declared path of the page that answers."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return next((route.path for route in routes if route.matches(scope)[0] is Match.FULL), None)


@pytest.mark.parametrize("path", MAILED)
def test_every_path_ever_mailed_still_leads_to_its_page(path: str) -> None:
    assert found_by(path.replace("{secret}", "x" * 43)) == path


@pytest.mark.parametrize("one", pages, ids=lambda one: one.path)
def test_each_page_is_found_at_its_own_address(one: Page) -> None:
    for method in one.methods:
        assert found_by(one.path.replace("{secret}", "x" * 43).replace("{id}", "7"), method) == one.path


async def answer(_request: Request) -> Response:
    return Response()


def declared(*paths: str, methods: Iterable[str] = FORM) -> list[Page]:
    return [page(path, methods=tuple(methods))(answer) for path in paths]


def test_a_fixed_word_in_a_path_is_tried_before_a_parameter() -> None:
    sorted_paths = [one.path for one in in_order(declared("/a/{id}", "/a/{id}/b", "/{x}", "/a/b", "/a/b/{id}", "/a"))]
    assert sorted_paths.index("/a/b") < sorted_paths.index("/a/{id}")
    assert sorted_paths.index("/a/b/{id}") < sorted_paths.index("/a/{id}/b")
    assert sorted_paths.index("/a") < sorted_paths.index("/{x}")


def test_two_pages_cannot_have_the_same_address() -> None:
    with pytest.raises(ValueError, match="declared for the same requests"):
        in_order(declared("/a/{id}", "/a/{secret}"))
    assert len(in_order([*declared("/a", methods=["GET"]), *declared("/a", methods=POST)])) == 2


def test_a_menu_offers_people_their_pages_in_order() -> None:
    mediator = Viewer(roles=frozenset({Role.MEDIATOR}))
    titles = [title for title, _ in offered(menu, mediator, account=False)]
    assert titles == ["Home", "Logbook", "Learnings", "Request Feedback", "My Feedback"]
    assert offered(menu, mediator, account=True) == [("Account Settings", "/account"), ("My Details", "/details")]
    assert offered(menu, Viewer(), account=False) == []
    for account in (False, True):
        places = [link.item.place for link in menu if link.item.account is account]
        assert len(places) == len(set(places)), "two items have the same place, so their order is arbitrary"


def test_a_document_is_for_everyone_who_has_one_of_its_pages() -> None:
    few = page("/a", FOR_MEDIATORS, document="home")(answer)
    many = page("/b", documents={"home": FOR_SIGNED_IN, "sign_in": None})(answer)
    assert documents_of([few, many]) == {"home": FOR_SIGNED_IN, "sign_in": None}


def test_an_operation_is_in_exactly_one_of_the_documents_that_its_page_declares() -> None:
    assert holding("Home", ["home", "home_mediator"]) == document("home")
    for names in ([], ["learning"], ["logbook", "cpd"]):
        with pytest.raises(LookupError):
            holding("Form", names)
    for one in pages:
        asked = [operation for name in one.documents for operation in operations(name)]
        assert len(asked) == len(set(asked)), one.path


def stems(folder: str, suffix: str) -> set[str]:
    """The names of the files in a folder; for files in a subfolder, its name."""
    paths = [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob(f"*{suffix}")]
    return {path.parts[0].removesuffix(suffix) for path in paths} - {"__init__"}


def is_noun(name: str, nouns: Iterable[str]) -> bool:
    return any(name == noun or name.startswith(f"{noun}_") for noun in nouns)


def test_a_noun_has_the_same_name_in_every_folder() -> None:
    modules = stems("web/pages", ".py")
    nouns = {path.stem for path in (ROOT / "resolvers").glob("*.py")} | WITHOUT_RESOLVER
    assert [name for name in modules if not is_noun(name, nouns)] == []
    for folder, suffix in (("web/queries", ".graphql"), ("web/templates", ".html")):
        assert [name for name in stems(folder, suffix) - SHARED if not is_noun(name, modules)] == [], folder


def test_every_document_is_run_by_a_page() -> None:
    # The export runs one operation at a time, each for somebody whose projection has it.
    assert {path.stem for path in QUERIES.glob("*.graphql")} - {"export_archive"} == set(documents_of(pages))


def test_every_message_that_something_was_done_is_used_by_a_page() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (WEB / "pages").glob("*.py"))
    assert [word for word in DONE_WORDS if f'"{word}"' not in source and f"done={word}" not in source] == []


DOCUMENT = "query Tips { me { mediator { id logbook(first: 1) { totalCount } } } }\n"
TEMPLATE = """{% extends "base.html" %}
{% block title %}{{ _("Tips") }}{% endblock %}
{% block body %}<p>{{ _("You have %(count)s cases.", count=mediator.logbook.totalCount) }}</p>{% endblock %}
"""
DECLARATION = '''"""Tips for mediators."""

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from web.client import query
from web.menu import MenuItem
from web.page import FOR_MEDIATORS, page
from web.rendering import render


@page("/logbook/tips", FOR_MEDIATORS, document="tips", menu=MenuItem(_("Tips"), 25))
async def tips(request: Request) -> Response:
    """Show the tips."""
    found = await query(request, "Tips")
    return render(request, "tips.html", mediator=found["me"]["mediator"])
'''
# Run by a pytest of its own, on the copy that has the page. What it imports from the suite runs there, too.
DRIVER = """
from pathlib import Path

import web
from models.account import Role
from tests.browser.pages import LOOKS
from tests.hub import Hub
from tests.web.reading import get
from tests.web.test_audiences import (
    DOCUMENTS,
    S,
    test_a_document_for_some_people_asks_for_something_that_others_do_not_have,
    test_each_document_is_valid_for_everyone_who_sees_its_page,
)


async def test_the_page_is_there_for_those_who_have_it(hub: Hub) -> None:
    assert Path(web.__file__).is_relative_to(Path(__file__).parent)
    ann, rob = await hub.mediator(), await hub.person(Role.REVIEWER)
    shown = await get(hub, ann, "/logbook/tips")
    assert (shown.status_code, "You have 0 cases." in shown.text) == (200, True)
    assert (await hub.client.get("/logbook/tips")).status_code == 303
    assert (await get(hub, rob, "/logbook/tips")).status_code == 404
    assert '<a href="/logbook/tips">Tips</a>' in (await get(hub, ann, "/")).text
    assert DOCUMENTS["tips"] == (S,)
    assert [(look.name, look.by) for look in LOOKS if look.path == "/logbook/tips"] == [("logbook-tips", "mediator")]
"""
SETTINGS = """[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session
pythonpath = . {root}
"""


def test_a_new_page_only_takes_a_document_a_template_and_one_declaration(tmp_path: Path) -> None:
    copied = tmp_path / "web"
    copytree(WEB, copied, ignore=ignore_patterns("npm", "graphiql", "__pycache__"))
    (copied / "queries" / "tips.graphql").write_text(DOCUMENT)
    (copied / "templates" / "tips.html").write_text(TEMPLATE)
    (copied / "pages" / "tips.py").write_text(DECLARATION)
    (tmp_path / "test_tips.py").write_text(DRIVER)
    (tmp_path / "pytest.ini").write_text(SETTINGS.format(root=ROOT))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "test_tips.py"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_the_routes_are_those_of_the_pages() -> None:
    assert [(route.path, route.methods) for route in routes if isinstance(route, Route)] == [
        (one.path, {*one.methods, *({"HEAD"} if "GET" in one.methods else set())}) for one in pages
    ]
