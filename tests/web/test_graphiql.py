"""GraphiQL is only for administrators, loads nothing from elsewhere, and says how to set it up if it's missing."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse
from httpx import Response

from models.account import Role
from permissions.viewer import Standing
from schema.execution import documents
from tests.hub import Hub, Person
from tests.hub import opened as hub_opened
from tests.web.reading import HOSTILE, cookie, post
from tests.world import put_feedback
from web import graphiql

OTHERS = [*(role for role in Role if role is not Role.ADMIN)]


async def ask(hub: Hub, by: Person | None, path: str = "/graphiql") -> Response:
    return await hub.client.get(path, headers=cookie(by) if by else {})


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "graphiql"
    monkeypatch.setattr(graphiql, "ASSETS", folder)
    return folder


@pytest.fixture
def built(assets: Path) -> Path:
    assets.mkdir()
    (assets / "installed").write_text("5eed")
    return assets


class Loaded(HTMLParser):
    """Gathers what a page loads, the text of each script and style element, and the tabs that it opens."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline = ""
        self.inside = ""
        self.tabs: list[dict[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        if tag != "a":
            self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.inline += "".join(name for name, _ in attrs if name.startswith("on") or name == "style")
        self.tabs += json.loads(dict(attrs).get("data-tabs") or "[]")

    def handle_data(self, data: str) -> None:
        if self.inside in {"script", "style"}:
            self.inline += data.strip()


def directives(response: Response) -> dict[str, str]:
    policy = response.headers["content-security-policy"]
    return dict(directive.split(" ", 1) for directive in policy.split("; "))


async def test_an_administrator_gets_a_page_that_loads_only_from_this_host(hub: Hub, built: Path) -> None:
    response = await ask(hub, await hub.person(Role.ADMIN))
    assert response.status_code == 200
    loaded = Loaded(response.text)
    assert sorted(loaded.addresses) == [
        "/static/graphiql/page.css?v=5eed",
        "/static/graphiql/page.js?v=5eed",
        "data:,",
    ]
    assert not loaded.inline


async def test_the_policy_allows_no_other_host_and_no_inline_script(hub: Hub, built: Path) -> None:
    policy = directives(await ask(hub, await hub.person(Role.ADMIN)))
    assert policy.pop("style-src") == "'self' 'unsafe-inline'"
    assert policy.pop("img-src") == "'self' data:"
    assert {name for name, sources in policy.items() if sources == "'none'"} == {
        "default-src",
        "base-uri",
        "frame-ancestors",
    }
    assert {name for name, sources in policy.items() if sources == "'self'"} == {
        "script-src",
        "worker-src",
        "font-src",
        "connect-src",
        "form-action",
    }
    assert len(policy) == 8


@pytest.mark.parametrize("state", ["built", "assets"])
async def test_the_page_is_neither_stored_nor_sniffed_nor_sent_as_a_referrer(
    hub: Hub, state: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(state)
    headers = (await ask(hub, await hub.person(Role.ADMIN))).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers.get_list("content-security-policy") == [graphiql.GRAPHIQL_CSP]


async def test_an_administrator_with_other_roles_gets_the_page(hub: Hub, built: Path) -> None:
    assert (await ask(hub, await hub.person(*Role))).status_code == 200


async def test_the_page_says_who_is_signed_in_and_leads_home_and_out(hub: Hub, built: Path) -> None:
    admin = await hub.person(Role.ADMIN, name=HOSTILE)
    page = (await ask(hub, admin)).text
    assert "Signed in as &lt;script&gt;" in page
    assert f"({admin.email})" in page
    assert '<a href="/">Home</a>' in page
    assert '<form method="post" action="/signout">' in page
    # Otherwise browsers send `Origin: null` with the form, because of the header that says no-referrer.
    assert '<meta name="referrer" content="same-origin">' in page
    assert (await post(hub, admin, "/signout")).status_code == 303
    assert not await hub.rows("SELECT FROM session WHERE account_id = $1", admin.id)


async def test_an_administrator_who_has_yet_to_set_up_a_second_factor_is_named_too(hub: Hub, built: Path) -> None:
    async with hub_opened(hub.services, settings=hub.settings, admin_second_factor=True) as strict:
        admin = await strict.person(Role.ADMIN)
        assert f"({admin.email})" in (await ask(strict, admin)).text


async def test_anyone_signed_out_is_sent_to_sign_in_and_back(hub: Hub, built: Path) -> None:
    response = await ask(hub, None)
    assert response.status_code == 303
    assert response.headers["location"] == "/signin?next=/graphiql"
    assert not response.content


@pytest.mark.parametrize("role", OTHERS)
async def test_for_everybody_else_there_is_no_such_page(hub: Hub, built: Path, role: Role) -> None:
    by = await hub.person(role)
    hidden, unknown = await ask(hub, by), await ask(hub, by, "/no-such-page")
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content == unknown.content
    assert hidden.headers == unknown.headers


async def test_without_assets_the_page_says_what_to_run(hub: Hub, assets: Path) -> None:
    response = await ask(hub, await hub.person(Role.ADMIN))
    assert response.status_code == 503
    assert "<pre>make setup</pre>" in response.text
    assert Loaded(response.text).addresses == ["data:,"]


async def test_half_built_assets_count_as_missing(hub: Hub, built: Path) -> None:
    (built / "page.js").write_text("")
    (built / "installed").unlink()
    assert (await ask(hub, await hub.person(Role.ADMIN))).status_code == 503


# What an administrator's work takes, in the order of the tabs.
OPERATIONS = [
    *("FindPeople", "FindFeedback", "WhoGaveFeedback", "HeldFeedback", "AdmitFeedback", "RemoveFeedback", "FeedbackBy"),
    *("CreateDirectory", "ChangeDirectory", "AddRole", "RemoveRole"),
    *("UnconfirmedReviewers", "ConfirmReviewer", "WaitingAppointments", "ApproveAppointment", "DeclineAppointment"),
    *("DeadMail", "RetryMail", "AuditLog"),
    *("GivePaidAccess", "EndPaidAccess", "SignOutAccount", "DeleteAccount"),
]


def name_of(operation: str) -> str:
    (found,) = (one for one in parse(operation).definitions if isinstance(one, OperationDefinitionNode))
    assert found.name
    return found.name.value


async def test_it_opens_with_an_administrators_work_each_operation_in_a_tab_of_its_own(hub: Hub, built: Path) -> None:
    tabs = Loaded((await ask(hub, await hub.person(Role.ADMIN))).text).tabs
    assert [name_of(tab["query"]) for tab in tabs] == OPERATIONS
    assert all(tab["query"].startswith("# ") for tab in tabs)
    variables = {name_of(tab["query"]): json.loads(tab["variables"]) for tab in tabs}
    # What is left empty is refused. What may be left out isn't there, so that nothing is emptied by mistake.
    assert variables["DeleteAccount"] == {"id": "", "email": ""}
    assert variables["ChangeDirectory"] == {"id": ""}
    assert variables["AuditLog"] == {}
    assert variables["WhoGaveFeedback"] == {"mediatorId": "", "feedbackId": "", "reason": ""}


@pytest.mark.parametrize("operation", graphiql.operations(), ids=name_of)
def test_each_operation_is_valid_for_administrators(operation: str) -> None:
    prepared = documents(Standing.ADMIN | Standing.PUBLIC, by_token=False).prepared(operation)
    assert prepared.errors == []


@pytest.mark.parametrize("tab", graphiql.tabs(), ids=lambda tab: name_of(tab["query"]))
async def test_an_operation_run_before_anything_is_filled_in_changes_nothing(hub: Hub, tab: dict[str, str]) -> None:
    admin, _ = await hub.person(Role.ADMIN), await hub.mediator()
    before = await hub.rows("SELECT * FROM account ORDER BY id")
    await hub.ask(tab["query"], json.loads(tab["variables"]), by=admin)
    assert await hub.rows("SELECT * FROM account ORDER BY id") == before
    # Without a word to search for, FindPeople reads everybody, and that is noted.
    assert not await hub.rows("SELECT FROM audit_entry WHERE action <> 'ACCOUNT_READ' UNION ALL SELECT FROM outbox")


async def test_the_operations_do_what_their_names_say(hub: Hub) -> None:
    admin, ann, ria = await hub.person(Role.ADMIN), await hub.mediator(name="Ann"), await hub.person(Role.REVIEWER)
    said = {name_of(one): one for one in graphiql.operations()}

    async def run(operation: str, /, **variables: Any) -> Any:
        (found,) = (await hub.ask(said[operation], variables, by=admin)).data.values()
        assert not found.get("userErrors")
        return found

    for search in ("ann", ann.email, str(ann.id)):
        assert [one["id"] for one in (await run("FindPeople", search=search))["nodes"]] == [str(ann.id)]
    await put_feedback(hub, ann, name="Gil Giver", email="gil@demo.example", shared=False)
    (piece,) = (await run("FindFeedback", mediatorId=str(ann.id)))["feedback"]["nodes"]
    given = await run("WhoGaveFeedback", mediatorId=str(ann.id), feedbackId=piece["id"], reason="Ticket 1234")
    assert given["feedbackPiece"]["origin"]["email"] == "gil@demo.example"
    made = await run("CreateDirectory", name="D", email="d@demo.example", website="https://d.example")
    changed = await run("ChangeDirectory", id=made["directory"]["id"], name="E")
    assert changed["directory"] | {"name": "E", "website": "https://d.example"} == changed["directory"]
    assert (await run("AddRole", accountId=str(ann.id), role="REVIEWER"))["account"]["roles"] == [
        "MEDIATOR",
        "REVIEWER",
    ]
    assert (await run("RemoveRole", accountId=str(ann.id), role="REVIEWER"))["account"]["roles"] == ["MEDIATOR"]
    ((unconfirmed,),) = [(await run("UnconfirmedReviewers"))["nodes"]]
    assert (await run("ConfirmReviewer", accountId=unconfirmed["id"]))["account"]["reviewerConfirmedAt"]
    for decide in ("DeclineAppointment", "ApproveAppointment"):
        await hub.waiting(ann, ria)
        (waiting,) = (await run("WaitingAppointments"))["nodes"]
        assert (waiting["mediatorName"], waiting["reviewerName"]) == ("Ann", ria.name)
        assert waiting["missing"] == ["ACCEPTANCE", "APPROVAL"]
        await run(decide, id=waiting["id"])
    await hub.rows("UPDATE outbox SET state = 'DEAD' WHERE kind = 'directory_access'")
    (dead,) = (await run("DeadMail"))["nodes"]
    await run("RetryMail", id=dead["id"])
    paid = await run("GivePaidAccess", accountId=str(ann.id), paidUntil="2999-01-31T00:00:00Z")
    assert paid["account"]["paidUntil"]
    assert (await run("EndPaidAccess", accountId=str(ann.id)))["account"]["paidUntil"] is None
    await run("SignOutAccount", accountId=str(ann.id))
    await run("DeleteAccount", id=str(ann.id), email=ann.email)
    entries = [one["action"] for one in (await run("AuditLog"))["nodes"]]
    assert "ACCOUNT_READ" in entries
    assert [one for one in reversed(entries) if one != "ACCOUNT_READ"] == [
        *("ANSWERS_READ", "ORIGIN_READ", "DIRECTORY_CREATED", "DIRECTORY_CHANGED", "ROLE_ADDED", "ROLE_REMOVED"),
        *("REVIEWER_CONFIRMED", "APPOINTMENT_DECLINED", "APPOINTMENT_APPROVED", "MAIL_RETRIED"),
        *("PAID_ACCESS_CHANGED", "PAID_ACCESS_ENDED", "SIGNED_OUT", "ACCOUNT_DELETED"),
    ]
    chosen = {
        "action": "ROLE_ADDED",
        "actorId": str(admin.id),
        "subjectId": str(ann.id),
        "from": "2020-01-01T00:00:00Z",
    }
    (found,) = (await run("AuditLog", **chosen))["nodes"]
    assert (found["actor"]["name"], found["subject"]) == (admin.name, None)  # Ann's account is deleted by now
