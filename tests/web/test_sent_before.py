"""A form that's sent again: if it's unchanged, it counts once; if it was changed, it comes back and loses nothing."""

import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.hub import PASSWORD, Hub
from tests.web.reading import cookie, everything, handed_out, is_a_page, problems
from tests.world import put_cases, put_sessions
from web.client import SENT_BEFORE

TEMPLATES = Path(__file__).parents[2] / "web" / "templates"


@dataclass(frozen=True)
class Sent:
    """A form: its template, where it's sent and where it's shown, its content, and what's written instead."""

    template: str
    path: str
    form: dict[str, str]
    other: dict[str, str]
    table: str  # gets a row for each form sent
    page: str = ""
    never_shown: set[str] = field(default_factory=set)


CASE = {"role": "OBSERVER", "medium": "ONLINE", "startedOn": "2024-01-01", "endedOn": "2024-01-01", "minutes": "1:00"}
SESSION = {"heldOn": "2024-01-01", "minutes": "1:00", "kind": "TRAVEL", "medium": "ONLINE"}
CASE |= {"outcome": "ONGOING", "notes": "One"}
COURSE = {"kind": "OTHER", "title": "One", "startedOn": "2024-01-01", "endedOn": "2024-01-01", "minutes": "1:00"}
BALANCE = {"role": "OBSERVER", "minutes": "1", "cases": "", "before": "2024-01-01"}
REQUEST = {"partyName": "One", "partyEmail": "one@demo.example", "mediationEndedOn": "2024-01-01", "partyAgreed": "yes"}
SIGN_UP = {"name": "One", "email": "one@demo.example", "password": PASSWORD, "visibility": "PRIVATE"}
GIVEN = {"capacity": "PARTY", "actedAs": "MEDIATOR", "share": "no", "answer-impressed": "One"}
FORMS = (
    Sent("entries/form.html", "/logbook/new", CASE, {"notes": "Other"}, "logbook_entry"),
    Sent("case_session/form.html", "/logbook/{case}/sessions/new", SESSION, {"minutes": "2:00"}, "case_session"),
    Sent("entries/form.html", "/cpd/new", COURSE, {"title": "Other"}, "cpd_entry"),
    Sent("opening_balance/form.html", "/opening-balances/new", BALANCE, {"minutes": "2"}, "opening_balance"),
    Sent("feedback_request/form.html", "/request", REQUEST, {"partyEmail": "other@demo.example"}, "feedback_request"),
    Sent("account/sign_up.html", "/signup", SIGN_UP, {"email": "other@demo.example"}, "account_link", "", {"password"}),
    Sent(
        "mediator/edit.html",
        "/details/invite",
        {"email": "one@demo.example"},
        {"email": "other@demo.example"},
        "outbox",
        "/details",
    ),
    Sent("account/token.html", "/account/tokens/new", {"name": "One"}, {"name": "Other"}, "api_token"),
    Sent("feedback_giving/survey.html", "/give/to/{id}", GIVEN, {"answer-impressed": "Other"}, "feedback"),
)
# The first has nothing to change; a changed import has a key of its own, and skips what was imported. A file can't come
# back: that's in test_evidence_pages.py.
ELSE = {"export/show.html", "logbook_import/preview.html", "evidence/files.html"}


def key(page: httpx.Response) -> str:
    (found,) = re.findall(r'name="requestKey" value="([^"]+)" autocomplete="off"', page.text)
    return str(found)


def test_every_form_with_a_key_is_here() -> None:
    keyed = {
        str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html") if "{{ key() }}" in path.read_text()
    }
    assert keyed == {one.template for one in FORMS} | ELSE
    assert not [path for path in TEMPLATES.rglob("*.html") if 'name="requestKey"' in path.read_text()][1:]


@pytest.mark.parametrize("sent", FORMS, ids=lambda sent: sent.path)
async def test_a_form_sent_again_counts_once_and_if_changed_comes_back_as_changed(hub: Hub, sent: Sent) -> None:
    ann, about = await hub.mediator(), await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    await put_sessions(hub, case, {})
    path = sent.path.format(id=about.id, case=case)
    who = {} if sent.path in {"/signup", "/give/to/{id}"} else cookie(ann)
    blank = await hub.client.get(sent.page or path, headers=who)
    form = sent.form | {"requestKey": key(blank), "begun": handed_out(hub)}

    async def made() -> int:
        return len(await hub.rows(f"SELECT 1 FROM {sent.table}"))

    before = await made()
    for _ in range(2):
        assert (await hub.client.post(path, data=form, headers=who)).status_code in {200, 303}
        assert await made() == before + 1
    kept = await everything(hub)
    changed = form | sent.other
    refused = await hub.client.post(path, data=changed, headers=who)
    assert is_a_page(refused, 422)
    assert problems(refused) == [(None, str(SENT_BEFORE))]
    assert await everything(hub) == kept
    text = unescape(refused.text)
    for name in sent.form.keys() - sent.never_shown:
        value = changed[name]
        assert f'value="{value}"' in text or f">\n{value}</textarea>" in text, name
    assert key(refused) != form["requestKey"]
    for _ in range(2):
        again = await hub.client.post(path, data=changed | {"requestKey": key(refused)}, headers=who)
        assert again.status_code in {200, 303}
        assert await made() == before + 2


async def test_a_form_with_a_problem_keeps_its_key(hub: Hub) -> None:
    """So that a form that did arrive, but whose answer was lost, isn't processed twice."""
    ann = await hub.mediator()
    blank = await hub.client.get("/request", headers=cookie(ann))
    wrong = REQUEST | {"partyEmail": "nobody", "requestKey": key(blank)}
    assert key(await hub.client.post("/request", data=wrong, headers=cookie(ann))) == key(blank)
